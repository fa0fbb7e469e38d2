from __future__ import annotations

from collections import Counter
from itertools import chain, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.order import WINDOW_STEPS, plan_steps, total_steps

LENGTHS = st.lists(st.integers(1, 2000), max_size=60)
EPOCHS = st.integers(1, 4)
PER_STEP = st.integers(1, 9)
SEED = st.integers(0, 2**32 - 1)


@settings(deadline=None)
@given(lengths=LENGTHS, epochs=EPOCHS, per_step=PER_STEP, seed=SEED)
def test_every_row_comes_up_once_per_epoch(lengths: list[int], epochs: int, per_step: int, seed: int) -> None:
    steps = plan_steps(lengths, epochs, per_step, seed)
    assert Counter(chain.from_iterable(steps)) == dict.fromkeys(range(len(lengths)), epochs)


@settings(deadline=None)
@given(lengths=LENGTHS, epochs=EPOCHS, per_step=PER_STEP, seed=SEED)
def test_only_the_last_step_may_be_smaller(lengths: list[int], epochs: int, per_step: int, seed: int) -> None:
    steps = plan_steps(lengths, epochs, per_step, seed)
    assert len(steps) == total_steps(len(lengths), epochs, per_step, None)
    assert all(len(step) == per_step for step in steps[:-1])
    assert all(1 <= len(step) <= per_step for step in steps[-1:])


@settings(deadline=None)
@given(lengths=LENGTHS, epochs=EPOCHS, per_step=PER_STEP, seed=SEED, most=st.integers(1, 40))
def test_max_steps_only_cuts_the_plan_off(
    lengths: list[int], epochs: int, per_step: int, seed: int, most: int
) -> None:
    whole = plan_steps(lengths, epochs, per_step, seed)
    cut = plan_steps(lengths, epochs, per_step, seed, most)
    assert cut == whole[:most]
    assert len(cut) == total_steps(len(lengths), epochs, per_step, most)


@settings(deadline=None)
@given(lengths=LENGTHS, epochs=EPOCHS, per_step=PER_STEP, seed=SEED)
def test_the_same_seed_gives_the_same_order(
    lengths: list[int], epochs: int, per_step: int, seed: int
) -> None:
    assert plan_steps(lengths, epochs, per_step, seed) == plan_steps(lengths, epochs, per_step, seed)


def test_the_order_is_the_one_that_older_runs_were_trained_in() -> None:
    # a resumed run finds its place in this order: it must not change between versions
    steps = [[3, 5, 1], [6, 2, 4], [3, 5, 1], [0, 0, 6], [2, 4]]
    assert plan_steps([5, 3, 8, 1, 9, 2, 7], 2, 3, 3407) == steps


@settings(deadline=None)
@given(
    part=st.lists(st.integers(1, 2000), min_size=1, max_size=8), epochs=EPOCHS, per_step=PER_STEP, seed=SEED
)
def test_one_epoch_ends_before_the_next_begins(
    part: list[int], epochs: int, per_step: int, seed: int
) -> None:
    lengths = part * per_step  # whole steps in an epoch
    steps = plan_steps(lengths, epochs, per_step, seed)
    for epoch in range(epochs):
        own = steps[epoch * len(part) : (epoch + 1) * len(part)]
        assert sorted(chain.from_iterable(own)) == list(range(len(lengths)))


@settings(deadline=None)
@given(lengths=LENGTHS, epochs=EPOCHS, per_step=PER_STEP, seed=SEED)
def test_a_step_of_two_epochs_holds_few_rows_twice(
    lengths: list[int], epochs: int, per_step: int, seed: int
) -> None:
    steps = plan_steps(lengths, epochs, per_step, seed)
    if len(lengths) >= per_step:
        twice = sum(len(step) - len(set(step)) for step in steps)
        assert twice <= (epochs - 1) * (per_step - 1)


def test_epochs_and_seeds_differ() -> None:
    lengths = [1] * 40
    flat = list(chain.from_iterable(plan_steps(lengths, 2, 4, 1)))
    assert flat[:40] != flat[40:]
    assert plan_steps(lengths, 2, 4, 1) != plan_steps(lengths, 2, 4, 2)


@settings(deadline=None)
@given(seed=SEED, per_step=st.integers(2, 6))
def test_a_step_holds_rows_of_similar_length(seed: int, per_step: int) -> None:
    lengths = list(range(1, per_step * WINDOW_STEPS + 1))
    steps = plan_steps(lengths, 1, per_step, seed)
    assert all(max(step) - min(step) == per_step - 1 for step in steps)


def test_long_steps_do_not_all_come_last() -> None:
    steps = plan_steps(list(range(1, 801)), 1, 4, 3)
    falls = sum(one[0] > other[0] for one, other in pairwise(steps))
    assert falls > len(steps) / 4


def test_no_rows_are_no_steps() -> None:
    assert plan_steps([], 3, 4, 1) == []
    assert total_steps(0, 3, 4, None) == 0
    assert total_steps(5, 1, 4, None) == 2
