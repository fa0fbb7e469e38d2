"""The nearest recipe that fits: one value changed, and what it is changed to.

Owns the order in which changes are tried: what costs only time first, what changes the result last.
Refuses to know how a forecast is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from trainers.recipe import TrainRecipe

#: Shortest rows that are still offered.
SHORTEST = 256


@dataclass(frozen=True)
class Change:
    """A recipe that fits, and the fields it changes: path and new value, the one that matters most first."""

    recipe: TrainRecipe
    fields: tuple[tuple[str, int | str], ...]


def nearest_that_fits(
    recipe: TrainRecipe, fits: Callable[[TrainRecipe], bool], *, longest: int, can_quantize: bool
) -> Change | None:
    """Return the nearest change after which `fits` answers True, or None when none does.

    Args:
        recipe: that does not fit.
        fits: answers for any recipe.
        longest: tokens of the longest row: a limit above it would change nothing.
        can_quantize: whether 4 bit is worth a try here.
    """
    for fields in _tries(recipe, longest, can_quantize):
        changed = changed_recipe(recipe, fields)
        if changed is not None and fits(changed):
            return Change(changed, fields)
    return None


def changed_recipe(
    recipe: TrainRecipe, fields: tuple[tuple[str, int | str | None], ...]
) -> TrainRecipe | None:
    """Return the recipe with these values, or None where they do not go together."""
    raw = recipe.model_dump()
    for path, value in fields:
        section, _, name = path.partition(".")
        raw[section][name] = value
    try:
        return TrainRecipe.model_validate(raw)
    except ValidationError:
        return None


def _tries(
    recipe: TrainRecipe, longest: int, can_quantize: bool
) -> Iterator[tuple[tuple[str, int | str], ...]]:
    """Smaller batches with as many rows per step; shorter rows; 4 bit; all together."""
    batches = tuple(_smaller_batches(recipe))
    yield from batches
    smallest = batches[-1] if batches else ()
    lengths = tuple(_shorter(min(recipe.training.max_seq_length, max(longest, SHORTEST))))
    for length in lengths:
        yield (("training.max_seq_length", length), *smallest)
    if not can_quantize or recipe.hardware.quantization == "nf4":
        return
    four_bit = (("hardware.quantization", "nf4"),)
    yield four_bit
    yield (*four_bit, *smallest)
    for length in lengths:
        yield (*four_bit, ("training.max_seq_length", length), *smallest)


def _smaller_batches(recipe: TrainRecipe) -> Iterator[tuple[tuple[str, int | str], ...]]:
    training = recipe.training
    rows = training.batch_size * training.gradient_accumulation_steps
    size = training.batch_size // 2
    while size:
        if rows % size == 0 and rows // size <= 128:
            yield (
                ("training.batch_size", size),
                ("training.gradient_accumulation_steps", rows // size),
            )
        size //= 2


def _shorter(length: int) -> Iterator[int]:
    """Powers of two below a length."""
    power = 1 << (length - 1).bit_length() - 1
    while power >= SHORTEST:
        if power < length:
            yield power
        power //= 2
