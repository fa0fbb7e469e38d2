from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from academy_desktop.core.datasets.forms import Detection, Form, convert, detect, field_names
from academy_desktop.core.datasets.quality import Profile, flaw, prompt_key, row_key
from academy_desktop.core.datasets.readers import Record
from academy_desktop.core.datasets.reasons import Reason
from academy_desktop.core.datasets.rows import Content, conversations
from trainers.errors import AcademyError, ErrorCode

ASKED = {"role": "user", "content": "Why?"}
ANSWERED = {"role": "assistant", "content": "Because."}
SYSTEM = {"role": "system", "content": "Be brief."}


def found(*rows: object, form: Form | None = None, mapping: dict[str, str] | None = None) -> Detection:
    return detect([Record(number, row) for number, row in enumerate(rows, 1)], "a.json", form, mapping)


def refused(*rows: object, form: Form | None = None, mapping: dict[str, str] | None = None) -> AcademyError:
    with pytest.raises(AcademyError) as caught:
        found(*rows, form=form, mapping=mapping)
    return caught.value


@pytest.mark.parametrize(
    ("row", "form", "messages"),
    [
        ({"instruction": "Why?", "input": "", "output": "Because."}, Form.ALPACA, [ASKED, ANSWERED]),
        ({"instruction": "Why?", "output": "Because."}, Form.ALPACA, [ASKED, ANSWERED]),
        (
            {"instruction": "Sum up", "context": "A text", "response": "It", "category": "x"},
            Form.DOLLY,
            [{"role": "user", "content": "Sum up\n\nA text"}, {"role": "assistant", "content": "It"}],
        ),
        (
            {"instruction": "Why?", "output": "Because.", "system": "Be brief."},
            Form.ALPACA,
            [SYSTEM, ASKED, ANSWERED],
        ),
        ({"messages": [SYSTEM, ASKED, ANSWERED]}, Form.MESSAGES, [SYSTEM, ASKED, ANSWERED]),
        (
            {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "Because."}]},
            Form.SHAREGPT,
            [ASKED, ANSWERED],
        ),
        ({"system": "Be brief.", "messages": [ASKED, ANSWERED]}, Form.MESSAGES, [SYSTEM, ASKED, ANSWERED]),
        ({"prompt": "Why?", "completion": "Because."}, Form.PROMPT_COMPLETION, [ASKED, ANSWERED]),
        ({"prompt": "Why?", "response": "Because."}, Form.PROMPT_COMPLETION, [ASKED, ANSWERED]),
        ({"Question ": "Why?", "Answer": "Because.", "n": 3}, Form.QUESTION_ANSWER, [ASKED, ANSWERED]),
        (
            {"text": "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nBecause.<|im_end|>\n"},
            Form.DIALOGUE,
            [ASKED, ANSWERED],
        ),
        ({"text": "\n\nHuman: Why?\n\nAssistant: Because.", "system": ""}, Form.DIALOGUE, [ASKED, ANSWERED]),
    ],
)
def test_every_form_is_told_and_converted(row: dict[str, Any], form: Form, messages: list[object]) -> None:
    detection = found(row)
    assert (detection.form, detection.confidence) == (form, 1.0)
    assert convert(row, detection) == {"messages": messages}


def test_confidence_is_the_share_of_rows_that_fit() -> None:
    rows = [{"question": "a", "answer": "b"}] * 3 + [{"question": "a"}]
    assert found(*rows).confidence == 0.75
    assert found(*rows, 3, None).confidence == 0.75


@pytest.mark.parametrize("row", [{"words": "Lorem"}, {"conversation_id": 1, "chosen": {}}, {"prompt": "a"}])
def test_an_unknown_form_names_the_columns(row: dict[str, Any]) -> None:
    error = refused(row)
    assert error.code is ErrorCode.FORM_UNKNOWN
    assert error.facts["columns"] == ", ".join(row)


def test_a_mapping_names_the_columns() -> None:
    row = {"frage": "Why?", "antwort": "Because."}
    mapping = {"question": "frage", "answer": "antwort"}
    detection = found(row, mapping=mapping)
    assert (detection.form, detection.mapping) == (Form.QUESTION_ANSWER, mapping)
    assert convert(row, detection) == {"messages": [ASKED, ANSWERED]}


def test_a_field_mapped_to_no_column_is_left_out() -> None:
    row = {"instruction": "Why?", "input": "is it so", "output": "Because."}
    detection = found(row, mapping={"input": ""})
    assert detection.mapping == {"instruction": "instruction", "output": "output"}
    assert convert(row, detection) == {"messages": [ASKED, ANSWERED]}


def test_pairs_of_whole_conversations_in_one_text_share_their_beginning() -> None:
    shared = "\n\nHuman: Hi\n\nAssistant: Hello!\n\nHuman: Why?\n\nAssistant:"
    row = {"chosen": f"{shared} Because.", "rejected": f"{shared} Go\n\naway."}
    detection = found(row)
    assert (detection.form, detection.confidence) == (Form.PREFERENCE, 1.0)
    assert convert(row, detection) == {
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}, ASKED],
        "chosen": [ANSWERED],
        "rejected": [{"role": "assistant", "content": "Go\n\naway."}],
    }
    apart = {"prompt": shared, "chosen": " Because.", "rejected": " No."}
    read = convert(apart, found(apart))
    assert not isinstance(read, Reason)
    assert read["messages"][-1] == ASKED


