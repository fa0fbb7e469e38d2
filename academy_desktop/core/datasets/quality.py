"""Which conversations are worth learning: order of roles, emptiness, lengths, exact duplicates.

The profiles and their thresholds are Venom's. Refuses to know where rows come from and where they go.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

from academy_desktop.core.datasets.forms import Messages, Reason


class Profile(StrEnum):
    """How picky an import is."""

    STRICT = "strict"
    BALANCED = "balanced"
    LENIENT = "lenient"


#: Shortest question and shortest answer that are kept, in characters.
MIN_CHARACTERS = {Profile.STRICT: 10, Profile.BALANCED: 1, Profile.LENIENT: 1}

#: Fewer rows than this deserve a warning.
FEW_ROWS = {Profile.STRICT: 150, Profile.BALANCED: 100, Profile.LENIENT: 50}


def flaw(messages: Messages, profile: Profile) -> Reason | None:
    """Return why a conversation is not kept, or None: the user begins, roles alternate, an answer ends it."""
    turns = messages[1:] if messages and messages[0]["role"] == "system" else messages
    if not turns:
        return Reason.EMPTY_PROMPT
    for number, turn in enumerate(turns):
        if turn["role"] != ("user", "assistant")[number % 2]:
            return Reason.BAD_ROLES
    if len(turns) % 2:
        return Reason.BAD_ROLES
    return _short_turn(turns, MIN_CHARACTERS[profile]) or (
        None if _is_unicode(messages) else Reason.UNPARSABLE
    )


def _short_turn(turns: Messages, shortest: int) -> Reason | None:
    for turn in turns:
        length = len(turn["content"].strip())
        if length == 0:
            return Reason.EMPTY_PROMPT if turn["role"] == "user" else Reason.EMPTY_ANSWER
        if length < shortest:
            return Reason.TOO_SHORT
    return None


def _is_unicode(messages: Messages) -> bool:
    """Whether every text can be written: half of a surrogate pair is no character."""
    try:
        for message in messages:
            message["content"].encode()
    except UnicodeEncodeError:
        return False
    return True


def row_key(messages: Messages) -> bytes:
    """Sixteen bytes that are equal for equal conversations."""
    return _digest(messages)


def prompt_key(messages: Messages) -> bytes:
    """Sixteen bytes that are equal for conversations that ask the same, letter case and white space aside."""
    asked = [
        {"role": message["role"], "content": " ".join(message["content"].casefold().split())}
        for message in messages[:-1]
    ]
    return _digest(asked)


def _digest(messages: Messages) -> bytes:
    # Lengths part the fields, so that no two conversations can run into the same bytes.
    digest = hashlib.blake2b(digest_size=16)
    for message in messages:
        content = message["content"].encode()
        digest.update(f"{message['role']}:{len(content)}:".encode())
        digest.update(content)
    return digest.digest()
