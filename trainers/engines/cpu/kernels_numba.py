"""The kernels compiled by Numba: one pass over memory each, on all threads, computed in fp32.

bf16 has no type in NumPy: such matrices are seen as 16-bit integers and widened by their bits. One source
serves both number formats; which one a call needs is decided when it is compiled. Rows are independent, so
results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
import torch
from llvmlite import ir
from numba import prange, types
from numba.extending import intrinsic, overload
from torch import Tensor

from trainers.device import usable_cores
from trainers.engines.cpu.kernels import Heads, tensor_like

P = ParamSpec("P")
R = TypeVar("R")
Array = Any

#: Sums may be reordered; what is not a number must stay one, so that the guard before the update sees it.
_MATH = {"reassoc", "contract", "arcp", "nsz", "afn"}
_GELU, _CUBIC = np.float32(0.7978845608), np.float32(0.044715)
_ZERO, _HALF, _ONE, _THREE = np.float32(0), np.float32(0.5), np.float32(1), np.float32(3)
_LOWEST = np.float32(-3e38)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a helper into its callers."""
    return cast(Callable[P, R], numba.njit(inline="always", fastmath=_MATH, error_model="numpy")(function))


def _bits_of(typing: Any, x: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.uint32(types.float32), code


def _float_of(typing: Any, x: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), code


bits_of: Any = intrinsic(_bits_of)
float_of: Any = intrinsic(_float_of)


def wide(x: Any) -> Any:
    """Return a stored value as fp32."""
    raise NotImplementedError


def stored(value: Any, like: Any) -> Any:
    """Return an fp32 value as it is stored beside `like`, rounded to the nearest."""
    raise NotImplementedError


def _wide(x: Any) -> Any:
    if x == types.uint16:
        return _widened
    return _itself


def _stored(value: Any, like: Any) -> Any:
    if like == types.uint16:
        return _rounded
    return _unrounded


def _widened(x: Any) -> Any:
    return float_of(np.uint32(np.uint32(x) << np.uint32(16)))


def _itself(x: Any) -> Any:
    return x


def _unrounded(value: Any, like: Any) -> Any:
    return np.float32(value)


def _rounded(value: Any, like: Any) -> Any:
    bits = bits_of(np.float32(value))
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))


overload(wide, inline="always")(_wide)
overload(stored, inline="always")(_stored)


@inlined
def exp(x: Any) -> Any:
    """Return e^x within 2e-7 of the true value relatively: a polynomial, so that it fits vector units."""
    if x < np.float32(-87):
        x = np.float32(-87)
    if x > np.float32(88):
        x = np.float32(88)
    x = x * np.float32(1.44269504)
    whole = np.floor(x + _HALF)
    f = x - whole
    p = np.float32(1.5403530e-4)
    p = p * f + np.float32(1.3333558e-3)
    p = p * f + np.float32(9.6181291e-3)
    p = p * f + np.float32(5.5504109e-2)
    p = p * f + np.float32(2.4022651e-1)
    p = p * f + np.float32(6.9314718e-1)
    p = p * f + _ONE
    return p * float_of(np.uint32((np.int32(whole) + np.int32(127)) << np.int32(23)))


def _maximum(row: Array, first: int, last: int) -> Any:
    top = _LOWEST
    for j in range(first, last):
        value = wide(row[j])
        top = value if value > top else top
    return top


#: Without regard to what is not a number, which the sum after it finds.
maximum = cast(Callable[[Array, int, int], Any], numba.njit(inline="always", fastmath=True)(_maximum))


def norm(
    x: Array, delta: Array, added: bool, weight: Array, epsilon: float, total: Array, rstd: Array, out: Array
) -> None:
    """Set total to x + delta, and out to total / rms * weight."""
    rows, columns = x.shape
    for t in prange(rows):
        square = _ZERO
        for i in range(columns):
            if added:
                total[t, i] = stored(wide(x[t, i]) + wide(delta[t, i]), x[t, i])
            value = wide(total[t, i])
            square += value * value
        scale = _ONE / np.sqrt(square / np.float32(columns) + np.float32(epsilon))
        rstd[t] = scale
        for i in range(columns):
            out[t, i] = stored(wide(total[t, i]) * scale * weight[i], x[t, i])


