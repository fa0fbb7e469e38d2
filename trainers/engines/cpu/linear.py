"""Linear layers with their adapters inside: `[x | x downᵀ] @ [W | scale up]ᵀ` as one matrix product.

The sum of base and adapter is made inside the product, in fp32, so that no part of the update is rounded away
against a rounded output. Layers that read the same input are one matrix. Refuses to know what they are for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trainers.engines.cpu.adapter import Pair
from trainers.engines.cpu.workspace import Workspace


class Part(NamedTuple):
    """One linear layer of a group."""

    weight: Tensor
    bias: Tensor | None
    pair: Pair | None


class Group:
    """Linear layers on one input, `out` x `inner`, with `extra` columns for the adapters."""

    def __init__(self, parts: Sequence[Part], scale: float, dtype: torch.dtype) -> None:
        """Take copies of the weights in the engine's number format."""
        self._scale = scale
        self.inner = parts[0].weight.shape[1]
        self._pairs: list[tuple[Pair, slice, slice]] = []
        row = extra = 0
        for part in parts:
            out = part.weight.shape[0]
            if part.pair is not None:
                rank = part.pair.down.shape[0]
                self._pairs.append((part.pair, slice(row, row + out), slice(extra, extra + rank)))
                extra += rank
            row += out
        self.extra = extra
        self.weight = torch.zeros(row, self.inner + extra, dtype=dtype)
        self._down = torch.empty(extra, self.inner, dtype=dtype)
        torch.cat([part.weight.to(dtype) for part in parts], out=self.weight[:, : self.inner])
        self.bias = _biases(parts, dtype)

    @property
    def width(self) -> int:
        """Columns that the input needs: its own, and room for what the adapters make of it."""
        return self.inner + self.extra

    def refresh(self) -> None:
        """Take the adapters' values anew, after an update."""
        for pair, rows, columns in self._pairs:
            self._down[columns].copy_(pair.down)
            inside = slice(self.inner + columns.start, self.inner + columns.stop)
            torch.mul(pair.up, self._scale, out=(scaled := torch.empty_like(pair.up)))
            self.weight[rows, inside].copy_(scaled)

    def leave_out(self) -> None:
        """Be the base alone, until the next `refresh`."""
        self.weight[:, self.inner :].zero_()

    def forward(self, x: Tensor, workspace: Workspace | None = None) -> Tensor:
        """Return the outputs (tokens, out) side by side; fills the last columns of x (tokens, width).

        Without a workspace, for a few tokens, the outputs are made where torch makes them.
        """
        if self.extra:
            x[:, self.inner :] = torch.mm(x[:, : self.inner], self._down.t())
        out = workspace.matrix(x.dtype, x.shape[0], self.weight.shape[0]) if workspace else None
        if self.bias is None:
            return torch.mm(x, self.weight.t(), out=out)
        return torch.addmm(self.bias, x, self.weight.t(), out=out)

    def backward(self, grad: Tensor, x: Tensor, workspace: Workspace) -> Tensor:
        """Return the gradient of x, its first `inner` columns; add the adapters' to their buffers."""
        dx = torch.mm(grad, self.weight, out=workspace.matrix(x.dtype, *x.shape))
        if not self.extra:
            return dx
        inside = dx[:, self.inner :].contiguous()
        downs = torch.mm(inside.t(), x[:, : self.inner])
        ups = torch.mm(grad.t(), x[:, self.inner :].contiguous())
        for pair, rows, columns in self._pairs:
            pair.down_grad.add_(downs[columns])
            pair.up_grad.add_(ups[rows, columns], alpha=self._scale)
        dx[:, : self.inner].addmm_(inside, self._down)
        return dx


class Linear(torch.autograd.Function):
    """`Group` for autograd; gradients of the adapters go to their buffers, not through the graph."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Group, workspace: Workspace) -> Tensor:
        """See `Group.forward`."""
        out = group.forward(x, workspace)
        ctx.save_for_backward(x)
        ctx.group, ctx.workspace = group, workspace
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        """See `Group.backward`."""
        (x,) = ctx.saved_tensors
        return ctx.group.backward(grad, x, ctx.workspace), None, None


def _biases(parts: Sequence[Part], dtype: torch.dtype) -> Tensor | None:
    if all(part.bias is None for part in parts):
        return None
    return torch.cat(
        [torch.zeros(part.weight.shape[0]) if part.bias is None else part.bias.float() for part in parts]
    ).to(dtype)
