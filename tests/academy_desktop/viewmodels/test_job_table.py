from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication

from academy_desktop.core.states import JobState
from academy_desktop.viewmodels.job_table import (
    AGES_EVERY_S,
    MANY_ROWS,
    Column,
    FirstRows,
    JobSearch,
    JobTable,
    Role,
)
from tests.academy_desktop.viewmodels.making import Clock, job, table


def names(model: JobTable | FirstRows | JobSearch) -> list[str]:
    """The first column, from top to bottom."""
    return [str(model.index(row, 0).data()) for row in range(model.rowCount())]


def test_qt_finds_no_fault_with_the_table_and_what_stands_on_it(qapp: QApplication) -> None:
    jobs = table()
    first, search = FirstRows(2), JobSearch()
    first.setSourceModel(jobs)
    search.setSourceModel(jobs)
    mode = QAbstractItemModelTester.FailureReportingMode.Warning  # a Qt warning fails the test
    testers = [QAbstractItemModelTester(model, mode) for model in (jobs, first, search)]
    for shown in ((1,), (2, 1), (4, 3, 2, 1), (4, 2), (2, 4), ()):
        jobs.update([job(number) for number in shown])
        search.search("run 2" if len(shown) % 2 else "")
    assert len(testers) == 3


def test_the_rows_are_in_the_order_given(qapp: QApplication) -> None:
    jobs = table()
    jobs.update([job(3), job(2), job(1)])
    assert names(jobs) == ["run 3", "run 2", "run 1"]


def test_a_new_job_on_top_keeps_the_selection_on_its_job(qapp: QApplication) -> None:
    jobs = table()
    jobs.update([job(2), job(1)])
    selected = QPersistentModelIndex(jobs.index(1, 0))
    resets: list[None] = []
    jobs.modelReset.connect(lambda: resets.append(None))
    jobs.update([job(3), job(2), job(1)])
    assert selected.row() == 2
    assert selected.data() == "run 1"
    assert resets == []


def test_many_new_jobs_come_as_one_reset(qapp: QApplication) -> None:
    jobs = table()
    inserts: list[int] = []
    jobs.rowsInserted.connect(lambda _parent, first, _last: inserts.append(first))
    jobs.update([job(number) for number in range(MANY_ROWS + 1, 0, -1)])
    assert inserts == []
    assert jobs.rowCount() == MANY_ROWS + 1


def changed_rows(jobs: JobTable) -> list[int]:
    """Collects the rows that are said to have changed from now on."""
    rows: list[int] = []

    def note(first: QModelIndex, last: QModelIndex) -> None:
        rows.extend(range(first.row(), last.row() + 1))

    jobs.dataChanged.connect(note)
    return rows


def test_only_what_changed_or_is_in_progress_is_drawn_again(qapp: QApplication) -> None:
    jobs = table()
    jobs.update([job(3, JobState.RUNNING), job(2), job(1)])
    rows = changed_rows(jobs)
    jobs.update([job(3, JobState.RUNNING), job(2), job(1, name="called anew")])
    assert rows == [0, 2]
    assert names(jobs) == ["run 3", "run 2", "called anew"]


def test_how_long_ago_it_was_is_said_anew_after_a_while(qapp: QApplication) -> None:
    clock = Clock()
    jobs = table(clock)
    jobs.update([job(1)])
    assert "1 minute ago" in jobs.index(0, 0).data(Role.SUBTITLE)
    rows = changed_rows(jobs)
    clock.now += AGES_EVERY_S / 2
    jobs.update([job(1)])
    assert rows == []
    clock.now += 240
    jobs.update([job(1)])
    assert rows == [0]
    assert "5 minutes ago" in jobs.index(0, 0).data(Role.SUBTITLE)


def test_a_row_says_what_it_is_to_eyes_and_screen_readers(qapp: QApplication) -> None:
    jobs = table()
    jobs.update([job(2, JobState.RUNNING), job(1, kind="export", loss=None)])
    running, export = jobs.index(0, 0), jobs.index(1, 0)
    assert running.data(Role.SUBTITLE) == "step 30 of 60 · 1 min, 30 sec left"
    assert running.data(Role.SHARE_DONE) == 0.5
    assert running.data(Qt.ItemDataRole.AccessibleTextRole) == (
        "run 2, Running, step 30 of 60 · 1 min, 30 sec left"
    )
    assert export.data(Role.SUBTITLE) == "Export · 1 minute ago"
    assert [jobs.index(0, column).data() for column in Column][1:4] == ["Running", "50%", "0.500"]
    assert jobs.headerData(Column.LOSS, Qt.Orientation.Horizontal) == "Loss"


def test_a_job_without_a_name_is_called_by_its_id(qapp: QApplication) -> None:
    jobs = table()
    jobs.update([job(1, name="")])
    assert names(jobs) == [job(1).id]


def test_the_first_rows_stay_the_first_whatever_comes_and_goes(qapp: QApplication) -> None:
    jobs = table()
    first = FirstRows(2)
    first.setSourceModel(jobs)
    for shown in ((3, 2, 1), (5, 4, 3, 2, 1), (4, 2, 1), (1,), (2, 1), (1, 2)):
        jobs.update([job(number) for number in shown])
        assert names(first) == [f"run {number}" for number in shown[:2]]


def test_the_search_takes_every_word_of_name_state_and_id(qapp: QApplication) -> None:
    jobs = table()
    search = JobSearch()
    search.setSourceModel(jobs)
    jobs.update(
        [
            job(3, JobState.FAILED, name="Long Stories"),
            job(2, JobState.SUCCEEDED, name="Short stories"),
            job(1, JobState.SUCCEEDED, name="Replies"),
        ]
    )
    expected = {
        "": ["Long Stories", "Short stories", "Replies"],
        "STORIES": ["Long Stories", "Short stories"],
        "stories failed": ["Long Stories"],
        job(1).id[-6:]: ["Replies"],
        "nothing like it": [],
    }
    for text, found in expected.items():
        search.search(text)
        assert names(search) == found


def test_a_search_notices_a_job_that_changes(qapp: QApplication) -> None:
    jobs = table()
    search = JobSearch()
    search.setSourceModel(jobs)
    search.search("finished")
    jobs.update([job(1, JobState.RUNNING)])
    assert names(search) == []
    jobs.update([job(1)])
    assert names(search) == ["run 1"]
