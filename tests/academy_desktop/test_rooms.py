from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton

from academy_desktop.app import RESOURCES, Desk
from academy_desktop.core.demo import Demo
from academy_desktop.core.paths import DataDir
from academy_desktop.core.settings import Settings, SettingsFile
from academy_desktop.core.venom.connections import Connection
from academy_desktop.core.venom.journal import Journal
from academy_desktop.core.venom.steps import Order
from academy_desktop.rooms import Rooms
from academy_desktop.views.look import Look
from tests.academy_desktop.made_runs import made_machine, make_run, succeeded
from tests.academy_desktop.viewmodels.making import QT_SAYS, in_loop, seen, words
from tests.academy_desktop.views.making import accessible_name, jobs_of, look_again, rested, shown_parts
from trainers.errors import AcademyError, ErrorCode

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data").open()


def in_window(
    app: QApplication, data: DataDir, act: Callable[[Desk], Awaitable[object]], *, offline: bool = False
) -> None:
    """Start the whole window over a data directory, act, and close it as its session does."""
    jobs, doctor = jobs_of(data), made_machine()

    async def session() -> None:
        desk = Desk(
            Look(app, RESOURCES, dark=False),
            words(),
            jobs,
            doctor,
            lambda hall: Rooms(hall, data, jobs, doctor, RESOURCES / "recipes", offline=offline),
        )
        look_again(desk)
        desk.window.show()
        desk.start()
        await rested()
        try:
            await act(desk)
        finally:
            desk.leave()
            await desk.supervisor.close()
            desk.window.deleteLater()
            desk.look.deleteLater()

    in_loop(app, session())
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()


def press(desk: Desk, name: str) -> None:
    """Press Enter on the button of this name."""
    (found,) = [
        part
        for part in shown_parts(desk.window)
        if isinstance(part, QPushButton) and part.text() == name and accessible_name(part)
    ]
    QTest.keyClick(found, Qt.Key.Key_Return)


def page_shown(desk: Desk) -> list[str]:
    """The page that the rail marks."""
    return [entry.text() for entry in desk.window.rail.findChildren(QPushButton) if entry.isChecked()]


def test_the_chosen_theme_is_in_force_from_the_first_paint(qapp: QApplication, data: DataDir) -> None:
    SettingsFile(data.settings).save(Settings(theme="dark"))

    async def act(desk: Desk) -> None:
        assert desk.look.dark
        QTest.keyClick(desk.window.rail.theme, Qt.Key.Key_Return)
        assert not desk.look.dark

    in_window(qapp, data, act)
    assert SettingsFile(data.settings).load().theme == "light"


def test_the_window_stands_where_it_stood(qapp: QApplication, data: DataDir) -> None:
    async def move(desk: Desk) -> None:
        desk.window.resize(960, 650)  # the offscreen platform's screen has no room for more

    async def look(desk: Desk) -> None:
        assert (desk.window.width(), desk.window.height()) == (960, 650)

    in_window(qapp, data, move)
    in_window(qapp, data, look)


def test_a_place_that_no_window_said_is_ignored(qapp: QApplication, data: DataDir) -> None:
    SettingsFile(data.settings).save(Settings(window="somewhere"))

    async def look(desk: Desk) -> None:
        assert (desk.window.width(), desk.window.height()) == (1180, 760)

    in_window(qapp, data, look)


def test_home_leads_a_trained_run_to_its_export(qapp: QApplication, data: DataDir) -> None:
    make_run(data, "Older", 900.0, 30).started().steps(1, 30).ended(succeeded, 30, 0)
    made = make_run(data, "Newer", 1000.0, 30).started().steps(1, 30).ended(succeeded, 30, 0)

    async def act(desk: Desk) -> None:
        press(desk, "Export it")
        assert page_shown(desk) == ["Export"]
        assert desk.rooms is not None
        assert desk.rooms.exporting.selected_id == made.run.job

    in_window(qapp, data, act)


def test_home_leads_to_own_rows_and_to_the_test_of_this_computer(qapp: QApplication, data: DataDir) -> None:
    async def act(desk: Desk) -> None:
        press(desk, "Open the datasets")
        assert page_shown(desk) == ["Datasets"]
        desk.window.show_page("home")
        press(desk, "Open the settings")
        assert page_shown(desk) == ["Settings"]

    in_window(qapp, data, act)


def test_training_begins_with_the_dataset_that_was_looked_at(qapp: QApplication, data: DataDir) -> None:
    async def act(desk: Desk) -> None:
        assert desk.rooms is not None
        desk.go("train", "replies-0a1b2c3d")
        assert desk.rooms.train.dataset == "replies-0a1b2c3d"
        assert page_shown(desk) == ["Train"]

    in_window(qapp, data, act)


def test_a_push_that_died_with_the_program_is_settled_by_the_next_start(
    qapp: QApplication, data: DataDir
) -> None:
    journal = Journal(data.pushes)
    home = Connection(name="home", url="http://127.0.0.1:9")  # forgotten since
    journal.begin(home, Order(job="20261121-090000-aaaaaa", activate=True))
    assert journal.unfinished()

    async def act(_: Desk) -> None:
        await seen(lambda: not journal.unfinished())

    in_window(qapp, data, act)
    assert [entry.state for entry in journal.all()] == ["failed"]


@pytest.mark.parametrize("offline", [False, True])
def test_what_the_pages_work_with_is_offline_where_that_was_asked_for(
    qapp: QApplication, data: DataDir, offline: bool
) -> None:
    async def act(desk: Desk) -> None:
        assert desk.rooms is not None
        assert desk.rooms.workshop.offline is offline

    in_window(qapp, data, act, offline=offline)


def test_one_click_begins_the_demo(
    qapp: QApplication, data: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Path] = []

    def run(demo: Demo, *, fast: bool) -> None:
        begun.append(data.root)
        raise AcademyError(ErrorCode.DISK_FULL, path=str(data.root))

    monkeypatch.setattr(Demo, "run", run)  # minutes of training, and tested where it belongs

    async def act(desk: Desk) -> None:
        press(desk, "Start the demo")
        assert page_shown(desk) == ["Guided demo"]
        await seen(lambda: begun, "the demo")
        assert desk.rooms is not None
        tour = desk.rooms.tour
        await seen(lambda: not tour.is_running, "its end")

    in_window(qapp, data, act)
