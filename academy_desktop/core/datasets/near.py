"""Rows that are nearly the same: candidates by MinHash, each verified by the true Jaccard similarity.

Two rows are near duplicates when the sets of their runs of `RUN_WORDS` words, letter case aside, have a
Jaccard similarity of `LIKENESS` or more. Owns finding them. Refuses to know what happens to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import pairwise

import numpy as np
import rensa
from numpy.typing import NDArray

#: Words of a run, and the similarity from which on rows are near duplicates.
RUN_WORDS = 3
LIKENESS = 0.8

#: Permutations, parted into bands of rows: a pair at 0.8 is missed once in some twenty thousand times,
#: 1 - (1 - 0.8⁵)²⁵ (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.4.2).
_PERMUTATIONS, _BANDS, _BAND_ROWS = 125, 25, 5
_SEED = 42
_BATCH = 2048
#: The latest rows of a bucket that a row is held against: chains of likeness stay whole, work stays linear.
_NEIGHBOURS = 4

Signatures = NDArray[np.uint32]


class NearDups(StrEnum):
    """What becomes of near duplicates: nothing, one side of the split for all, or only the first kept."""

    KEEP = "keep"
    APART = "apart"
    DROP = "drop"


def runs_of(text: str) -> frozenset[str]:
    """Every run of words in a text; a shorter text is one run."""
    words = text.casefold().split()
    if len(words) <= RUN_WORDS:
        return frozenset((" ".join(words),))
    return frozenset(map(" ".join, zip(words, words[1:], words[2:], strict=False)))


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """The Jaccard similarity of two sets, 0 to 1."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


class NearFinder:
    """Takes texts one by one, then tells which are alike. Keeps 500 bytes of each text."""

    def __init__(self) -> None:
        self._waiting: list[list[str]] = []
        self._done: list[Signatures] = []

    def add(self, text: str) -> None:
        """Take the next text."""
        self._waiting.append(list(runs_of(text)))
        if len(self._waiting) == _BATCH:
            self._sign()

    def pairs(self, text_of: Callable[[int], str], watch: Callable[[], None]) -> Iterator[tuple[int, int]]:
        """Yield pairs of numbers, the earlier text first, in the order of the later.

        `text_of` returns a text again; `watch` is called now and then.
        """
        self._sign()
        if not self._done:
            return
        seen: dict[int, frozenset[str]] = {}
        for count, (later, earlier) in enumerate(_candidates(np.concatenate(self._done))):
            if count % 1024 == 0:
                watch()
            if len(seen) > 4 * _BATCH:
                seen.clear()
            sets = []
            for number in (earlier, later):
                if number not in seen:
                    seen[number] = runs_of(text_of(number))
                sets.append(seen[number])
            if likeness(*sets) >= LIKENESS:
                yield earlier, later

    def _sign(self) -> None:
        if self._waiting:
            matrix = rensa.RMinHash.digest_matrix_from_token_sets(self._waiting, _PERMUTATIONS, _SEED)
            self._done.append(np.array(matrix.to_rows(), dtype=np.uint32))
            self._waiting = []


def groups(pairs: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Map each number that is in a pair to the first of all that it hangs together with."""
    first: dict[int, int] = {}

    def root(number: int) -> int:
        while (above := first.setdefault(number, number)) != number:
            first[number] = first[above]
            number = first[number]
        return number

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        first[high] = low
    return {number: root(number) for number in first}


def repeated(pairs: Sequence[tuple[int, int]]) -> set[int]:
    """Numbers to drop so that of each pair at most one is left: those like an earlier one that stays."""
    dropped: set[int] = set()
    for earlier, later in sorted(pairs, key=lambda pair: (pair[1], pair[0])):
        if earlier not in dropped:
            dropped.add(later)
    return dropped


def _candidates(signatures: Signatures) -> list[tuple[int, int]]:
    """Pairs (later, earlier) of rows that are equal in a whole band, sorted."""
    found: set[tuple[int, int]] = set()
    for band in range(_BANDS):
        part = np.ascontiguousarray(signatures[:, band * _BAND_ROWS : (band + 1) * _BAND_ROWS])
        keys = part.view(np.dtype((np.void, part.dtype.itemsize * _BAND_ROWS))).ravel()
        _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        shared = np.flatnonzero(counts[inverse] > 1)
        order = shared[np.argsort(inverse[shared], kind="stable")]
        edges = np.flatnonzero(np.diff(inverse[order])) + 1
        for bucket in np.split(order, edges):
            rows = bucket.tolist()
            found.update((later, earlier) for earlier, later in pairwise(rows))
            found.update((row, rows[0]) for row in rows[2:])
            for step in range(2, _NEIGHBOURS + 1):
                found.update(zip(rows[step:], rows[:-step], strict=True))
    return sorted(found)
