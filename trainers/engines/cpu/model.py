"""A dense decoder with an adapter: weights from safetensors files, and the loss of a packed batch.

Owns the forward pass; its parts know their backward passes. Refuses to know steps, files of runs and rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from trainers.engines.cpu.adapter import Adapter
from trainers.engines.cpu.architecture import Architecture, Rope
from trainers.engines.cpu.attention import Attention, Setting
from trainers.engines.cpu.functions import AddNorm, Gate, HeadLoss, Learned, Norm, apply
from trainers.engines.cpu.generation import Network
from trainers.engines.cpu.kernels import Heads, Kernels
from trainers.engines.cpu.linear import Group, Linear, Part
from trainers.engines.cpu.packing import Packed
from trainers.engines.cpu.rope import tables
from trainers.engines.cpu.weights import Weights


@dataclass(frozen=True)
class Layer:
    """One decoder layer; norms in fp32, the two after the halves where the family has them."""

    qkv: Group
    output: Group
    gate_up: Group
    down: Group
    norm_in: Tensor
    norm_middle: Tensor
    after_attention: Tensor | None
    after_mlp: Tensor | None
    heads: Heads
    rope: Rope
    window: int | None

    @property
    def groups(self) -> tuple[Group, ...]:
        """All that have an adapter, or could."""
        return self.qkv, self.output, self.gate_up, self.down


class Model:
    """A decoder whose adapter learns and whose base does not."""

    def __init__(
        self, folder: Path, architecture: Architecture, adapter: Adapter, dtype: torch.dtype, kernels: Kernels
    ) -> None:
        """Read the base model, one tensor at a time, into `dtype`."""
        self._architecture = architecture
        self._kernels = kernels
        self._tables: dict[Rope, tuple[Tensor, Tensor]] = {}
        with Weights(folder) as weights:
            self._embedding = weights.read("model.embed_tokens.weight").to(dtype)
            tied = architecture.tied
            self._head = self._embedding if tied else weights.read("lm_head.weight").to(dtype)
            self._final_norm = self._norm(weights.read("model.norm.weight"))
            self._layers = [
                self._layer(number, weights, adapter, dtype) for number in range(len(architecture.layers))
            ]

    @property
    def head_size(self) -> int:
        """Weights in the head."""
        return self._head.numel()

    @property
    def network(self) -> Network:
        """Its parts, for who reads on token by token."""
        return Network(self._architecture, self._embedding, self._head, self._final_norm, self._layers)

    def refresh(self) -> None:
        """Take the adapter's values anew, after an update."""
        for layer in self._layers:
            for group in layer.groups:
                group.refresh()

    def leave_out(self) -> None:
        """Compute without the adapter, until the next `refresh`."""
        for layer in self._layers:
            for group in layer.groups:
                group.leave_out()

    def loss(self, packed: Packed, count: int) -> Tensor:
        """Return the sum of the batch's losses in nats, divided by `count`; differentiable."""
        one, kernels = self._architecture, self._kernels
        kernels.workspace.fit(*packed.room)
        x = self._embedded(packed)
        x.requires_grad_(torch.is_grad_enabled())
        delta: Tensor | None = None
        for layer in self._layers:
            x, delta = self._through(layer, packed, x, delta)
        last = apply(Learned, x, delta, packed.learned, kernels)
        hidden = apply(Norm, last, self._final_norm, one.epsilon, one.hidden, kernels)
        loss: Tensor = apply(HeadLoss, hidden, self._head, packed.labels, count, kernels)
        return loss

    def _embedded(self, packed: Packed) -> Tensor:
        table, space = self._embedding, self._kernels.workspace
        out = space.matrix(table.dtype, packed.ids.shape[0], table.shape[1])
        torch.index_select(table, 0, packed.ids, out=out)
        if self._architecture.embedding_scale != 1.0:
            out.mul_(torch.tensor(self._architecture.embedding_scale, dtype=table.dtype))
        return out

    def _through(
        self, layer: Layer, packed: Packed, x: Tensor, delta: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return (x after the layer without its last term, that term)."""
        one, kernels = self._architecture, self._kernels
        space, width = kernels.workspace, layer.qkv.width
        if delta is None:
            hidden = apply(Norm, x, layer.norm_in, one.epsilon, width, kernels)
        else:
            x, hidden = apply(AddNorm, x, delta, layer.norm_in, one.epsilon, width, kernels)
        seen = apply(Attention, apply(Linear, hidden, layer.qkv, space), self._setting(layer, packed))
        delta = self._after(apply(Linear, seen, layer.output, space), layer.after_attention)
        x, hidden = apply(AddNorm, x, delta, layer.norm_middle, one.epsilon, layer.gate_up.width, kernels)
        gated = apply(Gate, apply(Linear, hidden, layer.gate_up, space), one.gelu, layer.down.width, kernels)
        return x, self._after(apply(Linear, gated, layer.down, space), layer.after_mlp)

    def _after(self, delta: Tensor, weight: Tensor | None) -> Tensor:
        if weight is None:
            return delta
        one = self._architecture
        normed: Tensor = apply(Norm, delta, weight, one.epsilon, one.hidden, self._kernels)
        return normed

    def _setting(self, layer: Layer, packed: Packed) -> Setting:
        length = max(length for _, length in packed.blocks)
        known = self._tables.get(layer.rope)
        if known is None or known[0].shape[0] < length:
            known = self._tables[layer.rope] = tables(layer.rope, layer.heads.width, length)
        return Setting(
            kernels=self._kernels,
            packed=packed,
            heads=layer.heads,
            cos=known[0],
            sin=known[1],
            window=layer.window or length,
            out_width=layer.output.width,
        )

    def _norm(self, weight: Tensor) -> Tensor:
        return weight.float() + self._architecture.norm_offset

    def _layer(self, number: int, weights: Weights, adapter: Adapter, dtype: torch.dtype) -> Layer:
        one, prefix = self._architecture, f"model.layers.{number}"

        def group(*names: str) -> Group:
            return Group(
                [_part(f"{prefix}.{name}", weights, adapter) for name in names], adapter.scale, dtype
            )

        def norm(name: str, there: bool = True) -> Tensor | None:
            return self._norm(weights.read(f"{prefix}.{name}.weight")) if there else None

        middle = "pre_feedforward_layernorm" if one.post_norms else "post_attention_layernorm"
        heads = Heads(
            heads=one.heads,
            kv_heads=one.kv_heads,
            width=one.head_dim,
            scale=one.score_scale,
            epsilon=one.epsilon,
            q_norm=norm("self_attn.q_norm", one.qk_norm),
            k_norm=norm("self_attn.k_norm", one.qk_norm),
        )
        return Layer(
            qkv=group("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            output=group("self_attn.o_proj"),
            gate_up=group("mlp.gate_proj", "mlp.up_proj"),
            down=group("mlp.down_proj"),
            norm_in=self._norm(weights.read(f"{prefix}.input_layernorm.weight")),
            norm_middle=self._norm(weights.read(f"{prefix}.{middle}.weight")),
            after_attention=norm("post_attention_layernorm", one.post_norms),
            after_mlp=norm("post_feedforward_layernorm", one.post_norms),
            heads=heads,
            rope=one.layers[number].rope,
            window=one.layers[number].window,
        )


def _part(name: str, weights: Weights, adapter: Adapter) -> Part:
    return Part(weights.read(f"{name}.weight"), weights.find(f"{name}.bias"), adapter.pairs.get(name))
