"""What a run computes: its batches, cut and padded as an engine does, and how much that is in all.

Owns the way from the lengths of rows to batches. Refuses to know models, bytes and seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from trainers.order import plan_steps, total_steps
from trainers.recipe import TrainRecipe

#: Engines that pad do so to a multiple of this.
PAD_TO = 8
#: Engines that pack rows do so up to this many tokens, and fill up to a multiple of the other; in the layout
#: by heads each row is filled up for itself.
PACKED_TOKENS, PACK_TO, BLOCK_TO = 2048, 64, 32
#: Method → forward passes without gradients beside each batch: by the base model, and of KTO by both over
#: other questions' answers.
REFERENCE_PASSES: Mapping[str, int] = {"dpo": 1, "kto": 3}
#: Rows whose order is planned; of more, an even selection stands for all.
MOST_PLANNED = 8192
#: Rows evaluated at once (`trainers.engines.peft.EVALUATION_ROWS`).
EVALUATION_ROWS = 8


@dataclass(frozen=True)
class RowLength:
    """One row: its tokens, and those of them that are learned; `worse`: of a pair, the other answer's row."""

    tokens: int
    supervised: int
    worse: RowLength | None = None

    @property
    def all_tokens(self) -> int:
        """Those of both answers."""
        return self.tokens + (self.worse.all_tokens if self.worse else 0)

    @property
    def teaches(self) -> bool:
        """Whether something is left to learn; of a pair, in both answers."""
        return self.supervised > 0 and (self.worse is None or self.worse.teaches)

    def cut(self, most: int) -> RowLength:
        """The row as it is after `most` tokens: what is learned stands at its end, and goes first."""
        lost = max(self.tokens - most, 0)
        worse = self.worse.cut(most) if self.worse else None
        return RowLength(self.tokens - lost, max(self.supervised - lost, 0), worse)

    def scored_whole(self) -> RowLength:
        """The row as ORPO learns it: of the better answer, the question too."""
        return replace(self, supervised=max(self.tokens - 1, 0))


@dataclass(frozen=True)
class Batch:
    """What is computed at once: rows of `width` tokens, padding included.

    `tokens` are the real ones, `supervised` those that are learned. Of rows that are laid end to end, `room`
    is their length with each filled up for itself, and `longest` that of the longest.
    """

    rows: int
    width: int
    tokens: int
    supervised: int
    room: int = 0
    longest: int = 0

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
        references: forward passes without gradients beside each batch.
    """

    batches: tuple[Batch, ...]
    evaluations: tuple[Batch, ...]
    steps: int
    passes: float
    evaluated: int
    references: int = 0


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
    if recipe.method == "pretrain":
        train, rows = _blocks(train, rows, training.max_seq_length)
        held_out, _ = _blocks(held_out, len(held_out), training.max_seq_length)
    cut = [_as_learned(recipe, row) for row in _even(train)]
    learned = [row for row in cut if row.teaches]
    kept = round(rows * len(learned) / max(len(cut), 1))
    per_step = training.batch_size * training.gradient_accumulation_steps
    steps = total_steps(kept, training.num_epochs, per_step, training.max_steps)
    order = plan_steps([row.all_tokens for row in learned], 1, per_step, training.seed, steps)
    evaluated = _evaluations(recipe, steps) if held_out and recipe.evaluation.max_rows else 0
    return Workload(
        batches=tuple(_batches(order, learned, 0 if packed else training.batch_size)),
        evaluations=tuple(_evaluation_batches(recipe, held_out, packed=packed)) if evaluated else (),
        steps=steps,
        passes=steps / max(len(order), 1),
        evaluated=evaluated,
        references=REFERENCE_PASSES.get(recipe.method, 0),
    )


def batch_of(pairs: Sequence[RowLength]) -> Batch:
    """Put rows side by side, padded to the longest; both rows of a pair."""
    rows = [*pairs, *(pair.worse for pair in pairs if pair.worse is not None)]
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
    portion: list[RowLength] = []
    for row in rows:
        if portion and sum(one.tokens for one in portion) + row.tokens > PACKED_TOKENS:
            yield _end_to_end(portion)
            portion = []
        portion.append(row)
    if portion:
        yield _end_to_end(portion)


def _end_to_end(rows: Sequence[RowLength]) -> Batch:
    tokens = sum(row.tokens for row in rows)
    blocks = [ceil(row.tokens / BLOCK_TO) * BLOCK_TO for row in rows]
    return Batch(
        rows=1,
        width=ceil(tokens / PACK_TO) * PACK_TO,
        tokens=tokens,
        supervised=sum(row.supervised for row in rows),
        room=sum(blocks),
        longest=max(blocks),
    )


def _evaluation_batches(recipe: TrainRecipe, rows: Sequence[RowLength], *, packed: bool) -> Iterator[Batch]:
    cut = [_as_learned(recipe, row) for row in rows[: recipe.evaluation.max_rows]]
    judged = [row for row in cut if row.teaches]
    if packed:
        yield from _packed(judged)
        return
    ordered = sorted(judged, key=lambda row: row.tokens)
    for start in range(0, len(ordered), EVALUATION_ROWS):
        yield batch_of(ordered[start : start + EVALUATION_ROWS])


def _as_learned(recipe: TrainRecipe, row: RowLength) -> RowLength:
    cut = row.cut(recipe.training.max_seq_length)
    return cut.scored_whole() if recipe.method == "orpo" and cut.teaches else cut


def _blocks(texts: Sequence[RowLength], rows: int, length: int) -> tuple[list[RowLength], int]:
    """Texts behind each other, each with its end, in blocks of a length; and how many those are in all."""
    known = sum(text.tokens + 1 for text in texts)
    blocks = [RowLength(length, length - 1)] * (known // length)
    if known % length > 1:
        blocks.append(RowLength(known % length, known % length - 1))
    return blocks, round(len(blocks) * rows / max(len(texts), 1))


def _evaluations(recipe: TrainRecipe, steps: int) -> int:
    every = recipe.evaluation.every_steps or max(1, round(steps / recipe.training.num_epochs))
    return ceil(steps / every)


def _even(rows: Sequence[RowLength]) -> Sequence[RowLength]:
    """At most `MOST_PLANNED` rows, evenly chosen by length, the longest among them."""
    if len(rows) <= MOST_PLANNED:
        return rows
    ordered = sorted(rows, key=lambda row: -row.tokens)
    return [ordered[index * len(ordered) // MOST_PLANNED] for index in range(MOST_PLANNED)]
