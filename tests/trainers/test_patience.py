from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from academy_desktop.core.states import JobState
from tests.chaos.driving import fake_jobs, train_recipe, until
from tests.chaos.io_faults import fill
from trainers.events import CommandAnswered, Ended
from trainers.layout import RunDir
from trainers.session import LINE_ROOM_BYTES

MEGABYTE = 2**20


@pytest.fixture
def disk(small_disk: Callable[[int], Path]) -> Path:
    return small_disk(6 * MEGABYTE)


def test_a_full_disk_pauses_a_run_until_there_is_room(disk: Path) -> None:
    jobs = fake_jobs(disk / "data", steps=150, step_s=0.01)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step > 5, "a few steps")
    ballast = fill(disk)
    until(lambda: jobs.get(job).reason == "disk_full", "a pause")
    paused = jobs.get(job)
    assert paused.state is JobState.PAUSED
    assert paused.facts == {"path": str(disk), "needed_bytes": LINE_ROOM_BYTES}
    ballast.unlink()
    ended = jobs.wait(job)
    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)
    history = jobs.history(job)
    assert [one.step for one in history.steps] == list(range(1, 151))
    assert [one.code for one in history.warnings] == ["disk_full_over"]
    assert not RunDir(Path(ended.run_dir)).reserve.exists()


def test_a_run_that_waits_for_room_can_be_stopped(disk: Path) -> None:
    jobs = fake_jobs(disk / "data", steps=500, step_s=0.01)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step > 5, "a few steps")
    fill(disk)
    until(lambda: jobs.get(job).reason == "disk_full", "a pause")
    order = jobs.stop(job)
    ended = jobs.wait(job)
    assert (ended.state, ended.reason) == (JobState.STOPPED, "user")
    told = [event.payload for event in jobs.follow(job)]
    assert CommandAnswered(id=order, command="stop", outcome="done") in told
    assert isinstance(told[-1], Ended)
