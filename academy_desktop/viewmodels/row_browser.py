"""The rows of a dataset as a list of any length: which of them are listed, and what stands in each line.

Owns the filter. Rows are read when their line comes into sight and kept for a while. Refuses to know widgets.
"""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.datasets.browse import Rows, StoredRow
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.row_preview import RowSource
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError

#: Lines that are kept, and letters of one.
KEPT_LINES = 1024
LETTERS = 200
#: Letters of a better answer, so that there is room for the worse beside it.
BESIDE_LETTERS = 12


@dataclass(frozen=True)
class Line:
    """What stands in one line of the list."""

    name: str
    asked: str
    answered: str


class RowBrowser(QObject):
    """`changed()` when other rows are listed, `moved()` when another line is the current one."""

    changed = Signal()
    moved = Signal()

    def __init__(
        self,
        source: RowSource,
        formats: Formats,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._source = source
        self._formats = formats
        self._gettext = translate
        self._supervisor = supervisor
        self._dataset = ""
        self._rows: Rows | None = None
        self._only: Sequence[int] | None = None
        self._why = ""
        self._is_searching = False
        self._give_up = Event()
        self._lines: OrderedDict[int, Line] = OrderedDict()
        self._current = 0

    @property
    def count(self) -> int:
        """How many rows are listed."""
        if self._only is not None:
            return len(self._only)
        return len(self._rows) if self._rows is not None else 0

    @property
    def current(self) -> int:
        """The line that is the current one, or -1 when its row is not listed."""
        if self._only is None:
            return self._current if self._current < self.count else -1
        place = bisect_left(self._only, self._current)
        return place if place < len(self._only) and self._only[place] == self._current else -1

    @property
    def is_filtered(self) -> bool:
        """Whether only some rows are listed."""
        return self._only is not None

    @property
    def summary(self) -> str:
        """How many rows are listed, and why not all."""
        if self._rows is None:
            return self._gettext(N_("Reading the rows …")) if self._dataset else ""
        count = self._formats.integer(self.count)
        if self._only is None:
            return self._say(N_("{count} rows"), count=count)
        said = self._say(N_("{count} rows: {why}"), count=count, why=self._why)
        return f"{said} …" if self._is_searching else said

    def number(self, place: int) -> int:
        """The number of the row in a line."""
        return self._only[place] if self._only is not None else place

    def line(self, place: int) -> Line:
        """What stands in a line; reads its row where it is not known yet."""
        number = self.number(place)
        known = self._lines.get(number)
        if known is None:
            known = self._read(number)
            self._lines[number] = known
            if len(self._lines) > KEPT_LINES:
                self._lines.popitem(last=False)
        return known

    def show(self, dataset: str) -> None:
        """List the rows of a dataset; nothing for none."""
        if dataset == self._dataset:
            return
        self._stop()
        self._dataset, self._rows, self._only, self._current = dataset, None, None, 0
        self._lines.clear()
        self.changed.emit()

    def open(self) -> None:
        """Open the rows of the dataset; blocks, belongs into a thread when the dataset is large."""
        if self._dataset and self._rows is None:
            self.take(self._dataset, self._source.rows(self._dataset))

    def take(self, dataset: str, rows: Rows) -> None:
        """List rows that were opened, if they are still asked for."""
        if dataset == self._dataset:
            self._rows = rows
            self.changed.emit()

    async def follow(self) -> None:
        """Open what is asked for, until cancelled."""
        asked = asyncio.Event()
        self.changed.connect(asked.set)
        asked.set()
        while True:
            await asked.wait()
            asked.clear()
            dataset = self._dataset
            if dataset and self._rows is None:
                try:
                    self.take(dataset, await asyncio.to_thread(self._source.rows, dataset))
                except AcademyError:
                    continue  # the preview of its first row says what is wrong

    def move(self, number: int) -> None:
        """Make the row with this number the current one."""
        if number != self._current:
            self._current = number
            self.moved.emit()

    def list_all(self) -> None:
        """List every row again."""
        self._stop()
        if self._only is not None:
            self._only = None
            self.changed.emit()

    def list_only(self, numbers: Sequence[int], why: str) -> None:
        """List only these rows, in order."""
        self._stop()
        self._only, self._why = numbers, why
        self.changed.emit()

    def search(self, text: str) -> None:
        """List the rows in which a text stands, as they are found; all for none."""
        self.list_all()
        if text.strip() and self._rows is not None:
            why = self._say(N_("with “{text}”"), text=text.strip())
            self.list_only(array("I"), why)
            self._is_searching = True
            self._give_up = Event()
            self._supervisor.start(self._search(self._rows, text.strip(), self._give_up), "row search")

    async def _search(self, rows: Rows, text: str, give_up: Event) -> None:
        found = array("I")
        pages = rows.search(text, give_up.is_set)
        try:
            while (some := await asyncio.to_thread(next, pages, None)) is not None:
                if give_up.is_set():
                    return
                if some:
                    found.extend(some)
                    self._only = found
                    self.changed.emit()
        except AcademyError:
            pass  # what was found until there is listed
        finally:
            if not give_up.is_set():
                self._is_searching = False
                self.changed.emit()

    def _read(self, number: int) -> Line:
        assert self._rows is not None
        name = self._formats.integer(number + 1)
        try:
            row = self._rows.row(number)
        except (AcademyError, IndexError):
            return Line(name, self._gettext(N_("This row cannot be read.")), "")
        return Line(name, _first(row, "user", "text"), self._answered(row))

    def _answered(self, row: StoredRow) -> str:
        if row.rejected is None:
            return _first(row, "assistant")
        better, worse = (_said(turns[-1]) for turns in (row.messages, row.rejected))
        if len(better) > BESIDE_LETTERS:
            better = f"{better[:BESIDE_LETTERS].rstrip()} …"
        return f"✓ {better}  ✗ {worse}"

    def _stop(self) -> None:
        self._give_up.set()
        self._is_searching = False

    def _say(self, template: str, **facts: str) -> str:
        return self._gettext(template).format(**facts)


def _first(row: StoredRow, *roles: str) -> str:
    return _said(next((one for one in row.messages if one.get("role") in roles), {}))


def _said(turn: Mapping[str, Any]) -> str:
    return " ".join(str(turn.get("content") or "")[: 2 * LETTERS].split())[:LETTERS]
