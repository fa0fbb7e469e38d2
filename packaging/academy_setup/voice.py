"""What the user sees of the set-up: one line for each step, and on a terminal what is happening right now.

Owns standard error; standard output belongs to the command that is started afterwards.
"""

from __future__ import annotations

import shutil
import time
from typing import TextIO


class Voice:
    """Speaks to one stream, usually standard error."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._passing = False
        self._began = 0.0

    def begin(self, title: str) -> None:
        """Says what is done next and starts the clock."""
        self._began = time.monotonic()
        self.say(f"{title} …")

    def done(self) -> None:
        """Says how long that took."""
        self.say(f"    done in {time.monotonic() - self._began:.0f} s")

    def say(self, text: str) -> None:
        """One line that stays."""
        self._wipe()
        self._write(text + "\n")

    def passing(self, text: str) -> None:
        """One line that the next one replaces; only shown on a terminal."""
        if not self._terminal or not text.strip():
            return
        width = max(20, shutil.get_terminal_size().columns - 1)
        self._wipe()
        elapsed = time.monotonic() - self._began
        self._write(f"    {elapsed:4.0f} s  {' '.join(text.split())}"[:width])
        self._passing = True

    def _wipe(self) -> None:
        if self._passing:
            self._write("\r\x1b[K")
            self._passing = False

    def _write(self, text: str) -> None:
        # An old console may lack a character; a question mark in its place is better than no set-up.
        encoding = self._stream.encoding or "ascii"
        self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()
