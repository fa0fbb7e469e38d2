from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from academy_desktop.core.datasets.dialogues import is_dialogue, read_dialogue
from academy_desktop.core.datasets.reasons import Reason

ASKED = {"role": "user", "content": "Why?"}
ANSWERED = {"role": "assistant", "content": "Because.\n\nReally."}
SYSTEM = {"role": "system", "content": "Be brief."}
CHATML = (
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n"
    "<|im_start|>assistant\nBecause.\n\nReally.<|im_end|>"
)


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        (CHATML, [SYSTEM, ASKED, ANSWERED]),
        (f"\n{CHATML}\n<|im_start|>assistant\n", [SYSTEM, ASKED, ANSWERED]),
        (CHATML.removesuffix("<|im_end|>"), [SYSTEM, ASKED, ANSWERED]),
        ("\n\nHuman: Why?\n\nAssistant: Because.\n\nReally.", [ASKED, ANSWERED]),
        ("Human: Why?\n\nAssistant:", [ASKED]),
        ("### Human: Why?### Assistant: Because.\n\nReally.", [ASKED, ANSWERED]),
        ("<|im_start|>user", Reason.WRONG_TYPE),
        ("<|im_start|>user\nWhy?<|im_end|> and more", Reason.WRONG_TYPE),
        ("<|im_start|>narrator\nOnce.<|im_end|>", Reason.BAD_ROLES),
        ("Once there was a Human: Why?\n\nAssistant: x", Reason.WRONG_TYPE),
    ],
)
def test_a_conversation_in_one_text(text: str, turns: object) -> None:
    assert read_dialogue(text) == turns


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (CHATML, True),
        ("\n\nHuman: Why?\n\nAssistant: So.", True),
        ("### Human: Why?### Assistant: So.", True),
        ("Human: an essay on what makes us so.", False),
        ("He wrote <|im_start|>user, and was surprised.", False),
        ("", False),
        (3, False),
    ],
)
def test_only_what_begins_with_a_speaker_is_one(text: object, is_one: bool) -> None:
    assert is_dialogue(text) is is_one


@given(st.text(alphabet="<|im_startend>\nHuman: Assistant#user", max_size=200))
def test_whatever_stands_there_gives_turns_or_a_reason(text: str) -> None:
    turns = read_dialogue(text)
    assert isinstance(turns, Reason) or all(turn["role"] and "content" in turn for turn in turns)
