"""Rows that are nearly the same: candidates by MinHash, each verified by the true Jaccard similarity.

Two rows are near duplicates when the sets of their runs of words (see `runs`) have a Jaccard similarity of
`LIKENESS` or more. Owns finding them. Refuses to know what happens to them.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from academy_desktop.core.datasets.runs import (
    FACTORS,
    HASH_BITS,
    MOST_TEXTS,
    RUN_WORDS,
    Numbers,
    run_keys,
    run_sets,
)

#: The similarity from which on rows are near duplicates.
LIKENESS = 0.8

#: One permutation, parted into bins, of which each keeps its least hash (Li, Owen, Zhang: One Permutation
#: Hashing, 2012); bins are parted into bands. A bin agrees at least as often as the sets are similar, so a
#: pair at 0.8 is missed at most once in some five thousand times, (1 - 0.8⁴)¹⁶.
_BIN_BITS, _BANDS, _BAND_BINS = 6, 16, 4
_EMPTY = np.uint64((1 << HASH_BITS) - 1)
#: Texts and characters that are looked at together.
_BATCH_TEXTS, _BATCH_CHARACTERS = 1024, 1 << 20
#: Runs that are compared together.
_BATCH_RUNS = 1 << 19
#: The latest rows of a bucket that a row is held against: chains of likeness stay whole, work stays linear.
_NEIGHBOURS = 4
#: Two rows in one number.
_ROW_BITS, _ROW_MASK = np.uint64(32), np.uint64(0xFFFFFFFF)
#: Just under the largest block that glibc takes a hint from.
_HINT_BYTES = 31 << 20


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


def sketch(texts: Sequence[str]) -> Numbers:
    """What rows are found by: one number per band, shape (texts, bands); 0 for a band without a run."""
    parts = [_bands(run_keys(texts[start:end]), end - start) for start, end in _batches(texts)]
    return np.concatenate(parts) if parts else np.empty((0, _BANDS), np.uint64)


def keep_freed_memory() -> None:
    """Let the C library keep what is freed for the next batch.

    glibc gives it back to the system, and having it again cost a third of the time. It raises its limits when
    a large block is freed, which need not be touched for that (mallopt(3), M_MMAP_THRESHOLD).
    """
    np.empty(_HINT_BYTES, np.uint8)


class NearFinder:
    """Takes texts, or their sketches, then tells which are alike. Keeps 128 bytes of each text.

    Works in threads beside the caller's; `close` ends them.
    """

    def __init__(self) -> None:
        keep_freed_memory()
        self._waiting: list[str] = []
        self._characters = 0
        self._count = os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(self._count)
        self._begun: deque[Future[Numbers]] = deque()
        self._done: list[Numbers] = []

    def add(self, text: str) -> None:
        """Take the next text."""
        self._waiting.append(text)
        self._characters += len(text)
        if len(self._waiting) == _BATCH_TEXTS or self._characters > _BATCH_CHARACTERS:
            self._sketch()

    def add_sketches(self, sketches: Numbers) -> None:
        """Take the next texts as `sketch` made them."""
        self._finish()
        self._done.append(sketches)

    def pairs(self, text_of: Callable[[int], str], watch: Callable[[], None]) -> Iterator[tuple[int, int]]:
        """Yield pairs of numbers, the earlier text first, in the order of the later.

        `text_of` returns a text again; `watch` is called now and then.
        """
        self._finish()
        if not self._done:
            return
        later, earlier = self._candidates(np.concatenate(self._done), watch)
        begun: deque[tuple[slice, Future[NDArray[np.bool_]]]] = deque()
        for start in range(0, len(later), _BATCH_TEXTS):
            watch()
            some = slice(start, start + _BATCH_TEXTS)
            numbers, places = np.unique(np.concatenate([later[some], earlier[some]]), return_inverse=True)
            texts = [text_of(number) for number in numbers.tolist()]
            begun.append((some, self._threads.submit(_are_alike, texts, places)))
            if len(begun) > self._count:
                yield from _chosen(later, earlier, *begun.popleft())
        for one in begun:
            yield from _chosen(later, earlier, *one)

    def close(self) -> None:
        """End the threads; what they have begun is given up."""
        self._threads.shutdown(cancel_futures=True)

    def _candidates(
        self, sketches: Numbers, watch: Callable[[], None]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows (later, earlier) that are equal in a whole band, sorted."""
        bands = (sketches[:, band] for band in range(_BANDS))
        found = np.empty(0, np.uint64)
        begun: deque[Future[Numbers]] = deque()
        for band in bands:
            watch()
            begun.append(self._threads.submit(_equal, band))
            if len(begun) > self._count:
                found = np.union1d(found, begun.popleft().result())
        for one in begun:
            found = np.union1d(found, one.result())
        return (found >> _ROW_BITS).astype(np.intp), (found & _ROW_MASK).astype(np.intp)

    def _sketch(self) -> None:
        if self._waiting:
            self._begun.append(self._threads.submit(sketch, self._waiting))
            self._waiting, self._characters = [], 0
        while len(self._begun) > self._count:
            self._done.append(self._begun.popleft().result())

    def _finish(self) -> None:
        self._sketch()
        self._done += [one.result() for one in self._begun]
        self._begun.clear()


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


