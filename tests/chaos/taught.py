"""Real runs to be disturbed, of a tiny model or the demo model; and what they come to undisturbed.

Owns the recipes and the reference. Refuses to know faults.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from academy_desktop.core.history import History
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.models.demo import DemoModel
from academy_desktop.core.models.library import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.states import JobState
from academy_desktop.core.tasks import Tasks
from trainers.layout import RunDir

if TYPE_CHECKING:
    from tests.trainers.tiny_model import Tiny
    from trainers.recipe import TrainRecipe

#: Steps between two checkpoints.
EVERY = 3
STEPS = 12

Sections = Mapping[str, Mapping[str, Any]]

#: Ways to compute that a resume has to hit to the bit. The engine for processors has no dropout.
TINY: Mapping[str, Sections] = {
    "cpu, one thread": {"hardware": {"engine": "cpu", "threads": 1, "precision": "fp32"}},
    "peft, one thread": {"lora": {"dropout": 0.1}, "hardware": {"engine": "peft", "threads": 1}},
    "peft, two threads": {
        "training": {"weight_decay": 0.1, "lr_scheduler_type": "cosine", "gradient_accumulation_steps": 2},
        "hardware": {"engine": "peft", "threads": 2},
    },
    "cpu, two threads": {
        "training": {"weight_decay": 0.1, "gradient_accumulation_steps": 2},
        "hardware": {"engine": "cpu", "threads": 2, "precision": "bf16"},
    },
}
DEMO: Mapping[str, Sections] = {
    "demo model, cpu": {"hardware": {"engine": "cpu", "threads": 2}},
    "demo model, peft": {"lora": {"dropout": 0.1}, "hardware": {"engine": "peft", "threads": 2}},
}


@dataclass(frozen=True)
class Reference:
    """What an undisturbed run came to, and the times by which moments in others are aimed, in seconds."""

    steps: tuple[tuple[float | None, ...], ...]
    evaluations: tuple[tuple[float, ...], ...]
    adapter: str
    until_training_s: float
    step_s: float
    save_s: float

    def is_beginning(self, jobs: Jobs, job: str) -> bool:
        """Whether a job has said nothing so far that the undisturbed run has not said."""
        history = jobs.history(job)
        steps = steps_of(history)
        evaluations = tuple((one.step, one.loss) for one in history.evaluations)
        return steps == self.steps[: len(steps)] and evaluations == self.evaluations[: len(evaluations)]


class Taught:
    """Recipes over one data directory, each with its reference once that is asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.data = DataDir(root).open()
        self.jobs = Jobs(self.data, Path(sys.executable), environment=environment())
        self._references: dict[str, Reference] = {}

    def recipe(self, way: str) -> TrainRecipe:
        """The recipe of one of the ways to compute."""
        from tests.trainers.tiny_model import train_recipe  # brings torch

        demo = way in DEMO
        sections = (DEMO if demo else TINY)[way]
        training = {"num_epochs": 20, "max_steps": STEPS, "warmup_steps": 2, **sections.get("training", {})}
        model = self.demo if demo else self.tiny
        return train_recipe(
            model,
            lora=dict(sections.get("lora", {})),
            training=training,
            evaluation={"max_rows": 4, "every_steps": 5},
            checkpoints={"every_steps": EVERY},
            hardware={"device": "cpu", **sections["hardware"]},
        )

    def reference(self, way: str) -> Reference:
        """Let a recipe run undisturbed, once."""
        if way not in self._references:
            self._references[way] = self._undisturbed(way)
        return self._references[way]

    def _undisturbed(self, way: str) -> Reference:
        job = self.jobs.queue(self.recipe(way))
        ended = self.jobs.wait(job)
        assert ended.state is JobState.SUCCEEDED, f"{way}: {ended.state} {ended.reason} {ended.facts}"
        history = self.jobs.history(job)
        run = RunDir(Path(ended.run_dir))
        told = list(self.jobs.follow(job))
        first = next(event.t for event in told if event.type == "step")
        return Reference(
            steps_of(history),
            tuple((one.step, one.loss) for one in history.evaluations),
            adapter_sha256(run),
            first - run.attempt(1).launch.stat().st_mtime,
            statistics.median(one.step_s for one in history.steps),
            statistics.median(one.seconds for one in history.checkpoints),
        )

    @cached_property
    def tiny(self) -> Tiny:
        """A model of two layers and its rows."""
        from tests.trainers import tiny_model as tiny

        folder = self._root / "tiny"
        return tiny.Tiny(tiny.write_model(folder / "model"), tiny.write_dataset(folder / "rows-00000000"))

    @cached_property
    def demo(self) -> Tiny:
        """The demo model, fetched as a user fetches it, and the tiny model's rows."""
        models = Models(self.data, self._root / "no-hub")
        python = Path(sys.executable)
        tasks = Tasks(python, Runtimes(self.data.runtimes))
        DemoModel(self.data, models, tasks, python, offline=False).fetch()
        from tests.trainers.tiny_model import Tiny

        return Tiny(models.demo_path, self.tiny.dataset)


def environment() -> dict[str, str]:
    """What runs are started with; the copies of the trainer's code that trials share are compiled once."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def steps_of(history: History) -> tuple[tuple[float | None, ...], ...]:
    """What has to be the same to the bit in each step."""
    return tuple((one.step, one.loss, one.grad_norm, one.learning_rate) for one in history.steps)


def adapter_sha256(run: RunDir) -> str:
    """Hash of the finished adapter's weights."""
    return hashlib.sha256((run.adapter / "adapter_model.safetensors").read_bytes()).hexdigest()
