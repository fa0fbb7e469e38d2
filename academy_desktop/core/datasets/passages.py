"""Rows of plain text and Markdown: question and answer blocks where there are any, passages otherwise.

Owns the parting. Refuses to know files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

_QUESTION = r"(?:q|question|user|human|prompt|instruction|frage|pytanie)"
_ANSWER = r"(?:a|answer|assistant|ai|response|reply|antwort|odpowiedź)"
_MARKED = re.compile(
    rf"^[ \t]*(?:#+[ \t]*)?(?:\*\*)?(?:(?P<ask>{_QUESTION})|(?P<reply>{_ANSWER}))[ \t]*\d*[ \t]*"
    r"(?::(?:\*\*)?|\*\*:|(?<=\w)[ \t]*$)[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_BLANK = re.compile(r"\n[ \t]*\n\s*")

#: Share of the first paragraphs of pairs that ask, from which on paragraphs are pairs.
_ASKING = 0.8


def read_text(text: str) -> Iterator[dict[str, str]]:
    """Yield `question` and `answer`, or `text` of each passage, in order."""
    text = text.replace("\r\n", "\n").replace("\x00", "")
    paragraphs = [part.strip() for part in _BLANK.split(text) if part.strip()]
    pairs = _marked(text) or _alternating(paragraphs)
    if pairs:
        yield from ({"question": question, "answer": answer} for question, answer in pairs)
    else:
        yield from ({"text": paragraph} for paragraph in _passages(paragraphs))


def _marked(text: str) -> list[tuple[str, str]]:
    """Pairs whose beginnings say what they are: `Q:` and `A:`, `### Instruction` and `### Response`."""
    marks = list(_MARKED.finditer(text))
    if not marks:
        return []
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    blocks = [
        (bool(mark["ask"]), text[mark.end() : end].strip()) for mark, end in zip(marks, ends, strict=True)
    ]
    return [
        (asked, answered)
        for (is_question, asked), (is_other, answered) in pairwise(blocks)
        if is_question and not is_other
    ]


def _alternating(paragraphs: list[str]) -> list[tuple[str, str]]:
    """Pairs of paragraphs, if nearly every other one is a question and they come out even."""
    if len(paragraphs) < 2 or len(paragraphs) % 2:
        return []
    asking = sum(paragraph.endswith("?") for paragraph in paragraphs[::2])
    if asking < _ASKING * len(paragraphs[::2]):
        return []
    return list(zip(paragraphs[::2], paragraphs[1::2], strict=True))


def _passages(paragraphs: list[str]) -> Iterator[str]:
    """Paragraphs; a heading stays with what it stands over."""
    heading = ""
    for paragraph in paragraphs:
        if paragraph.startswith("#") and "\n" not in paragraph:
            heading = f"{heading}{paragraph}\n\n"
            continue
        yield heading + paragraph
        heading = ""
    if heading:
        yield heading.strip()
