"""Rows of a dataset of any size by their number: an index of offsets, looked at and not loaded.

`<split>.idx` holds the place of each row in `<split>.jsonl` as little-endian uint64. Where it is missing it
is made once, into a cache. Owns access by number and the search for a
text. Refuses to know models and screens.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from trainers.errors import AcademyError, ErrorCode
from trainers.files import MOST_RECORD_BYTES, lines_of, open_regular

SPLITS = ("train", "eval")

#: Bytes that are read at a time.
_CHUNK_BYTES = 1 << 22
#: Rows between two looks at whether a search is still wanted.
_LOOK_EVERY = 512

Offsets = NDArray[np.uint64]
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class StoredRow:
    """A row as it is stored. `number` counts from 0, over the rows to learn and then those held out.

    `messages` is the conversation, of a preference pair that with the better answer; `rejected` is the one
    with the worse. Plain text is one turn of the role `text`. `label`: whether the answer was found good.
    `asked`: of a judged answer, how many turns come before it; what is said there is not learned.
    """

    number: int
    id: int
    file: str
    row: int
    held_out: bool
    messages: Sequence[dict[str, Any]]
    tools: Sequence[dict[str, Any]] | None = None
    rejected: Sequence[dict[str, Any]] | None = None
    label: bool | None = None
    asked: int = 0

    @property
    def text(self) -> str | None:
        """The text of a row that is no conversation."""
        is_text = len(self.messages) == 1 and self.messages[0]["role"] == "text"
        return str(self.messages[0]["content"]) if is_text else None


class RowFile:
    """One file of rows."""

    def __init__(self, path: Path, offsets: Offsets) -> None:
        self.path = path
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._offsets)

    def lines(self, start: int, end: int) -> list[bytes]:
        """The bytes of the rows from `start` to before `end`, counted from 0, in one read."""
        if start >= end:
            return []
        first = int(self._offsets[start])
        length = int(self._offsets[end]) - first if end < len(self._offsets) else -1
        if not -1 <= length <= self.path.stat().st_size:
            raise ValueError("the index is another file's")
        with open_regular(self.path) as stream:
            stream.seek(first)
            return stream.read(length).split(b"\n")[: end - start]


class Rows:
    """All rows of a dataset's folder. Nothing stays open between two looks."""

    def __init__(self, folder: Path, cache: Path, cancelled: Cancelled = lambda: False) -> None:
        """Open the rows; `cache` takes the index where the dataset has none.

        Raises:
            AcademyError: `dataset_damaged`.
        """
        self._dataset = folder.name
        try:
            self._files = [
                RowFile(path, read_index(path, cache / folder.name, cancelled))
                for path in (folder / f"{split}.jsonl" for split in SPLITS)
            ]
        except OSError as error:
            raise AcademyError(
                ErrorCode.DATASET_DAMAGED, dataset=folder.name, path=str(error.filename or folder)
            ) from error

    def __len__(self) -> int:
        return sum(map(len, self._files))

    def row(self, number: int) -> StoredRow:
        """The row with this number, from 0.

        Raises:
            AcademyError: `dataset_damaged`.
            IndexError: there is none.
        """
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self.page(number, 1)[0]

    def number_of(self, row_id: int) -> int | None:
        """The number of the row with this id; ids grow on each side unless datasets were mixed."""
        start = 0
        for file in self._files:
            end = start + len(file)
            place = bisect_left(range(start, end), row_id, key=lambda number: self.row(number).id) + start
            if place < end and self.row(place).id == row_id:
                return place
            start = end
        return next((number for number in range(len(self)) if self.row(number).id == row_id), None)

    def page(self, start: int, count: int) -> list[StoredRow]:
        """Some rows from `start` on, fewer at the end.

        Raises:
            AcademyError: `dataset_damaged`.
        """
        rows: list[StoredRow] = []
        before = 0
        for held_out, file in enumerate(self._files):
            first = max(start - before, 0)
            last = min(start + count - before, len(file))
            try:
                for place, line in enumerate(file.lines(first, last), start=before + first):
                    rows.append(_parsed(line, place, held_out=bool(held_out)))
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise self._damaged(file) from error
            before += len(file)
        return rows

    def search(self, text: str, cancelled: Cancelled = lambda: False) -> Iterator[array[int]]:
        """Yield the numbers of rows in whose turns the text stands, letter case aside, as they are found."""
        wanted = text.casefold()
        found = array("I")
        for number, row in enumerate(self._all()):
            if number % _LOOK_EVERY == 0:
                yield found
                found = array("I")
                if cancelled():
                    return
            turns = (*row.messages, *(row.rejected or ()))
            if any(wanted in str(one.get("content") or "").casefold() for one in turns):
                found.append(number)
        yield found

    def _all(self) -> Iterator[StoredRow]:
        number = 0
        for file in self._files:
            try:
                with open_regular(file.path) as stream:
                    for line in lines_of(stream):
                        yield _parsed(line, number, held_out=file is not self._files[0])
                        number += 1
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise self._damaged(file) from error

    def _damaged(self, file: RowFile) -> AcademyError:
        return AcademyError(ErrorCode.DATASET_DAMAGED, dataset=self._dataset, path=str(file.path))


