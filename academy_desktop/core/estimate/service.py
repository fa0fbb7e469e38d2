"""Forecasts over a data directory: reads models and datasets once, and learns from the runs that have ended.

Owns the caches and the file `calibration.json`. Every call may read files, and belongs into a thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from academy_desktop.core.estimate.calibration import Observation, read_observations, write_observations
from academy_desktop.core.estimate.capacity import Capacity, capacity
from academy_desktop.core.estimate.forecast import Forecast, Subject, forecast
from academy_desktop.core.estimate.learning import observe
from academy_desktop.core.estimate.machine import Machine, look
from academy_desktop.core.estimate.model_shape import ModelShape, read_shape
from academy_desktop.core.estimate.nearest import Change, nearest_that_fits
from academy_desktop.core.estimate.row_lengths import Lengths, measure
from academy_desktop.core.paths import DataDir
from trainers.errors import AcademyError
from trainers.recipe import TrainRecipe
from trainers.rendering import Renderer

#: Seconds that a forecast may spend on runs that have ended since the last one.
LEARNING_S = 0.08


@dataclass(frozen=True)
class Estimate:
    """A forecast, and the nearest recipe that fits where this one does not."""

    forecast: Forecast
    nearest: Change | None


class Estimates:
    """Forecasts for one data directory."""

    def __init__(self, data: DataDir, machine: Callable[[], Machine] | None = None) -> None:
        """`machine`: looks at the computer; by default at this one."""
        self._data = data
        self._machine = machine or (lambda: look(data.root))
        self._guard = threading.Lock()
        self._shapes: dict[tuple[str, float], ModelShape] = {}
        self._renderers: dict[tuple[str, float], Renderer] = {}
        self._lengths: dict[tuple[object, ...], Lengths] = {}
        self._seen: tuple[Observation, ...] | None = None
        self._passed_over: set[str] = set()

    def estimate(self, recipe: TrainRecipe) -> Estimate:
        """Forecast a recipe, and look for the nearest that fits where it does not.

        A dataset without a path is the one with its id in this data directory.

        Raises:
            AcademyError: `model_incomplete`, `model_damaged`, what keeps the rows from being rendered,
                `dataset_damaged`, and as `add_up`.
        """
        with self._guard:
            subject, machine, seen = self._subject(recipe), self._machine(), self._observations()
            made = forecast(recipe, subject, machine, seen)
            if made.fits:
                return Estimate(made, None)
            nearest = nearest_that_fits(
                recipe,
                lambda other: self._fits(other, subject, machine, seen),
                longest=max((row.tokens for row in subject.train.known), default=0),
                can_quantize=made.fits_disk,
            )
            return Estimate(made, nearest if made.fits_disk else None)

    def subject(self, recipe: TrainRecipe) -> Subject:
        """The model's shape and the lengths of the rows of a recipe; raises what `estimate` does for them."""
        with self._guard:
            return self._subject(recipe)

    def machine(self) -> Machine:
        """What this computer has."""
        return self._machine()

    def capacity(self) -> Capacity:
        """What can be trained on this computer with a standard recipe."""
        with self._guard:
            return capacity(self._machine(), self._observations())

    def learn(self) -> int:
        """Take in the runs that have ended since the last time; returns how many observations there are."""
        with self._guard:
            self._seen = None
            return len(self._observations())

    def _fits(
        self, recipe: TrainRecipe, subject: Subject, machine: Machine, seen: Sequence[Observation]
    ) -> bool:
        try:
            return forecast(recipe, subject, machine, seen).fits
        except AcademyError:
            return False  # cut so short that nothing is left to learn

    def _subject(self, recipe: TrainRecipe) -> Subject:
        model = Path(recipe.model.path)
        dataset = (
            Path(recipe.dataset.path) if recipe.dataset.path else self._data.datasets / recipe.dataset.id
        )
        changed = _changed_at(model / "config.json")
        key = (str(model), changed)
        if key not in self._shapes:
            self._shapes[key] = read_shape(model)
        return Subject(
            self._shapes[key],
            self._measured(model, changed, dataset / "train.jsonl"),
            self._measured(model, changed, dataset / "eval.jsonl"),
        )

    def _measured(self, model: Path, changed: float, rows: Path) -> Lengths:
        key = (str(model), changed, str(rows), _changed_at(rows))
        if key not in self._lengths:
            renderer = self._renderers.get((str(model), changed)) or Renderer.load(model)
            self._renderers[str(model), changed] = renderer
            self._lengths[key] = measure(renderer, rows)
        return self._lengths[key]

    def _observations(self) -> tuple[Observation, ...]:
        if self._seen is None:
            path = self._data.calibration
            known = read_observations(path)
            new = tuple(self._new({one.job for one in known}))
            if new:
                known = tuple(sorted((*known, *new), key=lambda one: one.job))
                with suppress(OSError):  # it is made anew the next time; a forecast does not fail for it
                    write_observations(path, known)
            self._seen = known
        return self._seen

    def _new(self, known: set[str]) -> Iterator[Observation]:
        """Yield what the newest runs teach that were not looked at yet; a full folder takes several calls."""
        deadline = time.monotonic() + LEARNING_S
        for folder in sorted(self._data.runs.glob("*"), reverse=True):
            run = self._data.run(folder.name)
            if folder.name in known or folder.name in self._passed_over or not run.attempt(1).exit.exists():
                continue
            if time.monotonic() > deadline:
                return
            seen = observe(run, self._subject, self._machine())
            if seen is not None:
                yield seen
            else:
                self._passed_over.add(folder.name)


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
