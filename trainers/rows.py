"""Rows of a dataset as the engines want them: token ids and labels, made by the one renderer.

Owns the way from `train.jsonl` to examples. Refuses to render or to mask by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from trainers.errors import AcademyError, ErrorCode
from trainers.rendering import Renderer

#: Label of a position that is not learned (torch's `ignore_index`).
IGNORED = -100

#: Fields of rows that are no conversations to learn as they are: preference pairs, answers with a verdict.
_OTHER_KINDS = frozenset({"chosen", "rejected", "label"})


@dataclass(frozen=True)
class Example:
    """One row: `ids` and `labels` are of one length; a label is an id or `IGNORED`."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def supervised_tokens(self) -> int:
        """How many positions are learned; the first position has nothing before it to learn from."""
        return sum(label != IGNORED for label in self.labels[1:])


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
        with path.open("rb") as lines:
            for number, line in enumerate(islice(lines, limit), start=1):
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise AcademyError(ErrorCode.DATASET_DAMAGED, path=str(path), line=number) from error
    except FileNotFoundError as error:
        raise AcademyError(ErrorCode.DATASET_DAMAGED, path=str(path), detail="missing") from error


def render_rows(
    renderer: Renderer,
    path: Path,
    max_length: int,
    limit: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Rendered:
    """Render every row and keep those that teach something.

    Args:
        renderer: of the base model.
        path: `train.jsonl` or `eval.jsonl`.
        max_length: in tokens; longer rows are cut.
        limit: read no more rows than this.
        progress: told how many rows are done.

    Raises:
        AcademyError: `dataset_kind` for a row that is no conversation; as `read_rows` and the renderer.
    """
    examples: list[Example] = []
    truncated = unsupervised = 0
    for done, row in enumerate(read_rows(path, limit), start=1):
        if "messages" not in row or not row.keys().isdisjoint(_OTHER_KINDS):
            raise AcademyError(ErrorCode.DATASET_KIND, path=str(path), line=done)
        rendered = renderer.render(row["messages"], max_length, row.get("tools"))
        example = Example(tuple(rendered.ids), tuple(rendered.labels))
        truncated += rendered.truncated
        if example.supervised_tokens:
            examples.append(example)
        else:
            unsupervised += 1
        if progress:
            progress(done)
    return Rendered(tuple(examples), truncated, unsupervised)