def norm_backward(
    residual: Array, added: bool, grad: Array, x: Array, rstd: Array, weight: Array, dx: Array
) -> None:
    """The gradient of a norm's input, plus the residual's."""
    rows, columns = x.shape
    for t in prange(rows):
        scale, dot = rstd[t], _ZERO
        for i in range(columns):
            dot += wide(grad[t, i]) * weight[i] * wide(x[t, i])
        dot = dot * scale * scale / np.float32(columns)
        for i in range(columns):
            value = scale * (wide(grad[t, i]) * weight[i] - wide(x[t, i]) * dot)
            if added:
                value += wide(residual[t, i])
            dx[t, i] = stored(value, x[t, i])


def silu_gate(gate_up: Array, out: Array) -> None:
    """Set out to gate * sigmoid(gate) * up."""
    rows, columns = gate_up.shape[0], gate_up.shape[1] // 2
    for t in prange(rows):
        for i in range(columns):
            g = wide(gate_up[t, i])
            out[t, i] = stored(g / (_ONE + exp(-g)) * wide(gate_up[t, columns + i]), gate_up[t, i])


def silu_backward(gate_up: Array, grad: Array, out: Array) -> None:
    """The gradient of `silu_gate`."""
    rows, columns = gate_up.shape[0], gate_up.shape[1] // 2
    for t in prange(rows):
        for i in range(columns):
            g, d = wide(gate_up[t, i]), wide(grad[t, i])
            s = _ONE / (_ONE + exp(-g))
            slope = s * (_ONE + g * (_ONE - s))
            out[t, i] = stored(d * wide(gate_up[t, columns + i]) * slope, gate_up[t, i])
            out[t, columns + i] = stored(d * g * s, gate_up[t, i])


def gelu_gate(gate_up: Array, out: Array) -> None:
    """GELU(gate) * up, by the tanh formula: (1 + tanh z) / 2 = 1 / (1 + e^-2z)."""
    rows, columns = gate_up.shape[0], gate_up.shape[1] // 2
    for t in prange(rows):
        for i in range(columns):
            g = wide(gate_up[t, i])
            z = _GELU * (g + _CUBIC * g * g * g)
            out[t, i] = stored(g / (_ONE + exp(-(z + z))) * wide(gate_up[t, columns + i]), gate_up[t, i])


def gelu_backward(gate_up: Array, grad: Array, out: Array) -> None:
    """The gradient of `gelu_gate`."""
    rows, columns = gate_up.shape[0], gate_up.shape[1] // 2
    for t in prange(rows):
        for i in range(columns):
            g, d = wide(gate_up[t, i]), wide(grad[t, i])
            z = _GELU * (g + _CUBIC * g * g * g)
            s = _ONE / (_ONE + exp(-(z + z)))
            inner = _GELU * (_ONE + _THREE * _CUBIC * g * g)
            slope = s + g * (s * (_ONE - s)) * (inner + inner)
            out[t, i] = stored(d * wide(gate_up[t, columns + i]) * slope, gate_up[t, i])
            out[t, columns + i] = stored(d * g * s, gate_up[t, i])


