"""Rows checked one after the other, and what is known of the sound ones, packed so that it travels fast.

What a row says is settled here; whether it was there before is not: that needs all the others. Owns the
packing. Refuses to know files and processes.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic_core import from_json, to_json

from academy_desktop.core.datasets.forms import Detection, converter
from academy_desktop.core.datasets.lines import Lines, shown_line
from academy_desktop.core.datasets.near import sketch
from academy_desktop.core.datasets.quality import Profile, prompt_key, row_key, stored
from academy_desktop.core.datasets.readers import Record
from academy_desktop.core.datasets.reasons import Reason
from academy_desktop.core.datasets.rows import Content, texts

#: Longest text of a damaged row that is kept for the user to look at, in characters.
_SHOWN_CHARACTERS = 2000


@dataclass(frozen=True)
class CheckOptions:
    """How the rows of one file are checked: `source` is its name, `near` whether sketches are wanted."""

    detection: Detection
    profile: Profile
    source: str
    near: bool


@dataclass(slots=True)
class Dropped:
    """A row that is none: it stands before the sound row with the number `at` of its batch."""

    at: int
    row: int
    reason: Reason
    shown: bytes


@dataclass(slots=True)
class Checked:
    """Some rows, in order.

    One entry per sound row have `rows` (its number in the file), `sizes` (bytes of what is stored of it),
    `prompts` and `keys` (sixteen bytes each) and, where wanted, `sketches`. What is stored begins with the
    row's source and lacks the opening brace and the id, which it gets once it is known.
    """

    looked_at: int = 0
    rows: array[int] = field(default_factory=lambda: array("Q"))
    sizes: array[int] = field(default_factory=lambda: array("Q"))
    content: bytes = b""
    prompts: bytes = b""
    keys: bytes = b""
    sketches: bytes = b""
    dropped: list[Dropped] = field(default_factory=list)


class Checker:
    """Takes rows; gives what it found out about them."""

    def __init__(self, options: CheckOptions) -> None:
        self._options = options
        self._convert = converter(options.detection)
        self._profile = options.profile
        self._head = b'"source":{"file":' + to_json(options.source) + b',"row":%d},%b\n'
        self._begin()

    def _begin(self) -> None:
        self._found = Checked()
        self._rows = self._found.rows
        self._content: list[bytes] = []
        self._prompts: list[bytes] = []
        self._keys: list[bytes] = []
        self._texts: list[str] = []
        self.size_bytes = 0

    def __len__(self) -> int:
        """Rows that were taken since the last batch."""
        return self._found.looked_at

    def take(self, record: Record) -> bool:
        """Check a row and say whether it is sound."""
        if record.damaged:
            self._found.looked_at += 1
            self._drop(record.row, Reason.UNPARSABLE, to_json(str(record.value)[:_SHOWN_CHARACTERS]))
            return False
        return self._take(record.row, record.value)

    def take_lines(self, lines: Lines) -> None:
        """Check the rows of some lines."""
        for number, line in lines.numbered():
            try:
                value = from_json(line)
            except ValueError:
                self.take(Record(number, shown_line(line), damaged=True))
            else:
                self._take(number, value)

    def batch(self) -> Checked:
        """What was found since the last batch."""
        found = self._found
        found.content = b"".join(self._content)
        found.sizes = array("Q", map(len, self._content))
        found.prompts, found.keys = b"".join(self._prompts), b"".join(self._keys)
        if self._options.near:
            found.sketches = sketch(self._texts).tobytes()
        self._begin()
        return found

    def _take(self, row: int, value: object) -> bool:
        self._found.looked_at += 1
        content = self._convert(value)
        if isinstance(content, Reason):
            self._drop(row, content, shown(value))
            return False
        written = stored(content, self._profile)
        if isinstance(written, Reason):
            self._drop(row, written, shown(value))
            return False
        self._rows.append(row)
        line = self._head % (row, written[1:])
        self._content.append(line)
        self.size_bytes += len(line)
        self._prompts.append(prompt_key(content))
        self._keys.append(row_key(content, written))
        if self._options.near:
            self._texts.append(row_text(content))
        return True

    def _drop(self, row: int, reason: Reason, as_shown: bytes) -> None:
        self._found.dropped.append(Dropped(len(self._content), row, reason, as_shown))


def row_text(content: Content) -> str:
    """All that a row says, as rows are held against each other."""
    return "\n".join(texts(content))


def shown(value: object) -> bytes:
    """A row as it was, in JSON; one that cannot be written is shown as far as possible."""
    try:
        # A dropped row may hold what JSON has no number for: it is shown as text.
        return to_json(value, inf_nan_mode="strings")
    except ValueError:
        return to_json(repr(value)[:_SHOWN_CHARACTERS])


def split_sixteen(keys: bytes) -> Iterator[bytes]:
    """The keys of a batch one by one."""
    every: list[bytes] = np.frombuffer(keys, "V16").tolist()
    return iter(every)


def parsed(stored_row: bytes) -> dict[str, Any]:
    """A row as `Checked.content` has it, with its source."""
    value: dict[str, Any] = from_json(b"{" + stored_row)
    return value