def _parsed(line: bytes, number: int, *, held_out: bool) -> StoredRow:
    value = from_json(line)
    source = value["source"]
    asked = value.get("messages", ())
    messages = [*asked, *value.get("chosen", ())]
    if not all(isinstance(one, dict) for one in messages):
        raise ValueError("a turn that is none")
    if "text" in value:
        messages = [{"role": "text", "content": value["text"]}]
    return StoredRow(
        number=number,
        id=value["id"],
        file=source["file"],
        row=source["row"],
        held_out=held_out,
        messages=messages,
        tools=value.get("tools"),
        rejected=[*asked, *value["rejected"]] if "rejected" in value else None,
        label=value.get("label"),
        asked=len(asked) if "chosen" in value else len(asked) - 1 if "label" in value else 0,
    )


def read_index(path: Path, cache: Path, cancelled: Cancelled = lambda: False) -> Offsets:
    """The offsets of a file's rows: those beside it, those in the cache, or new ones that go there.

    Raises:
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    for index in (path.with_suffix(".idx"), cache / f"{path.stem}-{size}.idx"):
        known = _mapped(index)
        if known is not None and _fits(known, path, size):
            return known
    cache.mkdir(parents=True, exist_ok=True)
    aside = index.with_suffix(f".{os.getpid()}.tmp")
    try:
        with aside.open("wb") as out:
            for offsets in scan_offsets(path, cancelled):
                out.write(offsets.tobytes())
        aside.replace(index)
    finally:
        with contextlib.suppress(FileNotFoundError):
            aside.unlink()
    made = _mapped(index)
    return np.empty(0, "<u8") if made is None else made


def scan_offsets(path: Path, cancelled: Cancelled = lambda: False) -> Iterator[Offsets]:
    """Yield the places at which lines begin, chunk by chunk.

    Raises:
        InterruptedError: nobody wants them any more.
    """
    place, size = 0, path.stat().st_size
    if size:
        yield np.zeros(1, "<u8")
    with open_regular(path) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            if cancelled():
                raise InterruptedError
            ends = np.flatnonzero(np.frombuffer(chunk, np.uint8) == ord("\n")).astype("<u8") + (place + 1)
            place += len(chunk)
            yield ends[ends < size]


def _mapped(index: Path) -> Offsets | None:
    try:
        with open_regular(index) as stream:
            if not index.stat().st_size:
                return np.empty(0, "<u8")
            return np.frombuffer(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ), "<u8")
    except (OSError, ValueError):
        return None


def _fits(offsets: Offsets, path: Path, size: int) -> bool:
    """Whether an index is one of this file: its first and last row begin after a line's end."""
    if not len(offsets):
        return size == 0
    first, last = int(offsets[0]), int(offsets[-1])
    if first != 0 or last >= size:
        return False
    with open_regular(path) as stream:
        stream.seek(max(last - 1, 0))
        before = stream.read(1) if last else b"\n"
        return before == b"\n" and stream.readline(MOST_RECORD_BYTES) != b"" and not stream.read(1)
