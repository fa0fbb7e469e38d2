from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.driving import until
from trainers.host_awake import _command, awake

#: Notes that it was started and how, holds on until its input ends, and notes that.
INHIBIT = """#!/bin/sh
echo "$@" > "$NOTES/started"
cat
echo gone > "$NOTES/ended"
"""


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the system's helper, played by a script, says what became of it."""
    helper = tmp_path / "bin" / ("caffeinate" if sys.platform == "darwin" else "systemd-inhibit")
    helper.parent.mkdir()
    helper.write_text(INHIBIT)
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}:/usr/bin:/bin")
    monkeypatch.setenv("NOTES", str(tmp_path))
    return tmp_path


posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows needs no helper")


@posix
def test_the_wish_is_held_as_long_as_asked_for(notes: Path) -> None:
    with awake():
        until(lambda: (notes / "started").exists() and (notes / "started").read_text(), "the wish")
        said = (notes / "started").read_text().split()
        assert said[0] == ("-i" if sys.platform == "darwin" else "--what=sleep:idle")


@pytest.mark.skipif(sys.platform != "linux", reason="the helper ends with its input")
def test_a_host_that_is_killed_takes_its_wish_along(notes: Path) -> None:
    code = "import time; from trainers.host_awake import awake\nwith awake(): time.sleep(600)"
    host = subprocess.Popen([sys.executable, "-c", code])
    until(lambda: (notes / "started").exists(), "the wish")
    host.send_signal(signal.SIGKILL)
    host.wait()
    until(lambda: (notes / "ended").exists(), "its end")


@posix
def test_without_such_a_helper_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with awake():
        pass


def test_a_mac_watches_the_host_itself() -> None:
    assert _command("darwin", 42) == ("caffeinate", "-i", "-w", "42")
