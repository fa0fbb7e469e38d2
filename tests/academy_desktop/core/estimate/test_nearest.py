from __future__ import annotations

from pathlib import Path

import pytest

from academy_desktop.core.estimate.nearest import changed_recipe, nearest_that_fits
from tests.trainers.tiny_model import Tiny, train_recipe, write_dataset
from trainers.recipe import TrainRecipe


@pytest.fixture
def recipe(tmp_path: Path) -> TrainRecipe:
    tiny = Tiny(tmp_path / "model", write_dataset(tmp_path / "rows"))
    return train_recipe(
        tiny, training={"batch_size": 8, "gradient_accumulation_steps": 2, "max_seq_length": 2048}
    )


def fitting(recipe: TrainRecipe, tokens: int, nf4: bool | None = None) -> bool:
    """Whether a batch has at most so many tokens (and the weights are so)."""
    training = recipe.training
    small = training.batch_size * training.max_seq_length <= tokens
    return small and nf4 in {None, recipe.hardware.quantization == "nf4"}


def test_a_smaller_batch_with_as_many_rows_per_step_comes_first(recipe: TrainRecipe) -> None:
    found = nearest_that_fits(recipe, lambda other: fitting(other, 2 * 2048), longest=4000, can_quantize=True)
    assert found is not None
    assert found.fields == (("training.batch_size", 2), ("training.gradient_accumulation_steps", 8))
    assert found.recipe.training.batch_size == 2


def test_shorter_rows_come_when_one_row_is_too_much(recipe: TrainRecipe) -> None:
    found = nearest_that_fits(recipe, lambda other: fitting(other, 600), longest=4000, can_quantize=True)
    assert found is not None
    assert found.fields[0] == ("training.max_seq_length", 512)
    assert found.recipe.training.batch_size == 1


def test_a_limit_above_the_longest_row_is_not_offered(recipe: TrainRecipe) -> None:
    found = nearest_that_fits(recipe, lambda other: fitting(other, 1024), longest=700, can_quantize=False)
    assert found is not None
    assert dict(found.fields)["training.max_seq_length"] == 512


def test_four_bit_comes_when_the_weights_are_too_much(recipe: TrainRecipe) -> None:
    found = nearest_that_fits(
        recipe, lambda other: fitting(other, 10**9, nf4=True), longest=4000, can_quantize=True
    )
    assert found is not None
    assert found.fields == (("hardware.quantization", "nf4"),)


def test_where_nothing_fits_nothing_is_offered(recipe: TrainRecipe) -> None:
    assert nearest_that_fits(recipe, lambda _: False, longest=4000, can_quantize=True) is None


def test_values_that_do_not_go_together_make_no_recipe(recipe: TrainRecipe) -> None:
    assert changed_recipe(recipe, (("training.batch_size", 0),)) is None
