"""The kernels in plain torch: slower, for where nothing can be compiled, or where that would not pay."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from trainers.engines.cpu.kernels import Heads
from trainers.engines.cpu.workspace import Workspace

_GELU = math.sqrt(2 / math.pi)
_CUBIC = 0.044715


class TorchKernels:
    """See `Kernels`."""

    def __init__(self, workspace: Workspace | None = None) -> None:
        """`workspace`: for what a step makes beside the kernels; one of its own where none is given."""
        self.workspace = workspace or Workspace()

    def norm(
        self, x: Tensor, delta: Tensor | None, weight: Tensor, epsilon: float, out: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `Kernels`."""
        total = x if delta is None else x + delta
        wide = total.float()
        rstd = torch.rsqrt(wide.square().mean(1) + epsilon)
        out[:, : x.shape[1]] = wide * rstd[:, None] * weight
        return total, rstd

    def norm_backward(
        self, residual: Tensor | None, grad: Tensor, x: Tensor, rstd: Tensor, weight: Tensor
    ) -> Tensor:
        """See `Kernels`."""
        dx = _norm_backward(grad[:, : x.shape[1]].float(), x.float(), rstd[:, None], weight)
        if residual is not None:
            dx += residual
        return dx.to(x.dtype)

    def gate(self, gate_up: Tensor, out: Tensor, *, gelu: bool) -> None:
        """See `Kernels`."""
        gate, up = gate_up.float().chunk(2, dim=1)
        share = _gelu_share(gate)[0] if gelu else torch.sigmoid(gate)
        out[:, : up.shape[1]] = gate * share * up

    def gate_backward(self, gate_up: Tensor, grad: Tensor, *, gelu: bool) -> Tensor:
        """See `Kernels`."""
        gate, up = gate_up.float().chunk(2, dim=1)
        given = grad[:, : up.shape[1]].float()
        if gelu:
            share, slope = _gelu_share(gate)
            slope = share + gate * slope
        else:
            share = torch.sigmoid(gate)
            slope = share * (1 + gate * (1 - share))
        return torch.cat([given * up * slope, given * gate * share], dim=1).to(gate_up.dtype)

    def split(
        self, qkv: Tensor, places: Tensor, rows: int, cos: Tensor, sin: Tensor, heads: Heads
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """See `Kernels`."""
        tokens = places.shape[0]
        x = qkv[:tokens].float().view(tokens, heads.all, heads.width)
        turned = x[:, : heads.heads + heads.kv_heads]
        rstd = torch.rsqrt(turned.square().mean(2) + heads.epsilon)
        if (weight := _norm_weights(heads)) is not None:
            turned = turned * rstd[:, :, None] * weight
        turned = _turn(turned, cos[places[:, 2]], sin[places[:, 2]])
        parts = (
            turned[:, : heads.heads] * heads.scale,
            turned[:, heads.heads :],
            x[:, heads.heads + heads.kv_heads :],
        )
        q, k, v = (_to_heads(part.to(qkv.dtype), places, rows) for part in parts)
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
        tokens = places.shape[0]
        counts = (heads.heads, heads.kv_heads, heads.kv_heads)
        dq, dk, dv = (
            _from_heads(grad, places, count, heads.width).float()
            for grad, count in zip(grads, counts, strict=True)
        )
        turned = _turn(torch.cat([dq * heads.scale, dk], dim=1), cos[places[:, 2]], -sin[places[:, 2]])
        if (weight := _norm_weights(heads)) is not None:
            x = qkv[:tokens].float().view(tokens, heads.all, heads.width)[:, : turned.shape[1]]
            turned = _norm_backward(turned, x, rstd[:, :, None], weight)
        out = torch.zeros_like(qkv)
        out[:tokens] = torch.cat([turned, dv], dim=1).flatten(1)
        return out

    def merge(self, by_heads: Tensor, places: Tensor, heads: int, out: Tensor) -> None:
        """See `Kernels`."""
        tokens, columns = places.shape[0], heads * by_heads.shape[1]
        out[:tokens, :columns] = _from_heads(by_heads, places, heads, by_heads.shape[1]).flatten(1)
        out[tokens:, :columns] = 0

    def merge_backward(self, grad: Tensor, places: Tensor, rows: int, heads: int, width: int) -> Tensor:
        """See `Kernels`."""
        tokens = places.shape[0]
        return _to_heads(grad[:tokens, : heads * width].reshape(tokens, heads, width), places, rows)

    def softmax(self, scores: Tensor, period: int, shift: int, window: int) -> None:
        """See `Kernels`."""
        last = (torch.arange(scores.shape[0]) % period + shift)[:, None]
        keys = torch.arange(scores.shape[1])[None]
        wide = scores.float().masked_fill_((keys > last) | (keys <= last - window), -torch.inf)
        scores.copy_(torch.softmax(wide, dim=1))

    def softmax_backward(self, shares: Tensor, grad: Tensor) -> None:
        """See `Kernels`."""
        p, g = shares.float(), grad.float()
        grad.copy_(p * (g - (p * g).sum(1, keepdim=True)))

    def cross_entropy(self, logits: Tensor, labels: Tensor, scale: float) -> Tensor:
        """See `Kernels`."""
        logarithms = torch.log_softmax(logits.float(), dim=1)
        losses = -logarithms.gather(1, labels[:, None])[:, 0]
        gradient = logarithms.exp_()
        gradient.scatter_add_(1, labels[:, None], -torch.ones_like(losses)[:, None])
        logits.copy_(gradient * scale)
        return losses


def _norm_backward(grad: Tensor, x: Tensor, rstd: Tensor, weight: Tensor) -> Tensor:
    weighted = grad * weight
    return rstd * (weighted - x * rstd.square() * (weighted * x).mean(-1, keepdim=True))


def _gelu_share(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return GELU(x) / x after the tanh formula (Hendrycks and Gimpel 2016), and its derivative."""
    tanh = torch.tanh(_GELU * (x + _CUBIC * x**3))
    return 0.5 * (1 + tanh), 0.5 * (1 - tanh.square()) * _GELU * (1 + 3 * _CUBIC * x.square())


def _norm_weights(heads: Heads) -> Tensor | None:
    """Return (heads + key heads, width), or None where the family norms neither."""
    if heads.q_norm is None or heads.k_norm is None:
        return None
    return torch.cat([heads.q_norm.expand(heads.heads, -1), heads.k_norm.expand(heads.kv_heads, -1)])


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=2)
    c, s = cos[:, None], sin[:, None]
    return torch.cat([a * c - b * s, b * c + a * s], dim=2)


def _rows_of(places: Tensor, heads: int) -> Tensor:
    """Return (tokens, heads): where each token's heads stand in the layout by heads."""
    first, length, position = places.unbind(1)
    return first[:, None] * heads + torch.arange(heads) * length[:, None] + position[:, None]


def _to_heads(x: Tensor, places: Tensor, rows: int) -> Tensor:
    out = torch.zeros(rows * x.shape[1], x.shape[2], dtype=x.dtype)
    out[_rows_of(places, x.shape[1]).flatten()] = x.flatten(0, 1)
    return out


def _from_heads(x: Tensor, places: Tensor, heads: int, width: int) -> Tensor:
    return x[_rows_of(places, heads).flatten()].view(-1, heads, width)
