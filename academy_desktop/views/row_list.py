"""A list of tall rows, painted: a name with a badge, lines below it.

Owns what all such lists share: the ground of a row, its type, its badge, the keys. Refuses to know what is
listed: who builds on it says what stands in a row, and what opens.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractItemModel, QItemSelectionModel, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QFont, QFontMetrics, QPainter, QPalette
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem
from typing_extensions import override

from academy_desktop.viewmodels.records import AnyIndex
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_M

#: Of two lines, and of three.
ROW_HEIGHT = 64
TALL_ROW_HEIGHT = 82


@dataclass(frozen=True)
class Mark:
    """A badge: its word, the colour of that, and the colour of its ground."""

    word: str
    colour: QColor
    ground: QColor


class RowDelegate(QStyledItemDelegate):
    """Paints one row."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._look = look

    @abstractmethod
    def lines(self, index: AnyIndex) -> Sequence[str]:
        """What stands below the name, line by line."""

    @abstractmethod
    def mark(self, index: AnyIndex) -> Mark | None:
        """The badge at the right of the name, if there is one."""

    def paint_more(self, painter: QPainter, area: QRectF, index: AnyIndex) -> None:
        """Draw what else belongs to a row: nothing, unless somebody says so."""

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        """Qt: the size of a row."""
        return QSize(200, TALL_ROW_HEIGHT if len(self.lines(index)) > 1 else ROW_HEIGHT)

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
        right = self._paint_mark(painter, inner, self.mark(index), selected=selected)
        below = self.lines(index)
        height = inner.height() / (1 + len(below))
        name = QRectF(inner.left(), inner.top(), right - inner.left(), height)
        title = str(index.data(Qt.ItemDataRole.DisplayRole))
        self._paint_text(painter, name, self._font(option.font, 600), tokens.text, title)
        small = self._font(option.font, 400, small=True)
        for number, text in enumerate(below, 1):
            place = QRectF(inner.left(), inner.top() + number * height, inner.width(), height)
            self._paint_text(painter, place, small, tokens.muted, text)
        self.paint_more(painter, area, index)
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

    def _paint_mark(self, painter: QPainter, inner: QRectF, mark: Mark | None, *, selected: bool) -> float:
        """Draw a badge at the right of the first line; returns where the name ends."""
        if mark is None:
            return inner.right()
        font = self._font(painter.font(), 600, small=True)
        width = QFontMetrics(font).horizontalAdvance(mark.word) + 16
        area = QRectF(inner.right() - width, inner.top() + 1, width, 20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._look.tokens.surface) if selected else mark.ground)
        painter.drawRoundedRect(area, 10, 10)
        painter.setFont(font)
        painter.setPen(mark.colour)
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, mark.word)
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


class RowList(QListView):
    """The rows; `opened(id)` when one is chosen by a click or Enter.

    Where the list stands beside what it opens (`follows`), the arrow keys open as they move.
    """

    opened = Signal(str)

    def __init__(
        self, look: Look, model: QAbstractItemModel, delegate: RowDelegate, name: str, *, follows: bool
    ) -> None:
        super().__init__()
        self._follows = follows
        self.setModel(model)
        self.setItemDelegate(delegate)
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

    @abstractmethod
    def id_of(self, index: AnyIndex) -> str:
        """What a row is called in the model, or nothing."""

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
        name = self.id_of(index) if index.isValid() else ""
        if name:
            self.opened.emit(name)
