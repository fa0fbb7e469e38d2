from __future__ import annotations

import asyncio
from collections.abc import Sequence

from PySide6.QtWidgets import QApplication

from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from academy_desktop.text.messages import Description
from academy_desktop.viewmodels.event_hub import EventHub
from academy_desktop.viewmodels.runs import Runs
from academy_desktop.viewmodels.supervisor import Supervisor
from tests.academy_desktop.viewmodels.making import (
    JobsDouble,
    Silent,
    Wordless,
    detail,
    in_loop,
    job,
    seen,
    steps,
    table,
    words,
)
from trainers.errors import AcademyError, ErrorCode


class Room:
    """A runs page's state over jobs that a test decides about."""

    def __init__(self, *jobs: JobSummary) -> None:
        self.jobs = JobsDouble(*jobs)
        self.hub = EventHub(self.jobs, Silent, Wordless)
        self.failures: list[BaseException] = []
        self.told: list[Description] = []
        self.chosen: list[str] = []
        self.runs = Runs(
            self.jobs,
            self.hub,
            table(),
            detail(),
            words().messages,
            Supervisor(self.failures.append),
        )
        self.runs.told.connect(self.told.append)
        self.runs.selected.connect(self.chosen.append)

    def read(self, *jobs: object) -> None:
        """The hub has read these jobs, the newest first."""
        self.hub.jobs_read.emit(list(jobs))


def test_the_newest_job_is_shown_first_and_stays(qapp: QApplication) -> None:
    room = Room()
    room.read(job(2), job(1))
    assert room.runs.selected_id == job(2).id
    room.read(job(3, JobState.RUNNING), job(2), job(1))
    assert room.runs.selected_id == job(2).id
    assert room.chosen == [job(2).id]


def test_a_job_that_is_wanted_is_shown_once_it_appears(qapp: QApplication) -> None:
    room = Room()
    room.read(job(1))
    room.runs.select(job(2).id)
    assert room.runs.selected_id == job(1).id
    room.read(job(2), job(1))
    assert room.runs.selected_id == job(2).id
    assert room.runs.detail.title == "run 2"


def test_what_the_run_says_goes_to_curve_numbers_and_log(qapp: QApplication) -> None:
    room = Room()
    room.read(job(1, JobState.RUNNING))
    room.hub.events_read.emit(steps(1, 4))
    room.hub.lines_read.emit(["a line"])
    assert list(room.runs.curve.steps) == [1, 2, 3, 4]
    assert room.runs.detail.figures[0].value == "4 / 100"
    assert room.runs.log.lines == ("a line",)


def test_another_job_begins_with_an_empty_curve_and_log(qapp: QApplication) -> None:
    room = Room()
    room.read(job(2), job(1))
    room.hub.events_read.emit(steps(1, 4))
    room.hub.lines_read.emit(["a line"])
    room.runs.select(job(1).id)
    assert not room.runs.curve.steps
    assert room.runs.log.lines == ()


def test_new_facts_of_the_job_that_is_shown_are_shown(qapp: QApplication) -> None:
    room = Room()
    room.read(job(1, JobState.RUNNING))
    assert room.runs.detail.can_stop
    room.read(job(1, JobState.SUCCEEDED))
    assert room.runs.detail.state_word == "Finished"
    assert not room.runs.detail.can_stop


def test_a_job_that_is_deleted_makes_room_for_the_next(qapp: QApplication) -> None:
    room = Room()
    room.read(job(2), job(1))
    room.read(job(1))
    assert room.runs.selected_id == job(1).id
    room.read()
    assert room.runs.selected_id == ""
    assert room.runs.detail.job is None
    assert room.chosen == [job(2).id, "", job(1).id, ""]


def test_a_command_is_carried_out_once_and_makes_the_page_busy_meanwhile(qapp: QApplication) -> None:
    async def work() -> None:
        room = Room()
        busy: list[bool] = []
        room.runs.busy_changed.connect(busy.append)
        room.runs.stop()  # nothing is shown: nothing to stop
        room.read(job(1, JobState.RUNNING))
        room.runs.stop()
        room.runs.stop()  # a double click
        await seen(lambda: busy == [True, False], "the command")
        room.runs.resume()
        await seen(lambda: len(busy) == 4, "the command")
        room.runs.begin_anew(shorter=True)
        await seen(lambda: len(busy) == 6, "the command")
        assert room.jobs.commands == [
            ("stop", job(1).id),
            ("resume", job(1).id),
            ("begin anew, shorter=True, qlora=False", job(1).id),
        ]
        assert room.failures == []

    in_loop(qapp, work())


