"""Texts as sets of word runs, by number: what two texts share can then be counted for thousands at a time.

A run is `RUN_WORDS` words in a row, letter case aside; a shorter text is one run. Of a run stand the upper
48 bits of a hash, the same on every machine. Owns the way from text to numbers. Refuses to know likeness.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RUN_WORDS = 3

#: Bits of a run's hash; above them stands the number of its text in the batch.
HASH_BITS = 48
#: The most texts of a batch.
MOST_TEXTS = 1 << (64 - HASH_BITS)

Numbers = NDArray[np.uint64]

#: Odd multipliers that spread bits.
FACTORS = np.array(
    [0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93], np.uint64
)

_WORD_BYTES = 8
#: Longer words are hashed one by one.
_LONGEST_WORD = 8 * _WORD_BYTES
#: For each number of bytes, what of a word's eight bytes belongs to it.
_MASKS = np.array([(1 << 8 * count) - 1 for count in range(_WORD_BYTES + 1)], np.uint64)
_HALF = np.uint64(32)


@dataclass(frozen=True)
class RunSets:
    """The sets of some texts: `keys` in order, each once, a text's number above its run's hash.

    `ends` has one entry more than there are texts: the runs of text `n` are `keys[ends[n]:ends[n + 1]]`.
    """

    keys: Numbers
    ends: NDArray[np.intp]


def run_keys(texts: Sequence[str]) -> Numbers:
    """The runs of up to `MOST_TEXTS` texts in order, each text's number above the hash; some twice."""
    words, ends = _words([_plain(text) for text in texts])
    keys = np.concatenate(_runs(words, ends))
    keys.sort()
    return keys


def run_sets(texts: Sequence[str]) -> RunSets:
    """The sets of runs of up to `MOST_TEXTS` texts."""
    keys = run_keys(texts)
    fresh = np.empty(len(keys), bool)
    fresh[:1] = True
    np.not_equal(keys[1:], keys[:-1], out=fresh[1:])
    keys = keys[fresh]
    firsts = np.arange(len(texts) + 1, dtype=np.uint64) << np.uint64(HASH_BITS)
    places = np.searchsorted(keys, firsts[:-1])
    return RunSets(keys, np.append(places, len(keys)).astype(np.intp))


def _plain(text: str) -> bytes:
    """A text in bytes that only ASCII spaces part."""
    text = text.casefold()
    if not text.isascii():
        text = " ".join(text.split())
    return text.encode("utf-8", "surrogatepass")


def _words(texts: Sequence[bytes]) -> tuple[Numbers, NDArray[np.intp]]:
    """Hashes of all words, and where each text's words end."""
    joined = b"\n".join(texts) + b"\n" * _WORD_BYTES
    content = np.frombuffer(joined, np.uint8)
    parts = _spaces(content)
    edges = np.flatnonzero(parts[1:] != parts[:-1]) + 1
    if not parts[0]:
        edges = np.concatenate([np.zeros(1, edges.dtype), edges])
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    text_ends = np.cumsum(np.fromiter(map(len, texts), np.intp, len(texts)) + 1)
    return _hashed(joined, starts, lengths), np.searchsorted(starts, text_ends)


def _spaces(content: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which bytes part words, as `str.split` has it in ASCII: 9 to 13 and 28 to 32."""
    after_tab = content - np.uint8(9)  # wraps around
    found: NDArray[np.bool_] = after_tab <= 4
    found |= content - np.uint8(28) <= 4
    return found


def _hashed(joined: bytes, starts: NDArray[np.intp], lengths: NDArray[np.intp]) -> Numbers:
    """Hash words eight bytes at a time."""
    window = np.ndarray(len(joined) - _WORD_BYTES + 1, "<u8", joined, strides=(1,))
    hashes = (window[starts] & _MASKS[np.minimum(lengths, _WORD_BYTES)]).astype(np.uint64)
    hashes = _mixed(hashes)
    hashes += lengths.astype(np.uint64) * FACTORS[1]  # a shorter word may have the same bytes but for zeros
    for done in range(_WORD_BYTES, _LONGEST_WORD, _WORD_BYTES):
        longer = np.flatnonzero(lengths > done)
        if not len(longer):
            return hashes
        part = window[starts[longer] + done] & _MASKS[np.minimum(lengths[longer] - done, _WORD_BYTES)]
        hashes[longer] = _mixed(hashes[longer] ^ part)
    for place in np.flatnonzero(lengths > _LONGEST_WORD).tolist():
        word = joined[starts[place] : starts[place] + lengths[place]]
        hashes[place] = int.from_bytes(hashlib.blake2b(word, digest_size=8).digest(), "little")
    return hashes


def _mixed(numbers: Numbers) -> Numbers:
    numbers = numbers * FACTORS[0]
    numbers ^= numbers >> _HALF
    return numbers


def _runs(words: Numbers, ends: NDArray[np.intp]) -> list[Numbers]:
    """Keys of the runs of long texts, and of short texts, in no order."""
    begins = np.concatenate([np.zeros(1, np.intp), ends[:-1]])
    counts = ends - begins
    texts = np.arange(len(ends), dtype=np.uint64) << np.uint64(HASH_BITS)
    drop = np.uint64(64 - HASH_BITS)
    placed = [words * factor for factor in FACTORS[1:]]
    short = np.flatnonzero(counts < RUN_WORDS)
    few = counts[short].astype(np.uint64)
    whole = few * FACTORS[0]
    for place in range(RUN_WORDS - 1):
        there = few > place
        whole[there] += placed[place][begins[short][there] + place]
    found = [texts[short] | (_mixed(whole) >> drop)]
    if len(words) >= RUN_WORDS:
        runs = placed[0][:-2] + placed[1][1:-1]
        runs += placed[2][2:]
        keys = np.repeat(texts, counts)[:-2] | (_mixed(runs) >> drop)
        inside = np.ones(len(words), bool)
        inside[ends[counts > 0] - 1] = False
        inside[ends[counts > 1] - 2] = False
        found.append(keys[inside[:-2]])
    return found
