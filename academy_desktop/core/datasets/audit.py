"""The audit of a dataset for a model: all rows, in a child process, and what was found there.

Owns the report, and what any limit of tokens would cut. Refuses to render: `trainers.xray` does, with the
code that training renders with.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from academy_desktop.core.datasets.browse import SPLITS
from academy_desktop.core.tasks import Progress, Tasks, no_progress
from trainers.errors import Fact
from trainers.rendering.defects import DefectCode

#: Bars of the length histogram, about.
BARS = 40

Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Problem:
    """One defect of one row. `number` is the row's place in the dataset, from 0; `row` its id."""

    number: int
    row: int
    code: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class Cut:
    """What a limit would cut: rows that lose tokens, trained tokens lost, rows left with nothing to learn."""

    rows: int
    supervised_tokens: int
    emptied_rows: int


@dataclass(frozen=True)
class Bar:
    """Rows of `start` tokens or more, and fewer than `end`."""

    start: int
    end: int
    rows: int


class Report:
    """What the audit found. Lengths are in tokens; a row that the template refuses has none."""

    def __init__(self, folder: Path, max_length: int, summary: Mapping[str, Any]) -> None:
        self._folder = folder
        self.max_length = max_length
        self.rows: int = summary["rows"]
        self.defects: dict[str, int] = dict(summary["defects"])
        self._texts: int = summary.get("texts", 0)
        self._lengths: list[int] = [length for length, _ in summary["lengths"]]
        self._rows_upto = _sums(rows for _, rows in summary["lengths"])
        self._learned_at, self._learned_upto = _positions(summary["learned"])
        self._firsts: list[int] = [first for first, _ in summary["firsts"]]
        self._firsts_upto = _sums(rows for _, rows in summary["firsts"])

    @property
    def rendered_rows(self) -> int:
        """Rows that the template writes."""
        return self._rows_upto[-1]

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return self._lengths[-1] if self._lengths else 0

    @property
    def mean(self) -> float:
        """Tokens of a row on average."""
        if not self.rendered_rows:
            return 0.0
        rows = np.diff(np.array(self._rows_upto))
        return float(np.dot(np.array(self._lengths), rows)) / self.rendered_rows

    @property
    def all_supervised_tokens(self) -> int:
        """Trained tokens without any limit."""
        return self._learned_before(self.longest)

    @property
    def supervised_tokens(self) -> int:
        """Trained tokens at the audit's own limit."""
        return self._learned_before(self.max_length)

    @property
    def unlearned_rows(self) -> int:
        """Rows of which no token is trained at the audit's own limit."""
        return self.rendered_rows - self._firsts_upto[bisect_left(self._firsts, self.max_length)]

    def percentile(self, share: float) -> int:
        """The length that this share of the rows does not exceed (nearest rank)."""
        if not self._lengths:
            return 0
        place = bisect_left(self._rows_upto, max(1, share * self.rendered_rows)) - 1
        return self._lengths[min(place, len(self._lengths) - 1)]

    def cut(self, limit: int) -> Cut:
        """What a limit of this many tokens would cut; plain texts are parted into blocks and lose nothing."""
        if self._texts:
            return Cut(0, 0, 0)
        kept = self._rows_upto[bisect_left(self._lengths, limit + 1)]
        learning = self._firsts_upto[bisect_left(self._firsts, limit)]
        return Cut(
            rows=self.rendered_rows - kept,
            supervised_tokens=self.all_supervised_tokens - self._learned_before(limit),
            emptied_rows=self._firsts_upto[-1] - learning,
        )

    def histogram(self, width: int | None = None) -> tuple[Bar, ...]:
        """Rows by length, in bars of one width; without one, of a width that gives a readable number."""
        if not self._lengths:
            return ()
        width = width or _round_width(self.longest)
        edges = range(0, self.longest + width, width)
        upto = [self._rows_upto[bisect_left(self._lengths, edge)] for edge in (*edges, edges[-1] + width)]
        ends = (*edges[1:], edges[-1] + width)
        bars = (
            Bar(start, end, after - before)
            for start, end, before, after in zip(edges, ends, upto[:-1], upto[1:], strict=True)
        )
        return tuple(bar for bar in bars if bar.start <= self.longest)

    def problems(self) -> Iterator[Problem]:
        """Read all problems, in the order of the rows."""
        with (self._folder / "defects.jsonl").open("rb") as lines:
            for line in lines:
                one = json.loads(line)
                yield Problem(one["row"], one["id"], one["code"], one["facts"])

    def rows_with(self, code: str = "") -> array[int]:
        """Numbers of the rows with this defect, or with any."""
        numbers = (one.number for one in self.problems() if not code or one.code == code)
        return array("I", dict.fromkeys(numbers))

    def lengths(self) -> NDArray[np.uint32]:
        """Tokens of each row, 0 where the template refuses it."""
        path = self._folder / "lengths.bin"
        return np.memmap(path, "<u4", "r") if path.stat().st_size else np.empty(0, "<u4")

    def rows_longer_than(self, limit: int) -> array[int]:
        """Numbers of the rows with more tokens."""
        return array("I", np.flatnonzero(self.lengths() > limit).astype(np.uint32).tobytes())

    def _learned_before(self, limit: int) -> int:
        """Trained tokens at positions below `limit`."""
        if limit <= 0 or not self._learned_at:
            return 0
        place = bisect_left(self._learned_at, limit)
        if place == 0:
            return 0
        # from the last change on, each position trains as many rows as there
        here = self._learned_upto[place - 1]
        return here[0] + here[1] * (limit - self._learned_at[place - 1])


class Auditor:
    """Audits datasets; results lie in `cache` until the next audit of the same dataset."""

    def __init__(self, tasks: Tasks, cache: Path) -> None:
        self._tasks = tasks
        self.cache = cache

    def audit(self, dataset: Path, model: Path, max_length: int, progress: Progress = no_progress) -> Report:
        """Render and check every row of a dataset's folder; `progress` is told bytes.

        What `progress` raises ends the audit and the child.

        Raises:
            AcademyError: what loading the model raises, `dataset_damaged`, `task_failed`.
        """
        key = hashlib.sha256(str(model).encode()).hexdigest()[:8]
        out = self.cache / dataset.name / f"audit-{key}-{max_length}"
        request = {
            "model": str(model),
            "files": [str(dataset / f"{split}.jsonl") for split in SPLITS],
            "max_length": max_length,
            "out": str(out),
        }
        return Report(out, max_length, self._tasks.run("xray", request, progress))


def problem_counts(report: Report) -> dict[str, int]:
    """How many rows have each defect, the commonest first."""
    return dict(sorted(report.defects.items(), key=lambda one: (-one[1], one[0])))


def count_of(report: Report, code: DefectCode) -> int:
    """How many rows have this defect."""
    return report.defects.get(code.value, 0)


def _sums(counts: Iterable[int]) -> list[int]:
    return list(accumulate(counts, initial=0))


def _positions(changes: Pairs) -> tuple[list[int], list[tuple[int, int]]]:
    """Positions at which the number of training rows changes; tokens trained before each, and rows there."""
    places: list[int] = []
    sums: list[tuple[int, int]] = []
    tokens = rows = before = 0
    for place, change in changes:
        tokens += rows * (place - before)
        rows += change
        before = place
        places.append(place)
        sums.append((tokens, rows))
    return places, sums


def _round_width(longest: int) -> int:
    """A width of 1, 2 or 5 times a power of ten that parts the longest row into about `BARS`."""
    width = 1
    while True:
        for factor in (1, 2, 5):
            if factor * width * BARS >= longest:
                return factor * width
        width *= 10
