from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from academy_desktop.views.notifier import Notifier
from tests.academy_desktop.viewmodels.making import QT_SAYS

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

#: Notes what it was told.
NOTIFY = """#!/bin/sh
printf '%s\\n' "$@" > "$NOTES/part" && mv "$NOTES/part" "$NOTES/told"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other desktops have a tray")
def test_a_user_who_looks_elsewhere_is_told_in_the_desktops_way(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "notify-send"
    helper.write_text(NOTIFY)
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("NOTES", str(tmp_path))
    window = QWidget()
    Notifier(window).tell("-“Replies”: Finished", "The run finished.")
    deadline = time.monotonic() + 30
    while not (tmp_path / "told").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    told = (tmp_path / "told").read_text().splitlines()
    assert told == ["--app-name=Academy Desktop", "--", "-“Replies”: Finished", "The run finished."]


def test_a_user_who_looks_here_is_not_told_twice(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "notify-send"
    helper.write_text(NOTIFY)
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("NOTES", str(tmp_path))
    window = QWidget()
    window.show()
    window.activateWindow()
    QTest.qWaitForWindowActive(window)
    assert window.isActiveWindow()
    Notifier(window).tell("title", "text")
    time.sleep(0.3)
    assert not (tmp_path / "told").exists()


def test_without_any_way_nothing_happens(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    Notifier(QWidget()).tell("title", "text")
