from __future__ import annotations

from dataclasses import replace

import pytest

from academy_desktop.core.estimate.capacity import USUAL
from academy_desktop.core.estimate.engines import TRAITS, DeviceName, Precision, traits_of
from academy_desktop.core.estimate.terms import MemoryTerms, adapter_of, memory_terms, weight_bytes
from academy_desktop.core.estimate.workload import Batch, Workload
from trainers.recipe import LINEAR_LAYERS

SMALL, LARGE = USUAL[0], USUAL[6]
SHORT, LONG = Batch(2, 256, 500, 200), Batch(2, 1024, 2000, 800)


def workload(*batches: Batch, judged: tuple[Batch, ...] = ()) -> Workload:
    return Workload(batches, judged, steps=1, passes=1.0, evaluated=1)


def terms(
    work: Workload,
    engine: str = "peft",
    device: DeviceName = "cpu",
    precision: Precision = "fp32",
    rank: int = 16,
    nf4: bool = False,
) -> MemoryTerms:
    traits = traits_of(engine, device, precision)
    adapter = adapter_of(SMALL, LINEAR_LAYERS, rank)
    return memory_terms(SMALL, adapter, traits, work, nf4=nf4, on_gpu=device == "cuda")


def test_an_adapter_is_as_large_as_peft_makes_it() -> None:
    # PEFT says of rank 16 on all linear layers of SmolLM2-135M: 4,884,480 trainable parameters.
    assert adapter_of(SMALL, LINEAR_LAYERS, 16).parameters == 4_884_480


def test_every_item_is_there_and_they_add_up() -> None:
    made = terms(workload(SHORT))
    assert made.total == pytest.approx(sum(vars(made).values()))
    assert made.adapter == made.gradients == made.optimizer / 2 == 4 * 4_884_480
    assert made.weights == 4 * SMALL.parameters


def test_the_dearest_batch_decides_wherever_it_stands() -> None:
    both = terms(workload(SHORT, LONG, SHORT))
    assert both == terms(workload(LONG))
    assert both.activations > 4 * terms(workload(SHORT)).activations


def test_logits_are_counted_at_learned_positions() -> None:
    more = terms(workload(replace(LONG, supervised=2 * LONG.supervised)))
    assert more.logits == 2 * terms(workload(LONG)).logits
    assert more.logits == 2 * 800 * 49_152 * 12


def test_judging_many_rows_can_take_more_than_learning_few() -> None:
    judged = (Batch(8, 1024, 8000, 4000),)
    assert terms(workload(SHORT, judged=judged)).total > terms(workload(SHORT)).total


def test_four_bit_leaves_tables_and_norms_as_they_are() -> None:
    traits = traits_of("peft", "cuda", "bf16")
    plain = weight_bytes(LARGE, traits, nf4=False, mapped=False)
    small = weight_bytes(LARGE, traits, nf4=True, mapped=False)
    assert plain == 2 * LARGE.parameters
    kept = 2 * (LARGE.embedding + LARGE.head + LARGE.other)
    assert (small - kept) / LARGE.in_linears == pytest.approx(0.5159, abs=1e-4)


def test_weights_that_are_used_where_they_lie_count_as_far_as_they_are_touched() -> None:
    traits = traits_of("peft", "cpu", "fp32")
    stored = replace(LARGE, stored_bytes=4)
    used = weight_bytes(stored, traits, nf4=False, mapped=True)
    assert used == 4 * (LARGE.parameters - LARGE.embedding)


def test_a_base_that_is_asked_goes_forward_while_all_else_is_there() -> None:
    alone = terms(workload(LONG))
    asked = terms(replace(workload(LONG), references=1))
    assert asked.logits > alone.logits
    assert asked.activations == alone.activations


def test_blocks_are_as_large_as_the_largest_batch_made_them_whichever_that_was() -> None:
    rows = (Batch(1, 1024, 1000, 50, room=1024, longest=1024), Batch(1, 512, 500, 400, room=960, longest=32))
    both, first = (terms(workload(*some), "cpu", precision="bf16") for some in (rows, rows[:1]))
    assert both.activations == first.activations
    assert both.logits == 2 * 256 * 49_152


def test_checkpointing_keeps_the_inputs_of_all_layers_and_one_layer() -> None:
    gpu = terms(workload(LONG), device="cuda", precision="bf16")
    assert gpu.activations < terms(workload(LONG)).activations / 4
    assert gpu.activations > 2 * 2048 * 576 * 30


def test_loading_counts_where_it_takes_more_than_training() -> None:
    tiny = Workload((Batch(1, 8, 8, 4),), (), steps=1, passes=1.0, evaluated=0)
    assert terms(tiny).loading > 0
    assert terms(workload(LONG)).loading == 0


@pytest.mark.parametrize("key", TRAITS)
def test_every_engine_takes_more_for_longer_rows_and_wider_adapters(
    key: tuple[str, DeviceName, Precision],
) -> None:
    made = terms(workload(SHORT), *key)
    assert made.total < terms(workload(LONG), *key).total
    assert made.total < terms(workload(SHORT), *key, rank=64).total


def test_an_engine_that_is_not_known_is_taken_for_the_dearest() -> None:
    assert traits_of("new", "cpu", "fp32") == TRAITS["peft", "cpu", "fp32"]
