"""RMSNorm over rows, there and back."""

from __future__ import annotations

import numpy as np
from numba import prange

from trainers.engines.cpu.compiled.arithmetic import LANES, ONE, Array, emptied, stored, total, wide


def norm(
    x: Array, delta: Array, added: bool, weight: Array, epsilon: float, sums: Array, rstd: Array, out: Array
) -> None:
    """Set sums to x + delta, and out to sums / rms * weight."""
    rows, columns = x.shape
    for t in prange(rows):
        if added:
            for i in range(columns):
                sums[t, i] = stored(wide(x[t, i]) + wide(delta[t, i]), x[t, i])
        lanes = np.empty(LANES, np.float32)
        emptied(lanes)
        for start in range(0, columns, LANES):
            for j in range(min(LANES, columns - start)):
                value = wide(sums[t, start + j])
                lanes[j] += value * value
        scale = ONE / np.sqrt(total(lanes) / np.float32(columns) + np.float32(epsilon))
        rstd[t] = scale
        for i in range(columns):
            out[t, i] = stored(wide(sums[t, i]) * scale * weight[i], x[t, i])


def norm_backward(
    residual: Array, added: bool, grad: Array, x: Array, rstd: Array, weight: Array, dx: Array
) -> None:
    """The gradient of a norm's input, plus the residual's."""
    rows, columns = x.shape
    for t in prange(rows):
        lanes = np.empty(LANES, np.float32)
        emptied(lanes)
        for start in range(0, columns, LANES):
            for j in range(min(LANES, columns - start)):
                i = start + j
                lanes[j] += wide(grad[t, i]) * weight[i] * wide(x[t, i])
        scale = rstd[t]
        dot = total(lanes) * scale * scale / np.float32(columns)
        for i in range(columns):
            value = scale * (wide(grad[t, i]) * weight[i] - wide(x[t, i]) * dot)
            if added:
                value += wide(residual[t, i])
            dx[t, i] = stored(value, x[t, i])
