from __future__ import annotations

from PySide6.QtWidgets import QApplication

from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from academy_desktop.viewmodels.endings import Endings
from academy_desktop.viewmodels.event_hub import EventHub
from tests.academy_desktop.viewmodels.making import JobsDouble, Silent, Wordless, job, words


class Room:
    """Endings over looks that a test decides about."""

    def __init__(self) -> None:
        self.hub = EventHub(JobsDouble(), Silent, Wordless)
        self.endings = Endings(self.hub, words().messages, words().gettext)
        self.told: list[tuple[str, str, str]] = []
        self.endings.ended.connect(lambda *said: self.told.append(said))

    def read(self, *jobs: JobSummary) -> None:
        """The hub has looked."""
        self.hub.jobs_read.emit(list(jobs))


def test_a_job_that_ends_under_the_window_is_told_once(qapp: QApplication) -> None:
    room = Room()
    room.read(job(2, JobState.RUNNING), job(1))
    room.read(job(2, JobState.SUCCEEDED), job(1))
    room.read(job(2, JobState.SUCCEEDED), job(1))
    assert room.told == [(job(2).id, "“run 2”: Finished", "The run finished and its result is saved.")]


def test_what_was_over_before_and_what_was_deleted_is_not_told(qapp: QApplication) -> None:
    room = Room()
    room.read(job(1))
    room.read(job(2, JobState.RUNNING), job(1))
    room.read(job(1))
    assert room.told == []


def test_a_job_that_is_resumed_is_told_again_when_it_ends(qapp: QApplication) -> None:
    room = Room()
    for state in (JobState.RUNNING, JobState.FAILED, JobState.QUEUED, JobState.SUCCEEDED):
        room.read(job(1, state))
    assert [title for _, title, _ in room.told] == ["“run 1”: Failed", "“run 1”: Finished"]
