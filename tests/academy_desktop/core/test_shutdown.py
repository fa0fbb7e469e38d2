from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from academy_desktop.core.jobs import Jobs
from academy_desktop.core.shutdown import Shutdown, ShutdownStatus
from academy_desktop.core.states import JobState
from tests.chaos.driving import fake_jobs, train_recipe, until
from trainers.errors import AcademyError, ErrorCode
from trainers.host_shutdown import command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="plays the system's command with a script")


@pytest.fixture
def switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's command, played by a script that notes what it is told."""
    path = tmp_path / "bin" / "systemctl"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
    return tmp_path / "told"


def begun(jobs: Jobs) -> str:
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step, "a step")
    return job


def is_state(shutdown: Shutdown, state: str) -> bool:
    return shutdown.status().state == state


def test_after_the_last_job_and_a_countdown_the_computer_is_shut_down(tmp_path: Path, switch: Path) -> None:
    jobs = fake_jobs(tmp_path / "data", steps=60, step_s=0.01)
    first, second = begun(jobs), jobs.queue(train_recipe())
    jobs.shutdown.ask(countdown_s=0.3)
    assert jobs.shutdown.status() == ShutdownStatus("waiting")
    jobs.wait(first)
    assert not switch.exists()
    until(switch.exists, "the command")
    assert switch.read_text().split() == ["poweroff"]
    assert jobs.get(second).state is JobState.SUCCEEDED
    until(lambda: is_state(jobs.shutdown, "off"), "nothing to be remembered")


def test_whoever_cancels_the_countdown_keeps_the_computer_on(tmp_path: Path, switch: Path) -> None:
    jobs = fake_jobs(tmp_path / "data", steps=100_000)
    job = begun(jobs)
    jobs.shutdown.ask()
    jobs.stop(job)
    until(lambda: is_state(jobs.shutdown, "counting"), "the countdown")
    at = jobs.shutdown.status().at
    assert at is not None
    assert 0 < at - time.time() <= 60
    Shutdown(jobs._data).cancel()
    until(lambda: is_state(jobs.shutdown, "off"), "the end of it")
    assert not switch.exists()


def test_a_job_that_did_not_save_keeps_the_computer_on(tmp_path: Path, switch: Path) -> None:
    jobs = fake_jobs(tmp_path / "data", steps=100, step_s=0.01, failure="crash@60")
    job = begun(jobs)
    jobs.shutdown.ask(countdown_s=0.0)
    until(lambda: is_state(jobs.shutdown, "called_off"), "the end of it")
    assert jobs.shutdown.status() == ShutdownStatus("called_off", None, job)
    assert not switch.exists()
    jobs.shutdown.dismiss()
    assert jobs.shutdown.status() == ShutdownStatus()


def test_a_command_that_is_refused_is_told(tmp_path: Path, switch: Path) -> None:
    (tmp_path / "bin" / "systemctl").write_text("#!/bin/sh\necho 'Access denied' >&2\nexit 1\n")
    jobs = fake_jobs(tmp_path / "data", steps=60, step_s=0.01)
    begun(jobs)
    jobs.shutdown.ask(countdown_s=0.0)
    until(lambda: is_state(jobs.shutdown, "failed"), "the refusal")
    assert jobs.shutdown.status().detail == "Access denied"


def test_nothing_is_remembered_by_another_start_of_the_machine_nor_by_a_later_job(
    tmp_path: Path, switch: Path
) -> None:
    jobs = fake_jobs(tmp_path / "data", steps=20)
    request = {"v": 1, "asked_at": time.time(), "boot_id": "another", "jobs": [], "countdown_s": 0.0}
    path = tmp_path / "data" / "queue" / "shutdown.json"
    path.write_text(json.dumps(request))
    assert jobs.shutdown.status() == ShutdownStatus()
    jobs.wait(jobs.queue(train_recipe()))
    assert not path.exists()
    assert not switch.exists()


def test_without_a_job_or_without_the_systems_command_it_cannot_be_asked_for(
    tmp_path: Path, switch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = fake_jobs(tmp_path / "data", steps=100_000)
    with pytest.raises(AcademyError) as failure:
        jobs.shutdown.ask()
    assert failure.value.code is ErrorCode.QUEUE_EMPTY
    job = begun(jobs)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AcademyError) as failure:
        jobs.shutdown.ask()
    assert failure.value.code is ErrorCode.SHUTDOWN_UNAVAILABLE
    assert failure.value.facts == {"program": "systemctl"}
    jobs.kill(job)
    jobs.wait(job)


def test_each_system_has_its_own_command() -> None:
    assert command("win32")[0] == "shutdown"
    assert command("darwin")[0] == "osascript"
    assert command("linux") == ("systemctl", "poweroff")
