"""The jobs as a list of rows: name, state, how far, and a thin bar while one is in progress.

Owns drawing and hit areas. Refuses to know jobs: it reads the roles of a job table.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QAbstractItemModel, QItemSelectionModel, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QFont, QFontMetrics, QPainter, QPalette
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem
from typing_extensions import override

from academy_desktop.core.states import JobState
from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.job_table import AnyIndex, Role
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_M, state_colours

ROW_HEIGHT = 64


class RunDelegate(QStyledItemDelegate):
    """Paints one job."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._look = look

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        """Qt: the size of a row."""
        return QSize(200, ROW_HEIGHT)

    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Qt: draw a row."""
        tokens = self._look.tokens
        area = QRectF(option.rect).adjusted(2, 2, -2, -2)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ground(painter, area, option)
        inner = area.adjusted(GAP_M, GAP, -GAP_M, -GAP)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        badge = self._paint_badge(painter, inner, index, selected=selected)
        name_font, small_font = self._font(option.font, 600), self._font(option.font, 400, small=True)
        lines = inner.height() / 2
        name = QRectF(inner.left(), inner.top(), badge.left() - inner.left() - GAP, lines)
        self._paint_text(painter, name, name_font, tokens.text, str(index.data(Qt.ItemDataRole.DisplayRole)))
        below = QRectF(inner.left(), inner.top() + lines, inner.width(), lines)
        self._paint_text(painter, below, small_font, tokens.muted, str(index.data(Role.SUBTITLE)))
        self._paint_bar(painter, area, index)
        painter.restore()

    def _paint_ground(self, painter: QPainter, area: QRectF, option: QStyleOptionViewItem) -> None:
        tokens = self._look.tokens
        painter.setPen(Qt.PenStyle.NoPen)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setBrush(QColor(tokens.accent_soft))
            painter.drawRoundedRect(area, 8, 8)
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(QColor(tokens.hover))
            painter.drawRoundedRect(area, 8, 8)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QColor(tokens.accent))
            painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)

    def _paint_badge(self, painter: QPainter, inner: QRectF, index: AnyIndex, *, selected: bool) -> QRectF:
        """Draw the state at the right of the first line; returns its area."""
        word = str(index.data(Role.STATE_WORD))
        text, ground = state_colours(self._look.tokens, JobState(index.data(Role.STATE)))
        if selected:
            ground = QColor(self._look.tokens.surface)
        font = self._font(painter.font(), 600, small=True)
        width = QFontMetrics(font).horizontalAdvance(word) + 16
        area = QRectF(inner.right() - width, inner.top() + 1, width, 20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(area, 10, 10)
        painter.setFont(font)
        painter.setPen(text)
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, word)
        return area

    def _paint_bar(self, painter: QPainter, area: QRectF, index: AnyIndex) -> None:
        share = index.data(Role.SHARE_DONE)
        if share is None or JobState(index.data(Role.STATE)).is_over:
            return
        track = QRectF(area.left() + GAP_M, area.bottom() - 5, area.width() - 2 * GAP_M, 3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._look.tokens.border))
        painter.drawRoundedRect(track, 1.5, 1.5)
        painter.setBrush(QColor(self._look.tokens.accent))
        painter.drawRoundedRect(
            QRectF(track.topLeft(), track.size()).adjusted(0, 0, -track.width() * (1 - share), 0), 1.5, 1.5
        )

    def _paint_text(self, painter: QPainter, area: QRectF, font: QFont, colour: str, text: str) -> None:
        painter.setFont(font)
        painter.setPen(QColor(colour))
        shown = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, int(area.width()))
        painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)

    def _font(self, base: QFont, weight: int, *, small: bool = False) -> QFont:
        font = QFont(base)
        font.setPixelSize(self._look.sizes.font_small if small else self._look.sizes.font_body)
        font.setWeight(QFont.Weight(weight))
        return font


class RunList(QListView):
    """The rows; `opened(job id)` when one is chosen by a click or Enter.

    Where the list stands beside what it opens (`follows`), the arrow keys open as they move.
    """

    opened = Signal(str)

    def __init__(
        self,
        look: Look,
        model: QAbstractItemModel,
        translate: Callable[[str], str],
        *,
        follows: bool = False,
    ) -> None:
        super().__init__()
        self._follows = follows
        self.setModel(model)
        self.setItemDelegate(RunDelegate(look))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(translate(N_("Runs")))
        self.setFrameShape(QListView.Shape.NoFrame)
        self.viewport().setBackgroundRole(QPalette.ColorRole.NoRole)
        self.activated.connect(self._open)
        self.clicked.connect(self._open)
        look.changed.connect(self.viewport().update)

    def show_job(self, job_id: str) -> None:
        """Mark a job's row as the one that is shown."""
        for row in range(self.model().rowCount()):
            index = self.model().index(row, 0)
            job = index.data(Role.JOB)
            if job is not None and job.id == job_id:
                self.setCurrentIndex(index)
                return
        self.clearSelection()

    @override
    def currentChanged(self, current: AnyIndex, previous: AnyIndex) -> None:
        """Qt: the arrow keys moved."""
        super().currentChanged(current, previous)
        if self._follows and self.hasFocus():
            self._open(current)

    @override
    def focusInEvent(self, event: QFocusEvent) -> None:
        """Qt: the Tab key came here; Enter has a row to open then."""
        if not self.currentIndex().isValid():
            self.selectionModel().setCurrentIndex(
                self.model().index(0, 0), QItemSelectionModel.SelectionFlag.NoUpdate
            )
        super().focusInEvent(event)

    def _open(self, index: AnyIndex) -> None:
        job = index.data(Role.JOB)
        if job is not None:
            self.opened.emit(job.id)
