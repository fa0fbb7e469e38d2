from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from academy_desktop.core.datasets.quality import FEW_ROWS, MIN_CHARACTERS, Profile, flaw, prompt_key, row_key
from academy_desktop.core.datasets.reasons import Reason
from academy_desktop.core.datasets.rows import Messages

ROLES = ("system", "user", "assistant")
CONVERSATIONS = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(ROLES), "content": st.text(max_size=12)}), max_size=6
)


def fault(messages: Messages, profile: Profile) -> Reason | None:
    return flaw({"messages": messages}, profile)


def row(messages: Messages) -> bytes:
    return row_key({"messages": messages})


def prompt(messages: Messages) -> bytes:
    return prompt_key({"messages": messages})


def talk(*contents: str, system: str | None = None) -> Messages:
    turns: Messages = [
        {"role": ("user", "assistant")[number % 2], "content": content}
        for number, content in enumerate(contents)
    ]
    return ([{"role": "system", "content": system}] if system is not None else []) + turns


@given(CONVERSATIONS)
def test_what_is_kept_begins_with_the_user_alternates_and_ends_with_an_answer(messages: Messages) -> None:
    if fault(messages, Profile.BALANCED) is not None:
        return
    turns = messages[1:] if messages[0]["role"] == "system" else messages
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * (len(turns) // 2)
    assert turns
    assert all(turn["content"].strip() for turn in turns)


@given(CONVERSATIONS)
def test_a_stricter_profile_never_keeps_more(messages: Messages) -> None:
    verdicts = [fault(messages, profile) for profile in (Profile.LENIENT, Profile.BALANCED, Profile.STRICT)]
    kept = [verdict is None for verdict in verdicts]
    assert kept == sorted(kept, reverse=True)


@pytest.mark.parametrize("profile", list(Profile))
def test_the_shortest_turn_that_a_profile_keeps(profile: Profile) -> None:
    least = MIN_CHARACTERS[profile]
    long = "a" * 20
    assert fault(talk(long, "b" * least), profile) is None
    assert fault(talk("b" * least, long), profile) is None
    assert fault(talk(long, f" {'b' * (least - 1)} \n"), profile) in {Reason.TOO_SHORT, Reason.EMPTY_ANSWER}
    assert fault(talk(f"{'b' * (least - 1)}\t", long), profile) in {Reason.TOO_SHORT, Reason.EMPTY_PROMPT}


def test_characters_count_not_bytes() -> None:
    assert fault(talk("漢字" * 5, "é" * 10), Profile.STRICT) is None
    assert fault(talk("漢字" * 4, "é" * 10), Profile.STRICT) is Reason.TOO_SHORT


def test_a_system_message_may_be_short_or_empty_but_not_alone() -> None:
    assert fault(talk("a" * 10, "b" * 10, system=""), Profile.STRICT) is None
    assert fault(talk(system="Be brief."), Profile.STRICT) is Reason.EMPTY_PROMPT
    assert fault([*talk(system="a"), *talk("b", "c", system="d")], Profile.LENIENT) is Reason.BAD_ROLES


def test_an_empty_turn_is_told_before_a_short_one() -> None:
    assert fault(talk("short", " "), Profile.STRICT) is Reason.TOO_SHORT
    assert fault(talk(" ", "short"), Profile.STRICT) is Reason.EMPTY_PROMPT
    assert fault(talk("a" * 10, "b" * 10, "c" * 10, ""), Profile.STRICT) is Reason.EMPTY_ANSWER


@pytest.mark.parametrize("place", [0, 1, 2])
def test_half_of_a_surrogate_pair_anywhere_cannot_be_kept(place: int) -> None:
    messages = talk("ask", "answer", system="system")
    messages[place]["content"] += "\ud83d"
    assert fault(messages, Profile.LENIENT) is Reason.UNPARSABLE


@given(CONVERSATIONS, CONVERSATIONS)
def test_row_keys_are_equal_for_equal_rows_only(one: Messages, other: Messages) -> None:
    assert (row(one) == row(other)) == (one == other)
    assert len(row(one)) == len(prompt(one)) == 16


def test_fields_cannot_run_into_each_other() -> None:
    one = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    other = [{"role": "user", "content": "auser:1:b"}]
    assert row(one) != row(other)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (("Why?", "a"), ("why?", "b"), True),
        (("Why  is\nit?", "a"), (" why is it? ", "a"), True),
        (("STRASSE", "a"), ("straße", "a"), True),
        (("Why?", "a"), ("Why", "a"), False),
        (("a", "b", "c", "d"), ("a", "b", "c", "e"), True),
        (("a", "b", "c", "d"), ("a", "x", "c", "d"), False),
        (("a", "b", "c", "d"), ("c", "d"), False),
    ],
)
def test_prompt_keys_are_equal_for_what_asks_the_same(
    one: tuple[str, ...], other: tuple[str, ...], equal: bool
) -> None:
    assert (prompt(talk(*one)) == prompt(talk(*other))) is equal


def test_another_system_message_asks_something_else() -> None:
    assert prompt(talk("a", "b", system="Be brief.")) != prompt(talk("a", "b"))


def test_every_profile_has_its_numbers() -> None:
    assert set(MIN_CHARACTERS) == set(FEW_ROWS) == set(Profile)
