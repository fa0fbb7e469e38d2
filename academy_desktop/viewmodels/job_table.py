"""The jobs as a Qt table: one row each, newest first.

Owns which cell changed. Refuses to know how a row is drawn and where jobs come from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import IntEnum

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)
from typing_extensions import override

from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from academy_desktop.text.formats import MISSING, Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages

AnyIndex = QModelIndex | QPersistentModelIndex

#: Seconds after which “a minute ago” is said anew.
AGES_EVERY_S = 20.0

#: From here on new rows are not put in one by one.
MANY_ROWS = 100

_ROOT = QModelIndex()


class Column(IntEnum):
    """The columns, from left to right."""

    NAME = 0
    STATE = 1
    PROGRESS = 2
    LOSS = 3
    CREATED = 4


class Role(IntEnum):
    """What a cell knows beside its text; every column of a row answers the same."""

    JOB = Qt.ItemDataRole.UserRole + 1
    STATE = Qt.ItemDataRole.UserRole + 2
    SUBTITLE = Qt.ItemDataRole.UserRole + 3
    SHARE_DONE = Qt.ItemDataRole.UserRole + 4
    STATE_WORD = Qt.ItemDataRole.UserRole + 5


HEADERS = {
    Column.NAME: N_("Name"),
    Column.STATE: N_("State"),
    Column.PROGRESS: N_("Progress"),
    Column.LOSS: N_("Loss"),
    Column.CREATED: N_("Created"),
}


def title(job: JobSummary) -> str:
    """What a job is called: its name, or its id."""
    return job.name or job.id


def share_done(job: JobSummary) -> float | None:
    """How much of a job is done, 0 to 1, or None when it does not say."""
    return min(job.step / job.total_steps, 1.0) if job.total_steps else None


class JobTable(QAbstractTableModel):
    """A table over job facts; `update` changes only what differs, so that a selection survives."""

    def __init__(
        self,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        clock: Callable[[], float] = time.time,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._messages = messages
        self._formats = formats
        self._gettext = translate
        self._clock = clock
        self._jobs: list[JobSummary] = []
        self._aged_at = clock()

    def update(self, jobs: Sequence[JobSummary]) -> None:
        """Show these jobs, in this order."""
        if [job.id for job in jobs] != [job.id for job in self._jobs]:
            self._reorder(jobs)
        for row, job in enumerate(jobs):
            if self._jobs[row] != job or not job.state.is_over:
                self._jobs[row] = job
                self._say_changed(row, row)
        if self._clock() - self._aged_at >= AGES_EVERY_S and jobs:
            self._aged_at = self._clock()
            self._say_changed(0, len(jobs) - 1)

    def job(self, job_id: str) -> JobSummary | None:
        """The facts of a job, or None when it is not in the table."""
        return next((job for job in self._jobs if job.id == job_id), None)

    def row(self, job_id: str) -> int:
        """The row of a job, or -1."""
        return next((row for row, job in enumerate(self._jobs) if job.id == job_id), -1)

    def jobs(self) -> tuple[JobSummary, ...]:
        """All jobs, in the order of the rows."""
        return tuple(self._jobs)

    @override
    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        """Qt: the number of jobs."""
        return 0 if parent.isValid() else len(self._jobs)

    @override
    def columnCount(self, parent: AnyIndex = _ROOT) -> int:
        """Qt: the number of columns."""
        return 0 if parent.isValid() else len(Column)

    @override
    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Qt: what a cell says for a role."""
        if not index.isValid() or index.row() >= len(self._jobs):
            return None
        job = self._jobs[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._text(job, Column(index.column()))
            case Qt.ItemDataRole.AccessibleTextRole | Qt.ItemDataRole.ToolTipRole:
                return f"{title(job)}, {self._messages.state(job.state)}, {self._subtitle(job)}"
            case Qt.ItemDataRole.TextAlignmentRole:
                is_text = index.column() < Column.PROGRESS
                side = Qt.AlignmentFlag.AlignLeft if is_text else Qt.AlignmentFlag.AlignRight
                return side | Qt.AlignmentFlag.AlignVCenter
            case Role.JOB:
                return job
            case Role.STATE:
                return job.state
            case Role.STATE_WORD:
                return self._messages.state(job.state)
            case Role.SUBTITLE:
                return self._subtitle(job)
            case Role.SHARE_DONE:
                return share_done(job)
        return None

    @override
    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """Qt: the name of a column."""
        if role != Qt.ItemDataRole.DisplayRole or orientation != Qt.Orientation.Horizontal:
            return None
        return self._gettext(HEADERS[Column(section)]) if section in set(Column) else None

    def _say_changed(self, first: int, last: int) -> None:
        self.dataChanged.emit(self.index(first, 0), self.index(last, len(Column) - 1))

    def _reorder(self, jobs: Sequence[JobSummary]) -> None:
        """Take rows out and put rows in; when kept rows changed places, start over."""
        wanted = {job.id for job in jobs}
        for row in reversed(range(len(self._jobs))):
            if self._jobs[row].id not in wanted:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._jobs[row]
                self.endRemoveRows()
        kept = [job.id for job in self._jobs]
        known = set(kept)
        if kept != [job.id for job in jobs if job.id in known] or len(jobs) - len(kept) > MANY_ROWS:
            self.beginResetModel()
            self._jobs = list(jobs)
            self.endResetModel()
            return
        for row, job in enumerate(jobs):
            if job.id not in known:
                self.beginInsertRows(QModelIndex(), row, row)
                self._jobs.insert(row, job)
                self.endInsertRows()

    def _text(self, job: JobSummary, column: Column) -> str:
        match column:
            case Column.NAME:
                return title(job)
            case Column.STATE:
                return self._messages.state(job.state)
            case Column.PROGRESS:
                return self._formats.percent(share_done(job))
            case Column.LOSS:
                return self._formats.decimal(job.loss, 3)
            case Column.CREATED:
                return self._formats.moment(job.created_at)

    def _subtitle(self, job: JobSummary) -> str:
        """The second line of a row: how far, or when it was."""
        parts: list[str] = []
        if job.purpose not in {"", job.kind}:
            parts.append(self._messages.kind(job.purpose))
        if job.kind != "train":
            parts.append(self._messages.kind(job.kind))
        if not job.state.is_over:
            if held := self._messages.held(job.reason, job.facts):
                parts.append(held)
            if job.total_steps:
                parts.append(self._steps(job))
            if job.eta_s is not None and job.state is JobState.RUNNING:
                left = self._formats.duration(job.eta_s)
                parts.append(self._gettext(N_("{duration} left")).format(duration=left))
        else:
            parts.append(self._formats.relative(job.ended_at or job.created_at, self._clock()))
            if job.loss is not None:
                parts.append(self._gettext(N_("loss {loss}")).format(loss=self._formats.decimal(job.loss, 3)))
        return " · ".join(parts) or self._formats.relative(job.created_at, self._clock()) or MISSING

    def _steps(self, job: JobSummary) -> str:
        return self._gettext(N_("step {step} of {total}")).format(
            step=self._formats.integer(job.step), total=self._formats.integer(job.total_steps)
        )


class FirstRows(QSortFilterProxyModel):
    """The first few rows of a table."""

    def __init__(self, most: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._most = most

    @override
    def setSourceModel(self, model: QAbstractItemModel) -> None:
        """Qt: the table; a row that comes or goes moves others over the edge, which Qt does not look at."""
        super().setSourceModel(model)
        model.rowsInserted.connect(self.invalidate)
        model.rowsRemoved.connect(self.invalidate)

    @override
    def filterAcceptsRow(self, source_row: int, source_parent: AnyIndex) -> bool:
        """Qt: whether a row of the source is shown."""
        return source_row < self._most


class JobSearch(QSortFilterProxyModel):
    """The rows of a job table whose name, id or state has every word that is searched for."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._words: list[str] = []

    def search(self, text: str) -> None:
        """Show only what fits; nothing to search for: show all."""
        self._words = text.casefold().split()
        self.invalidate()

    @override
    def filterAcceptsRow(self, source_row: int, source_parent: AnyIndex) -> bool:
        """Qt: whether a row of the source is shown."""
        index = self.sourceModel().index(source_row, 0, source_parent)
        job = index.data(Role.JOB)
        text = f"{title(job)} {job.id} {index.data(Role.STATE_WORD)}".casefold()
        return all(word in text for word in self._words)
