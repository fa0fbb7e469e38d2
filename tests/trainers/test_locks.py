from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.driving import until
from trainers.locks import FileLock, is_held

HOLDER = """
import sys, time
from pathlib import Path
from trainers.locks import FileLock
assert FileLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(600)
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock."""
    command = [sys.executable, "-P", "-S", "-c", HOLDER, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            yield process
        finally:
            process.kill()


def test_a_lock_is_held_until_it_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "host.lock"
    lock = FileLock(path)
    assert not is_held(path)
    assert lock.acquire()
    assert is_held(path)
    assert not FileLock(path).acquire()
    lock.release()
    assert not is_held(path)
    lock.release()
    assert FileLock(path).acquire()


def test_asking_makes_no_file(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "host.lock")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_in_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "nowhere" / "host.lock").acquire()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_system_frees_the_lock_of_a_process_that_ends(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "host.lock"
    with holder(path) as process:
        assert is_held(path)
        assert not FileLock(path).acquire(0.05)
        process.send_signal(number)
        process.wait()
        assert not is_held(path)


def test_whoever_waits_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "host.lock"
    got: list[bool] = []
    with holder(path) as process:
        waiting = FileLock(path)
        thread = threading.Thread(target=lambda: got.append(waiting.acquire(60)))
        thread.start()
        process.kill()
        thread.join()
    assert got == [True]
    assert is_held(path)
    waiting.release()


def test_a_lock_and_its_probes_leave_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "host.lock"
    lock = FileLock(path)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        assert lock.acquire()
        assert is_held(path)
        assert not FileLock(path).acquire()
        lock.release()
        assert not is_held(path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_many_probes_at_once_do_not_take_each_other_for_a_holder(tmp_path: Path) -> None:
    path = tmp_path / "host.lock"
    path.touch()
    found: list[bool] = []

    def probe() -> None:
        found.extend(is_held(path) for _ in range(300))

    threads = [threading.Thread(target=probe) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1200
    assert not any(found)


def test_a_probe_does_not_keep_a_patient_holder_out(tmp_path: Path) -> None:
    path = tmp_path / "host.lock"
    path.touch()
    quit_now = threading.Event()

    def probe() -> None:
        while not quit_now.is_set():
            is_held(path)

    thread = threading.Thread(target=probe)
    thread.start()
    lock = FileLock(path)
    try:
        assert until(lambda: lock.acquire(2.0))
    finally:
        quit_now.set()
        thread.join()
    assert is_held(path)
    lock.release()
