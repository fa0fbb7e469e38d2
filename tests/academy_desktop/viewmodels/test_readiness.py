from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.ahead import Ahead
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from academy_desktop.viewmodels.readiness import Readiness
from tests.academy_desktop.viewmodels.making import in_loop, seen, words

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is made ready there")


def readiness(tmp_path: Path, engine: str, keep_s: float = 60.0) -> tuple[Readiness, Ahead]:
    ahead = Jobs(DataDir(tmp_path).open(), Path(sys.executable)).ahead
    said = words()
    return Readiness(ahead, lambda: engine, said.formats, said.gettext, keep_s), ahead


def test_a_trainer_is_held_while_the_page_is_seen_and_given_back_after(
    qapp: QApplication, tmp_path: Path
) -> None:
    ready, ahead = readiness(tmp_path, "cpu", keep_s=0.1)
    notes: list[str] = []
    ready.changed.connect(lambda: notes.append(ready.note))

    async def look_and_leave() -> None:
        following = asyncio.create_task(ready.follow())
        ready.see(True)
        await seen(lambda: "MiB" in ready.note)
        ready.see(False)
        await seen(lambda: not ready.note)
        assert ahead.memory_bytes == 0
        following.cancel()

    in_loop(qapp, look_and_leave())
    assert notes[-1] == ""


def test_who_closes_the_window_leaves_no_trainer(qapp: QApplication, tmp_path: Path) -> None:
    ready, ahead = readiness(tmp_path, "cpu")

    async def look_and_close() -> None:
        following = asyncio.create_task(ready.follow())
        ready.see(True)
        await seen(lambda: ready.note)
        following.cancel()
        await asyncio.wait([following])

    in_loop(qapp, look_and_close())
    assert ahead.memory_bytes == 0


def test_nothing_is_held_before_it_is_known_for_what(qapp: QApplication, tmp_path: Path) -> None:
    ready, ahead = readiness(tmp_path, "")

    async def look() -> None:
        following = asyncio.create_task(ready.follow())
        ready.see(True)
        await asyncio.sleep(0.3)
        following.cancel()

    in_loop(qapp, look())
    assert (ready.note, ahead.memory_bytes) == ("", 0)
    assert os.listdir(tmp_path / "runs") == []
