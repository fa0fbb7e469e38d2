"""Which rows are worth learning: order of roles, emptiness, lengths, exact duplicates.

The profiles and their thresholds are Venom's. Refuses to know where rows come from and where they go.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from enum import StrEnum

from pydantic_core import to_json

from academy_desktop.core.datasets.reasons import Reason
from academy_desktop.core.datasets.rows import Content, Messages, asked, conversations, texts


class Profile(StrEnum):
    """How picky an import is."""

    STRICT = "strict"
    BALANCED = "balanced"
    LENIENT = "lenient"


#: Shortest question and shortest answer that are kept, in characters.
MIN_CHARACTERS = {Profile.STRICT: 10, Profile.BALANCED: 1, Profile.LENIENT: 1}

#: Longest row that is kept, all its texts together, in characters: no model reads more.
MAX_CHARACTERS = 4_000_000

#: Fewer rows than this deserve a warning.
FEW_ROWS = {Profile.STRICT: 150, Profile.BALANCED: 100, Profile.LENIENT: 50}

#: Whose turn may follow whose; None begins a conversation.
_FOLLOWERS: dict[str | None, frozenset[str]] = {
    None: frozenset({"user"}),
    "user": frozenset({"assistant"}),
    "assistant": frozenset({"user"}),
    "call": frozenset({"tool"}),
    "tool": frozenset({"tool", "assistant"}),
}


def flaw(content: Content, profile: Profile) -> Reason | None:
    """Return why a row is not kept, or None."""
    if sum(map(len, texts(content))) > MAX_CHARACTERS:
        return Reason.TOO_LONG
    if "text" in content:
        return _short_text(content["text"], profile) or _unwritable(content)
    reason = None
    for messages in conversations(content) if content.get("messages") else ([],):
        reason = reason or _misordered(messages) or _short_turn(messages, MIN_CHARACTERS[profile])
    if reason is None and "chosen" in content and content["chosen"] == content.get("rejected"):
        return Reason.SAME_ANSWERS
    return reason or _unwritable(content)


def row_key(content: Content) -> bytes:
    """Sixteen bytes that are equal for equal rows."""
    # The order of a record's fields says nothing.
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).digest()


def prompt_key(content: Content) -> bytes:
    """Sixteen bytes that are equal for rows that ask the same, letter case and white space aside."""
    if "text" in content:
        return row_key(content)
    # Lengths part the fields, so that no two conversations can run into the same bytes.
    digest = hashlib.blake2b(digest_size=16)
    for turn in asked(content):
        text = " ".join(turn["content"].casefold().split()).encode()
        digest.update(f"{turn['role']}:{len(text)}:".encode())
        digest.update(text)
    return digest.digest()


def _misordered(messages: Messages) -> Reason | None:
    """Why the speakers cannot be trained: the user begins, turns alternate, an answer ends it."""
    turns = messages[1:] if messages and messages[0]["role"] == "system" else messages
    if not turns:
        return Reason.EMPTY_PROMPT
    before: str | None = None
    for turn in turns:
        if turn["role"] not in _FOLLOWERS[before]:
            return Reason.BAD_ROLES
        before = "call" if turn.get("tool_calls") else turn["role"]
    return None if before in {"assistant", "call"} else Reason.BAD_ROLES


def _short_turn(messages: Iterable[dict[str, object]], shortest: int) -> Reason | None:
    for turn in messages:
        if turn["role"] in {"system", "tool"} or turn.get("tool_calls"):
            continue
        length = len(str(turn["content"]).strip())
        if length == 0:
            return Reason.EMPTY_PROMPT if turn["role"] == "user" else Reason.EMPTY_ANSWER
        if length < shortest:
            return Reason.TOO_SHORT
    return None


def _short_text(text: str, profile: Profile) -> Reason | None:
    length = len(text.strip())
    if length == 0:
        return Reason.EMPTY_ANSWER
    return Reason.TOO_SHORT if length < MIN_CHARACTERS[profile] else None


def _unwritable(content: Content) -> Reason | None:
    """Whether a text cannot be written: half of a surrogate pair is no character."""
    try:
        to_json(content)
    except ValueError:
        return Reason.UNPARSABLE
    return None
