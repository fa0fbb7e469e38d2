"""Gzipped files while they are read, with a limit on what a small file may swell to.

Owns unpacking. Refuses to know what is inside.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Up to here, in bytes, anything may swell; beyond it only this many times its own size.
ALWAYS_BYTES = 64 << 20
MOST_TIMES = 200

_CHUNK_BYTES = 1 << 16


class Inflated(io.RawIOBase):
    """What a gzip file holds, all its members one after the other.

    Raises while it is read:
        ValueError: it is no gzip file, is cut short, or swells beyond measure.
    """

    def __init__(self, packed: io.RawIOBase) -> None:
        self._packed = packed
        self._member = zlib.decompressobj(wbits=31)
        self._waiting = b""
        self._in = self._out = 0
        self._is_fresh = True

    def readable(self) -> bool:
        """It is only ever read."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Unpack up to the buffer's length."""
        view = memoryview(buffer)
        while True:
            if not self._waiting:
                self._waiting = self._packed.read(_CHUNK_BYTES) or b""
                self._in += len(self._waiting)
                if not self._waiting:
                    if not self._is_fresh:
                        raise ValueError("the gzip file is cut short")
                    return 0
            unpacked = self._unpack(len(view))
            if unpacked:
                view[: len(unpacked)] = unpacked
                self._out += len(unpacked)
                self._check()
                return len(unpacked)

    def _unpack(self, most: int) -> bytes:
        if self._is_fresh:
            self._member = zlib.decompressobj(wbits=31)
            self._is_fresh = False
        try:
            unpacked = self._member.decompress(self._waiting, most)
        except zlib.error as error:
            raise ValueError("the gzip file is damaged") from error
        if self._member.eof:
            self._waiting = self._member.unused_data.lstrip(b"\x00")
            self._is_fresh = True
        else:
            self._waiting = self._member.unconsumed_tail
        return unpacked

    def _check(self) -> None:
        if self._out > max(ALWAYS_BYTES, MOST_TIMES * self._in):
            raise ValueError("it unpacks to far more than its own size")