def split(
    qkv: Array,
    places: Array,
    cos: Array,
    sin: Array,
    counts: tuple[int, int],
    scale: float,
    epsilon: float,
    normed: bool,
    weights: Array,
    q: Array,
    k: Array,
    v: Array,
    rstd: Array,
) -> None:
    """Norm, turn and lay out queries and keys; lay out values."""
    heads, kv_heads = counts
    width = q.shape[1]
    half = width // 2
    for t in prange(places.shape[0]):
        first, length, position = places[t, 0], places[t, 1], places[t, 2]
        for head in range(heads + kv_heads):
            at = head * width
            to = q if head < heads else k
            row = (
                first * heads + head * length + position
                if head < heads
                else first * kv_heads + (head - heads) * length + position
            )
            r = _ONE
            w = weights[0] if head < heads else weights[1]
            if normed:
                square = _ZERO
                for i in range(width):
                    value = wide(qkv[t, at + i])
                    square += value * value
                r = _ONE / np.sqrt(square / np.float32(width) + np.float32(epsilon))
                rstd[t, head] = r
            m = np.float32(scale) if head < heads else _ONE
            for i in range(half):
                a = wide(qkv[t, at + i]) * r * w[i]
                b = wide(qkv[t, at + half + i]) * r * w[half + i]
                c, s = cos[position, i], sin[position, i]
                to[row, i] = stored(m * (a * c - b * s), qkv[t, i])
                to[row, half + i] = stored(m * (b * c + a * s), qkv[t, i])
        for head in range(kv_heads):
            at = (heads + kv_heads + head) * width
            row = first * kv_heads + head * length + position
            for i in range(width):
                v[row, i] = qkv[t, at + i]


def split_backward(
    dq: Array,
    dk: Array,
    dv: Array,
    qkv: Array,
    rstd: Array,
    places: Array,
    cos: Array,
    sin: Array,
    counts: tuple[int, int],
    scale: float,
    normed: bool,
    weights: Array,
    out: Array,
) -> None:
    """The gradient of `split`."""
    heads, kv_heads = counts
    width = dq.shape[1]
    half = width // 2
    for t in prange(places.shape[0]):
        first, length, position = places[t, 0], places[t, 1], places[t, 2]
        for head in range(heads + kv_heads):
            at = head * width
            of = dq if head < heads else dk
            row = (
                first * heads + head * length + position
                if head < heads
                else first * kv_heads + (head - heads) * length + position
            )
            m = np.float32(scale) if head < heads else _ONE
            w = weights[0] if head < heads else weights[1]
            r, dot = _ONE, _ZERO
            if normed:
                r = rstd[t, head]
                for i in range(half):
                    a, b = wide(of[row, i]), wide(of[row, half + i])
                    c, s = cos[position, i], sin[position, i]
                    dot += (a * c + b * s) * w[i] * wide(qkv[t, at + i])
                    dot += (b * c - a * s) * w[half + i] * wide(qkv[t, at + half + i])
                dot = dot * r * r / np.float32(width)
            for i in range(half):
                a, b = wide(of[row, i]), wide(of[row, half + i])
                c, s = cos[position, i], sin[position, i]
                low, high = (a * c + b * s) * w[i], (b * c - a * s) * w[half + i]
                if normed:
                    low -= wide(qkv[t, at + i]) * dot
                    high -= wide(qkv[t, at + half + i]) * dot
                out[t, at + i] = stored(m * r * low, qkv[t, i])
                out[t, at + half + i] = stored(m * r * high, qkv[t, i])
        for head in range(kv_heads):
            at = (heads + kv_heads + head) * width
            row = first * kv_heads + head * length + position
            for i in range(width):
                out[t, at + i] = dv[row, i]


def merge(by_heads: Array, places: Array, heads: int, out: Array) -> None:
    """From the layout by heads to that by tokens; what fills up is zero."""
    width = by_heads.shape[1]
    for t in prange(out.shape[0]):
        for head in range(heads):
            for i in range(width):
                if t < places.shape[0]:
                    row = places[t, 0] * heads + head * places[t, 1] + places[t, 2]
                    out[t, head * width + i] = by_heads[row, i]
                else:
                    out[t, head * width + i] = 0


def merge_backward(grad: Array, places: Array, heads: int, out: Array) -> None:
    """From the layout by tokens to that by heads."""
    width = out.shape[1]
    for t in prange(places.shape[0]):
        for head in range(heads):
            row = places[t, 0] * heads + head * places[t, 1] + places[t, 2]
            for i in range(width):
                out[row, i] = grad[t, head * width + i]


