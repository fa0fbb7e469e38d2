from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainers.defective import WORDS, garbled
from trainers.rendering.mojibake import has_mojibake, mend_mojibake


@pytest.mark.parametrize(
    "text",
    ["naïve", "it’s so", "Zoë", "“so”", "Привет, мир", "日本語", "a 🗼", "déjà vu", "1 – 2", "École", "ça"],
)
def test_what_was_misread_is_found_and_read_again(text: str) -> None:
    broken = f"before {garbled(text)} after"
    assert has_mojibake(broken)
    assert mend_mojibake(broken) == f"before {text} after"


@pytest.mark.parametrize(
    "text", [*WORDS, "“CAFÉ”", "“MAÇÃ”", "SÃO – PAULO", "Â", "5 £ or 3 €", "Ça va…", "«Ñ»"]
)
def test_what_is_meant_stays(text: str) -> None:
    assert not has_mojibake(text)
    assert mend_mojibake(text) == text


def test_a_lost_character_is_found_though_nobody_can_mend_it() -> None:
    assert has_mojibake("na�ve")
    assert mend_mojibake("na�ve") == "na�ve"


@given(st.text(st.characters(max_codepoint=0x7F)))
def test_plain_letters_are_never_touched(text: str) -> None:
    assert mend_mojibake(text) == text
