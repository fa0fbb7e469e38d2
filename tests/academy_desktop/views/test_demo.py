from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget

from academy_desktop.app import RESOURCES
from academy_desktop.core.paths import DataDir
from academy_desktop.views.demo import STATE_ICONS
from academy_desktop.views.look import Look
from tests.academy_desktop.viewmodels.making import QT_SAYS, in_loop, seen
from tests.academy_desktop.views.making import (
    accessible_name,
    clipped,
    rested,
    shown_parts,
    tab_stops,
    takes_keys,
)
from tests.pictures.export import PlayedDemo, Room, outcome, rest, script, show_demo
from trainers.errors import AcademyError, ErrorCode

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

T = TypeVar("T")
STATES = pytest.mark.parametrize("state", ["idle", "running", "failed", "done"])


@pytest.fixture(scope="module", autouse=True)
def _gone_in_their_own_thread() -> Iterator[None]:
    """Qt objects of one test are not collected by a thread of the next."""
    gc.collect()
    gc.disable()
    yield
    gc.collect()
    gc.enable()


def way(state: str, folder: Path) -> PlayedDemo:
    """A demo that comes to a state and stays there."""
    match state:
        case "running":
            return PlayedDemo(script(97))
        case "failed":
            return PlayedDemo(script(31), AcademyError(ErrorCode.DISK_FULL, path=f"/home/{'anna/' * 20}"))
        case "done":
            return PlayedDemo((*script(240), *rest()), outcome(folder))
    return PlayedDemo(())


def looked_at(
    app: QApplication,
    folder: Path,
    state: str,
    look: Callable[[Room], T],
    size: tuple[int, int] = (1100, 700),
    *,
    dark: bool = False,
) -> T:
    """Show the demo in a state and look at it."""

    async def whole() -> T:
        shared = Look(app, RESOURCES, dark)
        room = Room(DataDir(folder / "data").open(), shared, way(state, folder))
        try:
            room.window.resize(*size)
            room.window.show()
            await show_demo(room)
            await asyncio.sleep(0.02)
            await rested()
            room.window.grab()
            return look(room)
        finally:
            await room.close()
            shared.deleteLater()
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
            assert room.failures == []

    return in_loop(app, whole())


def texts(part: QWidget) -> str:
    """All that is written."""
    return "\n".join(one.text() for one in shown_parts(part) if isinstance(one, QLabel | QPushButton))


@pytest.mark.parametrize(("size", "dark"), [((1100, 700), False), ((1600, 1000), True)])
@STATES
def test_no_text_is_clipped(
    qapp: QApplication, tmp_path: Path, state: str, size: tuple[int, int], dark: bool
) -> None:
    assert looked_at(qapp, tmp_path, state, lambda room: clipped(room.window), size, dark=dark) == []


@STATES
def test_everything_that_takes_keys_is_named_and_reached_by_tab(
    qapp: QApplication, tmp_path: Path, state: str
) -> None:
    def look(room: Room) -> tuple[list[str], set[str]]:
        keyed = [part for part in shown_parts(room.demo) if takes_keys(part)]
        unnamed = [type(part).__name__ for part in keyed if not accessible_name(part)]
        stops = tab_stops(room.window)
        return unnamed, {accessible_name(part) for part in keyed if part not in stops}

    assert looked_at(qapp, tmp_path, state, look) == ([], set())


def test_before_it_begins_it_says_what_it_does_and_what_it_needs(qapp: QApplication, tmp_path: Path) -> None:
    said = looked_at(qapp, tmp_path, "idle", lambda room: texts(room.demo))
    assert "See the whole way in ten minutes" in said
    assert "2 GiB of disk" in said
    assert "Start the demo" in said
    assert "Cancel" not in said


def test_enter_starts_it_and_cancel_ends_it(qapp: QApplication, tmp_path: Path) -> None:
    played = PlayedDemo(script(5))

    async def whole() -> str:
        shared = Look(qapp, RESOURCES, dark=False)
        room = Room(DataDir(tmp_path / "data").open(), shared, played)
        room.window.show()
        QTest.keyClick(room.demo.start, Qt.Key.Key_Return)
        await seen(lambda: len(room.tour.story.losses) == 5, "its training")
        QTest.keyClick(room.demo.cancel, Qt.Key.Key_Return)
        assert not room.demo.cancel.isEnabled()
        await seen(lambda: not room.tour.is_running, "its end")
        said = texts(room.demo)
        await room.close()
        shared.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        return said

    said = in_loop(qapp, whole())
    assert played.fast is False
    assert len(played.stopped) == 1
    assert "You ended it here." in said
    assert "Try again" in said


def test_while_it_runs_its_stages_and_its_loss_are_shown(qapp: QApplication, tmp_path: Path) -> None:
    said = looked_at(qapp, tmp_path, "running", lambda room: texts(room.demo))
    order = ["The model", "The rows", "Training", "Exports", "Proof", "Questions it has not seen"]
    lines = said.splitlines()
    assert [line for line in lines if line in order] == order
    assert "loss 0.768 · step 97 of 240" in said
    assert "Start the demo" not in said


def test_what_stopped_it_stands_below_with_what_to_do(qapp: QApplication, tmp_path: Path) -> None:
    said = looked_at(qapp, tmp_path, "failed", lambda room: texts(room.demo))
    assert "The disk is full" in said
    assert "Free some space and try again." in said
    assert "Try again" in said


def test_the_result_leads_to_the_run_and_to_the_files(qapp: QApplication, tmp_path: Path) -> None:
    opened: list[tuple[str, str]] = []

    def look(room: Room) -> tuple[str, list[str]]:
        room.demo.wanted.connect(lambda page, job: opened.append((page, job)))
        QTest.keyClick(room.demo.open_run, Qt.Key.Key_Return)
        room.demo.show_files.click()
        return texts(room.demo), room.folders

    said, [folder] = looked_at(qapp, tmp_path, "done", look)
    assert opened == [("runs", "20261124-064744-3f9a1c")]
    assert folder == str(tmp_path / opened[0][1] / "exports")
    for words in ("It has learned the language", "Proven", "0%", "96%", "94%"):
        assert words in said.splitlines()


def test_only_what_is_over_has_a_mark_instead_of_its_number() -> None:
    assert set(STATE_ICONS) == {"done", "failed"}
