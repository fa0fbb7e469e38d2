"""Which rows are held out: by seed, the same on every machine, and never the same prompt on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.intp]

#: Sixteen bytes of each row, as two numbers: shape (rows, 2).
Keys = NDArray[np.uint64]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Groups:
    """Rows by equal keys: `numbers` has each row's group, `firsts` each group's first row, `sizes` its rows.

    Groups are numbered in the order of their keys, whatever the order of the rows.
    """

    numbers: Numbers
    firsts: Numbers
    sizes: Numbers


def as_keys(keys: bytes | bytearray) -> Keys:
    """Sixteen bytes each, one after the other, as keys."""
    return np.frombuffer(keys, "<u8").astype(np.uint64).reshape(-1, 2)


def grouped(keys: Keys) -> Groups:
    """Find the rows whose keys are equal."""
    order = np.argsort(keys[:, 0])
    ordered = keys[order]
    begins = np.ones(len(keys), bool)
    begins[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    if (begins[1:] & (ordered[1:, 0] == ordered[:-1, 0])).any():  # half of a key hardly ever leaves it open
        order = np.lexsort((keys[:, 1], keys[:, 0]))
        begins[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
    numbers = np.empty(len(keys), np.intp)
    numbers[order] = np.cumsum(begins) - 1
    places = np.flatnonzero(begins)
    firsts = np.minimum.reduceat(order, places) if len(places) else order
    return Groups(numbers, firsts, np.diff(np.append(places, len(keys))))


def held_out(prompts: Sequence[bytes], fraction: float, seed: int) -> list[bool]:
    """As `hold_out`, for keys of sixteen bytes one by one."""
    chosen: list[bool] = hold_out(as_keys(b"".join(prompts)), fraction, seed).tolist()
    return chosen


def hold_out(prompts: Keys, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Say for each row whether it is held out; `prompts` has one key per row, equal for equal prompts.

    About `fraction` of the rows are held out: never more, unless one row is needed; at least one when there
    are two different prompts; none when there is only one. The choice depends on the prompts, not on their
    order.

    Raises:
        ValueError: `fraction` is not in [0, 1).
    """
    if not 0.0 <= fraction < 1.0:
        raise ValueError(f"fraction {fraction} is not in [0, 1)")
    groups = grouped(prompts)
    if fraction == 0.0 or len(groups.sizes) < 2:
        return np.zeros(len(prompts), bool)
    order = np.argsort(_drawn(prompts[groups.firsts], seed), kind="stable")
    wanted = max(1, min(round(len(prompts) * fraction), len(prompts) - 1))
    chosen = np.zeros(len(groups.sizes), bool)
    for group, size in zip(order, groups.sizes[order].tolist(), strict=True):
        if size <= wanted:
            chosen[group] = True
            wanted -= size
        if wanted == 0:
            break
    if not chosen.any():
        chosen[order[np.argmin(groups.sizes[order])]] = True
    held: NDArray[np.bool_] = chosen[groups.numbers]
    return held


def _drawn(keys: Keys, seed: int) -> NDArray[np.uint64]:
    """A lot for each key. Keys are digests, so little is left to be mixed."""
    salt = np.frombuffer(hashlib.blake2b(str(seed).encode(), digest_size=16).digest(), "<u8")
    lots = (keys[:, 0] ^ salt[0]) * _MULTIPLIER
    lots ^= lots >> np.uint64(32)
    lots = (lots ^ keys[:, 1] ^ salt[1]) * _MULTIPLIER
    mixed: NDArray[np.uint64] = lots ^ (lots >> np.uint64(29))
    return mixed
