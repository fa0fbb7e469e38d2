from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QProgressBar, QPushButton, QWidget

from academy_desktop.app import RESOURCES
from academy_desktop.core.paths import DataDir
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
from tests.pictures.export import (
    PlayedDemo,
    Room,
    fill,
    show_bottom,
    show_busy,
    show_empty,
    show_files,
    show_plain,
)

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

T = TypeVar("T")
Prepare = Callable[[Room], Awaitable[None]]

SIZES = pytest.mark.parametrize(("size", "dark"), [((1100, 700), False), ((1600, 1000), True)])


@pytest.fixture(scope="module", autouse=True)
def _gone_in_their_own_thread() -> Iterator[None]:
    """Qt objects of one test are not collected by a thread of the next."""
    gc.collect()
    gc.disable()
    yield
    gc.collect()
    gc.enable()


async def show_opened(room: Room) -> None:
    """The run with files, the proof that failed opened."""
    await show_files(room, 2)


STATES = pytest.mark.parametrize(
    "prepare", [show_files, show_opened, show_bottom, show_busy], ids=["files", "opened", "form", "busy"]
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataDir]:
    """Finished runs with exports of all fates, and one that is being exported."""
    data = DataDir(tmp_path_factory.mktemp("exports")).open()
    _, locks = fill(data)
    yield data
    for lock in locks:
        lock.release()


def looked_at(
    app: QApplication,
    data: DataDir,
    prepare: Prepare,
    look: Callable[[Room], T],
    size: tuple[int, int] = (1100, 700),
    *,
    dark: bool = False,
) -> T:
    """Show the page, prepared, and look at it."""

    async def whole() -> T:
        shared = Look(app, RESOURCES, dark)
        room = Room(data, shared, PlayedDemo(()))
        try:
            room.read()
            room.window.resize(*size)
            room.window.show()
            await prepare(room)
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


def texts(window: QWidget) -> str:
    """All that is written."""
    return "\n".join(part.text() for part in shown_parts(window) if isinstance(part, QLabel | QPushButton))


@SIZES
@STATES
def test_no_text_is_clipped(
    qapp: QApplication, filled: DataDir, prepare: Prepare, size: tuple[int, int], dark: bool
) -> None:
    assert looked_at(qapp, filled, prepare, lambda room: clipped(room.window), size, dark=dark) == []


@STATES
def test_everything_that_takes_keys_is_named_and_reached_by_tab(
    qapp: QApplication, filled: DataDir, prepare: Prepare
) -> None:
    def look(room: Room) -> tuple[list[str], set[str]]:
        keyed = [part for part in shown_parts(room.window) if takes_keys(part)]
        unnamed = [type(part).__name__ for part in keyed if not accessible_name(part)]
        stops = tab_stops(room.window)
        return unnamed, {accessible_name(part) for part in keyed if part not in stops}

    assert looked_at(qapp, filled, prepare, look) == ([], set())


def test_where_the_keys_go_can_be_seen(qapp: QApplication, filled: DataDir) -> None:
    def look(room: Room) -> list[str]:
        room.window.come_forward()
        QTest.qWaitForWindowActive(room.window)
        unseen = []
        for stop in tab_stops(room.window):
            stop.setFocus(Qt.FocusReason.TabFocusReason)
            QApplication.processEvents()
            with_focus = stop.grab().toImage()
            stop.clearFocus()
            QApplication.processEvents()
            if with_focus == stop.grab().toImage():
                unseen.append(accessible_name(stop))
        return unseen

    assert looked_at(qapp, filled, show_files, look) == []


def test_without_a_finished_run_the_page_says_what_to_do(qapp: QApplication, tmp_path: Path) -> None:
    wanted: list[str] = []

    def look(room: Room) -> str:
        room.page.wanted.connect(lambda page, _job: wanted.append(page))
        for name in ("Train a model", "Start the demo"):
            [go] = [
                part
                for part in room.page.findChildren(QPushButton)
                if part.text() == name and part.isVisible()
            ]
            QTest.keyClick(go, Qt.Key.Key_Return)
        return texts(room.window)

    said = looked_at(qapp, DataDir(tmp_path).open(), show_empty, look)
    assert "Nothing to export yet" in said
    assert wanted == ["train", "demo"]


