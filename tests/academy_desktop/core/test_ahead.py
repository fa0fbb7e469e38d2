"""A trainer that is ready before its job: real hosts, real trainers, a tiny model."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from academy_desktop.core.states import JobState
from tests.chaos.driving import fake_jobs, trainer_pid, until
from tests.chaos.driving import train_recipe as fake_recipe
from tests.trainers.tiny_model import Tiny, train_recipe, write_dataset, write_model
from trainers.layout import RunDir

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is made ready there")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    folder = tmp_path_factory.mktemp("tiny")
    return Tiny(write_model(folder / "model", lessons=0), write_dataset(folder / "capitals-00000000"))


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(DataDir(tmp_path).open(), Path(sys.executable))
    yield made
    made.ahead.give_back()


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Jobs]:
    """Jobs whose trainer is not the one that is made ready."""
    made = fake_jobs(tmp_path, step_s=0.02)
    yield made
    made.ahead.give_back()


def ready(jobs: Jobs) -> psutil.Process:
    """The trainer that waits."""
    jobs.ahead.prepare("cpu")
    process = psutil.Process(jobs.ahead._pid)
    until(lambda: "trainers.prepared" in process.cmdline(), "its program")
    return process


def is_gone(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def test_a_job_is_taken_over_by_the_trainer_that_waits_and_ends_as_any_other(jobs: Jobs, tiny: Tiny) -> None:
    waiting = ready(jobs)
    assert jobs.ahead.memory_bytes > 0
    job = jobs.queue(train_recipe(tiny))
    run = RunDir(Path(jobs.get(job).run_dir))
    until(lambda: trainer_pid(run) == waiting.pid, "the trainer that waited")
    assert jobs.ahead.memory_bytes == 0  # it is the job's now
    summary = jobs.wait(job)
    assert summary.state is JobState.SUCCEEDED
    until(lambda: is_gone(waiting), "its end")
    assert (run.path / "attempts" / "1" / "exit.json").is_file()


def test_one_that_is_not_wanted_any_more_leaves_nothing(jobs: Jobs) -> None:
    waiting = ready(jobs)
    host = waiting.parent()
    jobs.ahead.give_back()
    assert jobs.ahead.memory_bytes == 0
    until(lambda: is_gone(waiting), "the trainer's end")
    assert host is not None
    until(lambda: is_gone(host), "the host's end")


@pytest.mark.parametrize("dies", [True, False])
def test_one_that_died_or_does_not_suit_costs_the_job_nothing(fake: Jobs, dies: bool) -> None:
    waiting = ready(fake)
    if dies:
        waiting.kill()
        until(lambda: is_gone(waiting), "its end")
    assert fake.wait(fake.queue(fake_recipe())).state is JobState.SUCCEEDED
    until(lambda: is_gone(waiting), "its end")


def test_another_engine_takes_its_place(jobs: Jobs) -> None:
    first = ready(jobs)
    jobs.ahead.prepare("cpu")
    assert jobs.ahead._pid == first.pid
    jobs.ahead.prepare("peft")
    assert jobs.ahead._pid not in {0, first.pid}
    until(lambda: is_gone(first), "the end of the first")


def test_a_job_that_has_to_wait_for_the_device_holds_no_memory_meanwhile(fake: Jobs) -> None:
    first = fake.queue(fake_recipe())
    until(lambda: fake.get(first).step >= 1, "a step")
    waiting = ready(fake)
    second = fake.queue(fake_recipe())
    until(lambda: is_gone(waiting), "its end")
    assert fake.get(second).state is JobState.QUEUED
    fake.command(first, "stop")
    assert fake.wait(second).state is JobState.SUCCEEDED
