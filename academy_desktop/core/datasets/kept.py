"""Rows that are kept, in files beside each other, until it is known on which side of the split they stand.

A dataset may be larger than the memory: of each row stay some numbers. Owns those files and the writing of
the two sides. Refuses to know why a row is kept.
"""

from __future__ import annotations

import hashlib
import os
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import compress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from trainers.files import open_regular

#: Bytes that are read, and rows that are written, at a time.
_RUN_BYTES, _RUN_ROWS = 1 << 20, 2048

Places = NDArray[np.uint64]


class KeptRows:
    """Takes what is stored of rows, batch by batch, and gives it again by a row's number, from 0."""

    def __init__(self, folder: Path) -> None:
        self._own = folder / "kept"
        self._out = self._own.open("wb")
        self._paths = [self._own]
        self._streams: dict[int, IO[bytes]] = {}
        self._parts = array("I")
        self._places = array("Q")
        self._sizes = array("Q")

    def __enter__(self) -> KeptRows:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in (self._out, *self._streams.values()):
            stream.close()
        for path in self._paths:
            path.unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self._sizes)

    def add_file(self, path: Path) -> None:
        """A file that others write into; it goes away with the rest."""
        self._paths.append(path)

    def add(
        self,
        sizes: Sequence[int],
        keep: NDArray[np.bool_] | None,
        content: bytes,
        part: Path | None,
        place: int,
    ) -> None:
        """Take the rows of a batch, all or those to `keep`; they are `content`, or in `part` at `place`."""
        if part is None:
            place = self._out.tell()
            self._out.write(content)
        ends = np.cumsum(np.array(sizes, np.uint64))
        places = ends - np.array(sizes, np.uint64) + np.uint64(place)
        chosen = np.array(sizes, np.uint64)
        if keep is not None:
            places, chosen = places[keep], chosen[keep]
        number = 0 if part is None else self._paths.index(part)
        self._parts.extend([number] * len(chosen))
        self._places.frombytes(places.tobytes())
        self._sizes.frombytes(chosen.tobytes())

    def flush(self) -> None:
        """Let what was taken be read."""
        self._out.flush()

    def line(self, number: int) -> bytes:
        """What is stored of a row, as it was taken."""
        return self._read(self._parts[number], self._places[number], self._sizes[number])

    def runs(self) -> Iterator[list[bytes]]:
        """Yield what is stored of all rows, in order, some at a time."""
        if not self._sizes:
            return
        parts, places = np.frombuffer(self._parts, np.uintc), np.frombuffer(self._places, np.uint64)
        sizes = np.frombuffer(self._sizes, np.uint64)
        ends = places + sizes
        breaks = np.flatnonzero((parts[1:] != parts[:-1]) | (places[1:] != ends[:-1])) + 1
        for start, end in _spans(breaks.tolist(), np.cumsum(sizes)):
            first = int(places[start])
            content = self._read(int(parts[start]), first, int(ends[end - 1]) - first)
            edges = (places[start:end] - places[start]).tolist()
            yield [content[a:b] for a, b in zip(edges, [*edges[1:], len(content)], strict=True)]

    def _read(self, part: int, place: int, size: int) -> bytes:
        if part not in self._streams:
            self._streams[part] = self._paths[part].open("rb", buffering=0)
        stream = self._streams[part]
        stream.seek(place)
        return stream.read(size)


class RowWriter:
    """Writes rows, and beside them `.idx`: where each begins, as little-endian uint64; fsynced at the end.

    `sha256` is that of what was written, once it is closed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hash = hashlib.sha256()
        self._lines: list[bytes] = []
        self._offsets = array("Q")
        self._place = 0

    def __enter__(self) -> RowWriter:
        self._rows = self.path.open("wb")
        self._threads = ThreadPoolExecutor(2)
        self._begun: list[Future[Any]] = []
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._rows, self._threads:
            if error is None:
                self._write_waiting()
                self._wait()
                sync(self._rows)
        if error is None:
            with self.path.with_suffix(".idx").open("wb") as index:
                if sys.byteorder == "big":
                    self._offsets.byteswap()
                index.write(self._offsets.tobytes())
                sync(index)

    def write(self, line: bytes) -> None:
        """Write one row, which ends with its line's end."""
        self._lines.append(line)
        if len(self._lines) == _RUN_ROWS or len(line) > _RUN_BYTES // _RUN_ROWS:
            self._write_waiting()

    def write_all(self, lines: Sequence[bytes]) -> None:
        """Write rows, each of which ends with its line's end."""
        self._write_waiting()
        self._write(lines)

    def _write_waiting(self) -> None:
        waiting, self._lines = self._lines, []
        self._write(waiting)

    def _write(self, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        sizes = np.fromiter(map(len, lines), np.uint64, len(lines))
        ends = np.cumsum(sizes) + np.uint64(self._place)
        self._offsets.frombytes((ends - sizes).tobytes())
        self._place = int(ends[-1])
        content = b"".join(lines)
        self._wait()
        # Both beside the one who makes the next rows.
        self._begun = [self._threads.submit(put, content) for put in (self._rows.write, self.hash.update)]

    def _wait(self) -> None:
        for one in self._begun:
            one.result()
        self._begun = []


def write_sides(kept: KeptRows, sides: NDArray[np.int8], folder: Path, watch: Callable[[], None]) -> str:
    """Write `train.jsonl` and `eval.jsonl`, the rows with their ids, and return the hash over both.

    `sides` has 0 for a row to learn, 1 for one that is held out, -1 for one that goes nowhere.
    """
    train, held = RowWriter(folder / "train.jsonl"), RowWriter(folder / "eval.jsonl")
    number = 0
    with train, held:
        for run in kept.runs():
            watch()
            count = len(run)
            side = sides[number : number + count]
            lines = [b'{"id":%d,' % one + row for one, row in enumerate(run, number + 1)]
            number += count
            if side.any():
                train.write_all(list(compress(lines, (side == 0).tolist())))
                held.write_all(list(compress(lines, (side == 1).tolist())))
            else:
                train.write_all(lines)
    digest = train.hash.copy()
    hash_file(held.path, digest)
    return digest.hexdigest()


def content_hash(*paths: Path) -> str:
    """SHA-256 over the bytes of the files, one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        hash_file(path, digest)
    return digest.hexdigest()


def hash_file(path: Path, digest: hashlib._Hash) -> None:
    """Add a file's bytes to a hash."""
    with open_regular(path) as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)


def sync(stream: IO[bytes]) -> None:
    """Make sure that what was written is on the disk."""
    stream.flush()
    os.fsync(stream.fileno())


def _spans(breaks: Sequence[int], ends: Places) -> Iterator[tuple[int, int]]:
    """Rows that stand one after the other in a file, not too many at a time."""
    start = 0
    for stop in (*breaks, len(ends)):
        while start < stop:
            before = ends[start - 1] if start else np.uint64(0)
            some = ends[start : min(stop, start + _RUN_ROWS)]
            end = start + max(int(np.searchsorted(some, before + np.uint64(_RUN_BYTES), "right")), 1)
            yield start, end
            start = end
