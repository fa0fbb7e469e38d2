"""SIGKILL of a real trainer at any moment, in a save too: the resumed run is the same to the bit.

A run is killed several times before it may end; every kill is a trial. Moments are aimed at by what the
trainer says and by the folders that it writes, then drawn at random within the phase.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from academy_desktop.core.states import JobState
from tests.chaos.driving import trainer_pid
from tests.chaos.leftovers import unfinished
from tests.chaos.taught import DEMO, EVERY, STEPS, TINY, Reference, Taught, adapter_sha256
from tests.chaos.trials import Case, TooLateError, Trial
from trainers.layout import RunDir

#: Kills of one run before it may end.
KILLS = 4
#: One run in ten teaches the demo model.
DEMO_EVERY, DEMO_AT = 10, 1
#: Longest way to any moment: reached only when something is broken.
DEADLINE_S = 300.0
#: How often each moment is drawn.
MOMENTS = {"loading": 1, "step": 3, "save": 4, "evaluation": 1, "adapter": 1}


@dataclass
class Killed:
    """A run on its way: how it computes, and how often it was killed."""

    way: str
    job: str
    kills: int = 0


class Resume:
    """Trials over one data directory; one run at a time is on its way."""

    def __init__(self, root: Path) -> None:
        self._taught = Taught(root)
        self._jobs = self._taught.jobs
        self._begun = 0
        self._current: Killed | None = None

    def trial(self, case: Case) -> str | None:
        """Start or resume the run, kill its trainer; after its last kill let it end, and compare."""
        way = self._current.way if self._current else self._next_way()
        reference = self._taught.reference(way)
        attempt, killed = self._go_on(way)
        run = self._run(killed)
        moment = case.random.choices(list(MOMENTS), weights=list(MOMENTS.values()))[0]
        try:
            problem = self._kill(run, attempt, Aim(run, attempt, reference, case.random), moment)
            if problem is None and not reference.is_beginning(self._jobs, killed.job):
                problem = "what it said until then differs from an undisturbed run"
            killed.kills += 1
            if problem is None and (killed.kills == KILLS or case.last):
                self._jobs.resume(killed.job)
                problem = self._ended(killed, reference, case)
        except TooLateError:  # it has ended before: that too must have gone well, and another run begins
            if problem := self._ended(killed, reference, case):
                return self._give_up(f"{killed.way}, ended before the kill: {problem}")
            raise
        except AssertionError as error:
            problem = str(error)
        return self._give_up(f"{killed.way}, {moment}: {problem}") if problem else None

    def _next_way(self) -> str:
        number, self._begun = self._begun, self._begun + 1
        ways = list(DEMO if number % DEMO_EVERY == DEMO_AT else TINY)
        turn = number // DEMO_EVERY if number % DEMO_EVERY == DEMO_AT else number - (number + 8) // DEMO_EVERY
        return ways[turn % len(ways)]

    def _go_on(self, way: str) -> tuple[int, Killed]:
        if self._current is not None:
            return self._jobs.resume(self._current.job), self._current
        self._current = Killed(way, self._jobs.queue(self._taught.recipe(way)))
        return 1, self._current

    def _run(self, killed: Killed) -> RunDir:
        return RunDir(Path(self._jobs.get(killed.job).run_dir))

    def _kill(self, run: RunDir, attempt: int, aim: Aim, moment: str) -> str | None:
        pid = trainer_pid(run, attempt)
        aim.wait_for(moment)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            raise TooLateError from None
        ended = self._jobs.wait(run.job)
        if ended.state is JobState.SUCCEEDED:
            raise TooLateError
        if (ended.state, ended.reason) != (JobState.INTERRUPTED, "SIGKILL"):
            return f"after the kill: {ended.state} {ended.reason} {ended.facts}"
        return None

    def _ended(self, killed: Killed, reference: Reference, case: Case) -> str | None:
        """Wait for the end of a run, and hold it against the undisturbed one."""
        ended = self._jobs.wait(killed.job, DEADLINE_S)
        self._current = None
        run = RunDir(Path(ended.run_dir))
        if ended.state is not JobState.SUCCEEDED:
            return f"the resumed run is {ended.state} {ended.reason} {ended.facts}"
        if len(self._jobs.history(killed.job).steps) != STEPS:
            return "steps are missing"
        if not reference.is_beginning(self._jobs, killed.job):
            return "losses, gradients or rates differ from those of an undisturbed run"
        if adapter_sha256(run) != reference.adapter:
            return "the adapter differs from that of an undisturbed run"
        lost = lost_steps(run)
        for steps in lost:
            case.note("lost_steps", steps)
        if lost and max(lost) > EVERY:
            return f"{max(lost)} steps were lost, and a checkpoint is written every {EVERY}"
        return f"left behind: {left}" if (left := unfinished(run.path)) else None

    def _give_up(self, problem: str) -> str:
        """Leave nothing running behind a trial that has found something."""
        if self._current is not None:
            if not self._jobs.get(self._current.job).state.is_over:
                self._jobs.kill(self._current.job)
                self._jobs.wait(self._current.job)
            self._current = None
        return problem


class Aim:
    """Waits for a moment in an attempt's life, somewhere in the phase that is named."""

    def __init__(self, run: RunDir, attempt: int, reference: Reference, chance: random.Random) -> None:
        self._run = run
        self._attempt = attempt
        self._reference = reference
        self._random = chance

    def wait_for(self, moment: str) -> None:
        """Wait for it.

        Raises:
            TooLateError: the attempt ended before.
        """
        reference = self._reference
        match moment:
            case "loading":
                longest = reference.until_training_s
            case "step":
                wanted = self._random.randrange(1, STEPS)
                self._until(lambda: self._has("step", lambda payload: payload["step"] >= wanted))
                longest = 1.5 * reference.step_s
            case "save":
                wanted = self._random.randrange(EVERY, STEPS + 1, EVERY)
                pattern = [f".step-{step}.*.tmp" for step in range(wanted, STEPS + 1, EVERY)]
                self._until(lambda: any(any(self._run.checkpoints.glob(one)) for one in pattern))
                longest = 1.2 * reference.save_s
            case "evaluation":
                self._until(lambda: self._has("phase", lambda payload: payload["name"] == "evaluating"))
                longest = 1.5 * reference.step_s
            case _:
                self._until(lambda: any(self._run.path.glob(".adapter.*.tmp")))
                longest = reference.save_s
        time.sleep(self._random.uniform(0, longest))

    def _until(self, look: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not look():
            if self._run.attempt(self._attempt).exit.exists():
                raise TooLateError
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {DEADLINE_S} s for a moment of attempt {self._attempt}")
            time.sleep(0.001)

    def _has(self, kind: str, fits: Callable[[dict[str, Any]], bool]) -> bool:
        return any(
            event["attempt"] == self._attempt and event["type"] == kind and fits(event["payload"])
            for event in read_events(self._run)
        )


def read_events(run: RunDir) -> list[dict[str, Any]]:
    """All whole lines as they are: no code of the product reads here."""
    written = run.events.read_bytes() if run.events.exists() else b""
    return [json.loads(line) for line in written.split(b"\n")[:-1]]


def lost_steps(run: RunDir) -> list[int]:
    """How many steps each resume had to take again."""
    reached, lost = 0, []
    for event in read_events(run):
        payload = event["payload"]
        if event["type"] == "step":
            reached = payload["step"]
        elif event["type"] == "resumed":
            lost.append(reached - payload["from_step"])
            reached = payload["from_step"]
    return lost


def resume(root: Path) -> Trial:
    """Trials that kill real trainers."""
    return Resume(root).trial
