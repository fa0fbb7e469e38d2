"""The two kills: of the trainer, and of whatever watches it. A trial returns what went wrong, or None."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from academy_desktop.core.states import JobState
from tests.chaos.driving import fake_jobs, train_recipe, trainer_pid, until
from tests.chaos.trials import Case, TooLateError, Trial
from trainers.layout import RunDir

STEPS = 40
STEP_S = 0.003
#: Events of an undisturbed run: steps, an evaluation and a checkpoint for every five, phases, start and end.
EVENTS = STEPS + 2 * (STEPS // 5) + 4


def trainer_kill(root: Path) -> Trial:
    """Trials that kill the trainer."""
    losses = reference_losses(root)
    return lambda case: kill_trainer(case, losses)


def watcher_kill(_root: Path) -> Trial:
    """Trials that kill what queued the run and watches it."""
    return kill_watcher


def reference_losses(root: Path) -> list[float]:
    """The losses of a run that nobody disturbs."""
    jobs = fake_jobs(root, steps=STEPS, step_s=0.0)
    job = jobs.queue(train_recipe())
    jobs.wait(job)
    return [step.loss for step in jobs.history(job).steps]


def kill_trainer(case: Case, losses: list[float]) -> str | None:
    """SIGKILL the trainer at a random moment; resume; compare with an undisturbed run."""
    jobs = fake_jobs(case.root, steps=STEPS, step_s=STEP_S)
    job = jobs.queue(train_recipe())
    run = RunDir(Path(jobs.get(job).run_dir))
    pid = trainer_pid(run)
    _wait_for_lines(run, case.random.randrange(EVENTS))
    time.sleep(case.random.uniform(0, 2 * STEP_S))
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        raise TooLateError from None
    killed = jobs.wait(job)
    if killed.state is JobState.SUCCEEDED:
        raise TooLateError
    if (killed.state, killed.reason) != (JobState.INTERRUPTED, "SIGKILL"):
        return f"after the kill: {killed.state} {killed.reason}"
    jobs.resume(job)
    resumed = jobs.wait(job)
    if resumed.state is not JobState.SUCCEEDED:
        return f"after the resume: {resumed.state} {resumed.reason} {resumed.facts}"
    steps = jobs.history(job).steps
    if [step.step for step in steps] != list(range(1, STEPS + 1)):
        return f"steps: {[step.step for step in steps]}"
    if [step.loss for step in steps] != losses:
        return "the losses differ from those of an undisturbed run"
    return _events_told_wrong(case.root, job)


def kill_watcher(case: Case) -> str | None:
    """SIGKILL the process group that queued and follows a run; the run goes on, the next sees it all."""
    jobs = fake_jobs(case.root, steps=STEPS, step_s=STEP_S)
    told = case.random.randrange(EVENTS - 1)
    command = [sys.executable, "-m", "tests.chaos.watcher", str(case.root), str(STEPS), str(STEP_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as watcher:
        if watcher.stdout is None:
            return "no pipe"
        job = watcher.stdout.readline().strip()
        seen = [int(watcher.stdout.readline()) for _ in range(told)]
        os.killpg(watcher.pid, signal.SIGKILL)
    if jobs.get(job).state is JobState.SUCCEEDED:
        raise TooLateError
    if seen != list(range(1, told + 1)):
        return f"the first watcher saw {seen}"
    after = [event.seq for event in jobs.follow(job, after_seq=told)]
    ended = jobs.wait(job)
    if (ended.state, ended.attempt) != (JobState.SUCCEEDED, 1):
        return f"the run did not go on: {ended.state} {ended.reason}, attempt {ended.attempt}"
    if seen + after != list(range(1, len(seen) + len(after) + 1)):
        return f"the second watcher, after event {told}, saw {after}"
    return _events_told_wrong(case.root, job)


def _wait_for_lines(run: RunDir, count: int) -> None:
    """Wait until so many events are written, or the run is over."""

    def look() -> bool:
        written = run.events.read_bytes().count(b"\n") if run.events.exists() else 0
        return written >= count or run.attempt(1).exit.exists()

    until(look, f"{count} events")


def _events_told_wrong(root: Path, job: str) -> str | None:
    """A fresh watcher must see every event once, in order."""
    seen = [event.seq for event in fake_jobs(root).follow(job)]
    return None if seen == list(range(1, len(seen) + 1)) else f"a fresh watcher saw {seen}"
