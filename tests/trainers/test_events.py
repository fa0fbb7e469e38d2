from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.trainers.golden.protocol import GOLDEN, event_types, lines
from trainers.errors import AcademyError, ErrorCode
from trainers.events import EVENT, Phase, Step, Unknown, parse_line

LINE: dict[str, Any] = {
    "v": 1, "seq": 3, "attempt": 2, "t": 1.5, "type": "phase", "payload": {"name": "loading", "detail": "x"},
}  # fmt: skip


def line(**changed: object) -> bytes:
    return json.dumps({name: value for name, value in {**LINE, **changed}.items() if value != ...}).encode()


def test_an_event_says_where_it_stands() -> None:
    event = parse_line(line())
    assert (event.v, event.seq, event.attempt, event.t, event.type) == (1, 3, 2, 1.5, "phase")
    assert event.payload == Phase(name="loading", detail="x")


def test_an_event_does_not_change() -> None:
    event = parse_line(line())
    for part, name in ((event, "seq"), (event, "payload"), (event.payload, "detail")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, name, 4)


@pytest.mark.parametrize("name", event_types())
def test_a_payload_cannot_be_an_event_of_another_type(name: str) -> None:
    others = {event["type"]: event for event in lines("events.jsonl")}
    payload = event_types()[name].model_validate(others[name]["payload"])
    wrong = next(other for other in event_types() if other != name)
    with pytest.raises(ValidationError):
        EVENT.validate_python({**others[wrong], "payload": payload})


def test_an_unknown_type_is_kept_with_all_it_carries() -> None:
    event = parse_line(line(type="rewarded", payload={"reward": [1, {"of": None}]}))
    assert isinstance(event, Unknown)
    assert (event.type, event.seq, event.payload) == ("rewarded", 3, {"reward": [1, {"of": None}]})


@pytest.mark.parametrize("version", [0, 2, 17])
@pytest.mark.parametrize("kind", ["phase", "rewarded"])
def test_another_major_version_is_refused_whatever_the_event(version: int, kind: str) -> None:
    with pytest.raises(AcademyError) as caught:
        parse_line(line(v=version, type=kind, payload="of another kind"))
    assert caught.value.code is ErrorCode.PROTOCOL_NEWER
    assert caught.value.facts == {"found": version, "known": 1}


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"null",
        b"[1]",
        b'"v"',
        b"\xff\xfe",
        b"\0" * 40,
        b"{}",
        line(v=...),
        line(v="1"),
        line(seq=...),
        line(seq=0),
        line(attempt=0),
        line(type=...),
        line(payload=...),
        line(payload=[]),
        line(payload={"name": "dreaming"}),
        line(type="step"),
        line(type="rewarded", payload=3),
        line(type="rewarded", seq=...),
        line() + b" {",
    ],
)
def test_what_is_no_event_is_a_value_error(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_line(damaged)


@settings(deadline=None)
@given(cut=st.integers(0, 10**6), number=st.integers(0, 20))
def test_no_part_of_a_line_is_an_event(cut: int, number: int) -> None:
    whole = (GOLDEN / "events.jsonl").read_bytes().splitlines()[number]
    with pytest.raises(ValueError, match=r"."):
        parse_line(whole[: cut % len(whole)])


@settings(deadline=None)
@given(
    loss=st.floats(allow_nan=False, allow_infinity=False),
    rate=st.floats(0, 1),
    tokens=st.integers(0, 2**53),
    memory=st.none() | st.integers(0, 2**50),
)
def test_numbers_come_back_to_the_bit(loss: float, rate: float, tokens: int, memory: int | None) -> None:
    step = Step(
        step=1, total_steps=2, epoch=0.1, loss=loss, learning_rate=rate, supervised_tokens=tokens,
        tokens=tokens, step_s=0.1, device_memory_bytes=memory,
    )  # fmt: skip
    event = EVENT.validate_python({**LINE, "type": "step", "payload": step})
    assert parse_line(event.model_dump_json().encode()).payload == step


@settings(deadline=None)
@given(detail=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_stays_on_one_line(detail: str) -> None:
    event = EVENT.validate_python({**LINE, "payload": Phase(name="saving", detail=detail)})
    written = event.model_dump_json().encode()
    assert b"\n" not in written
    assert parse_line(written).payload == Phase(name="saving", detail=detail)
