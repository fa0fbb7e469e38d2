"""What a run computes: its batches, cut and padded as an engine does, and how much that is in all.

Owns the way from the lengths of rows to batches. Refuses to know models, bytes and seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from trainers.order import plan_steps, total_steps
from trainers.recipe import TrainRecipe

#: Engines that pad do so to a multiple of this.
PAD_TO = 8
#: Engines that pack rows do so up to this many tokens, and fill up to a multiple of the other.
PACKED_TOKENS, PACK_TO = 2048, 64
#: Rows whose order is planned; of more, an even selection stands for all.
MOST_PLANNED = 8192
#: Rows evaluated at once (`trainers.engines.peft.EVALUATION_ROWS`).
EVALUATION_ROWS = 8


@dataclass(frozen=True)
class RowLength:
    """One row: its tokens, and those of them that are learned."""

    tokens: int
    supervised: int

    def cut(self, most: int) -> RowLength:
        """The row as it is after `most` tokens: what is learned stands at its end, and goes first."""
        lost = max(self.tokens - most, 0)
        return RowLength(self.tokens - lost, max(self.supervised - lost, 0))


@dataclass(frozen=True)
class Batch:
    """What is computed at once: rows of `width` tokens, padding included.

    `tokens` are the real ones, `supervised` those that are learned.
    """

    rows: int
    width: int
    tokens: int
    supervised: int

    @property
    def is_ragged(self) -> bool:
        """Whether there is padding, which attention needs a mask for."""
        return self.tokens < self.rows * self.width


@dataclass(frozen=True)
class Workload:
    """A run: its batches, its steps, and what is computed over the whole of it.

    Attributes:
        batches: as they stand in one pass over the rows, or in as much of it as there are steps for.
        evaluations: batches of one evaluation.
        steps: updates.
        passes: how often these batches are gone through.
        evaluated: how many evaluations there are.
    """

    batches: tuple[Batch, ...]
    evaluations: tuple[Batch, ...]
    steps: int
    passes: float
    evaluated: int


def plan_workload(
    recipe: TrainRecipe,
    train: Sequence[RowLength],
    held_out: Sequence[RowLength],
    *,
    rows: int,
    packed: bool = False,
) -> Workload:
    """Plan the batches of a recipe.

    Args:
        recipe: cuts the rows, orders them and says how many go into a batch.
        train: lengths of the rows that are learned; a selection of them will do.
        held_out: lengths of the rows that are evaluated.
        rows: how many rows there are, of which `train` may be a selection.
        packed: whether the engine lays rows end to end, and cuts steps by tokens instead of rows.
    """
    training = recipe.training
    cut = [row.cut(training.max_seq_length) for row in _even(train)]
    learned = [row for row in cut if row.supervised]
    kept = round(rows * len(learned) / max(len(cut), 1))
    per_step = training.batch_size * training.gradient_accumulation_steps
    steps = total_steps(kept, training.num_epochs, per_step, training.max_steps)
    order = plan_steps([row.tokens for row in learned], 1, per_step, training.seed, steps)
    evaluated = _evaluations(recipe, steps) if held_out and recipe.evaluation.max_rows else 0
    return Workload(
        batches=tuple(_batches(order, learned, 0 if packed else training.batch_size)),
        evaluations=tuple(_evaluation_batches(recipe, held_out, packed=packed)) if evaluated else (),
        steps=steps,
        passes=steps / max(len(order), 1),
        evaluated=evaluated,
    )


def batch_of(rows: Sequence[RowLength]) -> Batch:
    """Put rows side by side, padded to the longest."""
    width = ceil(max(row.tokens for row in rows) / PAD_TO) * PAD_TO
    return Batch(len(rows), width, sum(row.tokens for row in rows), sum(row.supervised for row in rows))


def _batches(order: list[list[int]], rows: Sequence[RowLength], size: int) -> Iterator[Batch]:
    """Cut each step into batches of `size` rows, or pack it where that is 0."""
    for step in order:
        if not size:
            yield from _packed([rows[row] for row in step])
        for start in range(0, len(step) if size else 0, size or 1):
            yield batch_of([rows[row] for row in step[start : start + size]])


def _packed(rows: Sequence[RowLength]) -> Iterator[Batch]:
    """Lay rows end to end, as `trainers.engines.cpu.packing` does."""
    tokens = supervised = 0
    for row in rows:
        if tokens and tokens + row.tokens > PACKED_TOKENS:
            yield Batch(1, ceil(tokens / PACK_TO) * PACK_TO, tokens, supervised)
            tokens = supervised = 0
        tokens, supervised = tokens + row.tokens, supervised + row.supervised
    if tokens:
        yield Batch(1, ceil(tokens / PACK_TO) * PACK_TO, tokens, supervised)


def _evaluation_batches(recipe: TrainRecipe, rows: Sequence[RowLength], *, packed: bool) -> Iterator[Batch]:
    most = recipe.training.max_seq_length
    cut = [row.cut(most) for row in rows[: recipe.evaluation.max_rows]]
    judged = [row for row in cut if row.supervised]
    if packed:
        yield from _packed(judged)
        return
    ordered = sorted(judged, key=lambda row: row.tokens)
    for start in range(0, len(ordered), EVALUATION_ROWS):
        yield batch_of(ordered[start : start + EVALUATION_ROWS])


def _evaluations(recipe: TrainRecipe, steps: int) -> int:
    every = recipe.evaluation.every_steps or max(1, round(steps / recipe.training.num_epochs))
    return ceil(steps / every)


def _even(rows: Sequence[RowLength]) -> Sequence[RowLength]:
    """At most `MOST_PLANNED` rows, evenly chosen by length, the longest among them."""
    if len(rows) <= MOST_PLANNED:
        return rows
    ordered = sorted(rows, key=lambda row: -row.tokens)
    return [ordered[index * len(ordered) // MOST_PLANNED] for index in range(MOST_PLANNED)]
