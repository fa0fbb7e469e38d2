from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QInputDialog, QPlainTextEdit

from academy_desktop.app import Desk
from academy_desktop.core.history import EventTail
from academy_desktop.core.paths import DataDir
from academy_desktop.core.shutdown import ShutdownState, ShutdownStatus
from academy_desktop.core.states import JobState
from academy_desktop.viewmodels.figures import Figure
from academy_desktop.views.runs import RunHead, RunsPage
from tests.academy_desktop.made_runs import make_run, succeeded
from tests.academy_desktop.viewmodels.making import QT_SAYS, JobsDouble, event, in_loop, job, seen, steps
from tests.academy_desktop.views.making import (
    accessible_name,
    clipped,
    jobs_of,
    look_again,
    make_desk,
    settle,
    show,
)
from tests.chaos.driving import fake_jobs, train_recipe
from trainers.events import Evaluated

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)


class Asked:
    """Shutting down that stands as a test wants it."""

    def __init__(self, state: ShutdownState) -> None:
        self._state = state

    def ask(self) -> None:
        """Nothing is asked for here."""

    def cancel(self) -> None:
        """Nothing is cancelled here."""

    def dismiss(self) -> None:
        """Nothing is put away here."""

    def status(self) -> ShutdownStatus:
        """As it stands."""
        return ShutdownStatus(self._state, time.time() + 48, "one")


def runs_page(desk: Desk) -> RunsPage:
    """The Runs page, shown."""
    page = show(desk, "runs")
    assert isinstance(page, RunsPage)
    return page


def entries(head: RunHead) -> dict[str, QAction]:
    """What the menu offers, as it opens."""
    head.menu.aboutToShow.emit()
    return {entry.text(): entry for entry in head.menu.actions() if entry.text() and entry.isEnabled()}


def select(desk: Desk, state: JobState) -> None:
    """Show the first run in a state, with all it said."""
    desk.runs.select(next(one.id for one in desk.table.jobs() if one.state is state))
    look_again(desk)
    settle()


def test_the_buttons_stop_a_run_and_start_it_again(qapp: QApplication, tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=100_000, step_s=0.01, save_every=50)
    desk = make_desk(qapp, jobs)
    head = runs_page(desk).view.head
    name = jobs.queue(train_recipe())

    async def press() -> None:
        desk.start()
        try:
            await seen(lambda: desk.runs.detail.state is JobState.RUNNING, "a running job")
            assert head.stop.isVisible()
            assert not head.resume.isVisible()
            head.stop.click()
            assert not head.stop.isEnabled()
            await seen(lambda: desk.runs.detail.state is JobState.STOPPED, "a stopped job")
            await seen(head.resume.isVisible, "the button")
            steps_done = desk.runs.curve.steps[-1]
            head.resume.click()
            await seen(lambda: desk.runs.detail.state is JobState.RUNNING, "a running job")
            assert jobs.get(name).attempt == 2
            await seen(lambda: desk.runs.curve.steps[-1] > steps_done, "a curve that goes on")
        finally:
            jobs.kill(name)
            await desk.supervisor.close()

    in_loop(qapp, press())
    jobs.wait(name, 30)
    curve = desk.runs.curve.steps
    assert list(curve) == list(range(1, len(curve) + 1))
    assert not desk.window.notice.isVisible()


