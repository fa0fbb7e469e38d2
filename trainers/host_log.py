"""The log of a run: the trainer's output in numbered segments, never longer than a cap.

Owns what is dropped when a trainer talks too much: the middle. How it began and how it ended is what a reader
needs. Standard library only. Refuses to know what the output says.
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

#: Head, marker, one full segment and the one being written: with less, a rotation would lose the end.
MIN_SEGMENTS = 4
_LAST_BYTES = 8 * 1024
_MARKER = re.compile(rb"\n\[(\d+) bytes of output were dropped here\]\n")


class SegmentedLog:
    """`log/00001.txt` and so on; goes on with a new segment where an earlier attempt left off.

    Writing never fails and never blocks for long: what a full disk does not take is dropped, and said so.
    """

    def __init__(self, folder: Path, segment_bytes: int, segments: int) -> None:
        self._folder = folder
        self._segment_bytes = max(segment_bytes, 1)
        self._segments = max(segments, MIN_SEGMENTS)
        self._guard = threading.Lock()
        self._lost = 0
        self._file: int | None = None
        self._size = 0
        self._number = 0
        self._closed = False
        self._last = b""

    @property
    def last_words(self) -> bytes:
        """The end of what was written, a few thousand bytes at most."""
        return self._last

    def write(self, chunk: bytes) -> None:
        """Append output; segments end at a line's end where there is one."""
        with self._guard:
            self._last = (self._last + chunk)[-_LAST_BYTES:]
            rest = memoryview(chunk)
            while rest and not self._closed:
                if self._file is None or self._size >= self._segment_bytes:
                    self._rotate()
                room = max(1, self._segment_bytes - self._size)
                part = rest[:room]
                if len(rest) > room:
                    part = part[: bytes(part).rfind(b"\n") + 1] or part
                self._append(part)
                rest = rest[len(part) :]

    def close(self) -> None:
        """Write nothing more, even if a grandchild still talks."""
        with self._guard:
            self._closed = True
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _append(self, part: memoryview) -> None:
        # counted even when lost: a full disk must not stop the rotation, which frees room
        self._size += len(part)
        if self._file is None:
            self._lost += len(part)
            return
        try:
            if self._lost:
                os.write(self._file, f"\n[{self._lost} bytes of output were lost: disk full]\n".encode())
                self._lost = 0
            written = os.write(self._file, part)
            self._lost += len(part) - written
        except OSError:
            self._lost += len(part)

    def _rotate(self) -> None:
        """Begin a new segment; drop from the middle what is over the cap."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._size = 0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            numbers = self._numbers()
            self._number = max(numbers, default=0) + 1
            self._drop([*numbers, self._number])
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
            self._file = os.open(self._path(self._number), flags, 0o644)
        except OSError:
            self._file = None

    def _drop(self, numbers: list[int]) -> None:
        """Remove the oldest segments but the first; the second becomes the marker of how much is gone."""
        surplus = len(numbers) - self._segments
        if surplus <= 0:
            return
        place = self._path(numbers[1])
        dropped = _dropped_before(place)
        victims = [self._path(number) for number in numbers[2 : 2 + surplus]]
        if dropped is None:
            victims.insert(0, place)
        dropped = (dropped or 0) + sum(path.stat().st_size for path in victims)
        aside = place.with_name(f".{place.name}.tmp")
        aside.write_bytes(b"\n[%d bytes of output were dropped here]\n" % dropped)
        aside.replace(place)
        for path in victims:
            if path != place:
                path.unlink()

    def _numbers(self) -> list[int]:
        names = (path.stem for path in self._folder.glob("*.txt"))
        return sorted(int(name) for name in names if name.isascii() and name.isdigit())

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:05d}.txt"


def _dropped_before(path: Path) -> int | None:
    """What a marker counts; None when the file is an ordinary segment."""
    with path.open("rb") as stream:
        found = _MARKER.fullmatch(stream.read(200))
    return int(found.group(1)) if found else None
