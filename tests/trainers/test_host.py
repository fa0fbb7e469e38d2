from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import trainers
from tests.chaos.driving import host_record, is_running, trainer_pid, until
from tests.chaos.io_faults import fill
from trainers.host import BUSY_EXIT_CODE
from trainers.layout import Command, CommandName, ExitRecord, Launch, RunDir, write_record
from trainers.locks import FileLock, is_held

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(next(iter(trainers.__path__))).parent)}


class Hosts:
    """Starts hosts that stay our children, and ends those that a test leaves."""

    def __init__(self, root: Path) -> None:
        self.runs = root / "runs"
        self.queue = root / "queue" / "cpu"
        self.queue.mkdir(parents=True)
        self.processes: list[subprocess.Popen[bytes]] = []

    def prepare(self, name: str, script: str, *, order: int = 0, **limits: float) -> RunDir:
        run = RunDir(self.runs / name)
        entry = f"{order:012d}-{name}" if order else None
        launch = Launch(
            job=name,
            attempt=1,
            argv=(sys.executable, "-P", "-S", "-c", textwrap.dedent(script)),
            cwd=str(run.path),
            environment=ENVIRONMENT,
            queue_dir=str(self.queue) if entry else None,
            queue_entry=entry,
        )
        if entry:
            (self.queue / entry).touch()
        write_record(run.attempt(1).launch, launch.model_copy(update=limits))
        return run

    def start(self, run: RunDir) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-S", "-m", "trainers.host", str(run.path), "1", "--stay"]
        process = subprocess.Popen(command, env=ENVIRONMENT, start_new_session=True)
        self.processes.append(process)
        return process

    def run(self, run: RunDir) -> ExitRecord:
        assert self.start(run).wait(60) == 0
        return outcome(run)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    made = Hosts(tmp_path)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


def outcome(run: RunDir) -> ExitRecord:
    return ExitRecord.model_validate_json(run.attempt(1).exit.read_bytes())


def command(run: RunDir, name: CommandName) -> None:
    record = Command(id="c1", attempt=1, command=name, created_at=0.0)
    write_record(run.commands / "c1.json", record)


def log(run: RunDir) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(run.log.glob("*.txt")))


