"""A short list of things with a name, a line about each and a badge: datasets, models.

Owns which row changed. Refuses to know what the things are and how a row is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from typing_extensions import override

AnyIndex = QModelIndex | QPersistentModelIndex
Tone = Literal["neutral", "success", "warning"]

_ROOT = QModelIndex()


@dataclass(frozen=True)
class Record:
    """One row; without a badge or a third line there is none."""

    id: str
    title: str
    subtitle: str
    detail: str = ""
    badge: str = ""
    tone: Tone = "neutral"


class RecordRole(IntEnum):
    """What a row knows beside its title."""

    ID = Qt.ItemDataRole.UserRole + 1
    SUBTITLE = Qt.ItemDataRole.UserRole + 2
    BADGE = Qt.ItemDataRole.UserRole + 3
    TONE = Qt.ItemDataRole.UserRole + 4
    DETAIL = Qt.ItemDataRole.UserRole + 5


class Records(QAbstractListModel):
    """The rows; `update` says only what differs."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._records: list[Record] = []

    def update(self, records: Sequence[Record]) -> None:
        """Show these rows, in this order."""
        if [one.id for one in records] != [one.id for one in self._records]:
            self.beginResetModel()
            self._records = list(records)
            self.endResetModel()
            return
        for row, record in enumerate(records):
            if record != self._records[row]:
                self._records[row] = record
                self.dataChanged.emit(self.index(row, 0), self.index(row, 0))

    def row(self, record_id: str) -> int:
        """The row of a thing, or -1."""
        return next((row for row, one in enumerate(self._records) if one.id == record_id), -1)

    @override
    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        """Qt: the number of rows."""
        return 0 if parent.isValid() else len(self._records)

    @override
    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Qt: what a row says for a role."""
        if not index.isValid() or index.row() >= len(self._records):
            return None
        record = self._records[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return record.title
            case Qt.ItemDataRole.AccessibleTextRole | Qt.ItemDataRole.ToolTipRole:
                told = (record.title, record.badge, record.subtitle, record.detail)
                return ", ".join(text for text in told if text)
            case RecordRole.ID:
                return record.id
            case RecordRole.SUBTITLE:
                return record.subtitle
            case RecordRole.DETAIL:
                return record.detail
            case RecordRole.BADGE:
                return record.badge
            case RecordRole.TONE:
                return record.tone
        return None
