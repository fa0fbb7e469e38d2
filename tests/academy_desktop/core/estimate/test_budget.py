from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from academy_desktop.app import RESOURCES
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.estimate.budget import LEAST_STEPS, Fitted, fit_budget, fitting_length
from academy_desktop.core.estimate.machine import Machine
from academy_desktop.core.estimate.service import Estimates
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.recipes import Recipes
from tests.academy_desktop.core.estimate.made_shapes import write_full_model
from tests.academy_desktop.made_runs import GIB
from trainers.recipe import TrainRecipe

LARGE = Machine(4, 32 * GIB, 28 * GIB, 200 * GIB)


class Room:
    """A recipe of four passes over some hundred rows, and its forecasts."""

    def __init__(self, root: Path, words: int = 20) -> None:
        data = DataDir(root / "data").open()
        path = root / "rows.jsonl"
        rows = ({"question": f"What is {n}?", "answer": f"It is {n}. " * words} for n in range(400))
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        Library(data.datasets).import_files([path], "Replies")
        write_full_model(data.models / "small")
        recipes = Recipes(RESOURCES / "recipes", Library(data.datasets), Models(data, root / "no-hub"))
        self.machine = LARGE
        self.recipe = recipes.make("Replies", "small", "thorough")
        self.estimates = Estimates(data, lambda: self.machine)

    def seconds(self, recipe: TrainRecipe) -> float:
        return self.estimates.estimate(recipe).forecast.seconds

    def fit(self, budget_s: float, recipe: TrainRecipe | None = None, pinned: tuple[str, ...] = ()) -> Fitted:
        recipe = recipe or self.recipe
        return fit_budget(recipe, budget_s, self.estimates.estimate, self.estimates.subject(recipe), pinned)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return Room(tmp_path_factory.mktemp("budget"))


def with_training(recipe: TrainRecipe, **values: Any) -> TrainRecipe:
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=values)})


def test_with_time_enough_all_passes_are_taken(room: Room) -> None:
    fitted = room.fit(8 * 3600)
    assert (fitted.outcome, fitted.recipe.training.num_epochs) == ("whole", 4)
    assert fitted.recipe == room.recipe


def test_with_less_time_there_are_fewer_passes_and_they_are_in_time(room: Room) -> None:
    budget = room.seconds(with_training(room.recipe, num_epochs=3)) + 1
    fitted = room.fit(budget)
    assert (fitted.outcome, fitted.recipe.training.num_epochs) == ("fewer", 3)
    assert (fitted.facts["epochs"], fitted.facts["wanted"]) == (3, 4)
    assert room.seconds(fitted.recipe) <= budget


def test_where_one_pass_is_too_long_the_run_ends_by_steps(room: Room) -> None:
    once = with_training(room.recipe, num_epochs=1)
    budget = 15 + (room.seconds(once) - 15) * 0.7
    fitted = room.fit(budget)
    training = fitted.recipe.training
    assert (fitted.outcome, training.num_epochs) == ("part", 1)
    assert training.max_steps is not None
    assert training.warmup_steps < training.max_steps
    assert room.seconds(fitted.recipe) <= budget
    assert 30 <= int(fitted.facts["percent"] or 0) <= 75
    # what was chosen before does not stand in the way of more time
    assert room.fit(8 * 3600, fitted.recipe).recipe.training.max_steps is None


def test_what_cannot_be_in_time_is_said_with_the_least_there_is(room: Room) -> None:
    fitted = room.fit(1)
    assert (fitted.outcome, fitted.recipe.training.max_steps) == ("too_little", LEAST_STEPS)


def test_what_somebody_set_stays(room: Room) -> None:
    fitted = room.fit(1, pinned=("training.num_epochs",))
    assert (fitted.outcome, fitted.recipe) == ("own", room.recipe)
    ended = room.fit(1, with_training(room.recipe, max_steps=10), ("training.num_epochs",))
    assert ended.recipe == room.recipe
    assert ("training.max_steps", None) in ended.fields  # the form is filled in as it was forecast
    own = with_training(room.recipe, max_steps=40)
    assert room.fit(1, own, ("training.max_steps",)).recipe == own
    warm = room.fit(1, with_training(room.recipe, warmup_steps=30), ("training.warmup_steps",))
    steps, warm_up = warm.recipe.training.max_steps, warm.recipe.training.warmup_steps
    assert (warm.outcome, steps, warm_up) == ("own", 31, 30)
    assert "training.warmup_steps" not in dict(warm.fields)


def test_values_are_fitted_into_the_memory_unless_somebody_set_them(room: Room) -> None:
    wide = with_training(room.recipe, batch_size=32)
    wide = wide.model_copy(update={"hardware": wide.hardware.model_copy(update={"engine": "peft"})})
    room.machine = Machine(4, 8 * GIB, 5 * GIB, 200 * GIB)
    try:
        fitted = room.fit(8 * 3600, wide)
        assert fitted.recipe.training.batch_size < 32
        assert room.estimates.estimate(fitted.recipe).forecast.fits_memory
        assert room.fit(8 * 3600, wide, ("training.batch_size",)).recipe.training.batch_size == 32
    finally:
        room.machine = LARGE


def test_rows_are_not_cut_where_they_need_not_be(tmp_path: Path) -> None:
    long = Room(tmp_path, words=200)
    cut = with_training(long.recipe, max_seq_length=512)
    fitted = long.fit(8 * 3600, cut)
    longest = max(row.tokens for row in long.estimates.subject(cut).train.known)
    assert 512 < longest <= fitted.recipe.training.max_seq_length
    assert long.fit(8 * 3600, cut, ("training.max_seq_length",)).recipe.training.max_seq_length == 512


def test_a_length_is_offered_in_steps_and_within_bounds() -> None:
    assert [fitting_length(tokens, 2048) for tokens in (10, 256, 257, 1000, 9000)] == [
        256, 256, 512, 1024, 2048,
    ]  # fmt: skip