def softmax(scores: Array, period: int, shift: int, window: int) -> None:
    """Each row's shares among the keys it may look at, zero elsewhere."""
    rows, keys = scores.shape
    for r in prange(rows):
        end = min(r % period + shift + 1, keys)
        begin = max(0, r % period + shift + 1 - window)
        row = scores[r]
        top, total = maximum(row, begin, end), _ZERO
        for j in range(begin, end):
            total += exp(wide(row[j]) - top)
        share = _ONE / total
        zero = stored(_ZERO, row[0])
        for j in range(begin):
            row[j] = zero
        for j in range(begin, end):
            row[j] = stored(exp(wide(row[j]) - top) * share, row[0])
        for j in range(end, keys):
            row[j] = zero


def softmax_backward(shares: Array, grad: Array) -> None:
    """Set grad to shares * (grad - sum(shares * grad))."""
    rows, keys = shares.shape
    for r in prange(rows):
        dot = _ZERO
        for j in range(keys):
            dot += wide(shares[r, j]) * wide(grad[r, j])
        for j in range(keys):
            grad[r, j] = stored(wide(shares[r, j]) * (wide(grad[r, j]) - dot), grad[r, j])


def cross_entropy(logits: Array, labels: Array, scale: float, losses: Array) -> None:
    """Losses, and the logits' gradient in their place."""
    rows, words = logits.shape
    for r in prange(rows):
        row = logits[r]
        top, total = maximum(row, 0, words), _ZERO
        for j in range(words):
            total += exp(wide(row[j]) - top)
        right = wide(row[labels[r]])
        losses[r] = top + np.log(total) - right
        share = np.float32(scale) / total
        for j in range(words):
            row[j] = stored(exp(wide(row[j]) - top) * share, row[0])
        row[labels[r]] = stored(exp(right - top) * share - np.float32(scale), row[0])


@cache
def _compiled(kernel: Callable[..., None], keep: bool) -> Callable[..., None]:
    """Return a kernel that is compiled at its first call with types that are new."""
    return cast(
        Callable[..., None],
        numba.njit(parallel=True, fastmath=_MATH, error_model="numpy", cache=keep)(kernel),
    )


class NumbaKernels:
    """See `Kernels`."""

    def __init__(self, threads: int, *, keep: bool) -> None:
        """Prepare the kernels; each is compiled at its first call, or taken from where it is kept."""
        numba.set_num_threads(min(threads, usable_cores()))
        self._keep = keep

    def _run(self, kernel: Callable[..., None], *arguments: Any) -> None:
        ready = _compiled(kernel, self._keep)
        ready(*(_array(one) if isinstance(one, Tensor) else one for one in arguments))

    def norm(
        self, x: Tensor, delta: Tensor | None, weight: Tensor, epsilon: float, out: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `Kernels`."""
        total = x if delta is None else torch.empty_like(x)
        rstd = torch.empty(x.shape[0])
        self._run(
            norm, x, x if delta is None else delta, delta is not None, weight, epsilon, total, rstd, out
        )
        return total, rstd

    def norm_backward(
        self, residual: Tensor | None, grad: Tensor, x: Tensor, rstd: Tensor, weight: Tensor
    ) -> Tensor:
        """See `Kernels`."""
        dx = torch.empty_like(x)
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
        self._run(gelu_gate if gelu else silu_gate, gate_up, out)

    def gate_backward(self, gate_up: Tensor, grad: Tensor, *, gelu: bool) -> Tensor:
        """See `Kernels`."""
        out = torch.empty_like(gate_up)
        self._run(gelu_backward if gelu else silu_backward, gate_up, grad, out)
        return out

    def split(
        self, qkv: Tensor, places: Tensor, rows: int, cos: Tensor, sin: Tensor, heads: Heads
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """See `Kernels`."""
        counts = (heads.heads, heads.kv_heads)
        q, k, v = (tensor_like(qkv, rows * count, heads.width).zero_() for count in (*counts, heads.kv_heads))
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
        out = torch.empty_like(qkv)
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
        out = tensor_like(grad, rows * heads, width).zero_()
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
