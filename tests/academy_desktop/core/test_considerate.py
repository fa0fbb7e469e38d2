from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from academy_desktop.core.considerate import ConsiderateFile
from academy_desktop.core.history import EventTail
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from tests.chaos.driving import fake_jobs, train_recipe, until
from trainers.events import AnyEvent, CommandAnswered, Resumed
from trainers.layout import Considerate, QuietHours


def quiet_now() -> QuietHours:
    """Hours that hold now and for a while."""
    now = datetime.now()  # noqa: DTZ005 - local hours
    begins, ends = now - timedelta(hours=2), now + timedelta(hours=2)
    return QuietHours(begins=f"{begins:%H:%M}", ends=f"{ends:%H:%M}")


def is_seen(jobs: Jobs, job: str, state: JobState, reason: str = "") -> Callable[[], JobSummary | None]:
    def look() -> JobSummary | None:
        found = jobs.get(job)
        return found if (found.state, found.reason) == (state, reason) else None

    return look


@pytest.fixture
def rules(tmp_path: Path) -> ConsiderateFile:
    return ConsiderateFile(DataDir(tmp_path).open().considerate)


def test_the_rules_are_kept_and_without_a_usable_file_there_are_none(rules: ConsiderateFile) -> None:
    assert rules.load() == Considerate()
    wanted = Considerate(quiet_hours=QuietHours(days=(4, 5)), most_celsius=80, way="suspend")
    rules.save(wanted)
    assert rules.load() == wanted
    rules.path.write_text("{")
    assert rules.load() == Considerate()


def test_in_quiet_hours_a_job_waits_unless_it_shall_run_anyway_and_starts_when_they_are_over(
    tmp_path: Path, rules: ConsiderateFile
) -> None:
    rules.save(Considerate(quiet_hours=quiet_now()))
    jobs = fake_jobs(tmp_path, steps=20)
    first, second = jobs.queue(train_recipe()), jobs.queue(train_recipe())
    held = until(is_seen(jobs, first, JobState.QUEUED, "quiet_hours"), "the first to wait")
    assert isinstance(held.facts["until"], float)
    until(is_seen(jobs, second, JobState.QUEUED, "quiet_hours"), "the second to wait")
    jobs.run_anyway(second)
    assert jobs.wait(second, 60.0).state is JobState.SUCCEEDED
    assert jobs.get(first).state is JobState.QUEUED
    rules.save(Considerate())
    assert jobs.wait(first, 60.0).state is JobState.SUCCEEDED


def test_a_run_in_progress_pauses_says_why_and_goes_on(tmp_path: Path, rules: ConsiderateFile) -> None:
    jobs = fake_jobs(tmp_path, steps=1_000_000)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step, "a step")
    rules.save(Considerate(quiet_hours=quiet_now()))
    until(is_seen(jobs, job, JobState.PAUSED, "quiet_hours"), "the pause")
    answers = [event.payload for event in _events(jobs, job) if isinstance(event.payload, CommandAnswered)]
    assert [(one.command, one.reason) for one in answers] == [("pause", "quiet_hours")]
    jobs.run_anyway(job)
    until(is_seen(jobs, job, JobState.RUNNING), "the waiver")
    rules.save(Considerate())
    jobs.kill(job)
    jobs.wait(job)


def test_a_run_that_gives_its_memory_back_goes_on_from_there_by_itself(
    tmp_path: Path, rules: ConsiderateFile
) -> None:
    jobs = fake_jobs(tmp_path, steps=1_000_000)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step, "a step")
    rules.save(Considerate(quiet_hours=quiet_now(), way="suspend"))
    seen: set[JobState] = set()

    def look() -> JobSummary | None:
        found = jobs.get(job)
        seen.add(found.state)
        is_there = found.attempt == 2 and found.reason == "quiet_hours"
        return found if is_there else None

    waiting = until(look, "the next attempt")
    assert seen <= {JobState.RUNNING, JobState.STOPPING, JobState.QUEUED}
    assert not jobs.get(job).state.is_over
    rules.save(Considerate())
    until(lambda: jobs.get(job).step > waiting.step, "a step more")
    resumed = [event.payload for event in _events(jobs, job) if isinstance(event.payload, Resumed)]
    assert [one.from_step for one in resumed] == [waiting.step]
    jobs.kill(job)
    jobs.wait(job)


def test_whom_the_user_stops_while_it_waits_for_the_end_of_quiet_hours_stays_stopped(
    tmp_path: Path, rules: ConsiderateFile
) -> None:
    jobs = fake_jobs(tmp_path, steps=1_000_000)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step, "a step")
    rules.save(Considerate(quiet_hours=quiet_now(), way="suspend"))
    until(is_seen(jobs, job, JobState.QUEUED, "quiet_hours"), "the wait")
    until(lambda: jobs.get(job).attempt == 2, "the next attempt")
    jobs.stop(job)
    assert jobs.wait(job, 60.0).state is JobState.STOPPED
    rules.save(Considerate())
    assert jobs.get(job).state is JobState.STOPPED


def test_the_heat_of_a_card_is_told_and_holds_a_run(tmp_path: Path, rules: ConsiderateFile) -> None:
    (tmp_path / "bin").mkdir()
    heat = tmp_path / "heat"
    heat.write_text("91, 300.5\n")
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\ncat {heat}\n")
    tool.chmod(0o755)
    rules.save(Considerate(most_celsius=80))
    jobs = Jobs(
        DataDir(tmp_path).open(),
        Path(sys.executable),
        lambda: "cuda-0",
        "trainers.fake",
        {**os.environ, "PATH": f"{tool.parent}:{os.environ['PATH']}", "ACADEMY_FAKE_STEPS": "1000000"},
    )
    job = jobs.queue(train_recipe())
    until(is_seen(jobs, job, JobState.QUEUED, "too_hot"), "the wait")
    heat.write_text("74, 120.0\n")
    until(lambda: jobs.get(job).gpu_celsius == 74.0, "a cooler card")
    assert jobs.get(job).gpu_watts == 120.0
    jobs.kill(job)
    jobs.wait(job)


def _events(jobs: Jobs, job: str) -> list[AnyEvent]:
    return EventTail(Path(jobs.get(job).run_dir) / "events.jsonl").read_new()
