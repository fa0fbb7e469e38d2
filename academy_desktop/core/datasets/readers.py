"""Reads files row by row: JSON, CSV, text, Parquet, Arrow, PDF and Word; also gzipped.

Lines, tables, lists and columns are streamed; other documents are read whole, up to a limit. A row that
cannot be read is handed on as damaged with its number, so that it is counted; a file that cannot be
understood at all is refused. Refuses to know what the rows mean.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from academy_desktop.core.datasets.columnar import read_arrow, read_parquet
from academy_desktop.core.datasets.documents import read_docx, read_pdf
from academy_desktop.core.datasets.encodings import Encoding, Recoded, encoding_of, undecodable_line
from academy_desktop.core.datasets.inflating import Inflated
from academy_desktop.core.datasets.json_lists import read_list
from academy_desktop.core.datasets.lines import Lines, read_lines, shown_line
from academy_desktop.core.datasets.passages import read_text
from academy_desktop.core.datasets.sniffing import HEAD_BYTES, Kind, Sniffed, is_text, sniff
from trainers.errors import AcademyError, ErrorCode

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK_BYTES = 1 << 20

#: The largest file that is read whole, in bytes; a JSON list beyond `LIST_BYTES` is read value by value.
DOCUMENT_BYTES = 128 << 20
LIST_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """One row as it stands in a file; `row` counts from 1. A damaged row has its text as `value`."""

    row: int
    value: Any
    damaged: bool = False


class Tap(io.RawIOBase):
    """A file that is hashed and watched while it is read from beginning to end.

    Its end is where it was when it was opened: one that grows as fast as it is read would have none.
    """

    def __init__(self, path: Path, watch: Callable[[int], None]) -> None:
        self._raw = path.open("rb", buffering=0)
        # A pipe, and what the system makes up, has no size and ends by itself.
        self._end = os.fstat(self._raw.fileno()).st_size or sys.maxsize
        self._watch = watch
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def readable(self) -> bool:
        """A tap is only ever read."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read up to the buffer's length, hash it, and tell the watcher how many bytes came."""
        view = memoryview(buffer)
        count = self._raw.readinto(view[: self._end - self.size_bytes]) or 0
        self._hash.update(view[:count])
        self.size_bytes += count
        self._watch(count)
        return count

    def close(self) -> None:
        """Close the file."""
        self._raw.close()
        super().close()

    @property
    def sha256(self) -> str:
        """Hash of what was read so far, in hexadecimal."""
        return self._hash.hexdigest()


@dataclass
class SourceFile:
    """One file to read; `size_bytes` and `sha256` are known once its rows are exhausted."""

    path: Path
    watch: Callable[[int], None] = field(default=lambda count: None)
    size_bytes: int = 0
    sha256: str = ""
    encoding: Encoding = Encoding.AUTO

    def records(self) -> Iterator[Record]:
        """Yield the rows in order; raises as `pieces`."""
        for piece in self.pieces():
            if isinstance(piece, Lines):
                yield from line_records(piece)
            else:
                yield piece

    def pieces(self) -> Iterator[Record | Lines]:
        """Yield the rows in order, as far as they are lines many at a time and not looked at.

        Raises:
            AcademyError: `file_not_found`, `file_unreadable`, `file_empty`, `file_encoding` or
                `file_not_its_format`.
        """
        with _readable(self.path, self.encoding):
            before = os.stat(self.path)
            with Tap(self.path, self.watch) as tap:
                raw = Inflated(tap) if self.path.suffix.lower() == ".gz" else tap
                stream = io.BufferedReader(raw, _CHUNK_BYTES)
                if is_text(self.path):
                    stream = _in_utf8(stream, self.encoding)
                sniffed = sniff(self.path, stream.peek(HEAD_BYTES)[:HEAD_BYTES])
                yield from self._pieces(sniffed, stream, is_as_stored=stream.raw is tap)
                _exhaust(tap)
                self.size_bytes, self.sha256 = tap.size_bytes, tap.sha256
            after = os.stat(self.path)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise _unreadable(self.path, "it changed while it was read")

    def _pieces(
        self, sniffed: Sniffed, stream: io.BufferedReader[Any], *, is_as_stored: bool
    ) -> Iterator[Record] | Iterator[Lines]:
        place = 0
        if stream.peek(3).startswith(codecs.BOM_UTF8):
            place = len(stream.read(3))
        match sniffed.kind:
            case Kind.DOCUMENT:
                return _document(stream)
            case Kind.LINES:
                return read_lines(stream, place if is_as_stored else None)
            case Kind.TABLE:
                return _table(stream, sniffed.delimiter)
            case Kind.TEXT:
                return _numbered(read_text(_whole(stream).decode()))
            case Kind.PARQUET:
                return _numbered(read_parquet(self._columns(stream)))
            case Kind.ARROW:
                return _numbered(read_arrow(self._columns(stream)))
            case Kind.PDF:
                return _numbered(read_text(read_pdf(_whole(stream))))
            case Kind.DOCX:
                return _numbered(read_text(read_docx(_whole(stream))))

    def _columns(self, stream: io.BufferedReader[Any]) -> bytes | Path:
        """A file of columns is read out of order: from its place, or unpacked in memory."""
        return _whole(stream) if self.path.suffix.lower() == ".gz" else self.path


