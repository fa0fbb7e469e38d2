"""A few rows of a dataset, for what is tried before a run: the longest ones, and usual ones.

Owns the choice, and the small dataset that is made of it. Rendering is that of `trainers.rendering`; refuses
to know what is tried with the rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from trainers.errors import AcademyError, ErrorCode
from trainers.files import lines_of, open_regular
from trainers.recipe import DatasetRef, TrainRecipe
from trainers.rendering import Renderer
from trainers.rows import example_of
from trainers.space import disk_full, is_full

#: More rows than are wanted are rendered, for the longest in bytes are not always the longest in tokens.
SPARE = 16

Row = dict[str, Any]


@dataclass(frozen=True)
class Chosen:
    """A row, and how many tokens a run makes of it at its limit of length."""

    row: Row
    tokens: int


class Excerpts:
    """Chooses among the rows of one side of a recipe's dataset."""

    def __init__(self, recipe: TrainRecipe, renderer: Renderer, split: str = "train") -> None:
        """Find the rows' places.

        Raises:
            AcademyError: `dataset_damaged` when the file cannot be read.
        """
        self._path = Path(recipe.dataset.path) / f"{split}.jsonl"
        self._renderer = renderer
        self._limit = recipe.training.max_seq_length
        self._places = self._find()

    def longest(self, count: int) -> list[Chosen]:
        """At most so many of the longest rows that teach something.

        Raises:
            AcademyError: `dataset_damaged`; `template_failed` for a row that the template refuses.
        """
        order = sorted(range(len(self._places)), key=lambda at: -self._places[at][1])
        found: list[Chosen] = []
        for chosen in self._taught(order):
            found.append(chosen)
            if len(found) >= count + SPARE:
                break
        return sorted(found, key=lambda one: -one.tokens)[:count]

    def longest_tokens(self, tokens: int) -> list[Chosen]:
        """The longest rows, until they have so many tokens together; raises as `longest`."""
        order = sorted(range(len(self._places)), key=lambda at: -self._places[at][1])
        found: list[Chosen] = []
        for chosen in self._taught(order):
            found.append(chosen)
            tokens -= chosen.tokens
            if tokens <= 0:
                break
        return found

    def usual(self, count: int) -> list[Chosen]:
        """At most so many rows that teach something, evenly from the whole file; raises as `longest`."""
        step = max(len(self._places) // max(count, 1), 1)
        return list(islice(self._taught(range(0, len(self._places), step)), count))

    def _taught(self, order: Iterable[int]) -> Iterator[Chosen]:
        with open_regular(self._path) as stream:
            for at in order:
                start, size = self._places[at]
                stream.seek(start)
                try:
                    row = from_json(stream.read(size))
                    tokens = self._tokens(row)
                except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
                    raise self._damaged(at + 1) from error
                if tokens:
                    yield Chosen(row, tokens)

    def _tokens(self, row: Row) -> int:
        """Tokens of a row at the limit; 0 where nothing of it would be learned."""
        if "text" in row:
            return len(self._renderer.encode(row["text"]))
        example, _ = example_of(self._renderer, row, self._limit)
        return example.tokens if example.teaches else 0

    def _find(self) -> list[tuple[int, int]]:
        """Where each row begins, and how long it is, in bytes."""
        places: list[tuple[int, int]] = []
        start = 0
        try:
            with open_regular(self._path) as stream:
                for line in lines_of(stream):
                    places.append((start, len(line)))
                    start += len(line)
        except OSError as error:
            raise self._damaged(None) from error
        return places

    def _damaged(self, line: int | None) -> AcademyError:
        return AcademyError(ErrorCode.DATASET_DAMAGED, path=str(self._path), line=line)


def write_excerpt(folder: Path, train: Sequence[Row], held_out: Sequence[Row]) -> DatasetRef:
    """Write rows as a dataset that a trainer reads, into a new folder.

    Raises:
        AcademyError: `disk_full`.
        OSError: it cannot be written.
    """
    digest = hashlib.sha256()
    try:
        folder.mkdir(parents=True)
        for split, rows in (("train", train), ("eval", held_out)):
            content = b"".join(to_json(row) + b"\n" for row in _numbered(rows))
            (folder / f"{split}.jsonl").write_bytes(content)
            digest.update(content)
    except OSError as error:
        if is_full(error):
            raise disk_full(folder.parent) from error
        raise
    return DatasetRef(id=folder.name, path=str(folder), sha256=digest.hexdigest())


def _numbered(rows: Sequence[Row]) -> Iterator[Row]:
    """Rows with ids that rise, as those of a dataset do: the same row may stand there twice."""
    for number, row in enumerate(rows):
        yield {**row, "id": number}
