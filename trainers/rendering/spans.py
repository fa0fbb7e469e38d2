"""Which characters of a rendered conversation are trained: the answers, with their end-of-turn tokens.

A turn begins where the prompt before it ends (the template's text of the earlier messages plus the generation
prompt), and ends with the first end-of-turn token after its content; what the template writes after it is not
trained. A turn that cannot be located exactly is left out and noted, never guessed. Refuses to know labels.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from trainers.errors import AcademyError
from trainers.rendering.template import ChatTemplate, Message, Tool


class Note(StrEnum):
    """What is unusual about a rendered conversation; values are shown and stored."""

    TURN_NOT_LOCATED = "turn_not_located"
    MISSING_END_OF_TURN = "missing_end_of_turn"
    NO_ASSISTANT_TURN = "no_assistant_turn"


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of characters."""

    start: int
    end: int


class TurnFinder:
    """Finds the trained spans of one rendered conversation.

    `ends` are the character ranges of the end-of-turn tokens in `text`, in order.
    """

    def __init__(
        self,
        template: ChatTemplate,
        messages: Sequence[Message],
        text: str,
        ends: Sequence[Span],
        tools: Sequence[Tool] | None = None,
    ) -> None:
        self._template = template
        self._messages = messages
        self._tools = tools
        self._text = text
        self._ends = ends
        self._end_starts = [end.start for end in ends]

    def find(self) -> tuple[tuple[Span, ...], tuple[Note, ...]]:
        """Return the spans in order, and notes on turns that are not as they should be (each note once)."""
        spans: list[Span] = []
        notes: list[Note] = []
        turns = [i for i, message in enumerate(self._messages) if message.get("role") == "assistant"]
        if not turns:
            return (), (Note.NO_ASSISTANT_TURN,)
        for index in turns:
            span, note = self._turn(index)
            if span is not None and spans and span.start < spans[-1].end:
                span, note = None, Note.TURN_NOT_LOCATED
            if span is not None:
                spans.append(span)
            if note is not None:
                notes.append(note)
        return tuple(spans), tuple(dict.fromkeys(notes))

    def _turn(self, index: int) -> tuple[Span | None, Note | None]:
        start = self._prompt_length(index)
        if start is None:
            return None, Note.TURN_NOT_LOCATED
        content_end = self._content_end(start, str(self._messages[index].get("content") or ""))
        if content_end is not None:
            end = self._next_end(content_end)
            if end is not None and not self._text[content_end : end.start].strip():
                return Span(start, end.end), None
        turn_end = self._turn_length(index)
        if turn_end is None:
            return None, Note.TURN_NOT_LOCATED
        return self._within(start, turn_end, start if content_end is None else content_end)

    def _within(self, start: int, turn_end: int, content_end: int) -> tuple[Span, Note | None]:
        """Return the span of a turn whose content is changed, or not followed by an end-of-turn token."""
        end = self._next_end(content_end)
        if end is not None and end.end <= turn_end:
            return Span(start, end.end), None
        trimmed = len(self._text[start:turn_end].rstrip())
        return Span(start, start + trimmed), Note.MISSING_END_OF_TURN

    def _prompt_length(self, index: int) -> int | None:
        """Characters before turn `index`: its prompt, if that is how the whole text begins."""
        return self._prefix_length(self._messages[:index], add_generation_prompt=True)

    def _turn_length(self, index: int) -> int | None:
        """Characters up to the end of turn `index`, if the text of the messages so far is a prefix."""
        if index == len(self._messages) - 1:
            return len(self._text)
        return self._prefix_length(self._messages[: index + 1], add_generation_prompt=False)

    def _prefix_length(self, messages: Sequence[Message], *, add_generation_prompt: bool) -> int | None:
        try:
            prefix = self._template.render(
                messages, add_generation_prompt=add_generation_prompt, tools=self._tools
            )
        except AcademyError:
            return None  # some templates refuse a part of a conversation that they accept as a whole
        return len(prefix) if self._text.startswith(prefix) else None

    def _content_end(self, start: int, content: str) -> int | None:
        """End of the content if it follows the prompt as it is, white space at its ends aside."""
        wanted = content.strip()
        while start < len(self._text) and self._text[start].isspace():
            start += 1
        return start + len(wanted) if self._text.startswith(wanted, start) else None

    def _next_end(self, position: int) -> Span | None:
        """The first end-of-turn token that starts at or after `position`."""
        index = bisect_left(self._end_starts, position)
        return self._ends[index] if index < len(self._ends) else None
