"""Conversations that stand in one text: ChatML, and speakers named at the beginning of a paragraph.

    <|im_start|>user⏎What is it?<|im_end|>              Human: What is it?⏎⏎Assistant: It is this.

Owns the parting into turns. Refuses to guess: a text that does not begin with a speaker is no conversation.
"""

from __future__ import annotations

import re

from academy_desktop.core.datasets.reasons import Reason
from academy_desktop.core.datasets.rows import Messages
from academy_desktop.core.datasets.turns import read_turns

_BEGIN, _END = "<|im_start|>", "<|im_end|>"
#: A speaker: after an empty line, or behind three hashes wherever they stand.
_PARAGRAPH = re.compile(r"(?:\A|\n\s*\n)[ \t]*(Human|Assistant):")
_HASHED = re.compile(r"###[ \t]*(Human|Assistant):")
_LOOKED_AT = 200


def is_dialogue(value: object) -> bool:
    """Whether a text begins as a conversation does."""
    if not isinstance(value, str):
        return False
    head = value[:_LOOKED_AT].lstrip()
    if head.startswith(_BEGIN):
        return True
    return head.startswith(("Human:", "### Human:", "###Human:")) and "Assistant:" in value


def read_dialogue(text: str) -> Messages | Reason:
    """Part a conversation into its turns; an answer that is only announced is left out."""
    parted = _chatml(text) if text.lstrip().startswith(_BEGIN) else _spoken(text)
    if isinstance(parted, Reason):
        return parted
    if parted and parted[-1]["role"].casefold() == "assistant" and not parted[-1]["content"].strip():
        parted.pop()
    return read_turns(parted)


def _chatml(text: str) -> list[dict[str, str]] | Reason:
    turns: list[dict[str, str]] = []
    before, *parts = text.split(_BEGIN)
    if before.strip():
        return Reason.WRONG_TYPE
    for part in parts:
        role, newline, rest = part.partition("\n")
        content, _, after = rest.partition(_END)
        if not newline or after.strip():
            return Reason.WRONG_TYPE
        turns.append({"role": role.strip(), "content": content.strip("\n")})
    return turns


def _spoken(text: str) -> list[dict[str, str]] | Reason:
    text = text.lstrip()
    marks = list((_HASHED if text.startswith("#") else _PARAGRAPH).finditer(text))
    if not marks or text[: marks[0].start()].strip():
        return Reason.WRONG_TYPE
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        {"role": mark[1], "content": text[mark.end() : end].strip()}
        for mark, end in zip(marks, ends, strict=True)
    ]
