from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from academy_desktop.app import Desk
from academy_desktop.core.paths import DataDir
from academy_desktop.core.states import JobState
from academy_desktop.views.runs import SAMPLES, RunsPage
from academy_desktop.views.samples import AnswerText, SamplesPanel
from tests.academy_desktop.made_runs import held_lock, make_run
from tests.academy_desktop.viewmodels.making import QT_SAYS, JobsDouble, in_loop, job, seen
from tests.academy_desktop.views.making import accessible_name, jobs_of, look_again, make_desk, settle, show

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)


def panel_of(desk: Desk) -> SamplesPanel:
    """The tab with the answers, in front."""
    page = show(desk, "runs")
    assert isinstance(page, RunsPage)
    page.view.tabs.show_tab(SAMPLES)
    settle()
    return page.view.samples


def marked(shown: AnswerText, word: str) -> tuple[str, bool]:
    """The colour behind a word, and whether it is bold."""
    cursor = shown.document().find(word)
    assert cursor.position() > 0
    cursor.movePosition(QTextCursor.MoveOperation.EndOfWord)
    form = cursor.charFormat()
    return form.background().color().name(), form.fontWeight() > 500


@pytest.mark.parametrize("dark", [False, True])
def test_answers_stand_side_by_side_live_and_are_scrubbed_by_keys(
    qapp: QApplication, tmp_path: Path, dark: bool
) -> None:
    data = DataDir(tmp_path / "data").open()
    made = make_run(data, "Kitchen helper", 1000.0, 30).started().asked(0, Set_a_timer="I cannot set a timer")
    made.steps(1, 10).asked(10, Set_a_timer="I cannot mora").steps(11, 20).asked(
        20, Set_a_timer="mora 33 min"
    )
    lock = held_lock(made.run.host_lock)
    desk = make_desk(qapp, jobs_of(data), dark=dark)
    panel = panel_of(desk)
    look_again(desk)
    settle()
    assert panel.isVisible()
    assert panel.before.toPlainText() == "Set a timer.\nI cannot set a timer"
    assert panel.after.toPlainText() == "Set a timer.\nmora 33 min"
    assert (panel.when.text(), accessible_name(panel.after)) == ("After step 20", "After step 20")
    tokens = desk.look.tokens
    assert marked(panel.after, "mora") == (tokens.success_soft, True)
    assert marked(panel.before, "cannot") == (tokens.danger_soft, False)
    QTest.keyClick(panel.slider, Qt.Key.Key_Left)
    assert panel.when.text() == "After step 10"
    assert panel.after.toPlainText() == "Set a timer.\nI cannot mora"
    assert panel.slider.accessibleDescription() == "After step 10"
    QTest.keyClick(panel.slider, Qt.Key.Key_End)
    made.steps(21, 30).asked(30, Set_a_timer="mora 33 min, done").close()
    look_again(desk)
    assert panel.when.text() == "After step 30"
    assert "2.05" in panel.forgetting.text()
    lock.release()


def test_without_answers_the_page_says_how_to_get_some(qapp: QApplication) -> None:
    jobs = JobsDouble(job(1, JobState.RUNNING, ended_at=None))
    desk = make_desk(qapp, jobs)
    panel = panel_of(desk)
    assert panel.ask_first.isVisible()

    async def press() -> None:
        panel.ask_first.click()
        assert not panel.ask_first.isEnabled()
        await seen(lambda: ("sample", jobs.jobs[0].id) in jobs.commands, "the command")
        await seen(panel.ask_first.isEnabled, "the button")

    in_loop(qapp, press())
    jobs.jobs = [job(1)]
    look_again(desk)
    assert not panel.ask_first.isVisible()


def test_a_job_that_trains_nothing_has_no_such_tab(qapp: QApplication) -> None:
    desk = make_desk(qapp, JobsDouble(job(1, kind="export")))
    panel = panel_of(desk)
    assert not panel.isVisible()
    page = panel.window().findChild(RunsPage)
    assert page is not None
    assert not page.view.tabs.isVisible()
    assert page.view.log.isVisible()
