"""How long the rows of a dataset are for a model: counted where that is quick, else told from a sample.

Owns the sample. Rendering is that of `trainers.rendering`; refuses to know what the lengths are for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from academy_desktop.core.estimate.workload import RowLength
from trainers.errors import AcademyError, ErrorCode
from trainers.rendering import Message, Renderer

#: The longest rows decide the memory, and are counted all; of the others, an even sample.
LONGEST, SAMPLED = 24, 72
#: Seconds after which no more rows are rendered.
BUDGET_S = 0.12
#: Most of a file that is looked at.
MOST_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class Lengths:
    """Lengths of the rows of one part of a dataset.

    `rows` is how many there are, of which `known` may be the beginning; `counted`: all were rendered.
    """

    known: tuple[RowLength, ...]
    rows: int
    counted: bool


def measure(renderer: Renderer, path: Path, clock: Callable[[], float] = time.monotonic) -> Lengths:
    """Tell the lengths of the rows in `train.jsonl` or `eval.jsonl`.

    Raises:
        AcademyError: `dataset_damaged` when the file is missing or a row is none.
    """
    lines, share = _lines(path)
    if not lines:
        return Lengths((), 0, counted=True)
    order = sorted(range(len(lines)), key=lambda index: -len(lines[index]))
    counted = _count(renderer, path, lines, _sample(order), clock() + BUDGET_S, clock)
    rows = round(len(lines) / share)
    if len(counted) == rows:
        return Lengths(tuple(counted[index] for index in range(rows)), rows, counted=True)
    per_byte = _rates(lines, counted, order)
    paired = any(row.worse is not None for row in counted.values())
    known = tuple(
        counted.get(index) or _told(len(line), per_byte, paired=paired) for index, line in enumerate(lines)
    )
    return Lengths(known, rows, counted=False)


def _lines(path: Path) -> tuple[list[bytes], float]:
    """The lines of a file, and which share of it they are."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES)
            size = path.stat().st_size
    except OSError as error:
        detail = error.strerror or str(error)
        raise AcademyError(ErrorCode.DATASET_DAMAGED, path=str(path), detail=detail) from error
    if len(content) < size:
        content = content[: content.rfind(b"\n") + 1]
    return content.splitlines(), len(content) / max(size, 1) or 1.0


def _sample(order: Sequence[int]) -> Iterator[int]:
    """Rows to render: the longest and an even choice of the others in turns, then all the rest."""
    rest = order[LONGEST:]
    step = max(len(rest) // SAMPLED, 1)
    even = rest[::step]
    # In turns, so that a budget that ends early has seen both.
    yield from order[:2]
    longest, others = iter(order[2:LONGEST]), iter([*even[::2], *even[1::2]])
    while chunk := [*islice(longest, 1), *islice(others, 3)]:
        yield from chunk
    if step > 1:
        chosen = set(even)
        yield from (index for index in rest if index not in chosen)


def _count(
    renderer: Renderer,
    path: Path,
    lines: Sequence[bytes],
    chosen: Iterator[int],
    deadline: float,
    clock: Callable[[], float],
) -> dict[int, RowLength]:
    counted: dict[int, RowLength] = {}
    for index in chosen:
        if len(counted) > 1 and clock() > deadline:
            break
        try:
            row = json.loads(lines[index])
            counted[index] = _length(renderer, row)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise AcademyError(ErrorCode.DATASET_DAMAGED, path=str(path), line=index + 1) from error
    return counted


def _length(renderer: Renderer, row: Mapping[str, Any]) -> RowLength:
    """Count one row, of whatever kind (PROTOCOL.md, "Datasets")."""
    if "text" in row:
        tokens = len(renderer.beginning) + len(renderer.encode(row["text"]))
        return RowLength(tokens, max(tokens - 1, 0))
    asked = row["messages"]
    if "chosen" in row:
        better, worse = (
            _answer(renderer, [*asked, *row[side]], len(asked)) for side in ("chosen", "rejected")
        )
        return replace(better, worse=worse)
    if "label" in row:
        return _answer(renderer, asked, len(asked) - 1)
    rendered = renderer.render(asked, tools=row.get("tools"))
    return RowLength(len(rendered.ids), rendered.supervised_tokens)


def _answer(renderer: Renderer, messages: Sequence[Message], asked: int) -> RowLength:
    """Count a question with its answer, of which alone the tokens are learned."""
    rendered = renderer.render(messages, asked=asked)
    return RowLength(len(rendered.ids), rendered.supervised_tokens)


def _told(size: int, per_byte: tuple[float, float], *, paired: bool) -> RowLength:
    """A row of so many bytes as the sample has it; of a pair, the other answer is taken to be as long."""
    tokens, supervised = (round(size * rate) for rate in per_byte)
    row = RowLength(tokens, supervised)
    return replace(row, worse=row) if paired else row


def _rates(
    lines: Sequence[bytes], counted: Mapping[int, RowLength], order: Sequence[int]
) -> tuple[float, float]:
    """(tokens, learned tokens) per byte of a usual row: not of the longest, which may be of another kind."""
    longest = set(order[:LONGEST])
    usual = [index for index in counted if index not in longest] or list(counted)
    size = sum(len(lines[index]) for index in usual)
    tokens = sum(counted[index].tokens for index in usual)
    return tokens / size, sum(counted[index].supervised for index in usual) / size
