"""The kernels compiled by Numba: one pass over memory each, on all threads, computed in fp32.

bf16 has no type in NumPy: such matrices are seen as 16-bit integers and widened by their bits. One source
serves both number formats; which one a call needs is decided when it is compiled. Rows are independent and
sums have a written order, so results depend on neither the number of threads nor the compiler's mood.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import torch
from torch import Tensor

from trainers.device import usable_cores
from trainers.engines.cpu.compiled.arithmetic import Array, compiled
from trainers.engines.cpu.compiled.gates import gate, gate_backward
from trainers.engines.cpu.compiled.heads import merge, merge_backward, split, split_backward
from trainers.engines.cpu.compiled.norms import norm, norm_backward
from trainers.engines.cpu.compiled.shares import cross_entropy, softmax, softmax_backward
from trainers.engines.cpu.kernels import Heads
from trainers.engines.cpu.workspace import Workspace


class CompiledKernels:
    """See `Kernels`. `keeps`: whether the machine code is kept for the next process."""

    def __init__(self, threads: int, workspace: Workspace, *, keep: bool) -> None:
        """Prepare the kernels; each is compiled at its first call, or taken from where it is kept."""
        numba.set_num_threads(min(threads, usable_cores()))
        self.workspace = workspace
        self.keeps = keep

    def _run(self, kernel: Callable[..., None], *arguments: Any) -> None:
        ready = compiled(kernel, self.keeps)
        ready(*(_array(one) if isinstance(one, Tensor) else one for one in arguments))

    def norm(
        self, x: Tensor, delta: Tensor | None, weight: Tensor, epsilon: float, out: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `Kernels`."""
        sums = x if delta is None else self.workspace.matrix(x.dtype, *x.shape)
        rstd = torch.empty(x.shape[0])
        self._run(norm, x, x if delta is None else delta, delta is not None, weight, epsilon, sums, rstd, out)
        return sums, rstd

    def norm_backward(
        self, residual: Tensor | None, grad: Tensor, x: Tensor, rstd: Tensor, weight: Tensor
    ) -> Tensor:
        """See `Kernels`."""
        dx = self.workspace.matrix(x.dtype, *x.shape)
        self._run(
            norm_backward,
            x if residual is None else residual,
            residual is not None,
            grad,
            x,
            rstd,
            weight,
            dx,
        )
        return dx

    def gate(self, gate_up: Tensor, out: Tensor, *, gelu: bool) -> None:
        """See `Kernels`."""
        self._run(gate, gate_up, gelu, out)

    def gate_backward(self, gate_up: Tensor, grad: Tensor, *, gelu: bool) -> Tensor:
        """See `Kernels`."""
        out = self.workspace.matrix(gate_up.dtype, *gate_up.shape)
        self._run(gate_backward, gate_up, gelu, grad, out)
        return out

    def split(
        self, qkv: Tensor, places: Tensor, rows: int, cos: Tensor, sin: Tensor, heads: Heads
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """See `Kernels`."""
        counts = (heads.heads, heads.kv_heads)
        q, k, v = (
            self.workspace.matrix(qkv.dtype, rows, heads.width, count).zero_()
            for count in (*counts, heads.kv_heads)
        )
        normed = heads.q_norm is not None
        rstd = torch.empty(places.shape[0], sum(counts)) if normed else torch.empty(0, 0)
        weights = _weights(heads)
        self._run(
            split, qkv, places, cos, sin, counts, heads.scale, heads.epsilon, normed, weights, q, k, v, rstd
        )
        return q, k, v, rstd

    def split_backward(
        self,
        grads: tuple[Tensor, Tensor, Tensor],
        saved: tuple[Tensor, Tensor],
        places: Tensor,
        cos: Tensor,
        sin: Tensor,
        heads: Heads,
    ) -> Tensor:
        """See `Kernels`."""
        qkv, rstd = saved
        out = self.workspace.matrix(qkv.dtype, *qkv.shape)
        out[places.shape[0] :] = 0
        counts = (heads.heads, heads.kv_heads)
        normed = heads.q_norm is not None
        self._run(
            split_backward,
            *grads,
            qkv,
            rstd,
            places,
            cos,
            sin,
            counts,
            heads.scale,
            normed,
            _weights(heads),
            out,
        )
        return out

    def merge(self, by_heads: Tensor, places: Tensor, heads: int, out: Tensor) -> None:
        """See `Kernels`."""
        self._run(merge, by_heads, places, heads, out)

    def merge_backward(self, grad: Tensor, places: Tensor, rows: int, heads: int, width: int) -> Tensor:
        """See `Kernels`."""
        out = self.workspace.matrix(grad.dtype, rows, width, heads).zero_()
        self._run(merge_backward, grad, places, heads, out)
        return out

    def softmax(self, scores: Tensor, period: int, shift: int, window: int) -> None:
        """See `Kernels`."""
        self._run(softmax, scores, period, shift, window)

    def softmax_backward(self, shares: Tensor, grad: Tensor) -> None:
        """See `Kernels`."""
        self._run(softmax_backward, shares, grad)

    def cross_entropy(self, logits: Tensor, labels: Tensor, scale: float) -> Tensor:
        """See `Kernels`."""
        losses = torch.empty(logits.shape[0])
        self._run(cross_entropy, logits, labels, scale, losses)
        return losses


def _array(tensor: Tensor) -> Array:
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _weights(heads: Heads) -> Tensor:
    """Return (2, width): the norms' weights of queries and keys, ones where there are none."""
    if heads.q_norm is None or heads.k_norm is None:
        return torch.ones(2, heads.width)
    return torch.stack([heads.q_norm, heads.k_norm])
