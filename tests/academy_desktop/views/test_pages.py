from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QListView, QPlainTextEdit, QPushButton, QWidget

from academy_desktop.core.paths import DataDir
from academy_desktop.core.states import JobState
from tests.academy_desktop.made_runs import MadeDoctor
from tests.academy_desktop.viewmodels.making import QT_SAYS, JobsDouble, job
from tests.academy_desktop.views.making import (
    accessible_name,
    clipped,
    jobs_of,
    make_desk,
    show,
    shown_parts,
    tab_stops,
    takes_keys,
)

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

THEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
PAGES = pytest.mark.parametrize("page", ["home", "runs"])
SIZES = pytest.mark.parametrize(("width", "height"), [(1100, 700), (1600, 1000)])
STATES = pytest.mark.parametrize("filling", ["filled", "empty", "unknown"])


@pytest.fixture
def data(request: pytest.FixtureRequest, filling: str) -> DataDir:
    """The data directory that a test asks for; of `unknown` ones the jobs were not looked at yet."""
    found = request.getfixturevalue("filled" if filling == "filled" else "empty")
    assert isinstance(found, DataDir)
    return found


def texts(window: QWidget) -> str:
    """All that is written on a page."""
    return "\n".join(part.text() for part in shown_parts(window) if isinstance(part, QLabel | QPushButton))


@THEMES
@PAGES
@SIZES
@STATES
def test_no_text_is_clipped(
    qapp: QApplication, data: DataDir, filling: str, page: str, dark: bool, width: int, height: int
) -> None:
    desk = make_desk(qapp, jobs_of(data), dark=dark, look=filling != "unknown")
    show(desk, page, width, height)
    assert clipped(desk.window) == []


@THEMES
def test_findings_with_next_steps_and_long_paths_have_room(
    qapp: QApplication, empty: DataDir, ill: MadeDoctor, dark: bool
) -> None:
    desk = make_desk(qapp, jobs_of(empty), dark=dark, doctor=ill)
    show(desk, "home")
    assert clipped(desk.window) == []
    assert "Packages for training are missing: peft, trl." in texts(desk.window)
    assert "python3 packaging/bootstrap.py run" in texts(desk.window)


@PAGES
def test_long_names_and_numbers_have_room_or_end_in_dots(qapp: QApplication, page: str) -> None:
    name = "An unreasonably long name of a run, as people give them " * 3
    going = job(1, JobState.RUNNING, name=name, step=123_456, total_steps=1_234_567)
    desk = make_desk(qapp, JobsDouble(going))
    show(desk, page)
    assert clipped(desk.window) == []


@PAGES
@STATES
def test_everything_that_takes_keys_has_a_name_for_a_screen_reader(
    qapp: QApplication, data: DataDir, filling: str, page: str
) -> None:
    desk = make_desk(qapp, jobs_of(data), look=filling != "unknown")
    show(desk, page)
    unnamed = [
        type(part).__name__
        for part in shown_parts(desk.window)
        if takes_keys(part) and not accessible_name(part)
    ]
    assert unnamed == []


@PAGES
@STATES
def test_the_tab_key_reaches_everything_and_comes_around(
    qapp: QApplication, data: DataDir, filling: str, page: str
) -> None:
    desk = make_desk(qapp, jobs_of(data), look=filling != "unknown")
    show(desk, page)
    stops = tab_stops(desk.window)
    expected = {part for part in shown_parts(desk.window) if takes_keys(part)}
    assert expected <= set(stops)
    assert len(set(stops)) == len(stops)


@THEMES
@PAGES
def test_where_the_keys_go_can_be_seen(qapp: QApplication, filled: DataDir, page: str, dark: bool) -> None:
    desk = make_desk(qapp, jobs_of(filled), dark=dark)
    show(desk, page)
    for stop in tab_stops(desk.window):
        stop.setFocus(Qt.FocusReason.TabFocusReason)
        QApplication.processEvents()
        with_focus = desk.window.grab().toImage()
        stop.clearFocus()
        QApplication.processEvents()
        assert with_focus != desk.window.grab().toImage(), accessible_name(stop)


@PAGES
def test_both_themes_draw_the_same_page_in_other_colours(
    qapp: QApplication, filled: DataDir, page: str
) -> None:
    desk = make_desk(qapp, jobs_of(filled))
    show(desk, page)
    light, said = desk.window.grab().toImage(), texts(desk.window)
    QTest.keyClick(desk.window.rail.theme, Qt.Key.Key_Return)
    QApplication.processEvents()
    dark = desk.window.grab().toImage()
    assert light.pixelColor(600, 10).lightness() > 200
    assert dark.pixelColor(600, 10).lightness() < 60
    assert texts(desk.window).replace("Light theme", "Dark theme") == said


def test_before_the_jobs_are_known_home_promises_nothing(qapp: QApplication, empty: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(empty), look=False)
    show(desk, "home")
    said = texts(desk.window)
    assert "Reading your runs …" in said
    assert "Looking at this computer …" in said
    assert "Start the demo" not in said


def test_an_empty_page_says_what_to_do_next(qapp: QApplication, empty: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(empty))
    for page in ("home", "runs"):
        show(desk, page)
        assert "Start the demo" in texts(desk.window)


def test_enter_opens_a_run_from_its_card(qapp: QApplication, filled: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(filled))
    show(desk, "home")
    step = desk.home.next_steps[0]
    (opens, *_) = [stop for stop in tab_stops(desk.window) if accessible_name(stop) == "Open the run"]
    QTest.keyClick(opens, Qt.Key.Key_Return)
    assert desk.runs.selected_id == step.job
    assert [entry.text() for entry in desk.window.rail.findChildren(QPushButton) if entry.isChecked()] == [
        "Runs"
    ]


def test_on_home_the_arrow_keys_move_and_enter_opens(qapp: QApplication, filled: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(filled))
    page = show(desk, "home")
    recent = page.findChild(QListView)
    assert isinstance(recent, QListView)
    before = desk.runs.selected_id
    recent.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(recent, Qt.Key.Key_Down)
    assert desk.runs.selected_id == before
    QTest.keyClick(recent, Qt.Key.Key_Return)
    assert desk.runs.selected_id == desk.table.jobs()[1].id


def test_the_log_and_the_list_let_the_tab_key_out(qapp: QApplication, filled: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(filled))
    show(desk, "runs")
    kinds = [type(stop) for stop in tab_stops(desk.window)]
    assert any(issubclass(kind, QPlainTextEdit) for kind in kinds)
    assert any(issubclass(kind, QListView) for kind in kinds)
