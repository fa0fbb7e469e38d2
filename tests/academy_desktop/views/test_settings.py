from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget

from academy_desktop.core.environment import Check
from academy_desktop.core.paths import DataDir
from academy_desktop.core.settings import Settings, SettingsFile
from academy_desktop.views.settings import SettingsPage
from tests.academy_desktop.made_runs import made_machine
from tests.academy_desktop.viewmodels.making import QT_SAYS, in_loop, seen, words
from tests.academy_desktop.views.making import (
    accessible_name,
    clipped,
    settle,
    shown_parts,
    tab_stops,
    takes_keys,
)
from tests.pictures.train import Examiner, Room

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

THEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
SIZES = pytest.mark.parametrize(("width", "height"), [(960, 600), (1600, 1000)])

WELL = Examiner(made_machine().found)
ILL = Examiner(made_machine(Check("packages", "fail", {"missing": "peft"}), Check("llama_cpp", "warn")).found)

ROOMS: list[Room] = []


@pytest.fixture(autouse=True)
def _windows_gone(qapp: QApplication) -> Iterator[None]:
    """No window of one test is there in the next, and none goes in a worker's thread."""
    gc.collect()
    gc.disable()
    yield
    for room in ROOMS:
        room.window.close()
        room.window.deleteLater()
        room.look.deleteLater()
    ROOMS.clear()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.enable()


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data").open()


def shown(
    app: QApplication,
    data: DataDir,
    doctor: Examiner = WELL,
    *,
    dark: bool = False,
    size: tuple[int, int] = (1100, 700),
) -> tuple[Room, SettingsPage]:
    """The page in a window, as painted."""
    room = Room(app, data, doctor, dark)
    ROOMS.append(room)
    page = room.settings_page
    room.window.resize(*size)
    room.window.show()
    QTest.qWaitForWindowExposed(room.window)
    settle()
    room.window.grab()
    return room, page


def texts(window: QWidget) -> str:
    return "\n".join(part.text() for part in shown_parts(window) if isinstance(part, QLabel | QPushButton))


def segment(page: QWidget, text: str) -> QPushButton:
    (found,) = [one for one in page.findChildren(QPushButton) if one.text() == text]
    return found


def press_test(app: QApplication, room: Room, page: SettingsPage) -> None:
    """Press the button and wait for the findings."""

    async def work() -> None:
        page.test.click()
        await seen(lambda: room.preferences.findings, "the findings")

    in_loop(app, work())
    settle()


@THEMES
@SIZES
def test_no_text_is_clipped(qapp: QApplication, data: DataDir, dark: bool, width: int, height: int) -> None:
    data.settings.write_text("{", "utf-8")
    room, page = shown(qapp, data, ILL, dark=dark, size=(width, height))
    assert "Your earlier settings could not be read" in texts(page)
    press_test(qapp, room, page)
    assert clipped(room.window) == []


def test_everything_that_takes_keys_has_a_name_and_is_reached_by_tab(
    qapp: QApplication, data: DataDir
) -> None:
    room, _ = shown(qapp, data)
    wanted = {part for part in shown_parts(room.window) if takes_keys(part)}
    assert [type(part).__name__ for part in wanted if not accessible_name(part)] == []
    stops = tab_stops(room.window)
    assert wanted <= set(stops)
    reached = [accessible_name(stop) for stop in stops]
    assert [name for name in reached if ": " in name] == [
        "Theme: As the system",
        "When the window closes: Ask me",
        "First values: Balance",
        "Quiet hours: Off",
        "On battery: Go on",
        "While a run pauses: Keep the memory",
    ]
    assert reached.index("Open the folder") < reached.index("Test")


@THEMES
def test_where_the_keys_go_can_be_seen(qapp: QApplication, data: DataDir, dark: bool) -> None:
    room, _ = shown(qapp, data, dark=dark, size=(1600, 1400))
    for stop in tab_stops(room.window):
        stop.setFocus(Qt.FocusReason.TabFocusReason)
        QApplication.processEvents()
        with_focus = room.window.grab().toImage()
        stop.clearFocus()
        QApplication.processEvents()
        assert with_focus != room.window.grab().toImage(), accessible_name(stop)


