"""Two answers word by word: what only one of them says.

Owns the comparison. Refuses to know whose answers they are and how they are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

Tone = Literal["same", "gone", "new", "caption", "cut"]
_WORD = re.compile(r"\s*\S+|\s+$")


@dataclass(frozen=True)
class Said:
    """Some text: in both answers, in the first alone (gone), in the second alone (new), or beside them."""

    text: str
    tone: Tone = "same"


def differences(first: str, second: str) -> tuple[list[Said], list[Said]]:
    """Return both texts in parts that make them up whole; white space alone is no difference."""
    one, other = _WORD.findall(first), _WORD.findall(second)
    matcher = SequenceMatcher(None, [word.strip() for word in one], [word.strip() for word in other], False)
    before: list[Said] = []
    after: list[Said] = []
    for kind, begin, end, begin_other, end_other in matcher.get_opcodes():
        before += _parts(one[begin:end], "same" if kind == "equal" else "gone")
        after += _parts(other[begin_other:end_other], "same" if kind == "equal" else "new")
    return before, after


def _parts(words: Sequence[str], tone: Tone) -> Iterator[Said]:
    """The words as one part; the space around what is marked is not marked with it."""
    text = "".join(words)
    begin, end = len(text) - len(text.lstrip()), len(text.rstrip())
    if tone == "same" or begin > end:
        begin, end = 0, len(text)
    pieces = (Said(text[:begin]), Said(text[begin:end], tone), Said(text[end:]))
    yield from (piece for piece in pieces if piece.text)
