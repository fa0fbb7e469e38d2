"""Rows laid end to end, without padding between them: one long matrix of tokens for a forward pass.

Owns where each token stands. Refuses to know weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from trainers.rows import IGNORED, Example

#: Tokens of a row's block in the layout by heads, and of the whole, are multiples of these: matrix products
#: then come in few shapes, and their prepared forms are used again.
BLOCK_TOKENS = 32
TOTAL_TOKENS = 64
#: Rows are computed together up to this many tokens; a longer row goes alone.
TOKENS_AT_ONCE = 2048


@dataclass(frozen=True)
class Packed:
    """Some rows as one batch.

    Attributes:
        ids: token ids, filled up with zeros to a multiple of TOTAL_TOKENS.
        places: (tokens, 3), without those that fill up: first row of the token's block in the layout by
            heads, length of that block, position in its row.
        blocks: (first row, length) of each row's block in the layout by heads.
        learned: positions whose successor is supervised.
        labels: those successors.
    """

    ids: torch.Tensor
    places: torch.Tensor
    blocks: tuple[tuple[int, int], ...]
    learned: torch.Tensor
    labels: torch.Tensor

    @property
    def block_rows(self) -> int:
        """Length of all blocks together."""
        first, length = self.blocks[-1]
        return first + length

    @property
    def room(self) -> tuple[int, int]:
        """(tokens that matrices are made for, length of the longest block)."""
        return max(self.ids.shape[0], self.block_rows), max(length for _, length in self.blocks)


def pack(examples: Sequence[Example]) -> Packed:
    """Lay rows end to end."""
    ids: list[int] = []
    places: list[torch.Tensor] = []
    blocks: list[tuple[int, int]] = []
    learned: list[int] = []
    labels: list[int] = []
    first = 0
    for example in examples:
        start, length = len(ids), _up(len(example.ids), BLOCK_TOKENS)
        ids += example.ids
        positions = torch.arange(len(example.ids))
        places.append(
            torch.stack([torch.full_like(positions, first), torch.full_like(positions, length), positions], 1)
        )
        blocks.append((first, length))
        for position, label in enumerate(example.labels[1:]):
            if label != IGNORED:
                learned.append(start + position)
                labels.append(label)
        first += length
    ids += [0] * (_up(len(ids), TOTAL_TOKENS) - len(ids))
    return Packed(
        torch.tensor(ids), torch.cat(places), tuple(blocks), torch.tensor(learned), torch.tensor(labels)
    )


def portions(examples: Iterable[Example], tokens: int = TOKENS_AT_ONCE) -> Iterator[list[Example]]:
    """Cut rows, in their order, into portions of at most `tokens` tokens, or of one row."""
    portion: list[Example] = []
    size = 0
    for example in examples:
        if portion and size + len(example.ids) > tokens:
            yield portion
            portion, size = [], 0
        portion.append(example)
        size += len(example.ids)
    if portion:
        yield portion


def room_for(examples: Iterable[Example], tokens: int = TOKENS_AT_ONCE) -> tuple[int, int]:
    """Return what `Packed.room` is at most for portions of these rows, in their order."""
    most = longest = 0
    for portion in portions(examples, tokens):
        blocks = [_up(len(example.ids), BLOCK_TOKENS) for example in portion]
        total = _up(sum(len(example.ids) for example in portion), TOTAL_TOKENS)
        most, longest = max(most, total, sum(blocks)), max(longest, *blocks)
    return most, longest


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
