"""The jobs as a list of rows: name, state, how far, and a thin bar while one is in progress.

Owns what of a job stands where. Refuses to know jobs: it reads the roles of a job table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QAbstractItemModel, QRectF, Qt
from PySide6.QtGui import QColor, QPainter
from typing_extensions import override

from academy_desktop.core.states import JobState
from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.job_table import AnyIndex, Role
from academy_desktop.views.look import Look
from academy_desktop.views.row_list import Mark, RowDelegate, RowList
from academy_desktop.views.theme import GAP_M, state_colours


class RunDelegate(RowDelegate):
    """Paints one job."""

    @override
    def lines(self, index: AnyIndex) -> Sequence[str]:
        """How far the job is."""
        return [str(index.data(Role.SUBTITLE))]

    @override
    def mark(self, index: AnyIndex) -> Mark:
        """The job's state."""
        text, ground = state_colours(self._look.tokens, JobState(index.data(Role.STATE)))
        return Mark(str(index.data(Role.STATE_WORD)), QColor(text), QColor(ground))

    @override
    def paint_more(self, painter: QPainter, area: QRectF, index: AnyIndex) -> None:
        """Draw the bar of a job in progress."""
        share = index.data(Role.SHARE_DONE)
        if share is None or JobState(index.data(Role.STATE)).is_over:
            return
        track = QRectF(area.left() + GAP_M, area.bottom() - 5, area.width() - 2 * GAP_M, 3)
        painter.setPen(Qt.PenStyle.NoPen)
        for colour, width in (
            (self._look.tokens.border, track.width()),
            (self._look.tokens.accent, track.width() * share),
        ):
            painter.setBrush(QColor(colour))
            painter.drawRoundedRect(QRectF(track.left(), track.top(), width, track.height()), 1.5, 1.5)


class RunList(RowList):
    """The jobs: `opened(job id)`."""

    def __init__(
        self,
        look: Look,
        model: QAbstractItemModel,
        translate: Callable[[str], str],
        *,
        follows: bool = False,
    ) -> None:
        super().__init__(look, model, RunDelegate(look), translate(N_("Runs")), follows=follows)
        self.setUniformItemSizes(True)

    def show_job(self, job_id: str) -> None:
        """Mark a job's row as the one that is shown."""
        for row in range(self.model().rowCount()):
            index = self.model().index(row, 0)
            if self.id_of(index) == job_id:
                self.setCurrentIndex(index)
                return
        self.clearSelection()

    @override
    def id_of(self, index: AnyIndex) -> str:
        """The job's id."""
        job = index.data(Role.JOB)
        return "" if job is None else str(job.id)
