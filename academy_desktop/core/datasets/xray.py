"""One row as a model sees it: its text, what of it is trained, and its tokens.

Rendering and masking are those of `trainers.rendering`, which training uses too; needs no torch. Refuses to
know where rows are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainers.rendering import IGNORED, Message, Renderer, Tool


@dataclass(frozen=True)
class Stretch:
    """A range of characters of a rendered row: trained, or only read."""

    start: int
    end: int
    trained: bool


@dataclass(frozen=True)
class Token:
    """A token of a rendered row: its id, the characters that it stands for, and whether it is trained."""

    id: int
    start: int
    end: int
    trained: bool


@dataclass(frozen=True)
class Preview:
    """One row as a model sees it."""

    text: str
    stretches: tuple[Stretch, ...]
    tokens: tuple[Token, ...]
    supervised_tokens: int


def preview(renderer: Renderer, messages: Sequence[Message], tools: Sequence[Tool] | None = None) -> Preview:
    """Render one row and part its text into what is trained and what is not.

    Raises:
        AcademyError: `template_failed`.
    """
    rendered = renderer.render(messages, tools=tools)
    stretches: list[Stretch] = []
    place = 0
    for span in rendered.spans:
        if span.start > place:
            stretches.append(Stretch(place, span.start, trained=False))
        stretches.append(Stretch(span.start, span.end, trained=True))
        place = span.end
    if place < len(rendered.text):
        stretches.append(Stretch(place, len(rendered.text), trained=False))
    tokens = tuple(
        Token(token, start, end, label != IGNORED)
        for token, label, (start, end) in zip(rendered.ids, rendered.labels, rendered.offsets, strict=True)
    )
    return Preview(rendered.text, tuple(stretches), tokens, rendered.supervised_tokens)
