"""How a text file is encoded: UTF-8 unless its first bytes say UTF-16 or UTF-32, or the user knows better.

Owns the choice, the way to UTF-8 and the search for the line that is none. Refuses to guess: a letter that is
read wrongly is learned wrongly.
"""

from __future__ import annotations

import codecs
import io
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK_BYTES = 1 << 16

#: Marks at the beginning of a file; the longer stand before those that they begin with.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Encoding(StrEnum):
    """How a file is said to be encoded; `AUTO` looks at its first bytes."""

    AUTO = "auto"
    UTF_8 = "utf-8"
    WINDOWS_1252 = "windows-1252"
    WINDOWS_1250 = "windows-1250"
    WINDOWS_1251 = "windows-1251"
    ISO_8859_1 = "iso-8859-1"
    ISO_8859_2 = "iso-8859-2"
    ISO_8859_15 = "iso-8859-15"
    KOI8_R = "koi8-r"
    UTF_16_LE = "utf-16-le"
    UTF_16_BE = "utf-16-be"
    SHIFT_JIS = "shift_jis"
    EUC_KR = "euc-kr"
    BIG5 = "big5"
    GB18030 = "gb18030"


def encoding_of(head: bytes, said: Encoding = Encoding.AUTO) -> str:
    """The encoding to read a text file with, from its first bytes and from what the user said."""
    if said is not Encoding.AUTO:
        return said.value
    return next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8")


class Recoded(io.RawIOBase):
    """A text in another encoding, as UTF-8.

    Raises while it is read:
        UnicodeDecodeError: it is not in that encoding; the file says so, see `undecodable_line`.
    """

    def __init__(self, stream: io.BufferedIOBase, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ready = b""
        self._is_over = False

    def readable(self) -> bool:
        """It is only ever read."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Recode up to the buffer's length."""
        while not self._ready and not self._is_over:
            chunk = self._stream.read(_CHUNK_BYTES)
            self._is_over = not chunk
            text = self._decoder.decode(chunk, final=self._is_over)
            self._ready = text.encode()
        view = memoryview(buffer)
        count = min(len(view), len(self._ready))
        view[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


def undecodable_line(stream: io.BufferedIOBase, encoding: str) -> int | None:
    """The first line, from 1, that holds something else than text in this encoding; None: there is none."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    while True:
        chunk = stream.read(_CHUNK_BYTES)
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            return line + error.object[: error.start].count(b"\n")
        if not chunk:
            return None
        line += text.count("\n")
