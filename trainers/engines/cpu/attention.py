"""Causal attention, row by row of a packed batch, as batched matrix products over groups of heads.

Scores are made again in the backward pass: kept, they would be the largest thing in memory. Long rows are
looked at in strips. Refuses to know weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainers.engines.cpu.kernels import Heads, Kernels
from trainers.engines.cpu.packing import BLOCK_TOKENS, Packed

#: Queries whose scores are made at once.
STRIP = 512


@dataclass(frozen=True)
class Setting:
    """What attention needs beside the projections of a layer; `window` in tokens, itself included."""

    kernels: Kernels
    packed: Packed
    heads: Heads
    cos: Tensor
    sin: Tensor
    window: int
    out_width: int

    def by_heads(self, dtype: torch.dtype, heads: int) -> Tensor:
        """Return an empty matrix in the layout by heads, a row of one head's width per token and head."""
        return self.kernels.workspace.matrix(dtype, self.packed.block_rows, self.heads.width, heads)


class Attention(torch.autograd.Function):
    """Queries, keys and values side by side (tokens, all heads) → the heads' outputs (tokens, out_width)."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, setting: Setting) -> Tensor:
        """Compute the outputs; columns beyond the heads' are left for the adapter of the next layer."""
        s, packed, heads = setting, setting.packed, setting.heads
        q, k, v, rstd = s.kernels.split(qkv, packed.places, packed.block_rows, s.cos, s.sin, heads)
        by_heads = s.by_heads(q.dtype, heads.heads)
        for strip in _strips(s):
            shares = strip.shares(q, k)
            strip.put(by_heads, torch.bmm(shares, strip.keys(v)))
            del shares  # before the next ones are made
        out = s.kernels.workspace.matrix(qkv.dtype, qkv.shape[0], s.out_width)
        s.kernels.merge(by_heads, packed.places, heads.heads, out)
        ctx.save_for_backward(q, k, v, rstd, qkv if heads.q_norm is not None else None)
        ctx.setting, ctx.qkv_shape = setting, qkv.shape
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        """Compute the gradient of `qkv`."""
        s: Setting = ctx.setting
        packed, heads = s.packed, s.heads
        q, k, v, rstd, qkv = ctx.saved_tensors
        do = s.kernels.merge_backward(grad, packed.places, packed.block_rows, heads.heads, heads.width)
        dq = s.by_heads(q.dtype, heads.heads)
        dk, dv = (s.by_heads(q.dtype, heads.kv_heads).zero_() for _ in range(2))
        for strip in _strips(s):
            shares, given = strip.shares(q, k), strip.queries(do)
            scores = strip.product(given, v)
            s.kernels.softmax_backward(shares.flatten(0, 1), scores.flatten(0, 1))
            strip.put(dq, torch.bmm(scores, strip.keys(k)))
            strip.add(dk, torch.bmm(scores.transpose(1, 2), strip.queries(q)))
            strip.add(dv, torch.bmm(shares.transpose(1, 2), given))
            del shares, scores  # before the next ones are made
        if qkv is None:
            qkv = s.kernels.workspace.matrix(q.dtype, *ctx.qkv_shape)
        return s.kernels.split_backward((dq, dk, dv), (qkv, rstd), packed.places, s.cos, s.sin, heads), None


@dataclass(frozen=True)
class _Strip:
    """Queries `begin` to `end` of one row's block and the keys from `first_key` that they may look at."""

    setting: Setting
    first: int
    length: int
    begin: int
    end: int
    first_key: int

    def queries(self, by_heads: Tensor) -> Tensor:
        """Return (key heads, group of heads x queries, width)."""
        heads = self.setting.heads
        return self._queries(by_heads).reshape(heads.kv_heads, -1, heads.width)

    def keys(self, by_heads: Tensor) -> Tensor:
        """Return (key heads, keys, width)."""
        return self._block(by_heads, self.setting.heads.kv_heads)[:, self.first_key : self.end]

    def shares(self, q: Tensor, k: Tensor) -> Tensor:
        """Return (key heads, group of heads x queries, keys): how much each query takes of each key."""
        scores = self.product(self.queries(q), k)
        shift = self.begin - self.first_key
        window = self.setting.window
        self.setting.kernels.softmax(scores.flatten(0, 1), self.end - self.begin, shift, window)
        return scores

    def product(self, queries: Tensor, by_heads: Tensor) -> Tensor:
        """Return (key heads, group of heads x queries, keys): each query's products with the keys."""
        keys, workspace = self.keys(by_heads), self.setting.kernels.workspace
        shape = (queries.shape[0], queries.shape[1], keys.shape[1])
        out = workspace.scores(queries.dtype, shape, self.setting.heads.heads, STRIP)
        return torch.bmm(queries, keys.transpose(1, 2), out=out)

    def put(self, by_heads: Tensor, values: Tensor) -> None:
        """Write what was computed for the queries."""
        queries = self._queries(by_heads)
        queries.copy_(values.view(queries.shape))

    def add(self, by_heads: Tensor, values: Tensor) -> None:
        """Add what was computed for the keys."""
        self.keys(by_heads).add_(values)

    def _queries(self, by_heads: Tensor) -> Tensor:
        return self._block(by_heads, self.setting.heads.heads)[:, self.begin : self.end]

    def _block(self, by_heads: Tensor, heads: int) -> Tensor:
        start, stop = self.first * heads, (self.first + self.length) * heads
        return by_heads[start:stop].view(heads, self.length, -1)


def _strips(setting: Setting) -> Iterator[_Strip]:
    for first, length in setting.packed.blocks:
        for begin in range(0, length, STRIP):
            end = min(begin + STRIP, length)
            reach = max(0, begin + 1 - setting.window)
            yield _Strip(setting, first, length, begin, end, reach - reach % BLOCK_TOKENS)
