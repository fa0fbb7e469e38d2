"""The shapes that rows are stored in, one per kind.

Owns what a stored row holds beside its id and its source, and what of it is asked and answered. Refuses to
know how it looked in a file, and which rows are worth keeping.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NotRequired

from typing_extensions import TypedDict

#: One turn: `role`, `content`, and where they are given `tool_calls`, `name` and `tool_call_id`.
Turn = dict[str, Any]
Messages = list[Turn]


class RowKind(StrEnum):
    """What can be learned from a row; values are part of the protocol."""

    CHAT = "chat"
    PREFERENCE = "preference"
    KTO = "kto"
    TEXT = "text"


class Content(TypedDict):
    """What a row holds, by its kind.

    chat: `messages` [and `tools`]; preference: `messages` up to the answer, `chosen` and `rejected` turns;
    kto: `messages` with the answer, and `label`; text: `text`.
    """

    messages: NotRequired[Messages]
    tools: NotRequired[list[dict[str, Any]]]
    chosen: NotRequired[Messages]
    rejected: NotRequired[Messages]
    label: NotRequired[bool]
    text: NotRequired[str]


def asked(content: Content) -> Messages:
    """The turns that a row's answer answers; none for plain text."""
    messages = content.get("messages", [])
    return messages if "chosen" in content else messages[:-1]


def conversations(content: Content) -> Iterator[Messages]:
    """Yield each conversation of a row in full: a preference pair has two."""
    messages = content.get("messages", [])
    if "chosen" in content:
        yield [*messages, *content["chosen"]]
        yield [*messages, *content.get("rejected", [])]
    elif messages:
        yield messages


def shared_turns(one: Messages, other: Messages) -> int:
    """How many turns two conversations begin with alike; the last of either is its own."""
    same = 0
    while same < min(len(one), len(other)) - 1 and one[same] == other[same]:
        same += 1
    return same


def texts(content: Content) -> Iterator[str]:
    """Yield every text of a row, in order."""
    yield content.get("text", "")
    for messages in (content.get("messages"), content.get("chosen"), content.get("rejected")):
        for turn in messages or ():
            yield str(turn.get("content") or "")
