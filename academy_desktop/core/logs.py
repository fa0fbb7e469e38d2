"""Reads the log of a run: the trainer's output in the host's numbered segments.

Owns the reading position across segments, also when the host drops the middle. Refuses to know what is said.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from trainers.files import open_regular

#: Far more than a host lets a segment grow; what is beyond comes with the next look.
_MOST_BYTES = 16 * 1024 * 1024


class LogTail:
    """Reads on from where the last call ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read_new(self) -> str:
        """The output since the last call; the first call begins with the oldest that is kept."""
        pieces: list[bytes] = []
        for number in self._numbers():
            if number != self._number:
                self._number, self._offset = number, 0
            try:
                with open_regular(self._path(number)) as stream:
                    stream.seek(self._offset)
                    piece = stream.read(_MOST_BYTES)
            except OSError:
                continue  # dropped between the look and the read, or no log
            self._offset += len(piece)
            pieces.append(piece)
        return self._decoder.decode(b"".join(pieces))

    def _numbers(self) -> list[int]:
        if self._folder.is_symlink() or not self._folder.is_dir():  # a link leads out of the run directory
            return []
        names = (path.stem for path in self._folder.glob("*.txt"))
        found = sorted(int(name) for name in names if name.isascii() and name.isdigit())
        return [number for number in found if number >= self._number]

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:05d}.txt"
