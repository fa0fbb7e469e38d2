"""The kernels as differentiable functions: norms, the gated activation, and the loss at the head.

Owns what is kept between the passes. Refuses to know layers and weights' names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from trainers.engines.cpu.kernels import Kernels

#: Numbers of logits that are in memory at once, and rows that they are made for at most.
LOGITS_AT_ONCE = 2**25
ROWS_AT_ONCE = 256


def apply(function: type[torch.autograd.Function], *arguments: Any) -> Any:
    """Call a function so that autograd knows of it."""
    call: Callable[..., Any] = function.apply
    return call(*arguments)


class Norm(torch.autograd.Function):
    """RMSNorm (Zhang and Sennrich 2019); the output has `width` columns, the last ones left open."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float, width: int, kernels: Kernels) -> Tensor:
        """Compute the norm."""
        out = kernels.workspace.matrix(x.dtype, x.shape[0], width)
        _, rstd = kernels.norm(x, None, weight, epsilon, out)
        ctx.save_for_backward(x, rstd, weight)
        ctx.kernels = kernels
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        """Compute the gradient of x."""
        x, rstd, weight = ctx.saved_tensors
        return ctx.kernels.norm_backward(None, grad, x, rstd, weight), None, None, None, None


class AddNorm(torch.autograd.Function):
    """x + delta, and the norm of it: the step from one half of a layer to the next."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        delta: Tensor,
        weight: Tensor,
        epsilon: float,
        width: int,
        kernels: Kernels,
    ) -> tuple[Tensor, Tensor]:
        """Return (sum, norm with `width` columns, the last ones left open)."""
        out = kernels.workspace.matrix(x.dtype, x.shape[0], width)
        total, rstd = kernels.norm(x, delta, weight, epsilon, out)
        ctx.save_for_backward(total, rstd, weight)
        ctx.kernels = kernels
        return total, out

    @staticmethod
    def backward(ctx: Any, residual: Tensor, grad: Tensor) -> Any:
        """Compute the gradient of both terms, which is the same."""
        total, rstd, weight = ctx.saved_tensors
        both = ctx.kernels.norm_backward(residual, grad, total, rstd, weight)
        return both, both, None, None, None, None


class Gate(torch.autograd.Function):
    """act(gate) * up, with `width` columns, the last ones left open."""

    @staticmethod
    def forward(ctx: Any, gate_up: Tensor, gelu: bool, width: int, kernels: Kernels) -> Tensor:
        """Compute the product."""
        out = kernels.workspace.matrix(gate_up.dtype, gate_up.shape[0], width)
        kernels.gate(gate_up, out, gelu=gelu)
        ctx.save_for_backward(gate_up)
        ctx.gelu, ctx.kernels = gelu, kernels
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        """Compute the gradient of `gate_up`."""
        (gate_up,) = ctx.saved_tensors
        return ctx.kernels.gate_backward(gate_up, grad, gelu=ctx.gelu), None, None, None


class Learned(torch.autograd.Function):
    """The rows of x + delta whose successor is learned; `delta` may be None."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, delta: Tensor | None, learned: Tensor, kernels: Kernels) -> Tensor:
        """Return (learned, hidden)."""
        ctx.save_for_backward(learned)
        ctx.shape, ctx.kernels = x.shape, kernels
        rows = torch.index_select(
            x, 0, learned, out=kernels.workspace.matrix(x.dtype, learned.shape[0], x.shape[1])
        )
        return rows if delta is None else rows.add_(delta[learned])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        """Put the gradients where the rows stood; nothing else gets any."""
        (learned,) = ctx.saved_tensors
        out = ctx.kernels.workspace.matrix(grad.dtype, *ctx.shape).zero_()
        out[learned] = grad
        return out, out, None, None


class HeadLoss(torch.autograd.Function):
    """The sum of the losses, divided by `count`; the gradient is made on the way, chunk by chunk."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        head: Tensor,
        labels: Tensor,
        count: int,
        kernels: Kernels,
    ) -> Tensor:
        """Return a scalar in fp64."""
        workspace = kernels.workspace
        gradient = workspace.matrix(hidden.dtype, *hidden.shape) if ctx.needs_input_grad[0] else None
        total = torch.zeros((), dtype=torch.float64)
        rows = max(32, min(ROWS_AT_ONCE, LOGITS_AT_ONCE // head.shape[0]))
        for start in range(0, hidden.shape[0], rows):
            part = slice(start, start + rows)
            given = hidden[part]
            logits = workspace.take(head.dtype, (given.shape[0], head.shape[0]), rows * head.shape[0])
            torch.mm(given, head.t(), out=logits)
            total += kernels.cross_entropy(logits, labels[part], 1.0 / count).sum(dtype=torch.float64)
            if gradient is not None:
                torch.mm(logits, head, out=gradient[part])
            del logits  # before the next ones are made
        ctx.save_for_backward(gradient)
        return total / count

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        """Hand on the gradient that was made with the loss; the loss is the last node, so `grad` is 1."""
        (gradient,) = ctx.saved_tensors
        return gradient.mul_(grad.to(gradient.dtype)), None, None, None, None
