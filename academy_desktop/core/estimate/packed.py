"""What the engine for processors holds at once: rows laid end to end, matrices in blocks that are kept.

Owns the list of matrices of a step, as `trainers.engines.cpu` makes them; its `workspace` keeps a block for
each of them that is there at the same time. Refuses to know what else a run takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from academy_desktop.core.estimate.model_shape import ModelShape
from academy_desktop.core.estimate.workload import Batch

#: Layers that read the same input are one matrix product.
GROUPS = (("q_proj", "k_proj", "v_proj"), ("o_proj",), ("gate_proj", "up_proj"), ("down_proj",))
#: Queries of a row that attention looks at together.
STRIP = 512
#: Blocks beside those that the layers keep, for the gradients of the layer at work: as wide as the hidden
#: state, as all outputs of the first group, as the queries, as the keys.
EXTRA_HIDDEN, EXTRA_OUTPUTS, EXTRA_QUERIES, EXTRA_KEYS = 3, 2, 2, 2
#: A norm keeps one number of 32 bit per token, or per token and head.
NORM_BYTES = 4


@dataclass(frozen=True)
class Envelope:
    """The largest of all batches: tokens, tokens in the layout by heads, and those of the longest row."""

    tokens: int
    room: int
    longest: int
    supervised: int


def envelope(batches: Sequence[Batch]) -> Envelope:
    """What blocks are as large as after all batches; each may be largest in another way."""
    return Envelope(
        tokens=max((batch.width for batch in batches), default=0),
        room=max((max(batch.room, batch.width) for batch in batches), default=0),
        longest=max((batch.longest or batch.width for batch in batches), default=0),
        supervised=max((batch.supervised for batch in batches), default=0),
    )


def extra_columns(adapted: Sequence[str], rank: int) -> tuple[int, ...]:
    """Columns of each group's input that hold what its adapters make of it."""
    return tuple(rank * len(set(group) & set(adapted)) for group in GROUPS)


def matrices_bytes(shape: ModelShape, most: Envelope, extra: Sequence[int], number_bytes: int) -> float:
    """Bytes of all blocks: those that the layers keep for the way back, and those of the layer at work."""
    queries, keys, hidden, wide = shape.query_width, shape.key_width, shape.hidden, shape.intermediate
    outputs = queries + 2 * keys
    # One more than there are layers: the gradient of what went in, while the last layer's is still there.
    inputs = 2 * hidden + queries + wide + sum(extra)
    by_token = (shape.layers + 1) * (inputs + 2 * wide)
    by_token += (shape.layers * shape.norms + EXTRA_HIDDEN) * hidden
    by_token += (EXTRA_OUTPUTS + (shape.layers if shape.query_norm else 0)) * outputs
    by_head = (shape.layers + EXTRA_QUERIES) * queries + (2 * shape.layers + EXTRA_KEYS) * keys
    norms = shape.norms + (shape.heads + shape.kv_heads if shape.query_norm else 0)
    numbers = most.tokens * by_token + most.room * by_head + _scores(shape, most.longest)
    return float(number_bytes * numbers + NORM_BYTES * shape.layers * norms * most.tokens)


def widened_bytes(shape: ModelShape, extra: Sequence[int], number_bytes: int) -> float:
    """Bytes of the adapters' part in the weights: more columns of each group, and their inner half."""
    queries, keys, hidden, wide = shape.query_width, shape.key_width, shape.hidden, shape.intermediate
    outer = (queries + 2 * keys, hidden, 2 * wide, hidden)
    inner = (hidden, queries, hidden, wide)
    columns = sum(more * (out + into) for more, out, into in zip(extra, outer, inner, strict=True))
    return float(number_bytes * shape.layers * columns)


def _scores(shape: ModelShape, longest: int) -> int:
    """Numbers of the shares and of their gradients, for the dearest strip of the longest row."""
    ends = range(STRIP, longest + STRIP, STRIP)
    strips = [(min(end, longest) - end + STRIP) * min(end, longest) for end in ends]
    return 2 * shape.heads * max(strips, default=0)