def test_a_text_that_only_mentions_speakers_stays_a_text() -> None:
    row = {"text": "Human: an essay."}
    assert found(row).form is Form.TEXT


def test_a_mapping_to_a_column_that_is_not_there() -> None:
    error = refused({"frage": "a"}, mapping={"question": "farge"})
    assert error.code is ErrorCode.MAPPING_INVALID
    assert error.facts == {"path": "a.json", "field": "question", "column": "farge", "known": "frage"}


@pytest.mark.parametrize("form", [None, Form.ALPACA])
def test_a_mapping_of_a_field_that_is_not_there(form: Form | None) -> None:
    error = refused({"frage": "a"}, form=form, mapping={"questoin": "frage"})
    assert error.code is ErrorCode.MAPPING_INVALID
    assert error.facts["field"] == "questoin"
    assert set(field_names(Form.ALPACA)) <= set(str(error.facts["known"]).split(", "))


def test_a_named_form_is_believed() -> None:
    detection = found({"prompt": "a"}, form=Form.QUESTION_ANSWER)
    assert (detection.form, detection.confidence) == (Form.QUESTION_ANSWER, 0.0)
    assert convert({"prompt": "a"}, detection) is Reason.MISSING_FIELD


def turns(*roles: str) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": f"{role} says something"} for role in roles]}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("text", Reason.NOT_AN_OBJECT),
        (None, Reason.NOT_AN_OBJECT),
        ({"question": "a", "answer": "b"}, Reason.MISSING_FIELD),
        ({"messages": None}, Reason.MISSING_FIELD),
        ({"messages": "a"}, Reason.WRONG_TYPE),
        ({"messages": ["a"]}, Reason.WRONG_TYPE),
        ({"messages": [{"role": "user"}]}, Reason.MISSING_FIELD),
        ({"messages": [{"role": "user", "content": 3}]}, Reason.WRONG_TYPE),
        ({"messages": [{"role": 3, "content": "a"}]}, Reason.WRONG_TYPE),
        ({"messages": [ASKED, ANSWERED], "system": 3}, Reason.WRONG_TYPE),
        ({"messages": []}, Reason.EMPTY_PROMPT),
        ({"messages": [SYSTEM]}, Reason.EMPTY_PROMPT),
        (turns("user", "tool"), Reason.BAD_ROLES),
        (turns("assistant", "user"), Reason.BAD_ROLES),
        (turns("user"), Reason.BAD_ROLES),
        (turns("user", "user", "assistant"), Reason.BAD_ROLES),
        (turns("user", "assistant", "user"), Reason.BAD_ROLES),
        (turns("user", "system", "assistant"), Reason.BAD_ROLES),
        ({"messages": [ASKED, {"role": "assistant", "content": " \n"}]}, Reason.EMPTY_ANSWER),
        ({"messages": [{"role": "user", "content": ""}, ANSWERED]}, Reason.EMPTY_PROMPT),
        ({"messages": [ASKED, {"role": "assistant", "content": "\ud800"}]}, Reason.UNPARSABLE),
        ({"messages": [ASKED, ANSWERED]}, None),
        (turns("system", "user", "assistant", "user", "assistant"), None),
    ],
)
def test_rows_are_dropped_for_a_reason(row: object, reason: Reason | None) -> None:
    detection = Detection(Form.MESSAGES, {"messages": "messages", "system": "system"}, 1.0)
    messages = convert(row, detection)
    verdict = messages if isinstance(messages, Reason) else flaw(messages, Profile.BALANCED)
    assert verdict == reason


@pytest.mark.parametrize("value", [3, ["b"], {"a": 1}, True])
def test_a_field_of_another_type(value: object) -> None:
    detection = Detection(Form.QUESTION_ANSWER, {"question": "question", "answer": "answer"}, 1.0)
    assert convert({"question": "a", "answer": value}, detection) is Reason.WRONG_TYPE


def test_only_the_strict_profile_asks_for_ten_characters() -> None:
    answered = {"role": "assistant", "content": "0123456789"}
    assert flaw({"messages": [ASKED, answered]}, Profile.LENIENT) is None
    assert flaw({"messages": [ASKED, answered]}, Profile.BALANCED) is None
    assert flaw({"messages": [ASKED, answered]}, Profile.STRICT) is Reason.TOO_SHORT
    long = {"role": "user", "content": "9876543210"}
    assert flaw({"messages": [long, answered]}, Profile.STRICT) is None


def test_equal_prompts_are_told_whatever_their_case_and_spacing() -> None:
    loud: Content = {
        "messages": [{"role": "user", "content": " WHY?\n"}, {"role": "assistant", "content": "No."}]
    }
    calm: Content = {"messages": [ASKED, ANSWERED]}
    assert prompt_key(loud) == prompt_key(calm)
    assert row_key(loud) != row_key(calm)


