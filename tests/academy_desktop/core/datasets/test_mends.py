from __future__ import annotations

import random
from typing import Any

import pytest

from academy_desktop.core.datasets.mends import can_mend, mend, mend_pair, mend_text
from tests.trainers.defective import SEEDS, SPECIALS, garbled, write_model
from trainers.rendering import Renderer
from trainers.rendering.defects import DefectCode, Inspector


def said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


TALK = [said("user", "a"), said("assistant", "b")]


@pytest.mark.parametrize("template", list(SEEDS))
def test_what_can_be_mended_is_sound_afterwards(
    template: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    renderer = Renderer.load(write_model(tmp_path_factory.mktemp("m") / "model", template))
    inspector = Inspector(renderer, 400)
    mended = 0
    for make in SEEDS[template][1].values():
        for seed in range(12):
            turns = make(random.Random(seed))
            codes = [one.code for one in inspector.inspect(turns)[1]]
            if any(map(can_mend, codes)):
                better = mend(turns, codes, renderer.special_texts)
                left = inspector.inspect(better)[1] if better is not None else ()
                assert not [one for one in left if can_mend(one.code)]
                mended += 1
    assert mended


def test_nothing_else_changes() -> None:
    assert mend(TALK, [], SPECIALS) == TALK
    assert mend(TALK, ["answer_truncated", "turn_not_located"], SPECIALS) == TALK


def test_letters_are_read_again() -> None:
    broken = [said("user", garbled("naïve")), said("assistant", "ok")]
    assert mend(broken, [DefectCode.MOJIBAKE], SPECIALS) == [said("user", "naïve"), said("assistant", "ok")]


def test_special_tokens_go_until_none_is_left() -> None:
    turns = [said("user", "x <|im<|im_end|>_end|> y"), said("assistant", "b")]
    mended = mend(turns, [DefectCode.SPECIAL_TOKEN_IN_TEXT], SPECIALS)
    assert mended == [said("user", "x  y"), said("assistant", "b")]


def test_an_empty_turn_takes_its_partner_with_it() -> None:
    for hole in ([said("user", " "), said("assistant", "b")], [said("user", "a"), said("assistant", "")]):
        assert mend([*hole, *TALK], [DefectCode.EMPTY_TURN], SPECIALS) == TALK


def test_the_system_turn_moves_into_the_first_question() -> None:
    mended = mend([said("system", "Be kind."), *TALK], [DefectCode.SYSTEM_SWALLOWED], SPECIALS)
    assert mended == [said("user", "Be kind.\n\na"), said("assistant", "b")]


def test_turns_of_one_speaker_are_joined_and_the_system_turn_leads() -> None:
    turns = [said("assistant", "Hi"), said("user", "a"), said("user", "c"), said("system", "s"), TALK[1]]
    mended = mend(turns, [DefectCode.ROLES_OUT_OF_ORDER], SPECIALS)
    assert mended == [said("system", "s"), said("user", "a\n\nc"), TALK[1]]


def test_calls_are_written_into_the_answer() -> None:
    call = {"type": "function", "function": {"name": "look_up", "arguments": '{"word": "é"}'}}
    turns: list[dict[str, Any]] = [
        said("user", "a"),
        {**said("assistant", ""), "tool_calls": [call]},
        {**said("tool", "found"), "tool_call_id": "1"},
        said("assistant", "b"),
    ]
    assert mend(turns, [DefectCode.TOOL_CALLS_NOT_RENDERED], SPECIALS) == [
        said("user", "a"),
        said("assistant", '{"name": "look_up", "arguments": {"word": "é"}}'),
        said("user", "found"),
        said("assistant", "b"),
    ]


def test_a_row_without_an_answer_is_left_out() -> None:
    assert mend(TALK[:1], [DefectCode.NO_ASSISTANT_TURN], SPECIALS) is None


def test_of_a_pair_both_answers_are_mended_and_stay_a_pair() -> None:
    asked = [said("system", "Be brief"), said("user", "naÃ¯ve?")]
    chosen, rejected = [said("assistant", "A naÃ¯ve one")], [said("assistant", "No <|im_end|>idea")]
    codes = [DefectCode.MOJIBAKE, DefectCode.SPECIAL_TOKEN_IN_TEXT, DefectCode.SYSTEM_SWALLOWED]
    assert mend_pair(asked, chosen, rejected, codes, SPECIALS) == (
        [said("user", "Be brief\n\nnaïve?")],
        [said("assistant", "A naïve one")],
        [said("assistant", "No idea")],
    )


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [
        ([said("assistant", "Same<|im_end|>")], [said("assistant", "Same")]),  # no pair any more
        ([said("assistant", "")], [said("assistant", "No")]),  # an answer less
    ],
)
def test_a_pair_that_is_none_any_more_is_left_out(
    chosen: list[dict[str, str]], rejected: list[dict[str, str]]
) -> None:
    codes = [DefectCode.SPECIAL_TOKEN_IN_TEXT, DefectCode.EMPTY_TURN]
    assert mend_pair([said("user", "a")], chosen, rejected, codes, SPECIALS) is None


def test_a_text_is_mended_or_left_out() -> None:
    codes = [DefectCode.MOJIBAKE, DefectCode.SPECIAL_TOKEN_IN_TEXT]
    assert mend_text("naÃ¯ve <|im_end|>", codes, SPECIALS) == "naïve "
    assert mend_text("<|im_end|>", codes, SPECIALS) is None
