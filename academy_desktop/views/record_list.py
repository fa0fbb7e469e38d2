"""Things as a list of rows: name, a line about it, and a badge.

Owns drawing and hit areas. Refuses to know the things: it reads the roles of `Records`.
"""

from __future__ import annotations

from PySide6.QtCore import QItemSelectionModel, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QFont, QFontMetrics, QPainter, QPalette
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem
from typing_extensions import override

from academy_desktop.viewmodels.records import AnyIndex, RecordRole, Records
from academy_desktop.views.facts import TONES
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_M

#: Of two lines, and of three.
ROW_HEIGHT = 64
TALL_ROW_HEIGHT = 82


class RecordDelegate(QStyledItemDelegate):
    """Paints one row."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._look = look

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        """Qt: the size of a row."""
        return QSize(200, TALL_ROW_HEIGHT if index.data(RecordRole.DETAIL) else ROW_HEIGHT)

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
        right = self._paint_badge(painter, inner, index, selected=selected)
        texts = [str(index.data(role)) for role in (RecordRole.SUBTITLE, RecordRole.DETAIL)]
        below = [text for text in texts if text]
        lines = inner.height() / (1 + len(below))
        name = QRectF(inner.left(), inner.top(), right - inner.left(), lines)
        title = str(index.data(Qt.ItemDataRole.DisplayRole))
        self._paint_text(painter, name, self._font(option.font, 600), tokens.text, title)
        small = self._font(option.font, 400, small=True)
        for number, text in enumerate(below, 1):
            place = QRectF(inner.left(), inner.top() + number * lines, inner.width(), lines)
            self._paint_text(painter, place, small, tokens.muted, text)
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

    def _paint_badge(self, painter: QPainter, inner: QRectF, index: AnyIndex, *, selected: bool) -> float:
        """Draw the badge at the right of the first line, if there is one; returns where the name ends."""
        word = str(index.data(RecordRole.BADGE))
        if not word:
            return inner.right()
        text, ground = (getattr(self._look.tokens, name) for name in TONES[index.data(RecordRole.TONE)])
        font = self._font(painter.font(), 600, small=True)
        width = QFontMetrics(font).horizontalAdvance(word) + 16
        area = QRectF(inner.right() - width, inner.top() + 1, width, 20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._look.tokens.surface if selected else ground))
        painter.drawRoundedRect(area, 10, 10)
        painter.setFont(font)
        painter.setPen(QColor(text))
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, word)
        return area.left() - GAP

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


class RecordList(QListView):
    """The rows; `opened(id)` when one is chosen by a click, Enter or the arrow keys."""

    opened = Signal(str)

    def __init__(self, look: Look, records: Records, name: str) -> None:
        super().__init__()
        self._records = records
        self.setModel(records)
        self.setItemDelegate(RecordDelegate(look))
        self.setMouseTracking(True)
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(name)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.viewport().setBackgroundRole(QPalette.ColorRole.NoRole)
        self.activated.connect(self._open)
        self.clicked.connect(self._open)
        look.changed.connect(self.viewport().update)

    def show_record(self, record_id: str) -> None:
        """Mark a row as the one that is shown."""
        row = self._records.row(record_id)
        if row < 0:
            self.clearSelection()
        elif self.currentIndex().row() != row or not self.selectionModel().hasSelection():
            self.setCurrentIndex(self._records.index(row, 0))

    @override
    def currentChanged(self, current: AnyIndex, previous: AnyIndex) -> None:
        """Qt: the arrow keys moved."""
        super().currentChanged(current, previous)
        if self.hasFocus():
            self._open(current)

    @override
    def focusInEvent(self, event: QFocusEvent) -> None:
        """Qt: the Tab key came here; Enter has a row to open then."""
        if not self.currentIndex().isValid():
            self.selectionModel().setCurrentIndex(
                self._records.index(0, 0), QItemSelectionModel.SelectionFlag.NoUpdate
            )
        super().focusInEvent(event)

    def _open(self, index: AnyIndex) -> None:
        if index.isValid():
            self.opened.emit(str(index.data(RecordRole.ID)))
