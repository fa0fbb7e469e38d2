"""Which rows are worth learning: order of roles, emptiness, lengths, exact duplicates.

The profiles and their thresholds are Venom's. Refuses to know where rows come from and where they go.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from functools import lru_cache

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

#: Whose turns have to say something.
_MEASURED = frozenset({"user", "assistant"})

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
    return _shortcoming(content, profile) or (None if _written(content) else Reason.UNPARSABLE)


def stored(content: Content, profile: Profile) -> bytes | Reason:
    """Return a row as it is stored, or why it is not kept."""
    written = _written(content)
    # A character takes a byte or more: of rows that are not long as bytes none is long as text.
    if written is None or len(written) > MAX_CHARACTERS:
        return flaw(content, profile) or written or Reason.UNPARSABLE
    return _shortcoming(content, profile) or written


def row_key(content: Content, written: bytes | None = None) -> bytes:
    """Sixteen bytes that are equal for equal rows.

    With `written`, the row as `stored` gave it, they come faster and are others.
    """
    # The order of a record's fields says nothing; other fields are always in the same order.
    if written is None or _has_records(content):
        written = json.dumps(content, sort_keys=True).encode()
    return hashlib.blake2b(written, digest_size=16).digest()


def prompt_key(content: Content) -> bytes:
    """Sixteen bytes that are equal for rows that ask the same, letter case and white space aside."""
    if "text" in content:
        return row_key(content)
    # Lengths part the fields, so that no two conversations can run into the same bytes.
    said = ""
    for turn in asked(content):
        text = " ".join(turn["content"].casefold().split())
        said += f"{turn['role']}:{len(text)}:{text}"
    return hashlib.blake2b(said.encode(), digest_size=16).digest()


def _shortcoming(content: Content, profile: Profile) -> Reason | None:
    """What a row lacks, apart from its length and from characters that are none."""
    if "text" in content:
        return _short_text(content["text"], profile)
    shortest = MIN_CHARACTERS[profile]
    messages = content.get("messages") or []
    if "chosen" not in content or not messages:
        return _conversation_flaw(messages, shortest)
    for messages in conversations(content):
        reason = _conversation_flaw(messages, shortest)
        if reason is not None:
            return reason
    return Reason.SAME_ANSWERS if content["chosen"] == content.get("rejected") else None


def _has_records(content: Content) -> bool:
    """Whether a row holds objects of its own making, whose fields may come in any order."""
    if "tools" in content:
        return True
    for turn in content.get("messages", ()):
        if "tool_calls" in turn:
            return True
    if "chosen" not in content:
        return False
    return any("tool_calls" in turn for turn in (*content["chosen"], *content.get("rejected", ())))


@lru_cache(maxsize=1024)  # of a million conversations most have one of a few orders
def _misordered(roles: tuple[str, ...]) -> Reason | None:
    """Why the speakers cannot be trained: the user begins, turns alternate, an answer ends it."""
    turns = roles[1:] if roles[:1] == ("system",) else roles
    if not turns:
        return Reason.EMPTY_PROMPT
    before: str | None = None
    for role in turns:
        if ("assistant" if role == "call" else role) not in _FOLLOWERS[before]:
            return Reason.BAD_ROLES
        before = role
    return None if before in {"assistant", "call"} else Reason.BAD_ROLES


def _conversation_flaw(messages: Messages, shortest: int) -> Reason | None:
    """Why a conversation cannot be trained; of turns the first that is empty or too short."""
    short: Reason | None = None
    roles = []
    for turn in messages:
        role = turn["role"]
        if turn.get("tool_calls"):
            role = "call"
        elif role in _MEASURED and len(turn["content"].strip()) < shortest and short is None:
            short = _short_turn(role, len(turn["content"].strip()), shortest)
        roles.append(role)
    return _misordered(tuple(roles)) or short


def _short_turn(role: str, length: int, shortest: int) -> Reason | None:
    if length == 0:
        return Reason.EMPTY_PROMPT if role == "user" else Reason.EMPTY_ANSWER
    return Reason.TOO_SHORT if length < shortest else None


def _short_text(text: str, profile: Profile) -> Reason | None:
    length = len(text.strip())
    if length == 0:
        return Reason.EMPTY_ANSWER
    return Reason.TOO_SHORT if length < MIN_CHARACTERS[profile] else None


def _written(content: Content) -> bytes | None:
    """A row in JSON; None where it cannot be written: half of a surrogate pair is no character."""
    try:
        return to_json(content, inf_nan_mode="strings")
    except ValueError:
        return None
