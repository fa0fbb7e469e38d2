from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton

from academy_desktop.app import Desk
from academy_desktop.core.paths import DataDir
from academy_desktop.core.states import JobState
from academy_desktop.views.dialogs import LeaveDialog
from tests.academy_desktop.viewmodels.making import QT_SAYS, JobsDouble, in_loop, job, seen
from tests.academy_desktop.views.making import (
    accessible_name,
    clipped,
    jobs_of,
    make_desk,
    settle,
    show,
    shown_parts,
    tab_stops,
    takes_keys,
)
from tests.chaos.driving import fake_jobs, train_recipe
from trainers.errors import AcademyError, ErrorCode

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

CONTROL = Qt.KeyboardModifier.ControlModifier


def page_shown(desk: Desk) -> str:
    """The page that the rail marks."""
    (marked,) = [entry.text() for entry in desk.window.rail.findChildren(QPushButton) if entry.isChecked()]
    return marked


def leave_dialog(desk: Desk) -> LeaveDialog:
    """The question that is open."""
    (dialog,) = [one for one in desk.window.findChildren(LeaveDialog) if one.isVisible()]
    return dialog


def test_a_page_is_made_when_it_is_first_shown(qapp: QApplication, empty: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(empty))
    assert list(desk.window._made) == ["home"]
    assert desk.window.show_page("runs") is desk.window.show_page("runs")


def test_shortcuts_and_the_rail_lead_to_each_page(qapp: QApplication, empty: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(empty))
    show(desk, "home")
    QTest.keyClick(desk.window, Qt.Key.Key_2, CONTROL)
    assert page_shown(desk) == "Runs"
    QTest.keyClick(desk.window, Qt.Key.Key_1, CONTROL)
    assert page_shown(desk) == "Home"
    (runs, *_) = [stop for stop in tab_stops(desk.window) if accessible_name(stop) == "Runs"]
    QTest.keyClick(runs, Qt.Key.Key_Return)
    assert page_shown(desk) == "Runs"


def test_what_went_wrong_is_told_above_the_page_until_it_is_dismissed(
    qapp: QApplication, empty: DataDir
) -> None:
    desk = make_desk(qapp, jobs_of(empty))
    show(desk, "home")
    desk.hub.failed.emit(AcademyError(ErrorCode.DISK_FULL, path="/data/of/anna", free_bytes=0))
    settle()
    notice = desk.window.notice
    assert notice.isVisible()
    assert notice.accessibleName().startswith("The disk is full. There is not enough room at /data/of/anna")
    assert "Free some space" in notice.accessibleName()
    assert clipped(desk.window) == []
    (close, *_) = [stop for stop in tab_stops(desk.window) if accessible_name(stop) == "Dismiss"]
    QTest.keyClick(close, Qt.Key.Key_Return)
    assert not notice.isVisible()


def test_a_bug_is_logged_with_its_traceback_and_shown_as_one(
    qapp: QApplication, empty: DataDir, caplog: pytest.LogCaptureFixture
) -> None:
    desk = make_desk(qapp, jobs_of(empty))
    show(desk, "home")

    async def fail() -> None:
        raise ZeroDivisionError("by nothing")

    async def work() -> None:
        desk.supervisor.start(fail(), "fail")
        await seen(desk.window.notice.isVisible, "the notice")

    in_loop(qapp, work())
    assert "ZeroDivisionError: by nothing" in desk.window.notice.accessibleName()
    assert desk.window.notice.accessibleName().startswith("A mistake in Academy Desktop")
    assert "Traceback" in caplog.text


def test_with_nothing_in_progress_the_window_closes_at_once(qapp: QApplication) -> None:
    desk = make_desk(qapp, JobsDouble(job(1)))
    closed: list[None] = []
    desk.window.closed.connect(lambda: closed.append(None))
    show(desk, "runs")
    QTest.keyClick(desk.window, Qt.Key.Key_Q, CONTROL)
    assert closed == [None]
    assert not desk.window.isVisible()


