"""Memory for the matrices of a step: taken once, in blocks for the largest batch, and used again.

A heap keeps what is freed in pieces, and batches of ever other sizes want ever other pieces: its peak grew
all the time and depended on the order of the rows. Blocks by what they hold make the peak a sum that can be
told beforehand (`academy_desktop.core.estimate`). Refuses to know what is computed.
"""

from __future__ import annotations

import weakref
from collections import defaultdict
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: Bytes, as NumPy has them: it tells when the last one who looks at them is gone.
Block = NDArray[np.uint8]


class _Lease(weakref.ref[Any]):
    """Notes when the last tensor over a block is gone: then the block goes home."""

    __slots__ = ("block", "home")

    block: Block
    home: list[Block]


class Workspace:
    """Blocks by number format and size. A tensor gives its block back when nothing refers to it any more."""

    def __init__(self, tokens: int = 0, longest: int = 0) -> None:
        """Make one for batches of up to `tokens` tokens, and rows of up to `longest`, padding included."""
        self._tokens, self._longest = tokens, longest
        self._free: dict[tuple[torch.dtype, int], list[Block]] = defaultdict(list)
        self._leases: dict[int, _Lease] = {}

    @property
    def size_bytes(self) -> int:
        """Of all blocks that are there; those in use count when they are back."""
        return sum(block.nbytes for blocks in self._free.values() for block in blocks)

    def fit(self, tokens: int, longest: int) -> None:
        """Make room for larger batches than were known; the blocks there are go as they come back."""
        if tokens > self._tokens or longest > self._longest:
            self._tokens, self._longest = max(tokens, self._tokens), max(longest, self._longest)
            self._free.clear()

    def matrix(self, dtype: torch.dtype, tokens: int, columns: int, heads: int = 1) -> Tensor:
        """Return an empty (tokens x heads, columns)."""
        return self.take(dtype, (tokens * heads, columns), max(self._tokens, tokens) * heads * columns)

    def scores(self, dtype: torch.dtype, shape: tuple[int, int, int], heads: int, strip: int) -> Tensor:
        """Return an empty (groups, queries of a group's heads, keys), for `strip` queries at once at most."""
        longest = max(self._longest, shape[2])
        return self.take(dtype, shape, heads * min(strip, longest) * longest)

    def take(self, dtype: torch.dtype, shape: tuple[int, ...], most: int) -> Tensor:
        """Return an empty tensor, in a block for `most` numbers: as many as this use of it ever needs."""
        home = self._free[dtype, most]
        block = home.pop() if home else _new_block(dtype, most)
        view = block[:]
        lease = _Lease(view, self._take_back)
        lease.block, lease.home = block, home
        self._leases[id(lease)] = lease
        # Set, not viewed: else autograd would take what it keeps in one block for modified by the next.
        return torch.empty(0, dtype=dtype).set_(
            torch.from_numpy(view).untyped_storage(), 0, shape, _strides(shape)
        )

    def _take_back(self, lease: weakref.ref[Any]) -> None:
        assert isinstance(lease, _Lease)
        del self._leases[id(lease)]
        lease.home.append(lease.block)


def _new_block(dtype: torch.dtype, most: int) -> Block:
    return torch.empty(most * dtype.itemsize, dtype=torch.uint8).numpy()


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(prod(shape[place + 1 :]) for place in range(len(shape)))
