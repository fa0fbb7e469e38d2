from __future__ import annotations

from pathlib import Path

import pytest

from academy_desktop.core.jobs import Jobs
from academy_desktop.core.states import JobState
from tests.chaos.driving import export_recipe, fake_jobs, is_running, train_recipe, until
from trainers import checkpoint
from trainers.events import Ended, Resumed
from trainers.layout import RunDir


def run_of(jobs: Jobs, job: str) -> RunDir:
    return RunDir(Path(jobs.get(job).run_dir))


def test_a_run_says_everything_that_a_run_says(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path)
    job = jobs.queue(train_recipe())
    types = [event.type for event in jobs.follow(job)]
    assert types[:3] == ["phase", "started", "phase"]
    assert types[-1] == "ended"
    assert types.count("step") == 20
    assert types.count("checkpoint") == 4
    history = jobs.history(job)
    assert history.steps[0].loss > history.steps[-1].loss
    assert checkpoint.newest_good(run_of(jobs, job).checkpoints).step == 20
    assert jobs.wait(job).state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("failure", "state", "reason"),
    [
        ("crash", JobState.FAILED, "crashed"),
        ("oom", JobState.FAILED, "out_of_memory"),
        ("nonfinite", JobState.FAILED, "nonfinite_loss"),
        ("disk_full", JobState.FAILED, "disk_full"),
        ("exit", JobState.FAILED, "crashed"),
        ("abort", JobState.INTERRUPTED, "SIGABRT"),
    ],
)
def test_a_run_goes_wrong_as_scripted_and_can_be_resumed(
    tmp_path: Path, failure: str, state: JobState, reason: str
) -> None:
    job = fake_jobs(tmp_path, failure=f"{failure}@8").queue(train_recipe())
    jobs = fake_jobs(tmp_path)
    ended = jobs.wait(job)
    assert (ended.state, ended.reason, ended.step) == (state, reason, 7)
    assert jobs.resume(job) == 2
    assert jobs.wait(job).state is JobState.SUCCEEDED
    history = jobs.history(job)
    assert history.from_step == 5
    assert [step.step for step in history.steps] == list(range(1, 21))


def test_a_run_that_hangs_can_be_killed(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, failure="hang@3", stop_grace_s=0.2)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step == 2)
    jobs.kill(job)
    ended = jobs.wait(job)
    assert (ended.state, ended.reason) == (JobState.INTERRUPTED, "SIGKILL")


def test_a_stubborn_grandchild_ends_with_the_run(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, failure="grandchild@3")
    job = jobs.queue(train_recipe())
    assert jobs.wait(job).state is JobState.SUCCEEDED
    assert not is_running(int((run_of(jobs, job).path / "grandchild.pid").read_text()))


def test_stopped_and_resumed_is_the_same_run(tmp_path: Path) -> None:
    whole = fake_jobs(tmp_path, steps=60, step_s=0.0)
    reference = whole.queue(train_recipe())
    jobs = fake_jobs(tmp_path, steps=60, step_s=0.02)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step > 3)
    jobs.suspend(job)
    suspended = jobs.wait(job)
    assert (suspended.state, suspended.reason) == (JobState.STOPPED, "suspended")
    assert checkpoint.newest_good(run_of(jobs, job).checkpoints).step == suspended.step
    assert fake_jobs(tmp_path, steps=60, step_s=0.0).resume(job) == 2
    assert jobs.wait(job).state is JobState.SUCCEEDED
    assert jobs.wait(reference).state is JobState.SUCCEEDED
    losses = [[step.loss for step in jobs.history(one).steps] for one in (reference, job)]
    assert losses[0] == losses[1]


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, failure="crash@13")
    job = jobs.queue(train_recipe())
    jobs.wait(job)
    newest = run_of(jobs, job).checkpoints / "step-10" / "state.json"
    content = bytearray(newest.read_bytes())
    content[5] ^= 1
    newest.write_bytes(content)
    healed = fake_jobs(tmp_path)
    healed.resume(job)
    events = list(healed.follow(job))
    assert "checkpoint_skipped" in [event.type for event in events]
    assert [one.payload.from_step for one in events if isinstance(one.payload, Resumed)] == [5]
    assert healed.wait(job).state is JobState.SUCCEEDED


def test_pause_keeps_the_run_where_it_is(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=40, step_s=0.02)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step > 1)
    jobs.pause(job)
    until(lambda: jobs.get(job).state is JobState.PAUSED)
    paused_at = jobs.get(job).step
    jobs.save(job)
    until(lambda: checkpoint.newest_good(run_of(jobs, job).checkpoints).step == paused_at)
    assert jobs.get(job).step == paused_at
    jobs.unpause(job)
    assert jobs.wait(job).state is JobState.SUCCEEDED


def test_an_export_ends_with_what_it_made(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path)
    parent = tmp_path / "runs" / "parent"
    job = jobs.queue(export_recipe("parent", parent))
    events = list(jobs.follow(job))
    assert [event.type for event in events][-2:] == ["exported", "ended"]
    assert isinstance(events[-1].payload, Ended)
    summary = jobs.wait(job)
    assert (summary.kind, summary.parent, summary.state) == ("export", "parent", JobState.SUCCEEDED)
