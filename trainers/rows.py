"""Rows of a dataset as the engines want them: token ids and labels, made by the one renderer.

Owns the way from `train.jsonl` to examples. Refuses to render or to mask by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from trainers.errors import AcademyError, ErrorCode
from trainers.files import lines_of, open_regular
from trainers.recipe import Method
from trainers.rendering import Message, Renderer

#: Label of a position that is not learned (torch's `ignore_index`).
IGNORED = -100

#: Method → the fields that its rows have and no other rows: PROTOCOL.md, "Datasets".
_FIELDS: Mapping[Method, frozenset[str]] = {
    "sft": frozenset({"messages"}),
    "pretrain": frozenset({"text"}),
    "dpo": frozenset({"messages", "chosen", "rejected"}),
    "orpo": frozenset({"messages", "chosen", "rejected"}),
    "kto": frozenset({"messages", "label"}),
}
_KNOWN = frozenset().union(*_FIELDS.values())


@dataclass(frozen=True)
class Example:
    """One row: `ids` and `labels` are of one length; a label is an id or `IGNORED`.

    A preference has the worse answer to the same question in `rejected`; an answer that was judged says in
    `desirable` whether it is good.
    """

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    rejected: Example | None = None
    desirable: bool | None = None

    @property
    def tokens(self) -> int:
        """All tokens, those of the worse answer included."""
        return len(self.ids) + (self.rejected.tokens if self.rejected else 0)

    @property
    def supervised_tokens(self) -> int:
        """How many positions are learned; the first position has nothing before it to learn from."""
        own = sum(label != IGNORED for label in self.labels[1:])
        return own + (self.rejected.supervised_tokens if self.rejected else 0)

    @property
    def teaches(self) -> bool:
        """Whether something is left to learn; of a pair, in both answers."""
        own = any(label != IGNORED for label in self.labels[1:])
        return own and (self.rejected is None or self.rejected.teaches)


@dataclass(frozen=True)
class Rendered:
    """All rows that can be learned from, and what happened to the others."""

    examples: tuple[Example, ...]
    truncated: int
    unsupervised: int

    @property
    def supervised_tokens(self) -> int:
        """Supervised tokens of all rows together."""
        return sum(example.supervised_tokens for example in self.examples)


def read_rows(path: Path, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of `train.jsonl` or `eval.jsonl`, at most `limit`.

    Raises:
        AcademyError: `dataset_damaged` with the line's number.
    """
    try:
        with open_regular(path) as stream:
            for number, line in enumerate(islice(lines_of(stream), limit), start=1):
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise AcademyError(ErrorCode.DATASET_DAMAGED, path=str(path), line=number) from error
    except FileNotFoundError as error:
        raise AcademyError(ErrorCode.DATASET_DAMAGED, path=str(path), detail="missing") from error


def render_rows(
    renderer: Renderer,
    path: Path,
    max_length: int,
    limit: int | None = None,
    progress: Callable[[int], None] | None = None,
    method: Method = "sft",
) -> Rendered:
    """Render every row and keep those that teach something.

    Args:
        renderer: of the base model.
        path: `train.jsonl` or `eval.jsonl`.
        max_length: in tokens; longer rows are cut.
        limit: read no more rows than this.
        progress: told how many rows are done.
        method: what is made of a row.

    Raises:
        AcademyError: `dataset_kind` for a row that the method cannot learn; as `read_rows` and the renderer.
    """
    if method == "pretrain":
        texts = (row["text"] for row in _rows_of(path, limit, method, progress))
        return Rendered(tuple(_blocks(renderer, texts, max_length)), 0, 0)
    examples: list[Example] = []
    truncated = unsupervised = 0
    for row in _rows_of(path, limit, method, progress):
        example, cut = example_of(renderer, row, max_length)
        truncated += cut
        if example.teaches:
            examples.append(example)
        else:
            unsupervised += 1
    return Rendered(tuple(examples), truncated, unsupervised)


def _rows_of(
    path: Path, limit: int | None, method: Method, progress: Callable[[int], None] | None
) -> Iterator[dict[str, Any]]:
    for done, row in enumerate(read_rows(path, limit), start=1):
        if row.keys() & _KNOWN != _FIELDS[method]:
            raise AcademyError(ErrorCode.DATASET_KIND, path=str(path), line=done)
        yield row
        if progress:
            progress(done)


def example_of(renderer: Renderer, row: dict[str, Any], max_length: int) -> tuple[Example, bool]:
    """Render a row that has messages; returns whether it was cut."""
    asked = row["messages"]
    if "chosen" in row:
        better, cut = _answer(renderer, asked, row["chosen"], max_length)
        worse, worse_cut = _answer(renderer, asked, row["rejected"], max_length)
        return replace(better, rejected=worse), cut or worse_cut
    if "label" in row:
        judged, cut = _answer(renderer, asked[:-1], asked[-1:], max_length)
        return replace(judged, desirable=bool(row["label"])), cut
    rendered = renderer.render(asked, max_length, row.get("tools"))
    return Example(tuple(rendered.ids), tuple(rendered.labels)), rendered.truncated


def _answer(
    renderer: Renderer, asked: Sequence[Message], answer: Sequence[Message], max_length: int
) -> tuple[Example, bool]:
    """Render a question with an answer, of which alone the tokens are learned; returns whether it was cut."""
    rendered = renderer.render([*asked, *answer], max_length, asked=len(asked))
    return Example(tuple(rendered.ids), tuple(rendered.labels)), rendered.truncated


def _blocks(renderer: Renderer, texts: Iterable[str], max_length: int) -> Iterator[Example]:
    """Yield blocks of `max_length` tokens: texts behind each other, begun as the tokenizer does and ended."""
    ends = [] if renderer.eos_token_id is None else [renderer.eos_token_id]
    waiting: list[int] = []
    for text in texts:
        waiting += [*renderer.beginning, *renderer.encode(text), *ends]
        while len(waiting) >= max_length:
            block, waiting = tuple(waiting[:max_length]), waiting[max_length:]
            yield Example(block, block)
    if len(waiting) > 1:
        yield Example(tuple(waiting), tuple(waiting))
