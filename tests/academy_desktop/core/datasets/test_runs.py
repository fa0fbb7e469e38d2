from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from academy_desktop.core.datasets.near import runs_of
from academy_desktop.core.datasets.runs import HASH_BITS, run_sets

WORDS = st.sampled_from(
    [
        "a",
        "A",
        "b",
        "straße",
        "STRASSE",
        "漢字",
        "abcdefgh",
        "abcdefghi",
        "long" * 5,
        "x" * 65,
        "x" * 66,
        "\x00",
    ]
)
SPACES = st.sampled_from([" ", "  ", "\n", "\t", "\x1f", "\u00a0", "\u3000", "\x85"])
TEXTS = st.lists(WORDS | SPACES, max_size=25).map("".join) | st.text(max_size=20)


@example(["b", "a\x00"])
@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_numbers_stand_for_the_same_runs_as_words_do(texts: list[str]) -> None:
    sets = run_sets(texts)
    hashes = [
        frozenset((sets.keys[start:end] & np.uint64((1 << HASH_BITS) - 1)).tolist())
        for start, end in zip(sets.ends, sets.ends[1:], strict=False)
    ]
    runs = list(map(runs_of, texts))
    assert list(map(len, hashes)) == list(map(len, runs))
    for one, its_runs in zip(hashes, runs, strict=True):
        for other, other_runs in zip(hashes, runs, strict=True):
            assert len(one & other) == len(its_runs & other_runs)


def test_numbers_are_the_same_everywhere() -> None:
    assert [hex(number) for number in run_sets(["One two three four", "one"]).keys.tolist()] == [
        "0x2632b084817b",
        "0x69b5a81468cf",
        "0x1c9b77afbc26a",
    ]