def test_the_arrow_keys_choose(qapp: QApplication, data: DataDir) -> None:
    room, page = shown(qapp, data)
    ask = segment(page, "Ask me")
    ask.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(ask, Qt.Key.Key_Right)
    focused = room.window.focusWidget()
    assert focused is segment(page, "Keep training")
    QTest.keyClick(focused, Qt.Key.Key_Space)
    assert room.preferences.settings.on_close == "keep"


def test_choices_are_shown_and_written(qapp: QApplication, data: DataDir) -> None:
    SettingsFile(data.settings).save(Settings(theme="light", on_close="stop", preset="quick"))
    room, page = shown(qapp, data)
    pressed = {one.text() for one in page.findChildren(QPushButton) if one.isChecked()}
    own = {"Off", "Every day", "Go on", "Keep the memory"}
    assert pressed == {"Light", "Stop and save", "Speed"} | own

    async def work() -> None:
        room.supervisor.start(room.preferences.keep(), "keep")
        await asyncio.sleep(0)
        segment(page, "Keep training").click()
        segment(page, "Quality").click()
        await room.supervisor.close()

    in_loop(qapp, work())
    assert SettingsFile(data.settings).load() == Settings(theme="light", on_close="keep", preset="thorough")
    assert room.failures == []


def test_the_theme_follows_the_choice_and_the_choice_the_theme(qapp: QApplication, data: DataDir) -> None:
    SettingsFile(data.settings).save(Settings(theme="dark"))
    room, page = shown(qapp, data)
    room.follow_theme()
    dark = [room.look.dark]
    room.look.changed.connect(lambda: dark.append(room.look.dark))
    chosen: list[str] = []
    room.preferences.changed.connect(lambda: chosen.append(room.preferences.settings.theme))
    segment(page, "Light").click()
    QTest.keyClick(room.window.rail.theme, Qt.Key.Key_Return)
    assert segment(page, "Dark").isChecked()
    segment(page, "As the system").click()  # the offscreen platform has no scheme of its own
    assert chosen == ["light", "dark", "system"]
    assert dark == [True, False, True, False]


def test_places_and_versions_are_shown(qapp: QApplication, data: DataDir) -> None:
    room, page = shown(qapp, data)
    in_loop(qapp, room.preferences.look())
    said = texts(page)
    for fact in (
        str(data.root),
        room.preferences.python,
        room.preferences.python_version,
        "2.13.0",
        "English",
    ):
        assert fact in said


def test_the_data_folder_opens(qapp: QApplication, data: DataDir) -> None:
    room, _ = shown(qapp, data)
    opened: list[str] = []
    page = SettingsPage(room.look, room.preferences, room.considerate, words().gettext, opened.append)
    page.setParent(room.window)
    page.show()
    QTest.keyClick(page.open_folder, Qt.Key.Key_Return)
    assert opened == [str(data.root)]


def test_the_test_shows_what_it_found(qapp: QApplication, data: DataDir) -> None:
    room, page = shown(qapp, data, ILL)
    press_test(qapp, room, page)
    said = texts(page)
    assert "Something is missing before you can train here." in said
    assert "Packages for training are missing: peft." in said
    assert "python3 packaging/bootstrap.py run" in said
    assert page.test.isEnabled()
    assert not page.cancel.isVisible()


def test_a_test_in_progress_can_be_cancelled(qapp: QApplication, data: DataDir) -> None:
    gate = threading.Event()
    room, page = shown(qapp, data, Examiner(made_machine().found, gate.wait))

    async def work() -> None:
        page.test.click()
        assert not page.test.isEnabled()
        assert page.cancel.isVisible()
        assert "Taking a trial step" in texts(page)
        page.cancel.click()
        await seen(page.test.isEnabled, "the end")
        gate.set()

    in_loop(qapp, work())
    assert not page.cancel.isVisible()
    assert "Taking a trial step" not in texts(page)
    assert room.failures == []
