from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from academy_desktop.doorbell import LOCK_NAME, Doorbell
from trainers.locks import FileLock, is_held

#: Claims the doorbell of a folder, says so, and waits to be killed.
HOLDER = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from academy_desktop.doorbell import Doorbell

app = QCoreApplication([])
bell = Doorbell(Path(sys.argv[1]))
print(bell.claim(), flush=True)
app.exec()
"""

#: Rings at the doorbell of a folder and says whether it was heard.
RINGER = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from academy_desktop.doorbell import Doorbell

app = QCoreApplication([])
bell = Doorbell(Path(sys.argv[1]))
print(not bell.claim() and bell.ring(30))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data directory."""
    return tmp_path


def start_holder(root: Path) -> subprocess.Popen[str]:
    """A process with a window on this directory."""
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(root)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    return holder


def rung(qtbot: QtBot, root: Path) -> bool:
    """Ring from another process while this one processes its events; returns whether it was heard."""
    with subprocess.Popen(
        [sys.executable, "-c", RINGER, str(root)], stdout=subprocess.PIPE, text=True
    ) as ringer:
        qtbot.waitUntil(lambda: ringer.poll() is not None, timeout=60_000)
        return ringer.communicate()[0] == "True\n"


def test_the_second_rings_and_the_first_hears_it(qtbot: QtBot, root: Path) -> None:
    bell = Doorbell(root)
    rings: list[None] = []
    bell.rung.connect(lambda: rings.append(None))
    assert bell.claim()
    assert rung(qtbot, root)
    assert rings == [None]
    bell.release()


def test_another_process_is_rung_too(qapp: QApplication, root: Path) -> None:
    holder = start_holder(root)
    try:
        bell = Doorbell(root)
        assert not bell.claim()
        assert bell.ring()
    finally:
        holder.kill()
        holder.communicate()


def test_a_killed_window_refuses_nobody(qapp: QApplication, root: Path) -> None:
    for _ in range(2):
        holder = start_holder(root)
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    bell = Doorbell(root)
    assert bell.claim()
    assert not Doorbell(root).claim()
    bell.release()


def test_a_window_that_hangs_is_not_waited_for_for_ever(qapp: QApplication, root: Path) -> None:
    holder = start_holder(root)
    try:
        holder.send_signal(signal.SIGSTOP)
        bell = Doorbell(root)
        assert not bell.claim()
        assert not bell.ring(timeout_s=0.2)
    finally:
        holder.kill()
        holder.communicate()


def test_the_next_is_the_first_once_the_doorbell_is_given_back(qapp: QApplication, root: Path) -> None:
    first, second = Doorbell(root), Doorbell(root)
    assert first.claim()
    first.release()
    assert second.claim()
    assert is_held(root / LOCK_NAME)
    second.release()
    second.release()


def test_a_lock_without_a_doorbell_is_not_heard(qapp: QApplication, root: Path) -> None:
    lock = FileLock(root / LOCK_NAME)
    assert lock.acquire()
    bell = Doorbell(root)
    assert not bell.claim()
    assert not bell.ring(timeout_s=0.1)
    lock.release()
    assert bell.claim()
    bell.release()


def test_two_directories_have_two_doorbells(qapp: QApplication, root: Path) -> None:
    bells = []
    for name in ("one", "other"):
        (root / name).mkdir()
        bells.append(Doorbell(root / name))
    assert all(bell.claim() for bell in bells)
    for bell in bells:
        bell.release()


def test_one_directory_by_two_names_has_one_doorbell(qtbot: QtBot, root: Path) -> None:
    (root / "data").mkdir()
    os.symlink(root / "data", root / "link")
    bell = Doorbell(root / "data")
    assert bell.claim()
    assert rung(qtbot, root / "link")
    bell.release()


def test_where_no_lock_can_be_had_the_window_opens_all_the_same(
    qapp: QApplication, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / LOCK_NAME).mkdir()  # cannot be opened as a file
    bell = Doorbell(root)
    assert bell.claim()
    assert "no lock on the data directory" in caplog.text
    bell.release()
