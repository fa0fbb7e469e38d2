"""Queries, keys and values between two layouts, by tokens and by heads; norms and positions on the way."""

from __future__ import annotations

import numpy as np
from numba import prange

from trainers.engines.cpu.compiled.arithmetic import LANES, ONE, ZERO, Array, emptied, stored, total, wide


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
        lanes = np.empty(LANES, np.float32)
        for head in range(heads + kv_heads):
            at = head * width
            to = q if head < heads else k
            row = (
                first * heads + head * length + position
                if head < heads
                else first * kv_heads + (head - heads) * length + position
            )
            r = ONE
            w = weights[0] if head < heads else weights[1]
            if normed:
                emptied(lanes)
                for start in range(0, width, LANES):
                    for j in range(min(LANES, width - start)):
                        value = wide(qkv[t, at + start + j])
                        lanes[j] += value * value
                r = ONE / np.sqrt(total(lanes) / np.float32(width) + np.float32(epsilon))
                rstd[t, head] = r
            m = np.float32(scale) if head < heads else ONE
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
        lanes = np.empty(LANES, np.float32)
        for head in range(heads + kv_heads):
            at = head * width
            of = dq if head < heads else dk
            row = (
                first * heads + head * length + position
                if head < heads
                else first * kv_heads + (head - heads) * length + position
            )
            m = np.float32(scale) if head < heads else ONE
            w = weights[0] if head < heads else weights[1]
            r, dot = ONE, ZERO
            if normed:
                r = rstd[t, head]
                emptied(lanes)
                for start in range(0, half, LANES):
                    for j in range(min(LANES, half - start)):
                        i = start + j
                        a, b = wide(of[row, i]), wide(of[row, half + i])
                        c, s = cos[position, i], sin[position, i]
                        lanes[j] += (a * c + b * s) * w[i] * wide(qkv[t, at + i])
                        lanes[j] += (b * c - a * s) * w[half + i] * wide(qkv[t, at + half + i])
                dot = total(lanes) * r * r / np.float32(width)
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
