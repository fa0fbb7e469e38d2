from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from academy_desktop.viewmodels.word_difference import Said, differences

TEXT = st.text(st.sampled_from("ab \n"), max_size=30)


@pytest.mark.parametrize(
    ("first", "second", "before", "after"),
    [
        ("", "", [], []),
        ("one two", "one two", [Said("one two")], [Said("one two")]),
        ("one two", "one  two", [Said("one two")], [Said("one  two")]),
        (
            "set a timer",
            "set the timer",
            [Said("set"), Said(" "), Said("a", "gone"), Said(" timer")],
            [Said("set"), Said(" "), Said("the", "new"), Said(" timer")],
        ),
        ("old words", "", [Said("old words", "gone")], []),
    ],
)
def test_only_words_that_differ_are_marked(
    first: str, second: str, before: list[Said], after: list[Said]
) -> None:
    assert differences(first, second) == (before, after)


@given(TEXT, TEXT)
def test_nothing_is_lost_and_what_is_marked_stands_on_one_side(first: str, second: str) -> None:
    before, after = differences(first, second)
    assert ("".join(part.text for part in before), "".join(part.text for part in after)) == (first, second)
    assert {part.tone for part in before} <= {"same", "gone"}
    assert {part.tone for part in after} <= {"same", "new"}
    same = [" ".join("".join(p.text for p in side if p.tone == "same").split()) for side in (before, after)]
    assert same[0].replace(" ", "") == same[1].replace(" ", "")
