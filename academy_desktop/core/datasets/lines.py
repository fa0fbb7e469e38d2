"""JSON Lines some thousand at a time, so that they can be handed to another process by their place.

Owns the parting of a stream into whole lines, and what becomes of a line that is too long. Refuses to know
what stands in them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np

#: Bytes of a stream that are read at a time.
BLOCK_BYTES = 1 << 20
#: The longest line that is a row, in bytes; a longer one is damaged.
LINE_BYTES = 16 << 20
_NEWLINE = np.uint8(10)
#: How much of such a line is shown.
_KEPT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines; `place` is where they stand in their file, None where they do not like this."""

    content: bytes
    first_row: int
    place: int | None = None

    def numbered(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines with their numbers; empty ones are passed over but counted."""
        for number, line in enumerate(io.BytesIO(self.content), self.first_row):
            if not line.isspace():
                yield number, line


def shown_line(line: bytes) -> str:
    """A line as text, as far as it is text."""
    return line.decode("utf-8", "replace").rstrip("\r\n")


def read_lines(stream: IO[bytes], place: int | None = None) -> Iterator[Lines]:
    """Yield all lines of a stream in order, many at a time; of one that is too long only its beginning.

    `place` is where the stream stands in its file, None where it is not the file as it is.
    """
    row, rest = 1, b""
    while block := stream.read(BLOCK_BYTES):
        first = block.find(b"\n") + 1
        if len(rest) + (first or len(block)) > LINE_BYTES:
            yield Lines(rest[:_KEPT_BYTES] + b" \xe2\x80\xa6", row)
            length, block = _line_end(stream, block)
            place = _beyond(place, len(rest) + length)
            row, rest = row + 1, b""
        end = block.rfind(b"\n") + 1
        if not end:
            rest += block
            continue
        content = rest + block[:end]
        rest = block[end:]
        yield Lines(content, row, place)
        row += int(np.count_nonzero(np.frombuffer(content, np.uint8) == _NEWLINE))
        place = _beyond(place, len(content))
    if rest:
        yield Lines(rest, row, place)


def _line_end(stream: IO[bytes], block: bytes) -> tuple[int, bytes]:
    """Pass over the rest of a line; return its length and what came after it."""
    length = 0
    while block:
        end = block.find(b"\n") + 1
        if end:
            return length + end, block[end:]
        length += len(block)
        block = stream.read(BLOCK_BYTES)
    return length, b""


def _beyond(place: int | None, length: int) -> int | None:
    return None if place is None else place + length
