"""The gated activation: SiLU, or GELU by its tanh formula, times what it gates.

Both are g times a sigmoid: of g, or of 2z with z = sqrt(2 / pi) (g + 0.044715 g^3), because
(1 + tanh z) / 2 = 1 / (1 + e^-2z) (Hendrycks and Gimpel 2016).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from trainers.engines.cpu.compiled.arithmetic import ONE, Array, exp, inlined, stored, wide

_TWICE, _CUBIC, _THREE = np.float32(2 * 0.7978845608), np.float32(0.044715), np.float32(3)


@inlined
def _inner(g: Any, gelu: bool) -> Any:
    """What the sigmoid is taken of."""
    if gelu:
        return _TWICE * (g + _CUBIC * g * g * g)
    return g


@inlined
def _slope(g: Any, gelu: bool) -> Any:
    """The derivative of `_inner`."""
    if gelu:
        return _TWICE * (ONE + _THREE * _CUBIC * g * g)
    return ONE


def gate(gate_up: Array, gelu: bool, out: Array) -> None:
    """Set out to act(gate) * up."""
    rows, columns = gate_up.shape[0], gate_up.shape[1] // 2
    for t in prange(rows):
        for i in range(columns):
            g = wide(gate_up[t, i])
            share = ONE / (ONE + exp(-_inner(g, gelu)))
            out[t, i] = stored(g * share * wide(gate_up[t, columns + i]), gate_up[t, i])


def gate_backward(gate_up: Array, gelu: bool, grad: Array, out: Array) -> None:
    """The gradient of `gate`."""
    rows, columns = gate_up.shape[0], gate_up.shape[1] // 2
    for t in prange(rows):
        for i in range(columns):
            g, d = wide(gate_up[t, i]), wide(grad[t, i])
            share = ONE / (ONE + exp(-_inner(g, gelu)))
            slope = share + g * (share * (ONE - share)) * _slope(g, gelu)
            out[t, i] = stored(d * wide(gate_up[t, columns + i]) * slope, gate_up[t, i])
            out[t, columns + i] = stored(d * g * share, gate_up[t, i])