def test_what_was_deleted_can_be_brought_back_and_is_shown_again(qapp: QApplication) -> None:
    async def work() -> None:
        room = Room(job(2), job(1))
        deleted: list[tuple[str, str]] = []
        room.runs.deleted.connect(lambda job_id, name: deleted.append((job_id, name)))
        room.read(*room.jobs.jobs)
        room.runs.delete()
        await seen(lambda: deleted and not room.runs.busy, "the deletion")
        assert deleted == [(job(2).id, "run 2")]
        room.read(*room.jobs.jobs)
        assert room.runs.selected_id == job(1).id
        room.runs.restore(job(2).id)
        await seen(lambda: not room.runs.busy, "the job")
        room.read(*room.jobs.jobs)
        assert room.runs.selected_id == job(2).id
        assert room.failures == []

    in_loop(qapp, work())


def test_what_cannot_be_deleted_is_told_and_nothing_can_be_undone(qapp: QApplication) -> None:
    async def work() -> None:
        room = Room(job(1))
        deleted: list[str] = []
        room.runs.deleted.connect(lambda job_id, _name: deleted.append(job_id))
        room.read(job(1))
        room.jobs.failure = AcademyError(ErrorCode.JOB_RUNNING, job=job(1).id, state="running")
        room.runs.delete()
        await seen(lambda: room.told and not room.runs.busy, "a sentence")
        assert deleted == []

    in_loop(qapp, work())


def test_a_refusal_is_told_in_words_and_the_page_is_free_again(qapp: QApplication) -> None:
    async def work() -> None:
        room = Room()
        room.read(job(1, JobState.RUNNING))
        room.jobs.failure = AcademyError(ErrorCode.DISK_FULL, path="/data")
        room.runs.stop()
        await seen(lambda: room.told and not room.runs.busy, "a sentence")
        assert room.told[0].title == "The disk is full"
        assert room.told[0].next_step
        assert room.failures == []

    in_loop(qapp, work())


def test_before_the_window_goes_all_that_runs_can_be_stopped(qapp: QApplication) -> None:
    async def work() -> tuple[bool, Sequence[tuple[str, str]]]:
        room = Room()
        room.read(job(3, JobState.QUEUED), job(2), job(1, JobState.RUNNING))
        assert [one.name for one in room.runs.going] == ["run 3", "run 1"]
        return await room.runs.stop_going(), room.jobs.commands

    asked, commands = in_loop(qapp, work())
    assert asked
    assert commands == [("stop", job(3).id), ("stop", job(1).id)]


def test_a_run_that_cannot_be_stopped_is_told(qapp: QApplication) -> None:
    async def work(code: ErrorCode) -> tuple[bool, list[Description]]:
        room = Room()
        room.read(job(1, JobState.RUNNING))
        room.jobs.failure = AcademyError(code)
        return await room.runs.stop_going(), room.told

    asked, told = in_loop(qapp, work(ErrorCode.DISK_FULL))
    assert not asked
    assert len(told) == 1
    # it ended by itself: all is well
    assert in_loop(qapp, work(ErrorCode.JOB_NOT_RUNNING)) == (True, [])


def test_what_cannot_be_read_is_told(qapp: QApplication) -> None:
    room = Room()
    room.hub.failed.emit(AcademyError(ErrorCode.FILE_UNREADABLE, path="/data"))
    assert room.told[0].title == "The file cannot be read"


def test_nothing_blocks_the_loop_while_a_command_is_carried_out(qapp: QApplication) -> None:
    async def work() -> bool:
        room = Room()
        room.read(job(1, JobState.RUNNING))
        turns = 0
        room.runs.stop()
        while room.runs.busy:
            turns += 1
            await asyncio.sleep(0)
        return turns > 0

    assert in_loop(qapp, work())
