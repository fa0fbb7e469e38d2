"""Things as a list of rows: name, a line or two about it, and a badge.

Owns what of a record stands where. Refuses to know the things: it reads the roles of `Records`.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QColor
from typing_extensions import override

from academy_desktop.viewmodels.records import AnyIndex, RecordRole, Records
from academy_desktop.views.facts import TONES
from academy_desktop.views.look import Look
from academy_desktop.views.row_list import Mark, RowDelegate, RowList


class RecordDelegate(RowDelegate):
    """Paints one record."""

    @override
    def lines(self, index: AnyIndex) -> Sequence[str]:
        """One line or two."""
        texts = [str(index.data(role)) for role in (RecordRole.SUBTITLE, RecordRole.DETAIL)]
        return [text for text in texts if text]

    @override
    def mark(self, index: AnyIndex) -> Mark | None:
        """The record's badge."""
        word = str(index.data(RecordRole.BADGE))
        if not word:
            return None
        colour, ground = (getattr(self._look.tokens, name) for name in TONES[index.data(RecordRole.TONE)])
        return Mark(word, QColor(colour), QColor(ground))


class RecordList(RowList):
    """The records, beside what they open: `opened(id)`."""

    def __init__(self, look: Look, records: Records, name: str) -> None:
        super().__init__(look, records, RecordDelegate(look), name, follows=True)
        self._records = records

    def show_record(self, record_id: str) -> None:
        """Mark a row as the one that is shown."""
        row = self._records.row(record_id)
        if row < 0:
            self.clearSelection()
        elif self.currentIndex().row() != row or not self.selectionModel().hasSelection():
            self.setCurrentIndex(self._records.index(row, 0))

    @override
    def id_of(self, index: AnyIndex) -> str:
        """The record's id."""
        return str(index.data(RecordRole.ID))
