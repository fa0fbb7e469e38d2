"""SIGKILL of the window in the middle of a run that it started: the next window takes the run up as it is."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from academy_desktop.core.recipe_yaml import dump_recipe
from tests.chaos.driving import host_record, is_running, train_recipe, until
from tests.chaos.leftovers import at_work
from tests.chaos.trials import Case, TooLateError, Trial
from tests.windows import WindowProcess
from trainers.layout import HostRecord, RunDir, write_atomically

if TYPE_CHECKING:
    from trainers.recipe import TrainRecipe

PROBE = "tests.chaos.window_probe"

#: One trial in ten has the real engine: of twenty, two.
REAL_EVERY, REAL_AT = 10, 1
#: Long enough to be stopped before its end.
SCRIPT = {"steps": 5000, "step_s": 0.02, "save_every": 50}
#: Steps before the kill, at least and at most, and those that are seen after it before the next window opens.
FIRST_STEPS, MOST_STEPS, BETWEEN = 20, 120, 20
#: From the start of the process until the next window shows the run, whole and alive.
LIVE_S = 2.0
#: What is left of a run after its end is gone so soon.
GONE_S = 5.0
#: The median time of a step, after the kill over before: two cores that start a window as well scatter it.
LEAST_CHANGE, MOST_CHANGE = 0.6, 1.6


class Adopt:
    """Trials over one data directory, whose list of jobs grows by a run each."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._jobs = Jobs(DataDir(root).open(), Path(sys.executable))

    def trial(self, case: Case) -> str | None:
        """Kill a window, open another, stop the run from there; and look at all that must hold."""
        real = case.number % REAL_EVERY == REAL_AT
        with WindowProcess(PROBE, str(self._root)) as window:
            window.hear("open")
            order(window, "show", page="runs")
            order(window, "queue", recipe=str(self._recipe(real)), script=None if real else SCRIPT)
            run = RunDir(self._root / "runs" / window.hear("queued")["job"])
            try:
                before = self._kill_in_mid_run(window, run, case)
                return self._adopted(run, before, case)
            finally:
                self._end(run)

    def _kill_in_mid_run(self, window: WindowProcess, run: RunDir, case: Case) -> HostRecord:
        wanted = case.random.randrange(FIRST_STEPS, MOST_STEPS)
        until(lambda: len(Told.of(run).steps) >= wanted, f"{wanted} steps")
        time.sleep(case.random.uniform(0, 0.1))
        window.kill()
        record = host_record(run)
        if record is None or record.trainer_pid is None or not is_running(record.trainer_pid):
            raise TooLateError
        return record

    def _adopted(self, run: RunDir, before: HostRecord, case: Case) -> str | None:
        at_kill = len(Told.of(run).steps)
        until(lambda: len(Told.of(run).steps) >= at_kill + BETWEEN, "steps without a window")
        with WindowProcess(PROBE, str(self._root)) as window:
            known = Told.of(run).steps[-1]
            order(window, "when", job=run.job, state="running", step=known, last="")
            live = window.hear("seen")
            case.note("live_s", live["after_s"])
            if live["after_s"] > LIVE_S and not case.patient:
                return f"the run was shown after {live['after_s']:.2f} s"
            if problem := self._untouched(run, before, at_kill, case):
                return problem
            order(window, "stop")
            order(window, "when", job=run.job, state="stopped", step=known, last="ended")
            held = window.hear("seen")
            order(window, "leave")
            if window.ended() != 0 or window.words:
                return f"the next window ended with {window.process.returncode}: {window.words}"
        return held_wrong(held, Told.of(run)) or self._left_behind(run, before)

    def _untouched(self, run: RunDir, before: HostRecord, at_kill: int, case: Case) -> str | None:
        """Whether host and trainer are the same, and as fast as they were."""
        record = host_record(run)
        if record != before or run.attempt(2).path.exists():
            return f"the host's record was {before} and is {record}"
        if not is_running(before.pid) or not is_running(before.trainer_pid or 0):
            return "host or trainer is gone"
        moments = Told.of(run).moments
        change = pace(moments[at_kill:]) / pace(moments[:at_kill])
        case.note("pace_after_over_before", change)
        if not LEAST_CHANGE <= change <= MOST_CHANGE and not case.patient:
            return f"a step took {change:.2f} times as long after the kill"
        return None

    def _left_behind(self, run: RunDir, before: HostRecord) -> str | None:
        deadline = time.monotonic() + GONE_S
        while left := at_work(self._root):
            if time.monotonic() > deadline:
                return f"processes {left} are left"
            time.sleep(0.02)
        if is_running(before.pid) or is_running(before.trainer_pid or 0):
            return "host or trainer outlived the stop"
        if not list(run.checkpoints.glob("step-*/manifest.json")):
            return "the stop saved nothing"
        return None

    def _end(self, run: RunDir) -> None:
        """Leave no process behind, whatever the trial has found."""
        if not self._jobs.get(run.job).state.is_over:
            self._jobs.kill(run.job)
            self._jobs.wait(run.job)

    def _recipe(self, real: bool) -> Path:
        path = self._root / f"recipe-{'real' if real else 'fake'}.yaml"
        write_atomically(path, dump_recipe(self._real_recipe if real else train_recipe()))
        return path

    @cached_property
    def _real_recipe(self) -> TrainRecipe:
        """A real run on a model of two layers, with more rows than any trial waits for."""
        from tests.trainers import tiny_model as tiny  # brings torch

        rows = [{**row, "id": number} for number, row in enumerate(tiny.LEARNED * 100, start=1)]
        made = tiny.Tiny(
            tiny.write_model(self._root / "tiny" / "model"),
            tiny.write_dataset(self._root / "tiny" / "rows-00000000", rows),
        )
        return tiny.train_recipe(made, training={"num_epochs": 20}, evaluation={"max_rows": 0})


def adopt(root: Path) -> Trial:
    """Trials that kill the window."""
    return Adopt(root).trial


def order(window: WindowProcess, what: str, **facts: object) -> None:
    """Tell the window's probe to do something."""
    window.tell(json.dumps({"do": what, **facts}))


@dataclass(frozen=True)
class Told:
    """What a trainer has said, read from the file as it is: no code of the product reads here."""

    numbers: Sequence[int]
    steps: Sequence[int]
    losses: Sequence[float]
    moments: Sequence[float]

    @classmethod
    def of(cls, run: RunDir) -> Told:
        """Read all whole lines; nothing before there is a file."""
        written = run.events.read_bytes() if run.events.exists() else b""
        events = [json.loads(line) for line in written.split(b"\n")[:-1]]
        steps = [event for event in events if event["type"] == "step"]
        return cls(
            [event["seq"] for event in events],
            [step["payload"]["step"] for step in steps],
            [step["payload"]["loss"] for step in steps],
            [step["t"] for step in steps],
        )


def held_wrong(held: Mapping[str, Any], told: Told) -> str | None:
    """Whether the window holds something else than the run directory: a gap, a double, another number."""
    if told.numbers != list(range(1, len(told.numbers) + 1)):
        return f"the events are numbered {told.numbers}"
    if held["told"] != told.numbers:
        return f"of {len(told.numbers)} events the window was told {held['told']}"
    if held["steps"] != told.steps or held["losses"] != told.losses:
        return "the window's curve is not the run's"
    if (held["attempt"], held["reason"]) != (1, "user"):
        return f"stopped as attempt {held['attempt']}, {held['reason']}"
    return None


def pace(moments: Sequence[float]) -> float:
    """Return the median time between two steps, in seconds."""
    return statistics.median(after - before for before, after in pairwise(moments))
