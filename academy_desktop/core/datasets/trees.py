"""Messages that come one per row, each naming the one that it answers, gathered into conversations.

Rows may come in any order. Of every tree the way down over the best answers is taken, as for trees that stand
in one row. Owns the gathering. Refuses to know files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from academy_desktop.core.datasets.forms import Detection, Form
from academy_desktop.core.datasets.readers import Record
from trainers.errors import AcademyError, ErrorCode

#: The most text that is gathered, in characters: all of it has to be known before the first tree is whole.
GATHERED_CHARACTERS = 1 << 28


@dataclass(frozen=True, slots=True)
class _Message:
    row: int
    id: str
    parent: str
    role: object
    text: object
    rank: float


def whole(records: Iterable[Record], detection: Detection, path: str) -> tuple[Iterator[Record], Detection]:
    """Return rows as they are, and messages gathered into conversations, with how those are to be read."""
    if detection.form is not Form.OASST_FLAT:
        return iter(records), detection
    gathered = Detection(Form.MESSAGES, {"messages": "messages"}, detection.confidence)
    return gather(records, detection.mapping, path), gathered


def gather(records: Iterable[Record], mapping: Mapping[str, str], path: str) -> Iterator[Record]:
    """Yield one record per conversation, its turns under `messages`, in the order of the first messages.

    `mapping` names the columns of `id`, `role`, `text` and perhaps `parent` and `rank`. What is no message,
    is there twice, or leads to no first message, is handed on as it is.

    Raises:
        AcademyError: `file_unreadable`: there is more text than can be gathered.
    """
    messages: dict[str, _Message] = {}
    size = 0
    for record in records:
        message = None if record.damaged else _read(record, mapping)
        if message is None or message.id in messages:
            yield record
            continue
        size += len(message.text) if isinstance(message.text, str) else 0
        if size > GATHERED_CHARACTERS:
            detail = "its messages are too many to be put together: save one conversation per row"
            raise AcademyError(ErrorCode.FILE_UNREADABLE, path=path, detail=detail)
        messages[message.id] = message
    replies: defaultdict[str, list[_Message]] = defaultdict(list)
    for message in messages.values():
        if message.parent:
            replies[message.parent].append(message)
    rooted = _below(messages.values(), replies)
    for message in messages.values():
        if not message.parent:
            yield Record(message.row, {"messages": _way_down(message, replies)})
        elif message.id not in rooted:
            alone = {"id": message.id, "parent": message.parent, "role": message.role, "text": message.text}
            yield Record(message.row, alone)


def _read(record: Record, mapping: Mapping[str, str]) -> _Message | None:
    if not isinstance(record.value, dict):
        return None
    value: dict[str, Any] = {name: record.value.get(column) for name, column in mapping.items()}
    if not isinstance(value.get("id"), (str, int)) or value.get("role") is None or value.get("text") is None:
        return None
    parent = value.get("parent")
    rank = value.get("rank")
    try:
        best = float(rank) if isinstance(rank, (str, int, float)) and rank != "" else float("inf")
    except ValueError:
        best = float("inf")
    has_parent = isinstance(parent, (str, int)) and parent != ""
    return _Message(
        record.row, str(value["id"]), str(parent) if has_parent else "", value["role"], value["text"], best
    )


def _below(messages: Iterable[_Message], replies: Mapping[str, list[_Message]]) -> set[str]:
    """Ids of the messages that hang below a first one; others answer each other, or one that is lost."""
    found: set[str] = set()
    waiting = [message for message in messages if not message.parent]
    while waiting:
        message = waiting.pop()
        found.add(message.id)
        waiting += replies.get(message.id, ())
    return found


def _way_down(message: _Message, replies: Mapping[str, list[_Message]]) -> list[dict[str, object]]:
    """The turns from the first message over the best answers, to the last that the assistant gave."""
    way: list[dict[str, object]] = []
    at: _Message | None = message
    while at is not None:
        way.append({"role": at.role, "content": at.text})
        at = min(replies.get(at.id, ()), key=lambda reply: reply.rank, default=None)
    while way and str(way[-1]["role"]).casefold() in {"user", "prompter", "human"}:
        way.pop()
    return way