def test_a_run_goes_to_the_trash_and_comes_back(qapp: QApplication, tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data").open()
    made = make_run(data, "Replies in our tone", 1000.0, 30).started().steps(1, 30).ended(succeeded, 30, 0)
    desk = make_desk(qapp, jobs_of(data))
    head = runs_page(desk).view.head
    action = desk.window.notice.action

    async def press() -> None:
        desk.start()
        try:
            await seen(lambda: desk.runs.selected_id == made.run.job, "the run")
            assert head.export.isVisible()
            entries(head)["Move to the trash"].trigger()
            await seen(action.isVisible, "a way back")
            await seen(lambda: not desk.table.jobs(), "an empty list")
            assert "“Replies in our tone” is in the trash" in desk.window.notice.accessibleName()
            assert not made.run.path.exists()
            action.click()
            await seen(lambda: desk.runs.selected_id == made.run.job, "the run")
            assert not desk.window.notice.isVisible()
            await seen(lambda: list(desk.runs.curve.steps) == list(range(1, 31)), "its curve")
        finally:
            await desk.supervisor.close()

    in_loop(qapp, press())


def test_a_trained_run_leads_to_its_export_and_to_venom(qapp: QApplication, filled: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(filled))
    page = runs_page(desk)
    page.wanted.disconnect()
    wanted: list[tuple[str, str]] = []
    page.wanted.connect(lambda name, job: wanted.append((name, job)))
    trained = next(
        one.id for one in desk.table.jobs() if one.state is JobState.SUCCEEDED and one.kind == "train"
    )
    desk.runs.select(trained)
    look_again(desk)
    page.view.head.export.click()
    entries(page.view.head)["Send to Venom …"].trigger()
    assert wanted == [("export", trained), ("venom", trained)]


def test_a_run_in_progress_cannot_be_deleted_or_exported(qapp: QApplication, filled: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(filled))
    head = runs_page(desk).view.head
    select(desk, JobState.RUNNING)
    assert not head.export.isVisible()
    assert list(entries(head)) == [
        "Save a checkpoint now",
        "Ask the model now",
        "Pause",
        "Save and free the memory",
        "Rename …",
        "Show the files",
        "End it at once",
    ]


def test_a_run_is_renamed_in_a_dialog(qapp: QApplication, tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data").open()
    make_run(data, "Replies", 1000.0, 30).started().steps(1, 30).ended(succeeded, 30, 0)
    desk = make_desk(qapp, jobs_of(data))
    head = runs_page(desk).view.head

    async def rename() -> None:
        desk.start()
        try:
            entries(head)["Rename …"].trigger()
            (dialog,) = desk.window.findChildren(QInputDialog)
            assert dialog.textValue() == "Replies"
            dialog.setTextValue("Replies in our tone")
            dialog.accept()
            await seen(lambda: head.title.text() == "Replies in our tone", "the new name")
        finally:
            await desk.supervisor.close()

    in_loop(qapp, rename())


def test_a_run_waits_and_goes_on(qapp: QApplication, tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=100_000, step_s=0.01, save_every=50)
    desk = make_desk(qapp, jobs)
    head = runs_page(desk).view.head
    name = jobs.queue(train_recipe())

    async def press() -> None:
        desk.start()
        try:
            for action, state in (
                ("Pause", JobState.PAUSED),
                ("Go on", JobState.RUNNING),
                ("Save and free the memory", JobState.STOPPED),
            ):
                await seen(partial(lambda wanted: wanted in entries(head), action), action)
                entries(head)[action].trigger()
                await seen(partial(lambda wanted: desk.runs.detail.state is wanted, state), state)
            assert "Move to the trash" in entries(head)
        finally:
            await desk.supervisor.close()

    try:
        in_loop(qapp, press())
    finally:
        if not jobs.get(name).state.is_over:
            jobs.kill(name)
        jobs.wait(name, 30)


def test_a_run_that_a_rule_holds_says_so_and_runs_anyway(qapp: QApplication) -> None:
    held = job(
        1, JobState.PAUSED, reason="quiet_hours", facts={"until": 0.0}, gpu_celsius=71.4, gpu_watts=88.0
    )
    jobs = JobsDouble(held)
    desk = make_desk(qapp, jobs)
    head = runs_page(desk).view.head
    assert head.sentence.text().startswith("Paused until")
    assert head.anyway.isVisible()
    assert Figure("Graphics card", "71 °C", "88 W") in desk.runs.detail.figures

    async def press() -> None:
        head.anyway.click()
        await seen(lambda: jobs.commands == [("run anyway", held.id)], "the command")
        await desk.supervisor.close()

    in_loop(qapp, press())
    jobs.jobs = [job(1, JobState.RUNNING)]
    look_again(desk)
    assert not head.anyway.isVisible()


@pytest.mark.parametrize(
    ("state", "offered", "words"),
    [
        ("off", ["switch"], ""),
        ("waiting", ["switch"], ""),
        ("counting", ["cancel"], "The last run is over. The computer shuts down in"),
        ("called_off", ["dismiss"], "The computer stays on"),
    ],
)
def test_what_follows_the_last_run_is_offered_below_the_list(
    qapp: QApplication, state: ShutdownState, offered: list[str], words: str
) -> None:
    desk = make_desk(qapp, JobsDouble(job(1, JobState.RUNNING)), shutdown=Asked(state))
    bar = runs_page(desk).bar
    assert bar is not None
    settle()
    assert bar.isVisible()
    assert [name for name in ("switch", "cancel", "dismiss") if getattr(bar, name).isVisible()] == offered
    assert bar.switch.isChecked() is (state in {"waiting", "counting"})
    assert bar.sentence.text().startswith(words)
    assert clipped(bar) == []


def test_the_page_shows_the_numbers_of_the_run_that_is_chosen(qapp: QApplication, filled: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(filled))
    page = runs_page(desk)
    select(desk, JobState.RUNNING)
    assert page.view.head.title.text() == "Kitchen helper"
    assert [tile.isVisible() for tile in page.view.tiles] == [True] * 5 + [False]
    assert page.view.tiles[0].accessibleName() == "Step: 127 / 300 epoch 1.3"
    assert not page.view.head.shorter.isVisible()
    assert page.view.progress.isVisible()
    assert page.view.progress.value() == 423
    select(desk, JobState.FAILED)
    assert page.view.head.title.text() == "Long stories, large batch"
    head = page.view.head
    assert "Close other programs" in head.sentence.text()
    assert (head.shorter.isVisible(), head.smaller.isVisible()) == (True, True)
    assert not page.view.progress.isVisible()


def test_an_export_shows_its_files_and_its_log_and_no_curve(qapp: QApplication, filled: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(filled))
    page = runs_page(desk)
    desk.runs.select(next(one.id for one in desk.table.jobs() if one.kind == "export"))
    look_again(desk)
    settle()
    assert not page.view.chart.isVisible()
    assert page.view.log.isVisible()
    assert [tile.accessibleName() for tile in page.view.tiles if tile.isVisible()] == [
        "Files: 2 gguf q8_0",
        "Size: 396\u00a0MiB",
        "Memory: 1.0\u00a0GiB at most",
        "Took: 18s",
    ]


def test_a_click_and_the_arrow_keys_choose_a_run(qapp: QApplication, filled: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(filled))
    page = runs_page(desk)
    ids = [one.id for one in desk.table.jobs()]
    assert desk.runs.selected_id == ids[0]
    third = page.list.visualRect(page.list.model().index(2, 0)).center()
    QTest.mouseClick(page.list.viewport(), Qt.MouseButton.LeftButton, pos=third)
    assert desk.runs.selected_id == ids[2]
    page.list.setFocus()
    QTest.keyClick(page.list, Qt.Key.Key_Down)
    assert desk.runs.selected_id == ids[3]


def test_a_run_is_found_by_part_of_its_name(qapp: QApplication, filled: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(filled))
    page = runs_page(desk)
    QTest.keyClick(desk.window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert page.search.hasFocus()
    QTest.keyClicks(page.search, "replies")
    assert page.list.model().rowCount() == 2
    assert not page._nothing.isVisible()
    QTest.keyClicks(page.search, "zzz")
    assert page.list.model().rowCount() == 0
    assert page._nothing.isVisible()
    page.search.clear()
    assert page.list.model().rowCount() == desk.table.rowCount()
    assert page.list.currentIndex().row() == desk.table.row(desk.runs.selected_id)


def test_a_run_that_has_not_begun_has_words_in_place_of_a_curve(qapp: QApplication, filled: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(filled))
    page = runs_page(desk)
    select(desk, JobState.STARTING)
    assert not page.view.chart.plot.isVisible()
    assert page.view.chart._empty.text() == "The curve begins with the first step."
    assert page.view.chart._empty.isVisible()
    select(desk, JobState.RUNNING)
    assert page.view.chart.plot.isVisible()
    assert not page.view.chart._empty.isVisible()


def test_the_chart_draws_every_point_and_the_held_out_ones(qapp: QApplication, filled: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(filled))
    page = runs_page(desk)
    select(desk, JobState.RUNNING)
    events = EventTail(filled.run(desk.runs.selected_id).events).read_new()
    chart = page.view.chart
    assert len(chart._raw.getData()[0]) == sum(one.type == "step" for one in events) == 127
    held_out = {one.payload.step: one.payload.loss for one in events if isinstance(one.payload, Evaluated)}
    shown = dict(zip(*(list(axis) for axis in chart._held_out.getData()), strict=True))
    assert shown == held_out


def test_the_curve_can_be_read_without_eyes_and_without_a_mouse(qapp: QApplication, filled: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(filled))
    page = runs_page(desk)
    select(desk, JobState.RUNNING)
    plot = page.view.chart.plot
    assert accessible_name(plot) == "Loss over steps"
    assert plot.accessibleDescription().startswith("step 127: ")
    plot.setFocus(Qt.FocusReason.TabFocusReason)
    for key, step in (
        (Qt.Key.Key_Left, 126),
        (Qt.Key.Key_PageUp, 116),
        (Qt.Key.Key_Home, 1),
        (Qt.Key.Key_Left, 1),
        (Qt.Key.Key_Right, 2),
        (Qt.Key.Key_PageDown, 12),
        (Qt.Key.Key_End, 127),
    ):
        QTest.keyClick(plot, key)
        assert plot.accessibleDescription().startswith(f"step {step}: ")


def test_under_the_mouse_stand_the_values_of_that_step(qapp: QApplication, filled: DataDir) -> None:
    desk = make_desk(qapp, jobs_of(filled))
    page = runs_page(desk)
    select(desk, JobState.RUNNING)
    chart = page.view.chart
    box = chart.plot.getPlotItem().getViewBox()
    chart._point_at(box.mapViewToScene(QPoint(64, 1)))
    assert chart._readout.text().startswith("step 64: ")
    chart._point_at(chart.plot.mapToScene(0, 0))
    assert chart._readout.text().startswith("step 127: ")


def test_a_hundred_thousand_steps_are_drawn_as_a_line(qapp: QApplication) -> None:
    desk = make_desk(qapp, JobsDouble(job(1, JobState.RUNNING)))
    page = runs_page(desk)
    desk.hub.events_read.emit(steps(1, 100_000))
    settle()
    chart = page.view.chart
    assert chart._raw.getData()[0] is None or len(chart._raw.getData()[0]) == 0
    drawn = len(chart._raw_band.getData()[0])
    assert 0 < drawn < 20_000


def log_text(page: RunsPage) -> QPlainTextEdit:
    """The log's text."""
    return page.view.log.text


def test_the_log_follows_its_end_until_the_reader_scrolls_up(qapp: QApplication) -> None:
    desk = make_desk(qapp, JobsDouble(job(2, JobState.RUNNING), job(1)))
    desk.runs.select(job(2).id)
    page = runs_page(desk)
    bar = log_text(page).verticalScrollBar()
    desk.hub.lines_read.emit([f"line {number}" for number in range(200)])
    settle()
    assert bar.value() == bar.maximum() > 0
    desk.hub.lines_read.emit(["one more"])
    settle()
    assert bar.value() == bar.maximum()
    bar.setValue(10)
    desk.hub.lines_read.emit(["and another"])
    settle()
    assert bar.value() == 10
    desk.runs.select(job(1).id)
    assert log_text(page).toPlainText() == ""


def test_a_page_made_late_shows_what_was_already_read(qapp: QApplication) -> None:
    desk = make_desk(qapp, JobsDouble(job(1, JobState.RUNNING)))
    desk.hub.lines_read.emit(["early line"])
    desk.hub.events_read.emit(
        [*steps(1, 3), event(4, Evaluated(step=3, loss=1, supervised_tokens=1, seconds=1))]
    )
    page = runs_page(desk)
    assert log_text(page).toPlainText() == "early line"
    assert page.view.chart._readout.text().startswith("step 3: ")
    assert page.list.currentIndex().row() == 0
