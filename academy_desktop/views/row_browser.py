"""The rows of a dataset as a list of any length: only the lines in sight are read and painted.

Owns the lines, their paint, keys and clicks. A list view of Qt lays out every row, ten millions of them too;
this one knows only how many there are. Refuses to know files.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QLineEdit, QWidget
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.datasets import Datasets
from academy_desktop.views.kit import Elided, button, column, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_M, GAP_S

LINE_HEIGHT = 44


class RowLines(QAbstractScrollArea):
    """The lines; a click or a key makes the row of a line the one that is looked at."""

    def __init__(self, look: Look, datasets: Datasets, name: str) -> None:
        super().__init__()
        self._look = look
        self._datasets = datasets
        self._browser = datasets.browser
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor)
        self.viewport().setAutoFillBackground(False)
        self._browser.changed.connect(self._measure)
        self._browser.moved.connect(self._follow)
        look.changed.connect(self.viewport().update)
        self._measure()

    @property
    def in_sight(self) -> int:
        """Whole lines that there is room for."""
        return max(1, self.viewport().height() // LINE_HEIGHT)

    @override
    def minimumSizeHint(self) -> QSize:
        """Qt: three lines are enough."""
        return QSize(120, 3 * LINE_HEIGHT)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt: there is room for more or fewer lines."""
        self._measure()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw the lines in sight."""
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        top = self.verticalScrollBar().value()
        last = min(top + self.in_sight + 1, self._browser.count)
        for place in range(top, last):
            area = QRect(0, (place - top) * LINE_HEIGHT, self.viewport().width(), LINE_HEIGHT)
            self._paint_line(painter, area.adjusted(2, 1, -2, -1), place)
        painter.end()

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt: a line is chosen."""
        self._choose(self.verticalScrollBar().value() + int(event.position().y()) // LINE_HEIGHT)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt: the arrow keys go from line to line."""
        at, page = max(self._browser.current, 0), self.in_sight
        places = {
            Qt.Key.Key_Up: at - 1,
            Qt.Key.Key_Down: at + 1,
            Qt.Key.Key_PageUp: at - page,
            Qt.Key.Key_PageDown: at + page,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: self._browser.count - 1,
        }
        place = places.get(Qt.Key(event.key()))
        if place is None:
            super().keyPressEvent(event)
        else:
            self._choose(min(max(place, 0), self._browser.count - 1))

    @override
    def focusInEvent(self, event: QFocusEvent) -> None:
        """Qt: the keys come here."""
        super().focusInEvent(event)
        self.viewport().update()

    @override
    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Qt: the keys go elsewhere."""
        super().focusOutEvent(event)
        self.viewport().update()

    def _choose(self, place: int) -> None:
        if 0 <= place < self._browser.count:
            self._datasets.preview.go(self._browser.number(place))

    def _measure(self) -> None:
        bar = self.verticalScrollBar()
        bar.setRange(0, max(0, self._browser.count - self.in_sight))
        bar.setPageStep(self.in_sight)
        bar.setSingleStep(1)
        self.viewport().update()

    def _follow(self) -> None:
        """Bring the current line into sight."""
        place, bar = self._browser.current, self.verticalScrollBar()
        if place >= 0:
            bar.setValue(min(max(bar.value(), place - self.in_sight + 1), place))
            self.setAccessibleDescription(self._browser.line(place).asked)
        self.viewport().update()

    def _paint_line(self, painter: QPainter, area: QRect, place: int) -> None:
        tokens, line = self._look.tokens, self._browser.line(place)
        if place == self._browser.current:
            painter.setPen(QColor(tokens.accent) if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.accent_soft))
            painter.drawRoundedRect(area, 6, 6)
        small = QFont(self.font())
        small.setPixelSize(self._look.sizes.font_small)
        painter.setFont(small)
        metrics = QFontMetrics(small)
        inner = area.adjusted(GAP, GAP_S, -GAP, -GAP_S)
        half = inner.height() // 2
        width = metrics.horizontalAdvance(line.name) + GAP
        middle = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        first = QRect(inner.left() + width, inner.top(), inner.width() - width, half)
        painter.setPen(QColor(tokens.muted))
        painter.drawText(QRect(inner.left(), inner.top(), width, half), middle, line.name)
        below = QRect(inner.left(), inner.top() + half, inner.width(), half)
        answered = metrics.elidedText(line.answered, Qt.TextElideMode.ElideRight, below.width())
        painter.drawText(below, middle, answered)
        painter.setPen(QColor(tokens.text))
        asked = metrics.elidedText(line.asked, Qt.TextElideMode.ElideRight, first.width())
        painter.drawText(first, middle, asked)


class RowBrowserView(QFrame):
    """A card with the lines, a field to search them, and a way back to all of them."""

    def __init__(self, look: Look, datasets: Datasets, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._datasets = datasets
        self._browser = datasets.browser
        self.search = QLineEdit()
        self.search.setPlaceholderText(translate(N_("Find a text, or #12 for a row")))
        self.search.setAccessibleName(translate(N_("Find rows")))
        self.search.setClearButtonEnabled(False)
        self.summary = Elided("small")
        self.all = button(translate(N_("Show all")), "quiet")
        self.lines = RowLines(look, datasets, translate(N_("Rows")))
        head = row(GAP)
        head.addWidget(self.summary, 1)
        head.addWidget(self.all)
        parts = column(GAP_S)
        parts.setContentsMargins(GAP_S, GAP, GAP_S, GAP_S)
        inset: QWidget = QWidget()
        top = column(GAP_S)
        top.setContentsMargins(GAP, 0, GAP_S, 0)
        top.addWidget(self.search)
        top.addLayout(head)
        inset.setLayout(top)
        parts.addWidget(inset)
        parts.addWidget(self.lines, 1)
        self.setLayout(parts)
        self.setMinimumWidth(200 + GAP_M)
        self.search.returnPressed.connect(self._find)
        self.all.clicked.connect(self._show_all)
        self._browser.changed.connect(self._refresh)
        self._refresh()

    def _find(self) -> None:
        wanted = self.search.text().strip()
        if wanted.startswith("#") and wanted[1:].replace(",", "").isdigit():
            self._datasets.preview.go(int(wanted[1:].replace(",", "")) - 1)
        else:
            self._browser.search(wanted)

    def _show_all(self) -> None:
        self.search.clear()
        self._browser.list_all()

    def _refresh(self) -> None:
        self.summary.setText(self._browser.summary)
        self.all.setVisible(self._browser.is_filtered)