def test_an_exit_code_is_recorded_with_output_and_memory(hosts: Hosts) -> None:
    run = hosts.prepare("a", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", order=1)
    record = hosts.run(run)
    assert (record.reason, record.exit_code, record.signal) == ("exited", 3, None)
    assert record.peak_rss_bytes is not None
    assert record.peak_rss_bytes > 1_000_000
    assert sorted(log(run).splitlines()) == [b"--- attempt 1 ---", b"err", b"out"]
    host = host_record(run)
    assert host is not None
    assert host.state == "ended"
    assert not is_held(run.host_lock)
    assert not list(hosts.queue.glob("0*"))
    assert not list(run.attempt(1).path.glob(".*"))


def test_a_signal_is_recorded_by_its_name(hosts: Hosts) -> None:
    run = hosts.prepare("a", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    record = hosts.run(run)
    assert (record.reason, record.exit_code, record.signal) == ("signalled", None, "SIGKILL")


STARVED = """
import os, sys, time
from pathlib import Path
from trainers.heartbeat import Heartbeat
attempt = int(sys.argv[1])
beat = Heartbeat(Path("heartbeat"))
beat.phase({phase!r})
print("terminate called after throwing an instance of 'std::bad_alloc'", flush=True)
if attempt < {fits}:
    os.abort()
"""


@pytest.mark.parametrize(
    ("phase", "fits", "attempts"), [("training", 3, 3), ("training", 9, 4), ("loading", 9, 1)]
)
def test_a_trainer_without_memory_is_started_again_where_fewer_rows_may_help(
    hosts: Hosts, phase: str, fits: int, attempts: int
) -> None:
    run = hosts.prepare("a", "", order=1)
    launch = Launch.model_validate_json(run.attempt(1).launch.read_bytes())
    script = STARVED.format(phase=phase, fits=fits)
    argv = (sys.executable, "-P", "-S", "-c", script, "1")
    write_record(run.attempt(1).launch, launch.model_copy(update={"argv": argv}))
    assert hosts.start(run).wait(60) == 0
    assert sorted(run.attempt_numbers()) == list(range(1, attempts + 1))
    ends = [ExitRecord.model_validate_json(run.attempt(n).exit.read_bytes()) for n in range(1, attempts + 1)]
    assert [one.out_of_memory for one in ends] == [True] * (attempts - 1) + [fits > attempts]
    orders = [Launch.model_validate_json(run.attempt(n).launch.read_bytes()) for n in range(1, attempts + 1)]
    assert [one.memory_retries for one in orders] == list(range(attempts))
    assert not list(hosts.queue.glob("0*"))
    assert b"memory ran out" in log(run)


def test_a_trainer_that_somebody_killed_is_not_started_again(hosts: Hosts) -> None:
    script = "import os, signal; print('MemoryError', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    run = hosts.prepare("a", script)
    assert not hosts.run(run).out_of_memory
    assert run.attempt_numbers() == [1]


STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) == 1:
    child = subprocess.Popen([sys.executable, "-P", "-S", "-c", open("script.py").read(), "child"])
    open("grandchild", "w").write(str(child.pid) + "\\n")
print("ready", flush=True)
time.sleep(600)
"""


def test_kill_ends_a_trainer_and_a_grandchild_that_ignore_sigterm(hosts: Hosts) -> None:
    run = hosts.prepare("a", STUBBORN, stop_grace_s=0.3)
    (run.path / "script.py").write_text(STUBBORN)
    process = hosts.start(run)
    until(lambda: log(run).count(b"ready") == 2)
    command(run, "kill")
    assert process.wait(30) == 0
    assert outcome(run).signal == "SIGKILL"
    assert not is_running(int((run.path / "grandchild").read_text()))


def test_kill_is_polite_first(hosts: Hosts) -> None:
    script = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print("ready", flush=True)
        time.sleep(600)
    """
    run = hosts.prepare("a", script)
    process = hosts.start(run)
    until(lambda: b"ready" in log(run))
    command(run, "kill")
    assert process.wait(30) == 0
    assert outcome(run).exit_code == 0


def test_what_a_trainer_leaves_behind_ends_with_it(hosts: Hosts) -> None:
    script = """
        import subprocess, sys
        child = subprocess.Popen([sys.executable, "-P", "-S", "-c", "import time; time.sleep(600)"])
        open("grandchild", "w").write(str(child.pid))
    """
    run = hosts.prepare("a", script)
    assert hosts.run(run).exit_code == 0
    assert not is_running(int((run.path / "grandchild").read_text()))


def test_a_line_of_a_megabyte_is_kept(hosts: Hosts) -> None:
    run = hosts.prepare("a", "print('x' * 1_000_000)")
    assert hosts.run(run).exit_code == 0
    assert log(run).count(b"x") == 1_000_000


def test_output_without_end_is_capped_in_the_middle(hosts: Hosts) -> None:
    script = """
        import sys
        for n in range(100_000):
            print("line", n)
        print("last words")
    """
    run = hosts.prepare("a", script, log_segment_bytes=10_000, log_segments=5)
    assert hosts.run(run).exit_code == 0
    kept = log(run)
    assert len(kept) < 60_000
    assert kept.startswith(b"--- attempt 1 ---\nline 0\nline 1\n")
    assert kept.endswith(b"\nlast words\n")
    markers = [line for line in kept.splitlines() if b"dropped" in line]
    assert len(markers) == 1
    dropped = int(markers[0].lstrip(b"[").split()[0])
    written = len("--- attempt 1 ---\nlast words\n") + sum(len(f"line {n}\n") for n in range(100_000))
    assert dropped + len(kept) - len(markers[0]) - 2 == written


def test_a_trainer_that_cannot_start(hosts: Hosts) -> None:
    run = hosts.prepare("a", "")
    launch = Launch.model_validate_json(run.attempt(1).launch.read_bytes())
    write_record(run.attempt(1).launch, launch.model_copy(update={"argv": ("/nowhere/python",)}))
    record = hosts.run(run)
    assert record.reason == "not_started"
    assert "/nowhere/python" in record.message


def test_a_damaged_launch_order(hosts: Hosts) -> None:
    run = hosts.prepare("a", "")
    run.attempt(1).launch.write_bytes(b'{"v": 1, "argv"')
    assert hosts.run(run).reason == "not_started"


def test_an_attempt_that_is_over_stays_as_it_is(hosts: Hosts) -> None:
    run = hosts.prepare("a", "open('ran', 'w')")
    write_record(run.attempt(1).exit, ExitRecord(reason="exited", exit_code=7, ended_at=0.0))
    assert hosts.run(run).exit_code == 7
    assert not (run.path / "ran").exists()


def test_a_second_host_leaves_the_job_to_the_first(hosts: Hosts) -> None:
    run = hosts.prepare("a", "open('ran', 'w')")
    first = FileLock(run.host_lock)
    assert first.acquire()
    assert hosts.start(run).wait(30) == BUSY_EXIT_CODE
    assert not (run.path / "ran").exists()


@pytest.mark.parametrize("name", ["stop", "suspend", "kill"])
def test_a_job_can_be_stopped_in_the_queue(hosts: Hosts, name: CommandName) -> None:
    device = FileLock(hosts.queue / "device.lock")
    assert device.acquire()
    run = hosts.prepare("a", "open('ran', 'w')", order=1)
    process = hosts.start(run)
    until(lambda: host_record(run))
    command(run, name)
    assert process.wait(30) == 0
    assert outcome(run).reason == "stopped_in_queue"
    assert not (run.path / "ran").exists()
    assert not list(hosts.queue.glob("0*"))


def test_three_jobs_take_their_turns_in_the_order_of_the_queue(hosts: Hosts) -> None:
    device = FileLock(hosts.queue / "device.lock")
    assert device.acquire()
    script = """
        import os, time
        journal = os.open("../../journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        name = os.path.basename(os.getcwd()).encode()
        os.write(journal, b"+" + name)
        time.sleep(0.05)
        os.write(journal, b"-" + name)
    """
    runs = [hosts.prepare(name, script, order=order) for name, order in (("a", 3), ("b", 1), ("c", 2))]
    processes = [hosts.start(run) for run in runs]
    until(lambda: all(host_record(run) for run in runs))
    device.release()
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert (hosts.runs.parent / "journal").read_bytes() == b"+b-b+c-c+a-a"


def test_an_entry_without_a_living_host_holds_nobody_up(hosts: Hosts) -> None:
    hosts.prepare("dead", "", order=1)
    run = hosts.prepare("a", "print('ran')", order=2)
    assert hosts.run(run).exit_code == 0


def test_a_host_outlives_hangups_and_interrupts(hosts: Hosts) -> None:
    run = hosts.prepare(
        "a", "import time; print('ready', flush=True)\nwhile not open('go').read(): time.sleep(.01)"
    )
    (run.path / "go").touch()
    process = hosts.start(run)
    until(lambda: b"ready" in log(run))
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        process.send_signal(number)
    (run.path / "go").write_text("go")
    assert process.wait(30) == 0
    assert outcome(run).exit_code == 0


def test_a_host_told_to_end_ends_its_trainer_first(hosts: Hosts) -> None:
    run = hosts.prepare("a", "import time; print('ready', flush=True); time.sleep(600)")
    process = hosts.start(run)
    until(lambda: b"ready" in log(run))
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert outcome(run).signal == "SIGTERM"


def test_the_kernel_would_take_the_trainer_first(hosts: Hosts) -> None:
    run = hosts.prepare("a", "print(open('/proc/self/oom_score_adj').read()); import time; time.sleep(600)")
    process = hosts.start(run)
    pid = trainer_pid(run)
    assert until(lambda: Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "500")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_a_host_on_a_full_disk_waits_with_its_trainer_and_its_records(
    small_disk: Callable[[int], Path],
) -> None:
    disk = small_disk(2**20)
    crowded = Hosts(disk)
    run = crowded.prepare("a", "print('ran')", order=1)
    run.host_lock.touch()
    ballast = fill(disk)
    process = crowded.start(run)
    until(lambda: is_held(run.host_lock), "the host")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.5)
    assert not run.heartbeat.exists() or run.heartbeat.stat().st_size == 0
    ballast.unlink()
    assert process.wait(30) == 0
    assert outcome(run).exit_code == 0
    host = host_record(run)
    assert host is not None
    assert (host.state, host.stalled) == ("ended", "")
    assert b"ran" in log(run)