def _in_utf8(stream: io.BufferedReader[Any], said: Encoding) -> io.BufferedReader[Any]:
    encoding = encoding_of(stream.peek(4)[:4], said)
    return (
        stream if encoding == Encoding.UTF_8 else io.BufferedReader(Recoded(stream, encoding), _CHUNK_BYTES)
    )


def _not_encoded(path: Path, said: Encoding) -> AcademyError:
    """The failure of a text that is not in its encoding, with the line to look at."""
    with path.open("rb", buffering=0) as raw:
        stream = io.BufferedReader(Inflated(raw) if path.suffix.lower() == ".gz" else raw, _CHUNK_BYTES)
        encoding = encoding_of(stream.peek(4)[:4], said)
        line = undecodable_line(stream, encoding)
    return AcademyError(ErrorCode.FILE_ENCODING, path=str(path), encoding=encoding.upper(), line=line)


@contextmanager
def _readable(path: Path, said: Encoding) -> Iterator[None]:
    """Turn whatever goes wrong with reading into its code."""
    try:
        yield
    except UnicodeDecodeError as error:
        if not is_text(path):
            raise _unreadable(path, str(error)) from error
        raise _not_encoded(path, said) from error
    except FileNotFoundError as error:
        raise AcademyError(ErrorCode.FILE_NOT_FOUND, path=str(path)) from error
    except (OSError, ValueError, csv.Error) as error:
        raise _unreadable(path, error.strerror if isinstance(error, OSError) else str(error)) from error


def _unreadable(path: Path, detail: str | None) -> AcademyError:
    return AcademyError(ErrorCode.FILE_UNREADABLE, path=str(path), detail=detail)


def _exhaust(tap: Tap) -> None:
    """Read what is left, so that size and hash are those of the whole file."""
    left = bytearray(_CHUNK_BYTES)
    while tap.readinto(left):
        pass


def _numbered(values: Iterable[object]) -> Iterator[Record]:
    for number, value in enumerate(values, 1):
        yield Record(number, value)


def _whole(stream: io.BufferedReader[Any]) -> bytes:
    """All that is left of a stream.

    Raises:
        ValueError: it is more than is read whole.
    """
    parts: list[bytes] = []
    size = 0
    while part := stream.read(_CHUNK_BYTES):
        parts.append(part)
        size += len(part)
        if size > DOCUMENT_BYTES:
            raise ValueError(f"it is larger than {DOCUMENT_BYTES >> 20} MB: save it as JSON Lines or CSV")
    return b"".join(parts)


def _document(stream: io.BufferedReader[Any]) -> Iterator[Record]:
    """Rows of a JSON document: a list, an object that holds one list of objects, or one object."""
    content = _upto(stream, LIST_BYTES)
    if len(content) == LIST_BYTES and content.lstrip()[:1] == b"[":
        return _numbered(read_list(chain([content], iter(lambda: stream.read(_CHUNK_BYTES), b""))))
    return _rows_of(content + _whole(stream))


def _upto(stream: io.BufferedReader[Any], most: int) -> bytes:
    parts: list[bytes] = []
    while most and (part := stream.read(most)):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def _rows_of(content: bytes) -> Iterator[Record]:
    try:
        value = from_json(content)
    except ValueError:
        if content[:1] != b"{" or b"\n{" not in content:
            content.decode()  # says so, if that is what is wrong
            raise
        yield from line_records(Lines(content, 1))  # lines after all, some of them damaged
        return
    if isinstance(value, dict):
        lists = [entry for entry in value.values() if _is_rows(entry)]
        is_row = {"messages", "conversations", "message_tree_id", "chosen"} & value.keys()
        value = lists[0] if len(lists) == 1 and not is_row else [value]
    yield from _numbered(value if isinstance(value, list) else [value])


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def line_records(lines: Lines) -> Iterator[Record]:
    """One JSON value per line."""
    for number, line in lines.numbered():
        try:
            yield Record(number, from_json(line))
        except ValueError:
            yield Record(number, shown_line(line), damaged=True)


def _table(stream: io.BufferedReader[Any], delimiter: str) -> Iterator[Record]:
    """Rows of a table as objects of its header's names; a row with more cells than names is damaged."""
    text = io.TextIOWrapper(stream, "utf-8", newline="")
    try:
        table = csv.reader(text, delimiter=delimiter, strict=True)
        names = [name.strip() for name in next(table, [])]
        if len(set(names)) < len(names):
            raise ValueError("two columns have the same name")
        for number, cells in enumerate((cells for cells in table if cells), 1):
            if len(cells) > len(names):
                yield Record(number, delimiter.join(cells), damaged=True)
            else:
                yield Record(number, dict(zip(names, cells, strict=False)))
    finally:
        if not text.closed:
            text.detach()