def test_the_files_of_a_run_wear_their_verdicts(qapp: QApplication, filled: DataDir) -> None:
    def look(room: Room) -> list[str]:
        return [one.badge.text() for one in room.page.view.cards]

    assert looked_at(qapp, filled, show_files, look) == ["Not checked yet", "Proven", "Not proven"]


def test_enter_on_a_badge_opens_the_proof_and_closes_it(qapp: QApplication, filled: DataDir) -> None:
    def look(room: Room) -> tuple[str, str]:
        proven = room.page.view.cards[1]
        QTest.keyClick(proven.badge, Qt.Key.Key_Return)
        opened = texts(proven)
        QTest.keyClick(proven.badge, Qt.Key.Key_Return)
        return opened, texts(proven)

    opened, closed = looked_at(qapp, filled, show_files, look)
    assert "Share of positions at which both hold the same next token for most likely." in opened
    assert "99.6%\nat least 95%" in opened
    assert "at least" not in closed


def test_a_proof_stays_open_when_the_cards_are_read_anew(qapp: QApplication, filled: DataDir) -> None:
    def look(room: Room) -> list[bool]:
        room.page.view.cards[1].badge.click()
        room.exporting.select(room.run_named("Support answers, first try"))
        room.exporting.select(room.run_named("Replies in our tone"))
        return []

    async def prepare(room: Room) -> None:
        await show_files(room)
        look(room)
        await seen(lambda: len(room.page.view.cards) == 3, "the cards")

    shown = looked_at(
        qapp, filled, prepare, lambda room: [one.proof.isVisible() for one in room.page.view.cards]
    )
    assert shown == [False, True, False]


def test_show_in_folder_names_the_file(qapp: QApplication, filled: DataDir) -> None:
    def look(room: Room) -> list[str]:
        room.page.view.cards[1].show_button.click()
        return room.folders

    [path] = looked_at(qapp, filled, show_files, look)
    assert path.endswith("exports/gguf-q8_0.gguf")


def test_ticks_follow_the_keys_and_the_summary_follows_the_ticks(qapp: QApplication, filled: DataDir) -> None:
    def look(room: Room) -> tuple[str, str, bool]:
        form = room.page.view.form
        gguf, merged = form.formats[0], form.formats[1]
        QTest.keyClick(merged.tick, Qt.Key.Key_Space)
        before = texts(form)
        QTest.keyClick(merged.tick, Qt.Key.Key_Space)
        QTest.mouseClick(gguf.tick, Qt.MouseButton.LeftButton)
        return before, texts(form), form.start.isEnabled()

    before, after, can_start = looked_at(qapp, filled, show_plain, look)
    assert "2 exports, about 393\u00a0MiB" in before
    assert "Tick at least one format." in after
    assert not can_start


def test_proof_is_wanted_unless_it_is_unticked(qapp: QApplication, filled: DataDir) -> None:
    def look(room: Room) -> tuple[bool, bool]:
        before = room.exporting.prove
        room.page.view.form.prove.click()
        return before, room.exporting.prove

    assert looked_at(qapp, filled, show_plain, look) == (True, False)


def test_a_folder_is_asked_for_in_a_dialog_that_holds_nothing_up(
    qapp: QApplication, filled: DataDir, tmp_path: Path
) -> None:
    def look(room: Room) -> tuple[str, str]:
        form = room.page.view.form
        form.choose.click()
        [dialog] = form.findChildren(QFileDialog)
        dialog.fileSelected.emit(str(tmp_path))
        dialog.close()
        chosen = room.exporting.folder
        form.clear.click()
        return chosen, room.exporting.folder

    assert looked_at(qapp, filled, show_plain, look) == (str(tmp_path), "")


def test_an_export_in_progress_shows_how_far_it_is_and_can_be_cancelled(
    qapp: QApplication, filled: DataDir
) -> None:
    def look(room: Room) -> tuple[str, int, bool, bool]:
        order = room.page.view.order
        bar = order.findChild(QProgressBar)
        assert isinstance(bar, QProgressBar)
        return texts(order), bar.value(), order.cancel.isEnabled(), room.page.view.form.start.isEnabled()

    said, value, can_cancel, can_start = looked_at(qapp, filled, show_busy, look)
    assert "Making gguf-q8_0.gguf" in said
    assert "part 142 of 272" in said
    assert value == 522
    assert can_cancel
    assert not can_start
