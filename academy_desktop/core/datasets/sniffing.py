"""What a file really is: a look at its first bytes, held against its name."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic_core import from_json

from trainers.errors import AcademyError, ErrorCode

#: Bytes looked at.
HEAD_BYTES = 64 * 1024

_JSON_SUFFIXES = {".json": "JSON", ".jsonl": "JSON Lines", ".ndjson": "JSON Lines"}
_TABLE_SUFFIXES = {".csv": "CSV", ".tsv": "TSV"}
_TEXT_SUFFIXES = {".txt": "text", ".text": "text", ".md": "Markdown", ".markdown": "Markdown"}
_ALL = "JSON, JSON Lines, CSV, TSV"
_DELIMITERS = ",\t;|"

_SIGNATURES = (
    (b"\x89PNG\r\n", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"%PDF-", "PDF"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"\x1f\x8b", "gzip archive"),
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow"),
    (b"GGUF", "GGUF model"),
    (b"SQLite format 3\x00", "SQLite database"),
)
_BEGINNINGS = (
    (b"<!doctype html", "HTML page"),
    (b"<html", "HTML page"),
    (b"<?xml", "XML"),
    (b"version https://git-lfs", "Git LFS pointer"),
)


class Kind(StrEnum):
    """How the rows lie in a file."""

    DOCUMENT = "json"
    LINES = "jsonl"
    TABLE = "csv"
    TEXT = "text"
    PARQUET = "parquet"
    ARROW = "arrow"
    PDF = "pdf"
    DOCX = "docx"


#: So many lines that are not UTF-8 may be torn ones; more of them, and no other, tell of another encoding.
_TORN_LINES = 2

#: Endings of files that are no text: the kind, its name, and what such a file begins with.
_BINARY = {
    ".parquet": (Kind.PARQUET, "Parquet", (b"PAR1",)),
    ".arrow": (Kind.ARROW, "Arrow", (b"ARROW1", b"\xff\xff\xff\xff")),
    ".feather": (Kind.ARROW, "Feather", (b"ARROW1",)),
    ".pdf": (Kind.PDF, "PDF", (b"%PDF-",)),
    ".docx": (Kind.DOCX, "Word document", (b"PK\x03\x04",)),
}

#: All endings that are read, without the `.gz` that may follow.
ENDINGS = (*_JSON_SUFFIXES, *_TABLE_SUFFIXES, *_TEXT_SUFFIXES, *_BINARY)


@dataclass(frozen=True, slots=True)
class Sniffed:
    """The kind of a file; `delimiter` parts the columns of a table."""

    kind: Kind
    delimiter: str = ","


def sniff(path: Path, head: bytes) -> Sniffed:
    """Tell the kind of the file `path` from its first `HEAD_BYTES`.

    Raises:
        AcademyError: `file_empty`; `file_not_its_format` when the content contradicts the name.
        UnicodeDecodeError: it is text, and not in UTF-8.
    """
    suffix = ending(path)
    if suffix in _BINARY and head:
        kind, name, signatures = _BINARY[suffix]
        if not head.startswith(signatures):
            raise _mismatch(path, name, _stranger(head) or "text")
        return Sniffed(kind)
    if _is_encoded_otherwise(head):
        head.decode()
    expected = {**_JSON_SUFFIXES, **_TABLE_SUFFIXES, **_TEXT_SUFFIXES}.get(suffix, _ALL)
    stranger = _stranger(head)
    if stranger is not None:
        raise _mismatch(path, expected, stranger)
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if not text:
        raise AcademyError(ErrorCode.FILE_EMPTY, path=str(path))
    if expected in _TABLE_SUFFIXES.values():
        if _is_json(text):
            raise _mismatch(path, expected, "JSON")
        return Sniffed(Kind.TABLE, _delimiter(text, "\t" if expected == "TSV" else ","))
    if suffix in _TEXT_SUFFIXES and not _is_json(text):
        return Sniffed(Kind.TABLE, "\t") if _has_tabs(text) else Sniffed(Kind.TEXT)
    if not _begins_like_json(text):
        table = _delimiter(text, "")
        if expected == _ALL and table:
            return Sniffed(Kind.TABLE, table)
        raise _mismatch(path, expected, "CSV" if table else "text")
    return Sniffed(_json_kind(suffix, text))


def is_text(path: Path) -> bool:
    """Whether a file of this name holds text, in whatever encoding."""
    return ending(path) not in _BINARY


def ending(path: Path) -> str:
    """The ending that tells what a file is: the one before `.gz`, if that comes last."""
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def _mismatch(path: Path, expected: str, found: str) -> AcademyError:
    return AcademyError(ErrorCode.FILE_NOT_ITS_FORMAT, path=str(path), expected=expected, found=found)


def _stranger(head: bytes) -> str | None:
    """Name what a file is that is none of ours, or None."""
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    beginning = head[:200].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    for signature, name in _BEGINNINGS:
        if beginning.startswith(signature):
            return name
    if b"\x00" in head:
        return "binary data"
    return None


def _is_encoded_otherwise(head: bytes) -> bool:
    """Whether a text is not in UTF-8. A few torn lines among sound JSON are damaged rows, and no more."""
    if b"\x00" in head or _is_utf8(head, is_whole=len(head) < HEAD_BYTES):
        return False
    if any(head.startswith(signature) for signature, _ in _SIGNATURES):
        return False
    if not _begins_like_json(head.lstrip()):
        return True
    telling = [line for line in head.split(b"\n")[:-1] if not line.isascii()]
    return len(telling) > _TORN_LINES and not any(_is_utf8(line) for line in telling)


def _is_utf8(text: bytes, *, is_whole: bool = True) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(text, final=is_whole)
    except UnicodeDecodeError:
        return False
    return True


def _has_tabs(text: bytes) -> bool:
    """Whether the first two lines have the same number of tabs."""
    first, second = [*text.split(b"\n", 2), b"", b""][:2]
    return 0 < first.count(b"\t") == second.count(b"\t")


def _begins_like_json(text: bytes) -> bool:
    """Whether one of the first lines begins an object or a list: the very first may be damaged."""
    return any(line.lstrip()[:1] in {b"{", b"["} for line in text.splitlines()[:20])


def _is_json(text: bytes) -> bool:
    first = text.split(b"\n", 1)[0].strip()
    return first in {b"{", b"["} or (first[:1] in {b"{", b"["} and _parses(first))


def _json_kind(suffix: str, text: bytes) -> Kind:
    """Tell one document from one object per line; a name that says lines is believed unless it cannot be."""
    first, _, rest = text.partition(b"\n")
    if text[:1] == b"[" or first.strip() == b"{":
        return Kind.DOCUMENT
    if suffix != ".json":
        return Kind.LINES
    return Kind.LINES if rest.lstrip()[:1] == b"{" and _parses(first) else Kind.DOCUMENT


def _parses(line: bytes) -> bool:
    try:
        from_json(line)
    except ValueError:
        return False
    return True


def _delimiter(text: bytes, default: str) -> str:
    """The character that parts most columns of the first line; `default` if none does."""
    header = text.split(b"\n", 1)[0].decode("utf-8", "replace")
    counts = {mark: header.count(mark) for mark in _DELIMITERS}
    best = max(counts, key=lambda mark: (counts[mark], mark == default))
    return best if counts[best] else default