def _batches(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Parts of texts that fit into memory side by side."""
    start = characters = 0
    for place, text in enumerate(texts):
        characters += len(text)
        if place - start == MOST_TEXTS - 1 or characters > _BATCH_CHARACTERS:
            yield start, place + 1
            start, characters = place + 1, 0
    if start < len(texts):
        yield start, len(texts)


def _bands(keys: Numbers, count: int) -> Numbers:
    """The bands of so many texts: the least run of each bin, some bins hashed together."""
    bins = (keys >> np.uint64(HASH_BITS - _BIN_BITS)).view(np.int64)
    first = np.flatnonzero(bins[1:] != bins[:-1]) + 1
    least = np.full(count << _BIN_BITS, _EMPTY)
    least[bins[0]] = keys[0] & _EMPTY
    least[bins[first]] = keys[first] & _EMPTY
    banded = least.reshape(-1, _BAND_BINS, _BANDS)
    hashes: Numbers = banded[:, 0] * FACTORS[0]
    for place in range(1, _BAND_BINS):
        hashes ^= hashes >> np.uint64(31)
        hashes += banded[:, place] * FACTORS[place]
    hashes ^= hashes >> np.uint64(29)
    hashes *= FACTORS[0]
    hashes[(banded == _EMPTY).all(axis=1)] = 0
    return hashes


def _equal(hashes: Numbers) -> Numbers:
    """Pairs that are equal in a band: the later row above the earlier one in each number; sorted."""
    row_bits = np.uint64(max(len(hashes) - 1, 1).bit_length())
    row_mask = (np.uint64(1) << row_bits) - np.uint64(1)
    rows = np.flatnonzero(hashes).astype(np.uint64)
    order = np.sort((hashes[rows] & ~row_mask) | rows)
    numbers, buckets = order & row_mask, order >> row_bits
    found = [np.empty(0, np.uint64)]
    for step in range(1, _NEIGHBOURS + 1):
        same = np.flatnonzero(buckets[step:] == buckets[:-step]) + step
        if not len(same):
            return np.unique(np.concatenate(found))
        found.append((numbers[same] << _ROW_BITS) | numbers[same - step])
    repeats = np.append(False, buckets[1:] == buckets[:-1])
    begins = np.maximum.accumulate(np.where(repeats, 0, np.arange(len(order))))
    far = np.flatnonzero(np.arange(len(order)) - begins > _NEIGHBOURS)
    found.append((numbers[far] << _ROW_BITS) | numbers[begins[far]])
    return np.unique(np.concatenate(found))


def _chosen(
    later: NDArray[np.intp], earlier: NDArray[np.intp], some: slice, alike: Future[NDArray[np.bool_]]
) -> Iterator[tuple[int, int]]:
    chosen = alike.result()
    return zip(earlier[some][chosen].tolist(), later[some][chosen].tolist(), strict=True)


def _are_alike(texts: Sequence[str], places: NDArray[np.intp]) -> NDArray[np.bool_]:
    """For each pair of texts, whether the true similarity is high enough.

    The first half of `places` says which text is the one of each pair, the second half which is the other.
    """
    parts = [run_sets(texts[start:end]) for start, end in _batches(texts)]
    runs = np.concatenate([part.keys & _EMPTY for part in parts])
    sizes = np.concatenate([np.diff(part.ends) for part in parts])
    begins = np.cumsum(sizes) - sizes
    one, other = np.split(places, 2)
    both = np.cumsum(sizes[one] + sizes[other])
    alike = np.zeros(len(one), bool)
    start = 0
    while start < len(one):
        before = int(both[start - 1]) if start else 0
        end = max(int(np.searchsorted(both, before + _BATCH_RUNS)), start + 1)
        alike[start:end] = _shared(runs, begins, sizes, one[start:end], other[start:end])
        start = end
    return alike


def _shared(
    runs: Numbers,
    begins: NDArray[np.intp],
    sizes: NDArray[np.intp],
    one: NDArray[np.intp],
    other: NDArray[np.intp],
) -> NDArray[np.bool_]:
    """Whether the sets `one` and `other` of each pair share enough."""
    sets = np.concatenate([one, other])
    counts = sizes[sets]
    inside = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    pair = np.tile(np.arange(len(one), dtype=np.uint64), 2) << np.uint64(HASH_BITS)
    keys = np.sort(np.repeat(pair, counts) | runs[np.repeat(begins[sets], counts) + inside])
    twice = keys[1:][keys[1:] == keys[:-1]] >> np.uint64(HASH_BITS)
    shared = np.bincount(twice.astype(np.intp), minlength=len(one))
    together: NDArray[np.intp] = sizes[one] + sizes[other] - shared
    enough: NDArray[np.bool_] = shared >= LIKENESS * together
    return enough
