"""Softmax among the keys that a query may look at, and the loss over a vocabulary."""

from __future__ import annotations

import numpy as np
from numba import prange

from trainers.engines.cpu.compiled.arithmetic import (
    LANES,
    ONE,
    ZERO,
    Array,
    emptied,
    exp,
    exponentials,
    largest,
    stored,
    total,
    wide,
)


def softmax(scores: Array, period: int, shift: int, window: int) -> None:
    """Each row's shares among the keys it may look at, zero elsewhere."""
    rows, keys = scores.shape
    for r in prange(rows):
        end = min(r % period + shift + 1, keys)
        begin = max(0, r % period + shift + 1 - window)
        row, lanes = scores[r], np.empty(LANES, np.float32)
        top = largest(row, begin, end, lanes)
        share = ONE / exponentials(row, begin, end, top, lanes)
        zero = stored(ZERO, row[0])
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
        lanes = np.empty(LANES, np.float32)
        emptied(lanes)
        for start in range(0, keys, LANES):
            for j in range(min(LANES, keys - start)):
                lanes[j] += wide(shares[r, start + j]) * wide(grad[r, start + j])
        dot = total(lanes)
        for j in range(keys):
            grad[r, j] = stored(wide(shares[r, j]) * (wide(grad[r, j]) - dot), grad[r, j])


def cross_entropy(logits: Array, labels: Array, scale: float, losses: Array) -> None:
    """Losses, and the logits' gradient in their place."""
    rows, words = logits.shape
    for r in prange(rows):
        row, lanes = logits[r], np.empty(LANES, np.float32)
        top = largest(row, 0, words, lanes)
        whole = exponentials(row, 0, words, top, lanes)
        right = wide(row[labels[r]])
        losses[r] = top + np.log(whole) - right
        share = np.float32(scale) / whole
        for j in range(words):
            row[j] = stored(exp(wide(row[j]) - top) * share, row[0])
        row[labels[r]] = stored(exp(right - top) * share - np.float32(scale), row[0])
