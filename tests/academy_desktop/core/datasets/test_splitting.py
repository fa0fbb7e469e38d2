from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from academy_desktop.core.datasets.splitting import as_keys, grouped, held_out

PROMPTS = st.lists(st.integers(0, 30).map(lambda number: number.to_bytes(16, "big")), max_size=80)
FRACTIONS = st.floats(0.0, 0.99)
SEEDS = st.integers(0, 2**32 - 1)


@given(prompts=PROMPTS, fraction=FRACTIONS, seed=SEEDS)
def test_a_prompt_is_never_on_both_sides(prompts: list[bytes], fraction: float, seed: int) -> None:
    sides = held_out(prompts, fraction, seed)
    held = {prompt for prompt, is_held in zip(prompts, sides, strict=True) if is_held}
    learnt = {prompt for prompt, is_held in zip(prompts, sides, strict=True) if not is_held}
    assert not held & learnt
    assert sides == held_out(prompts, fraction, seed)


@given(prompts=PROMPTS, fraction=FRACTIONS.filter(bool), seed=SEEDS)
def test_both_sides_have_rows_when_there_are_two_prompts(
    prompts: list[bytes], fraction: float, seed: int
) -> None:
    sides = held_out(prompts, fraction, seed)
    assert any(sides) == (len(set(prompts)) >= 2)
    assert not prompts or not all(sides)


@given(
    prompts=st.sets(st.binary(min_size=16, max_size=16), min_size=2).map(sorted),
    fraction=FRACTIONS,
    seed=SEEDS,
)
def test_different_prompts_give_the_exact_share_in_any_order(
    prompts: list[bytes], fraction: float, seed: int
) -> None:
    sides = held_out(prompts, fraction, seed)
    wanted = max(1, min(round(len(prompts) * fraction), len(prompts) - 1)) if fraction else 0
    assert sum(sides) == wanted
    assert sides == held_out(prompts[::-1], fraction, seed)[::-1]


#: Keys of which many have one half in common.
HALVES = st.lists(
    st.tuples(*[st.sampled_from([b"a" * 8, b"b" * 8, b"c" * 8])] * 2).map(b"".join), max_size=20
)


@given(HALVES | PROMPTS)
def test_groups_are_those_of_equal_keys_and_do_not_depend_on_the_order(keys: list[bytes]) -> None:
    groups = grouped(as_keys(b"".join(keys)))
    numbers = groups.numbers.tolist()
    assert len(set(keys)) == len(groups.sizes) == len(groups.firsts)
    assert [keys.index(key) for key in keys] == groups.firsts[groups.numbers].tolist()
    assert [keys.count(key) for key in keys] == groups.sizes[groups.numbers].tolist()
    assert grouped(as_keys(b"".join(keys[::-1]))).numbers.tolist() == numbers[::-1]


def test_another_seed_chooses_others() -> None:
    prompts = [bytes([number]) * 16 for number in range(100)]
    assert held_out(prompts, 0.5, 1) != held_out(prompts, 0.5, 2)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_a_fraction_that_is_none(fraction: float) -> None:
    with pytest.raises(ValueError, match="not in"):
        held_out([], fraction, 0)
