"""The log as the window shows it: the last lines of one run.

Owns the cut into lines, and their cap. Refuses to know files and widgets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

#: Lines kept for the screen; the files keep more.
MOST_LINES = 5000

#: Of what arrives at once (a long log that is opened), only the end is cut into lines.
MOST_CHARACTERS = 512 * 1024

#: A line is shown up to this length.
LINE_CHARACTERS = 2000


class LineCutter:
    """Cuts a text that arrives in pieces into lines; a torn end waits for its rest."""

    def __init__(self) -> None:
        self._torn = ""

    def cut(self, piece: str) -> list[str]:
        """The whole lines, as a terminal would leave them: what a carriage return overwrote is gone."""
        *whole, torn = (self._torn + piece[-MOST_CHARACTERS:]).split("\n")
        self._torn = torn[-LINE_CHARACTERS:]
        return [line.rstrip("\r").rsplit("\r", 1)[-1][:LINE_CHARACTERS] for line in whole]


class LogLines(QObject):
    """Signals: `added(list[str])` once per batch, `cleared()` when another run is shown."""

    added = Signal(list)
    cleared = Signal()

    def __init__(self, most: int = MOST_LINES, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: deque[str] = deque(maxlen=most)
        self._most = most

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines that are kept, oldest first."""
        return tuple(self._lines)

    @property
    def most(self) -> int:
        """How many lines are kept."""
        return self._most

    def add(self, lines: Sequence[str]) -> None:
        """Append lines; the oldest make room."""
        if lines:
            self._lines.extend(lines)
            self.added.emit(list(lines[-self._most :]))

    def clear(self) -> None:
        """Forget all lines."""
        self._lines.clear()
        self.cleared.emit()
