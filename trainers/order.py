"""In which order rows are learned: a pure function of seed, epochs and lengths, for every engine.

Owns the order. Refuses to know tensors: an engine cuts each step into batches as its memory allows, and the
order stays the same.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import ceil

#: Steps within which rows are sorted by length: enough to save most padding, few enough to stay well mixed.
WINDOW_STEPS = 8


def total_steps(rows: int, num_epochs: int, rows_per_step: int, max_steps: int | None) -> int:
    """Return the number of updates; a step may hold rows of two epochs, only the last may be smaller."""
    steps = ceil(rows * num_epochs / rows_per_step)
    return steps if max_steps is None else min(steps, max_steps)


def plan_steps(
    lengths: Sequence[int], num_epochs: int, rows_per_step: int, seed: int, max_steps: int | None = None
) -> list[list[int]]:
    """Return, for each step, the indices of its rows.

    Every epoch is a permutation of its own; what does not fill a step begins the next epoch. Within a window
    of steps, never beyond an epoch's end, rows of similar length go together, and the steps of a window are
    shuffled again.

    Args:
        lengths: tokens of each row.
        num_epochs: how often every row comes up.
        rows_per_step: batch size times accumulation steps.
        seed: the same seed gives the same order.
        max_steps: cut the plan off here.
    """
    chance = random.Random(seed)
    window = rows_per_step * WINDOW_STEPS
    steps: list[list[int]] = []
    rest: list[int] = []
    for _ in range(num_epochs):
        epoch = list(range(len(lengths)))
        chance.shuffle(epoch)
        rows = rest + epoch
        whole = len(rows) - len(rows) % rows_per_step
        rest = rows[whole:]
        for start in range(0, whole, window):
            part = sorted(rows[start : min(start + window, whole)], key=lambda row: lengths[row])
            groups = [part[first : first + rows_per_step] for first in range(0, len(part), rows_per_step)]
            chance.shuffle(groups)
            steps += groups
    if rest:
        steps.append(rest)
    return steps[: total_steps(len(lengths), num_epochs, rows_per_step, max_steps)]
