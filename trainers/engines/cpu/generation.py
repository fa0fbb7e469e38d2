"""Greedy answers of a decoder: a few prompts at once, with keys and values kept from token to token.

Owns the forward pass one token at a time. Beside the products of training it is plain torch: a few rows are
too little to share among threads that wait for each other. Nothing of it outlives a call. Refuses to know
text, templates and when it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from trainers.engines.cpu.architecture import Architecture
from trainers.engines.cpu.kernels import Heads, tensor_like
from trainers.engines.cpu.kernels_torch import TorchKernels
from trainers.engines.cpu.rope import tables

if TYPE_CHECKING:
    from trainers.engines.cpu.model import Layer


@dataclass(frozen=True)
class Network:
    """The parts of a model that a forward pass goes through."""

    architecture: Architecture
    embedding: Tensor
    head: Tensor
    final_norm: Tensor
    layers: Sequence[Layer]


@torch.no_grad()
def answers(
    network: Network, prompts: Sequence[Sequence[int]], ends: frozenset[int], most: int
) -> list[list[int]]:
    """Continue each prompt by its likeliest tokens, up to one of `ends` (not included) or `most` tokens."""
    reading = _Reading(network, [len(prompt) for prompt in prompts], most)
    ids = torch.tensor([[0] * (reading.width - len(prompt)) + list(prompt) for prompt in prompts])
    found: list[list[int]] = [[] for _ in prompts]
    going = set(range(len(prompts)))
    for _ in range(most):
        chosen: list[int] = reading.scores(ids).argmax(1).tolist()
        going -= {row for row in going if chosen[row] in ends}
        for row in going:
            found[row].append(chosen[row])
        if not going:
            break
        ids = torch.tensor(chosen)[:, None]
    return found


class _Reading:
    """Prompts that are being continued, of one width by padding in front that nobody looks at."""

    def __init__(self, network: Network, lengths: Sequence[int], most: int) -> None:
        one = network.architecture
        self.width = max(lengths)
        self._network = network
        self._kernels = TorchKernels()
        self._padding = self.width - torch.tensor(lengths)[:, None]
        self._past = 0
        room = self.width + most
        shape = (2, len(network.layers), len(lengths), one.kv_heads, room, one.head_dim)
        self._keys, self._values = torch.zeros(shape, dtype=network.embedding.dtype)
        self._tables = {rope: tables(rope, one.head_dim, room) for rope in {at.rope for at in one.layers}}

    def scores(self, ids: Tensor) -> Tensor:
        """Read on by ids (rows, tokens); returns the scores of what comes next (rows, vocabulary)."""
        net, one = self._network, self._network.architecture
        rows, tokens = ids.shape
        x = net.embedding[ids.flatten()]
        if one.embedding_scale != 1.0:
            x = x * torch.tensor(one.embedding_scale, dtype=x.dtype)
        places = torch.arange(self._past, self._past + tokens)
        masks = {at.window: self._mask(places, at.window) for at in one.layers}
        delta: Tensor | None = None
        for number, layer in enumerate(net.layers):
            x, hidden = self._normed(x, delta, layer.norm_in, layer.qkv.width)
            seen = self._attend(number, layer, layer.qkv.forward(hidden), places, masks[layer.window])
            delta = self._after(layer.output.forward(seen), layer.after_attention)
            x, hidden = self._normed(x, delta, layer.norm_middle, layer.gate_up.width)
            gate_up = layer.gate_up.forward(hidden)
            gated = tensor_like(x, x.shape[0], layer.down.width)
            self._kernels.gate(gate_up, gated, gelu=one.gelu)
            delta = self._after(layer.down.forward(gated), layer.after_mlp)
        self._past += tokens
        last = (x if delta is None else x + delta).view(rows, tokens, -1)[:, -1].contiguous()
        return torch.mm(self._normed(last, None, net.final_norm, one.hidden)[1], net.head.t())

    def _normed(self, x: Tensor, delta: Tensor | None, weight: Tensor, width: int) -> tuple[Tensor, Tensor]:
        """Return (x + delta, the norm of it with `width` columns, the last ones left open)."""
        out = tensor_like(x, x.shape[0], width)
        total, _ = self._kernels.norm(x, delta, weight, self._network.architecture.epsilon, out)
        return total, out

    def _after(self, delta: Tensor, weight: Tensor | None) -> Tensor:
        if weight is None:
            return delta
        return self._normed(delta, None, weight, self._network.architecture.hidden)[1]

    def _mask(self, places: Tensor, window: int | None) -> Tensor:
        """Return (rows, 1, tokens, keys): what each token looks at; itself always, so that none is blind."""
        keys = torch.arange(int(places[-1]) + 1)
        back = places[:, None] - keys
        near = (back >= 0) & (back < (window or len(keys)))
        return ((near & (keys >= self._padding)[:, None]) | (back == 0))[:, None]

    def _attend(self, number: int, layer: Layer, qkv: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        """Return the heads' outputs (rows x tokens, width of the next layer); keeps keys and values."""
        heads = layer.heads
        positions = (places - self._padding).clamp(min=0)
        turned, values = _turned(qkv.float(), heads, positions, self._tables[layer.rope])
        turned = turned.to(qkv.dtype)
        begin, end = int(places[0]), int(places[-1]) + 1
        kept = slice(begin, end)
        self._keys[number, :, :, kept] = turned[:, heads.heads :]
        self._values[number, :, :, kept] = values
        seen = scaled_dot_product_attention(
            turned[:, : heads.heads],
            self._keys[number, :, :, :end],
            self._values[number, :, :, :end],
            attn_mask=mask,
            scale=heads.scale,
            enable_gqa=True,
        )
        out = tensor_like(qkv, qkv.shape[0], layer.output.width)
        out[:, : heads.heads * heads.width] = seen.transpose(1, 2).flatten(2).flatten(0, 1)
        return out


def _turned(
    qkv: Tensor, heads: Heads, positions: Tensor, table: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Return (queries and keys, normed and turned; values), each (rows, heads, tokens, width) in fp32."""
    x = qkv.view(*positions.shape, heads.all, heads.width).transpose(1, 2)
    queries, keys, values = x.split([heads.heads, heads.kv_heads, heads.kv_heads], dim=1)
    if heads.q_norm is not None and heads.k_norm is not None:
        queries = _rms(queries, heads.q_norm, heads.epsilon)
        keys = _rms(keys, heads.k_norm, heads.epsilon)
    cos, sin = (one[positions][:, None] for one in table)
    a, b = torch.cat([queries, keys], dim=1).chunk(2, dim=3)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=3), values


def _rms(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * weight
