"""What is wrong with one row for one model: each defect by its code, with its facts.

Owns the checks. A check that could be wrong by its own shortcut asks the template itself. Refuses to know
words for people, and mends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from trainers.errors import AcademyError, Fact
from trainers.rendering.mojibake import has_mojibake
from trainers.rendering.renderer import Rendered, Renderer
from trainers.rendering.spans import Note
from trainers.rendering.template import Message, Tool

#: Stands for a text when the question is whether the template writes it.
_PROBE = "academyprobe"


class DefectCode(StrEnum):
    """Kinds of defects; values are shown and stored."""

    NOTHING_SUPERVISED = "nothing_supervised"
    ANSWER_TRUNCATED = "answer_truncated"
    MISSING_END_OF_TURN = Note.MISSING_END_OF_TURN.value
    TURN_NOT_LOCATED = Note.TURN_NOT_LOCATED.value
    NO_ASSISTANT_TURN = Note.NO_ASSISTANT_TURN.value
    DOUBLE_BOS = "double_bos"
    SYSTEM_SWALLOWED = "system_swallowed"
    ROLES_OUT_OF_ORDER = "roles_out_of_order"
    EMPTY_TURN = "empty_turn"
    TOOL_CALLS_NOT_RENDERED = "tool_calls_not_rendered"
    SPECIAL_TOKEN_IN_TEXT = "special_token_in_text"
    MOJIBAKE = "mojibake"
    TEMPLATE_FAILED = "template_failed"


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect of one row. `turn` in the facts counts from 1; `answer` is `better` or `worse`."""

    code: DefectCode
    facts: Mapping[str, Fact] = field(default_factory=dict)


