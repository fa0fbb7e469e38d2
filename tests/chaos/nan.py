"""Numbers that break in mid-run, and healthy runs that are merely noisy, on a tiny real model."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

from tests.chaos.nan_fault import Watched, fault
from tests.chaos.trials import Case, Trial
from tests.trainers.tiny_model import Tiny, payloads, train_recipe, write_dataset, write_model, write_run
from trainers.__main__ import work
from trainers.events import Ended, Nonfinite, Resumed, Step
from trainers.layout import RunDir
from trainers.session import run_job

STEPS = 8
SAVE_EVERY = 3


class Runs:
    """Trials that each train one run in this process."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._tiny = Tiny(write_model(root / "tiny-model", lessons=20), write_dataset(root / "tiny-rows"))

    def injected(self, case: Case) -> str | None:
        """A loss that is no number, in a step drawn at random from the second on."""
        struck = case.random.randrange(2, STEPS + 1)
        run = self._run(case, rate=2e-3, rows=4)
        with fault({struck}) as seen:
            code = run_job(run.path, 1, work)
        problem = self._after_a_fault(run, struck, seen)
        shutil.rmtree(run.path)
        return problem or (None if code == 0 else f"exit code {code}")

    def healthy(self, case: Case) -> str | None:
        """A single row per step and a high rate: a loss that jumps, and stays a number."""
        run = self._run(case, rate=case.random.uniform(1e-3, 1e-2), rows=1)
        with fault(()) as seen:
            run_job(run.path, 1, work)
        alarms = payloads(run, Nonfinite)
        steps = [one.step for one in payloads(run, Step)]
        shutil.rmtree(run.path)
        if alarms:
            return f"a false alarm: {alarms}"
        return None if steps == list(range(1, STEPS + 1)) and seen.poisoned == 0 else f"steps {steps}"

    def _run(self, case: Case, rate: float, rows: int) -> RunDir:
        recipe = train_recipe(
            self._tiny,
            training={
                "max_steps": STEPS,
                "num_epochs": 20,
                "warmup_steps": 1,
                "learning_rate": rate,
                "batch_size": rows,
                "seed": case.random.randrange(2**31),
            },
            checkpoints={"every_steps": SAVE_EVERY},
            hardware={"engine": case.random.choice(["cpu", "peft"])},
            evaluation={"max_rows": 0},
        )
        return write_run(self._root / f"nan-{case.number}", recipe)

    def _after_a_fault(self, run: RunDir, struck: int, seen: Watched) -> str | None:
        caught = [one.step for one in payloads(run, Nonfinite)]
        if caught != [struck]:
            return f"struck in step {struck}, caught in {caught}"
        if seen.poisoned or seen.updates != len(payloads(run, Step)):
            return f"{seen.updates} updates, {seen.poisoned} of them poisoned"
        back = (struck - 1) // SAVE_EVERY * SAVE_EVERY
        if [one.from_step for one in payloads(run, Resumed)] != [back]:
            return f"did not go back to step {back}"
        steps = [one.step for one in payloads(run, Step)]
        if steps != [*range(1, struck), *range(back + 1, STEPS + 1)]:
            return f"steps {steps}"
        losses = [one.loss for one in payloads(run, Step)]
        ended = payloads(run, Ended)[-1].state
        return None if ended == "succeeded" and all(map(math.isfinite, losses)) else f"the run {ended}"


def injected(root: Path) -> Trial:
    """Runs whose numbers break."""
    return Runs(root).injected


def healthy(root: Path) -> Trial:
    """Runs that are merely noisy."""
    return Runs(root).healthy
