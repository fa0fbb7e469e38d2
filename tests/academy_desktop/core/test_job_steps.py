from __future__ import annotations

from pathlib import Path

import pytest

from academy_desktop.core.job_steps import abandon, follow_to_end
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from tests.chaos.driving import fake_jobs, train_recipe
from trainers.errors import AcademyError
from trainers.events import AnyEvent, Started, Step


def ignore(_event: AnyEvent) -> None:
    """Nobody listens."""


def test_a_job_that_succeeds_hands_on_all_that_it_said(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=3)
    heard: list[AnyEvent] = []
    events = follow_to_end(jobs, jobs.queue(train_recipe(), purpose="trial"), heard.append)
    assert list(events) == heard
    assert sum(isinstance(event.payload, Step) for event in events) == 3


def test_a_listener_who_has_heard_enough_ends_the_job(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=100_000)
    job = jobs.queue(train_recipe())

    def enough(event: AnyEvent) -> None:
        if isinstance(event.payload, Started):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow_to_end(jobs, job, enough)
    assert jobs.wait(job).state is JobState.STOPPED
    abandon(jobs, job)  # it is over already: nothing happens


def test_a_job_that_was_stopped_by_somebody_else_did_not_succeed(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=100_000)
    job = jobs.queue(train_recipe())

    def stop(event: AnyEvent) -> None:
        if isinstance(event.payload, Started):
            jobs.stop(job)

    with pytest.raises(AcademyError) as error:
        follow_to_end(jobs, job, stop)
    assert error.value.facts["detail"] == "user"


def test_what_a_job_is_for_is_kept_with_it_and_shown(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=3)
    job = jobs.queue(train_recipe(), purpose="rehearsal")
    jobs.wait(job)
    jobs.relabel(job, name="Another name", tags=("mine",))
    found = _listed(jobs, job)
    assert (found.kind, found.purpose, found.name) == ("rehearsal", "rehearsal", "Another name")
    own = jobs.queue(train_recipe())
    jobs.wait(own)
    assert (_listed(jobs, own).kind, _listed(jobs, own).purpose) == ("train", "")


def _listed(jobs: Jobs, job: str) -> JobSummary:
    return next(one for one in jobs.list() if one.id == job)
