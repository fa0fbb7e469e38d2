"""One row as a model sees it: its text, what of it is trained, and its tokens.

Rendering and masking are those of `trainers.rendering`, which training uses too; needs no torch. Refuses to
know where rows are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from academy_desktop.core.datasets.browse import StoredRow
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


def preview_row(renderer: Renderer, row: StoredRow) -> tuple[Preview, ...]:
    """Render a stored row: plain text as it stands, a pair with the better and then with the worse answer.

    Raises:
        AcademyError: `template_failed`.
    """
    if row.text is not None:
        return (preview_text(renderer, row.text),)
    better = preview(renderer, row.messages, row.tools, row.asked)
    return (better,) if row.rejected is None else (better, preview(renderer, row.rejected, asked=row.asked))


def preview_text(renderer: Renderer, text: str) -> Preview:
    """A plain text: all of it would be learned."""
    tokens = tuple(
        Token(token, start, end, trained=True)
        for token, (start, end) in zip(*renderer.tokens(text), strict=True)
    )
    return Preview(text, (Stretch(0, len(text), trained=True),), tokens, len(tokens))


def preview(
    renderer: Renderer, messages: Sequence[Message], tools: Sequence[Tool] | None = None, asked: int = 0
) -> Preview:
    """Render one row and part its text into what is trained and what is not; `asked` as in `render`.

    Raises:
        AcademyError: `template_failed`.
    """
    rendered = renderer.render(messages, tools=tools, asked=asked)
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