class Inspector:
    """Looks at conversations as one renderer writes them and as rows of at most `max_length` tokens."""

    def __init__(self, renderer: Renderer, max_length: int) -> None:
        self._renderer = renderer
        self._max_length = max_length

    def inspect(
        self, messages: Sequence[Message], tools: Sequence[Tool] | None = None, asked: int = 0
    ) -> tuple[Rendered | None, tuple[Defect, ...]]:
        """Render a conversation whole and name its defects, each kind once; None where the template fails.

        Of a judged answer the first `asked` turns are its question.
        """
        found = list(self._said(messages))
        try:
            rendered = self._renderer.render(messages, tools=tools, asked=asked)
        except AcademyError as error:
            return None, (*found, self._refusal(messages, tools, str(error.facts.get("detail", ""))))
        found += self._learned(rendered)
        found += [Defect(DefectCode(note.value)) for note in rendered.notes]
        found += self._left_out(messages, tools, rendered.text)
        return rendered, tuple(found)

    def inspect_pair(
        self, asked: Sequence[Message], chosen: Sequence[Message], rejected: Sequence[Message]
    ) -> tuple[tuple[Rendered | None, Rendered | None], tuple[Defect, ...]]:
        """Inspect a question with its better and its worse answer; a defect of one says of which."""
        better, found = self.inspect([*asked, *chosen], asked=len(asked))
        worse, found_worse = self.inspect([*asked, *rejected], asked=len(asked))
        shared = {defect.code for defect in found} & {defect.code for defect in found_worse}
        defects = [one if one.code in shared else _of(one, "better") for one in found]
        defects += [_of(one, "worse") for one in found_worse if one.code not in shared]
        return (better, worse), tuple(defects)

    def inspect_text(self, text: str) -> tuple[list[int], tuple[Defect, ...]]:
        """Tokenize a text as it stands, without any template, and name its defects; returns its ids."""
        ids = self._renderer.encode(text)
        found: list[Defect] = []
        if not text.strip():
            found.append(Defect(DefectCode.EMPTY_TURN))
        if has_mojibake(text):
            found.append(Defect(DefectCode.MOJIBAKE))
        token = self._special.search(text) if self._special else None
        if token is not None:
            found.append(Defect(DefectCode.SPECIAL_TOKEN_IN_TEXT, {"token": token.group()}))
        return ids, tuple(found)

    def _said(self, messages: Sequence[Message]) -> Iterator[Defect]:
        """Defects of the turns themselves, whatever the template."""
        turn = misplaced_turn(messages)
        if turn is not None:
            yield Defect(DefectCode.ROLES_OUT_OF_ORDER, _turn(messages, turn))
        checks: tuple[tuple[DefectCode, Callable[[Message], bool]], ...] = (
            (DefectCode.EMPTY_TURN, is_empty),
            (DefectCode.MOJIBAKE, lambda message: has_mojibake(content(message))),
        )
        for code, check in checks:
            turn = next((place for place, message in enumerate(messages) if check(message)), None)
            if turn is not None:
                yield Defect(code, _turn(messages, turn))
        for place, message in enumerate(messages):
            token = self._special.search(content(message)) if self._special else None
            if token is not None:
                yield Defect(
                    DefectCode.SPECIAL_TOKEN_IN_TEXT, {**_turn(messages, place), "token": token.group()}
                )
                return

    @cached_property
    def _special(self) -> re.Pattern[str] | None:
        texts = self._renderer.special_texts
        return re.compile("|".join(map(re.escape, texts))) if texts else None

    def _learned(self, rendered: Rendered) -> Iterator[Defect]:
        """Defects of what is trained."""
        length, most = len(rendered.ids), self._max_length
        lost = sum(end - max(start, most) for start, end in rendered.runs if end > most)
        if lost:
            yield Defect(
                DefectCode.ANSWER_TRUNCATED, {"max_length": most, "tokens": length, "lost_tokens": lost}
            )
        # the first token has nothing before it to be learned from
        if not any(max(start, 1) < min(end, most) for start, end in rendered.runs):
            yield Defect(DefectCode.NOTHING_SUPERVISED)
        bos = self._renderer.bos_token_id
        if bos is not None and rendered.ids[:2] == [bos, bos]:
            yield Defect(DefectCode.DOUBLE_BOS)

    def _left_out(
        self, messages: Sequence[Message], tools: Sequence[Tool] | None, text: str
    ) -> Iterator[Defect]:
        """Defects of what the template does not write."""
        for place, message in enumerate(messages):
            said = content(message).strip()
            if message.get("role") == "system" and said and said not in text:
                probed = [*messages[:place], {**message, "content": _PROBE}, *messages[place + 1 :]]
                if _PROBE not in self._text(probed, tools):
                    yield Defect(DefectCode.SYSTEM_SWALLOWED, _turn(messages, place))
                    break
        for place, message in enumerate(messages):
            if message.get("tool_calls") and self._loses_calls(messages, tools, place):
                yield Defect(DefectCode.TOOL_CALLS_NOT_RENDERED, _turn(messages, place))
                break

    def _loses_calls(self, messages: Sequence[Message], tools: Sequence[Tool] | None, place: int) -> bool:
        """Whether a called function's name changes nothing: it may stand in the list of tools as well."""
        calls = [_renamed(call) for call in messages[place]["tool_calls"]]
        probed = [*messages[:place], {**messages[place], "tool_calls": calls}, *messages[place + 1 :]]
        return _PROBE not in self._text(probed, tools)

    def _refusal(self, messages: Sequence[Message], tools: Sequence[Tool] | None, detail: str) -> Defect:
        """Why the template failed, as far as leaving a turn out can tell."""
        system = next((place for place, one in enumerate(messages) if one.get("role") == "system"), None)
        if system is not None and self._text([*messages[:system], *messages[system + 1 :]], tools):
            return Defect(DefectCode.SYSTEM_SWALLOWED, {**_turn(messages, system), "detail": detail})
        spoken = [one for one in messages if one.get("role") != "tool" and not one.get("tool_calls")]
        if len(spoken) < len(messages) and not misplaced_turn(messages):
            return Defect(DefectCode.TOOL_CALLS_NOT_RENDERED, {"detail": detail})
        return Defect(DefectCode.TEMPLATE_FAILED, {"detail": detail})

    def _text(self, messages: Sequence[Message], tools: Sequence[Tool] | None) -> str:
        try:
            return self._renderer.text(messages, tools)
        except AcademyError:
            return ""


def content(message: Message) -> str:
    """The words of a turn; a turn that only calls tools has none."""
    return str(message.get("content") or "")


def is_empty(message: Message) -> bool:
    """Whether a turn neither says nor calls anything."""
    return not content(message).strip() and not message.get("tool_calls")


def misplaced_turn(messages: Sequence[Message]) -> int | None:
    """The first turn whose role may not stand there: a system turn first, then questions and answers."""
    before = ""
    for place, message in enumerate(messages):
        role = str(message.get("role"))
        allowed = {
            "system": place == 0,
            "user": before in {"", "system", "assistant", "tool"},
            "assistant": before in {"user", "tool"},
            "tool": before in {"assistant", "tool"},
        }
        if not allowed.get(role, False):
            return place
        before = role
    return None


def _of(defect: Defect, answer: str) -> Defect:
    return Defect(defect.code, {**defect.facts, "answer": answer})


def _turn(messages: Sequence[Message], place: int) -> dict[str, Fact]:
    return {"turn": place + 1, "role": str(messages[place].get("role"))}


def _renamed(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function")
    if isinstance(function, Mapping):
        return {**call, "function": {**function, "name": _PROBE}}
    return {**call, "name": _PROBE}
