from __future__ import annotations

from pathlib import Path

import pytest

from academy_desktop.core.estimate.workload import MOST_PLANNED, Batch, RowLength, batch_of, plan_workload
from tests.trainers.tiny_model import Tiny, train_recipe, write_dataset
from trainers.recipe import TrainRecipe


@pytest.fixture
def recipe(tmp_path: Path) -> TrainRecipe:
    tiny = Tiny(tmp_path / "model", write_dataset(tmp_path / "rows"))
    return train_recipe(tiny, training={"batch_size": 2, "gradient_accumulation_steps": 2, "num_epochs": 2})


def test_what_is_learned_stands_at_the_end_of_a_row_and_is_cut_first() -> None:
    assert RowLength(100, 30).cut(80) == RowLength(80, 10)
    assert RowLength(100, 30).cut(60) == RowLength(60, 0)
    assert RowLength(100, 30).cut(200) == RowLength(100, 30)


def test_rows_side_by_side_are_padded_to_the_longest() -> None:
    batch = batch_of([RowLength(13, 4), RowLength(30, 5)])
    assert batch == Batch(rows=2, width=32, tokens=43, supervised=9)
    assert batch.is_ragged
    assert not batch_of([RowLength(16, 4)] * 2).is_ragged


def test_rows_of_which_nothing_is_learned_are_left_out(recipe: TrainRecipe) -> None:
    rows = [RowLength(100, 20)] * 10 + [RowLength(2000, 3)] * 10
    planned = plan_workload(recipe, rows, [], rows=20)
    assert max(batch.width for batch in planned.batches) == 104
    assert sum(batch.rows for batch in planned.batches) == 10
    assert planned.steps == 5
    assert planned.passes == pytest.approx(5 / 3)


def test_a_run_that_ends_early_never_sees_the_later_rows(recipe: TrainRecipe) -> None:
    short = recipe.model_copy(update={"training": recipe.training.model_copy(update={"max_steps": 2})})
    planned = plan_workload(short, [RowLength(64, 20)] * 40, [], rows=40)
    assert (planned.steps, planned.passes) == (2, 1.0)
    assert sum(batch.rows for batch in planned.batches) == 8


def test_held_out_rows_are_judged_eight_at_a_time_and_once_per_epoch(recipe: TrainRecipe) -> None:
    planned = plan_workload(recipe, [RowLength(100, 20)] * 12, [RowLength(50, 10)] * 12, rows=12)
    assert [batch.rows for batch in planned.evaluations] == [8, 4]
    assert planned.evaluated == 2


def test_packed_rows_lie_end_to_end_up_to_a_number_of_tokens(recipe: TrainRecipe) -> None:
    planned = plan_workload(recipe, [RowLength(900, 20)] * 4, [], rows=4, packed=True)
    assert planned.batches == (Batch(1, 1856, tokens=1800, supervised=40, room=1856, longest=928),) * 2


def test_of_a_pair_both_rows_are_computed_and_the_base_is_asked(recipe: TrainRecipe) -> None:
    dpo, orpo = (recipe.model_copy(update={"method": method}) for method in ("dpo", "orpo"))
    pair = RowLength(40, 10, worse=RowLength(64, 34))
    planned = plan_workload(dpo, [pair] * 4, [], rows=4)
    assert planned.batches == (Batch(rows=4, width=64, tokens=208, supervised=88),) * 2
    assert planned.references == 1
    whole = plan_workload(orpo, [pair] * 4, [], rows=4)
    assert (whole.references, whole.batches[0].supervised) == (0, 2 * (39 + 34))
    assert not plan_workload(dpo, [RowLength(40, 10, worse=RowLength(3000, 5))], [], rows=1).batches


def test_texts_lie_behind_each_other_in_blocks(recipe: TrainRecipe) -> None:
    raw = recipe.model_copy(update={"method": "pretrain"})
    length = recipe.training.max_seq_length
    planned = plan_workload(raw, [RowLength(99, 98)] * 30, [], rows=30, packed=True)
    assert max(batch.longest for batch in planned.batches) == -(-length // 32) * 32
    assert sum(batch.tokens for batch in planned.batches) == 3000


def test_of_very_many_rows_an_even_choice_with_the_longest_is_planned(recipe: TrainRecipe) -> None:
    rows = [RowLength(50 + number % 50, 20) for number in range(5 * MOST_PLANNED)] + [RowLength(1000, 20)]
    planned = plan_workload(recipe, rows, [], rows=len(rows))
    assert sum(batch.rows for batch in planned.batches) == MOST_PLANNED
    assert max(batch.width for batch in planned.batches) == 1000
    assert planned.steps == -(-2 * len(rows) // 4)
