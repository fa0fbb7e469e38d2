"""Where the Train page's facts come from: what it needs from the core, and one look at all of it.

Owns the shape of the need, so that the page can be driven by a double. Refuses to know the page.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, get_args

from academy_desktop.core.datasets.rows import RowKind
from academy_desktop.core.reader import JobSummary
from academy_desktop.viewmodels.recipe_form import MisfitFacts, offered
from trainers.errors import AcademyError, Fact
from trainers.recipe import Method, TrainRecipe
from trainers.recipe_file import read_train_recipe

#: Preset → method → values.
Presets = Mapping[str, Mapping[Method, TrainRecipe]]


class DatasetFacts(Protocol):
    """A dataset, as the page needs it."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def name(self) -> str:
        """What the user calls it."""
        ...

    @property
    def train_rows(self) -> int:
        """Rows that are learned."""
        ...

    @property
    def eval_rows(self) -> int:
        """Rows that are held out."""
        ...

    @property
    def kind(self) -> RowKind:
        """What can be learned from its rows."""
        ...


class ModelFacts(Protocol):
    """A base model, as the page needs it."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def path(self) -> str:
        """Its folder."""
        ...

    @property
    def bytes(self) -> int:
        """Size of its weights."""
        ...

    @property
    def trainable(self) -> bool:
        """Whether it can be trained."""
        ...

    @property
    def max_seq_length(self) -> int | None:
        """Most tokens of a text that it reads, where that is known."""
        ...


class Datasets(Protocol):
    """The library; blocks, belongs into a thread."""

    def list(self) -> Sequence[DatasetFacts]:
        """All datasets, the oldest first."""
        ...


class BaseModels(Protocol):
    """The models of this machine; blocks, belongs into a thread."""

    def list(self) -> Sequence[ModelFacts]:
        """All models."""
        ...

    def get(self, key: str) -> ModelFacts:
        """One model, by its id or folder."""
        ...


class FileProblem(Protocol):
    """One thing that is wrong in a recipe file."""

    @property
    def line(self) -> int:
        """Where, from 1."""
        ...

    @property
    def code(self) -> str:
        """What, in a word."""
        ...

    @property
    def facts(self) -> Mapping[str, Fact]:
        """What the sentence needs."""
        ...


class FittedFacts(Protocol):
    """Values that fit a run into a time, and how that came out."""

    @property
    def fields(self) -> Sequence[tuple[str, int | str | None]]:
        """What was chosen: each field's path and its value."""
        ...

    @property
    def outcome(self) -> str:
        """How it came out, in a word."""
        ...

    @property
    def facts(self) -> Mapping[str, Fact]:
        """What the sentence needs."""
        ...


class RecipeBook(Protocol):
    """Makes and reads recipes; blocks, belongs into a thread."""

    def presets(self) -> Sequence[str]:
        """Names of the presets."""
        ...

    def make(self, dataset: str, model: str, preset: str, name: str) -> TrainRecipe:
        """A recipe with every value resolved."""
        ...

    def preset(self, preset: str, method: Method) -> TrainRecipe:
        """The values of a preset for a method."""
        ...

    def fit(self, recipe: TrainRecipe, budget_s: float, pinned: Collection[str]) -> FittedFacts | None:
        """Fit a recipe into a time, but for some fields; None where nobody can tell."""
        ...

    def misfits(self, recipe: TrainRecipe) -> Sequence[MisfitFacts]:
        """What keeps a recipe from being run."""
        ...

    def check(self, path: Path) -> Sequence[FileProblem]:
        """Everything that is wrong in a recipe file."""
        ...

    def read(self, path: Path) -> TrainRecipe:
        """The recipe in a file."""
        ...


class JobQueue(Protocol):
    """Takes jobs; blocks, belongs into a thread."""

    def list(self) -> Sequence[JobSummary]:
        """All jobs, the oldest first."""
        ...

    def queue(self, recipe: TrainRecipe, name: str) -> str:
        """Queue a job; returns its id."""
        ...


@dataclass(frozen=True)
class Sources:
    """Where the page's facts come from and where its job goes."""

    datasets: Datasets
    models: BaseModels
    recipes: RecipeBook
    jobs: JobQueue


@dataclass(frozen=True)
class Stock:
    """What was there when somebody looked; `presets` have the values of each preset for each method."""

    datasets: tuple[DatasetFacts, ...] = ()
    models: tuple[ModelFacts, ...] = ()
    presets: Presets | None = None
    last: tuple[str, TrainRecipe] | None = None
    failure: AcademyError | None = None


def look(sources: Sources, presets: Presets) -> Stock:
    """Look for everything that can be chosen; blocks.

    Args:
        sources: where to look.
        presets: what an earlier look found: none changes.
    """
    datasets = tuple(sources.datasets.list())
    models = tuple(model for model in sources.models.list() if model.trainable)
    stock = Stock(datasets, models)
    if not datasets or not models:
        return stock
    try:
        presets = presets or {
            preset: {method: sources.recipes.preset(preset, method) for method in get_args(Method)}
            for preset in offered(sources.recipes.presets())
        }
        return replace(stock, presets=presets, last=_last_run(sources.jobs))
    except AcademyError as error:
        return replace(stock, failure=error)


def _last_run(jobs: JobQueue) -> tuple[str, TrainRecipe] | None:
    """The newest training run whose recipe can be read: its name, its recipe."""
    for job in reversed(jobs.list()):
        if job.kind == "train":
            try:
                return job.name or job.id, read_train_recipe(Path(job.run_dir))
            except AcademyError:
                continue
    return None
