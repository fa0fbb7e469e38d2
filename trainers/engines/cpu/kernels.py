"""The element-wise parts of a decoder, as one interface with two forms: compiled, and plain torch.

Owns the contract and the choice. All kernels take matrices in the engine's number format (fp32 or bf16),
compute in fp32, and may be given outputs wider than what they write.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from trainers.engines.cpu.workspace import Workspace


@dataclass(frozen=True)
class Heads:
    """How queries, keys and values stand in a row; the norms' weights (fp32) where the family has them."""

    heads: int
    kv_heads: int
    width: int
    scale: float
    epsilon: float
    q_norm: Tensor | None = None
    k_norm: Tensor | None = None

    @property
    def all(self) -> int:
        """Heads of queries, keys and values together."""
        return self.heads + 2 * self.kv_heads


class Kernels(Protocol):
    """What a step needs beside matrix products. Names of sizes: t tokens, h hidden, d head width."""

    @property
    def workspace(self) -> Workspace:
        """Where matrices are made."""

    def norm(
        self, x: Tensor, delta: Tensor | None, weight: Tensor, epsilon: float, out: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Write RMSNorm(x + delta) into the first h columns of `out`; return (x + delta, 1 / rms (t))."""

    def norm_backward(
        self, residual: Tensor | None, grad: Tensor, x: Tensor, rstd: Tensor, weight: Tensor
    ) -> Tensor:
        """Return `residual` plus the gradient of the norm's input; `grad` may be wider than h."""

    def gate(self, gate_up: Tensor, out: Tensor, *, gelu: bool) -> None:
        """Write act(gate) * up into the first columns of `out`; `gate_up` holds both side by side."""

    def gate_backward(self, gate_up: Tensor, grad: Tensor, *, gelu: bool) -> Tensor:
        """Return the gradient of `gate_up`."""

    def split(
        self, qkv: Tensor, places: Tensor, rows: int, cos: Tensor, sin: Tensor, heads: Heads
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return (queries, keys, values, 1 / rms): normed, turned, queries scaled, in the layout by heads."""

    def split_backward(
        self,
        grads: tuple[Tensor, Tensor, Tensor],
        saved: tuple[Tensor, Tensor],
        places: Tensor,
        cos: Tensor,
        sin: Tensor,
        heads: Heads,
    ) -> Tensor:
        """Return the gradient of `qkv`; `saved` is (qkv, 1 / rms)."""

    def merge(self, by_heads: Tensor, places: Tensor, heads: int, out: Tensor) -> None:
        """Write attention's output from the layout by heads into the first columns of `out`."""

    def merge_backward(self, grad: Tensor, places: Tensor, rows: int, heads: int, width: int) -> Tensor:
        """Return the gradient in the layout by heads."""

    def softmax(self, scores: Tensor, period: int, shift: int, window: int) -> None:
        """Turn scores (rows, keys) into shares in place.

        Row r looks at the keys up to r % period + shift, and at no more than `window` of them.
        """

    def softmax_backward(self, shares: Tensor, grad: Tensor) -> None:
        """Turn the gradient of the shares into that of the scores, in place."""

    def cross_entropy(self, logits: Tensor, labels: Tensor, scale: float) -> Tensor:
        """Return each row's loss (fp32); turn `logits` into their gradient, times `scale`, in place."""


def kernels(threads: int, workspace: Workspace | None = None, *, compiled: bool) -> Kernels:
    """Return the compiled form, or the plain one.

    The machine code is kept where NUMBA_CACHE_DIR says; without a folder there it is made anew each time, and
    never put beside the source. `workspace`: of the step that the kernels are part of.
    """
    workspace = workspace or Workspace()
    if not compiled:
        from trainers.engines.cpu.kernels_torch import TorchKernels

        return TorchKernels(workspace)
    folder = os.environ.get("NUMBA_CACHE_DIR")
    keep = False
    if folder:
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            keep = os.access(folder, os.W_OK)
        except OSError:
            keep = False
    from trainers.engines.cpu.compiled.kernels import CompiledKernels

    return CompiledKernels(threads, workspace, keep=keep)


def tensor_like(x: Tensor, *shape: int) -> Tensor:
    """Return an empty tensor of x's number format, for what is not made in each step."""
    return torch.empty(shape, dtype=x.dtype)