CALL = {"name": "find", "arguments": {"what": "soup"}}
FIND = {"name": "find", "parameters": {"type": "object"}}
CALLING = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": CALL}]}
OTHER = {"role": "assistant", "content": "No idea."}


@pytest.mark.parametrize(
    ("row", "form", "content"),
    [
        (
            {"prompt": "Why?", "chosen": "Because.", "rejected": "No idea."},
            Form.PREFERENCE,
            {"messages": [ASKED], "chosen": [ANSWERED], "rejected": [OTHER]},
        ),
        (
            {
                "conversations": [{"from": "human", "value": "Why?"}],
                "chosen": {"from": "gpt", "value": "Because."},
                "rejected": {"from": "gpt", "value": "No idea."},
            },
            Form.PREFERENCE,
            {"messages": [ASKED], "chosen": [ANSWERED], "rejected": [OTHER]},
        ),
        (
            {"chosen": [SYSTEM, ASKED, ANSWERED], "rejected": [SYSTEM, ASKED, OTHER]},
            Form.PREFERENCE,
            {"messages": [SYSTEM, ASKED], "chosen": [ANSWERED], "rejected": [OTHER]},
        ),
        (
            {"prompt": "Why?", "chosen": [ASKED, ANSWERED], "rejected": [ASKED, OTHER]},
            Form.PREFERENCE,
            {"messages": [ASKED], "chosen": [ANSWERED], "rejected": [OTHER]},
        ),
        (
            {"prompt": "Why?", "completion": "Because.", "label": True},
            Form.KTO,
            {"messages": [ASKED, ANSWERED], "label": True},
        ),
        (
            {"messages": [ASKED, ANSWERED], "label": "false"},
            Form.KTO,
            {"messages": [ASKED, ANSWERED], "label": False},
        ),
        ({"text": "Lorem ipsum"}, Form.TEXT, {"text": "Lorem ipsum"}),
        (
            {
                "conversations": [
                    {"from": "human", "value": "Why?"},
                    {"from": "function_call", "value": json.dumps(CALL)},
                    {"from": "observation", "value": "[]"},
                    {"from": "gpt", "value": "Because."},
                ],
                "tools": json.dumps([FIND]),
            },
            Form.SHAREGPT,
            {
                "messages": [ASKED, CALLING, {"role": "tool", "content": "[]"}, ANSWERED],
                "tools": [{"type": "function", "function": FIND}],
            },
        ),
        (
            {
                "messages": [
                    ASKED,
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [{"function": {"name": "find", "arguments": '{"what": "soup"}'}}],
                    },
                    {"role": "tool", "content": "[]"},
                    ANSWERED,
                ]
            },
            Form.MESSAGES,
            {"messages": [ASKED, CALLING, {"role": "tool", "content": "[]"}, ANSWERED]},
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "Why?"}]}, ANSWERED]},
            Form.MESSAGES,
            {"messages": [ASKED, ANSWERED]},
        ),
        (
            {"lesson_id": "1", "situation": "Why?", "action": "Because.", "result": "✅ sukces"},
            Form.LESSON,
            {"messages": [ASKED, {"role": "assistant", "content": "Because.\n\n✅ sukces"}]},
        ),
        (
            {
                "message_tree_id": "1",
                "prompt": {
                    "role": "prompter",
                    "text": "Why?",
                    "replies": [
                        {"role": "assistant", "text": "No idea.", "rank": 1},
                        {
                            "role": "assistant",
                            "text": "Because.",
                            "rank": 0,
                            "replies": [{"role": "prompter", "text": "Really?"}],
                        },
                    ],
                },
            },
            Form.OASST,
            {"messages": [ASKED, ANSWERED]},
        ),
    ],
)
def test_every_other_kind_has_one_shape(row: dict[str, Any], form: Form, content: Content) -> None:
    detection = found(row)
    assert (detection.form, detection.confidence) == (form, 1.0)
    assert convert(row, detection) == content
    assert flaw(content, Profile.LENIENT) is None


def test_a_lesson_without_success_is_none() -> None:
    row = {"situation": "Why?", "action": "a", "result": "It failed."}
    assert convert(row, found(row)) is Reason.NOT_SUCCESSFUL


def test_two_equal_answers_prefer_nothing() -> None:
    content: Content = {"messages": [ASKED], "chosen": [ANSWERED], "rejected": [ANSWERED]}
    assert flaw(content, Profile.LENIENT) is Reason.SAME_ANSWERS


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "role", "content", "from", "value", "system", "prompt", "completion"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(value=JSON_VALUES, form=st.sampled_from(Form), profile=st.sampled_from(Profile))
def test_whatever_a_row_is_it_becomes_a_conversation_or_a_reason(
    value: object, form: Form, profile: Profile
) -> None:
    content = convert(value, Detection(form, {name: name for name in field_names(form)}, 1.0))
    if isinstance(content, Reason) or flaw(content, profile) is not None:
        return
    for messages in conversations(content):
        assert messages[-1]["role"] == "assistant"
        assert all(message["content"].strip() for message in messages if message["role"] != "system")