def test_with_a_run_in_progress_the_window_asks_and_can_be_kept(qapp: QApplication) -> None:
    desk = make_desk(qapp, JobsDouble(job(1, JobState.RUNNING)))
    closed: list[None] = []
    desk.window.closed.connect(lambda: closed.append(None))
    show(desk, "home")
    assert not desk.window.close()
    dialog = leave_dialog(desk)
    assert dialog.accessibleName() == "“run 1” is still in progress"
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert closed == []
    assert desk.window.isVisible()
    assert not desk.window.close()
    assert leave_dialog(desk)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_question_can_be_read_and_answered_by_keys(qapp: QApplication, dark: bool) -> None:
    desk = make_desk(qapp, JobsDouble(job(2, JobState.QUEUED), job(1, JobState.RUNNING)), dark=dark)
    show(desk, "home")
    desk.window.close()
    dialog = leave_dialog(desk)
    settle()
    assert dialog.accessibleName() == "2 runs are still in progress"
    assert clipped(dialog) == []
    reachable = {part for part in shown_parts(dialog) if takes_keys(part)}
    assert {accessible_name(part) for part in reachable} == {"Keep training", "Stop and save", "Cancel"}
    assert dialog.keep_button.hasFocus()
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert not desk.window.isVisible()


def test_keep_training_closes_the_window_and_the_run_goes_on(qapp: QApplication, tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=100_000, step_s=0.01)
    desk = make_desk(qapp, jobs)
    name = jobs.queue(train_recipe())

    show(desk, "home")

    async def work() -> None:
        desk.start()
        await seen(lambda: desk.runs.detail.state is JobState.RUNNING, "a running job")
        desk.window.close()
        leave_dialog(desk).keep_button.click()
        assert not desk.window.isVisible()
        await desk.supervisor.close()

    try:
        in_loop(qapp, work())
        at = jobs.get(name).step
        while jobs.get(name).step <= at:
            assert jobs.get(name).state is JobState.RUNNING
    finally:
        jobs.kill(name)
        jobs.wait(name, 30)


def test_stop_and_save_stops_the_run_and_closes_the_window(qapp: QApplication, tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=100_000, step_s=0.01)
    desk = make_desk(qapp, jobs)
    name = jobs.queue(train_recipe())

    show(desk, "home")

    async def work() -> None:
        desk.start()
        await seen(lambda: desk.runs.detail.state is JobState.RUNNING, "a running job")
        desk.window.close()
        leave_dialog(desk).stop_button.click()
        await seen(lambda: not desk.window.isVisible(), "a closed window")
        await desk.supervisor.close()

    in_loop(qapp, work())
    stopped = jobs.wait(name, 30)
    assert stopped.state is JobState.STOPPED
    assert (tmp_path / "runs" / name / "checkpoints" / f"step-{stopped.step}").is_dir()


def test_a_window_that_is_looked_for_comes_forward(qapp: QApplication, empty: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(empty))
    show(desk, "home")
    desk.window.showMinimized()
    desk.window.come_forward()
    settle()
    assert desk.window.isVisible()
    assert not desk.window.isMinimized()


class Emitting(QObject):
    """Signals with the arguments of which PySide6 6.12.0 loses references on CPython 3.11 until it aborts."""

    flagged = Signal(bool)
    told = Signal(object)


def test_five_thousand_signals_with_none_true_and_false_arrive(qapp: QApplication) -> None:
    emitting = Emitting()
    flags: list[bool] = []
    told: list[object] = []
    emitting.flagged.connect(flags.append)
    emitting.told.connect(told.append)
    emitting.told.connect(lambda _value: None)
    for number in range(5000):
        emitting.flagged.emit(number % 2 == 0)
        emitting.told.emit((None, True, False)[number % 3])
    assert flags == [number % 2 == 0 for number in range(5000)]
    assert told == [(None, True, False)[number % 3] for number in range(5000)]
