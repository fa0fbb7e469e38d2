"""A box to tick, drawn in the colours of the theme.

Owns drawing. Refuses to know what is ticked.
"""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QCheckBox, QSizePolicy
from typing_extensions import override

from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP

BOX_SIZE = 18


class Tick(QCheckBox):
    """A box to tick in the colours of the theme."""

    def __init__(self, look: Look, text: str = "", name: str = "") -> None:
        super().__init__(text)
        self._look = look
        self.setAccessibleName(name or text)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        look.changed.connect(self.update)

    @override
    def sizeHint(self) -> QSize:
        """Qt: box and text."""
        metrics = self.fontMetrics()
        width = metrics.horizontalAdvance(self.text()) + GAP if self.text() else 0
        return QSize(BOX_SIZE + 4 + width, max(BOX_SIZE + 4, metrics.height()))

    @override
    def minimumSizeHint(self) -> QSize:
        """Qt: the same."""
        return self.sizeHint()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw it."""
        tokens = self._look.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(2, (self.height() - BOX_SIZE) / 2, BOX_SIZE, BOX_SIZE).adjusted(0.5, 0.5, -0.5, -0.5)
        on, usable = self.isChecked(), self.isEnabled()
        border = tokens.accent if on or self.hasFocus() else tokens.border_strong
        painter.setPen(QPen(QColor(border if usable else tokens.border), 1))
        painter.setBrush(QColor((tokens.accent if usable else tokens.faint) if on else tokens.surface))
        painter.drawRoundedRect(box, 4, 4)
        if on:
            size = BOX_SIZE - 4
            tick = self._look.pixmap("check", tokens.on_accent, size)
            painter.drawPixmap(round(box.left() + 1.5), round(box.top() + 1.5), tick)
        if self.hasFocus():
            painter.setPen(QPen(QColor(tokens.text if on else tokens.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(-1.5, -1.5, 1.5, 1.5), 5, 5)
        if self.text():
            painter.setPen(QColor(tokens.text if usable else tokens.faint))
            area = self.rect().adjusted(BOX_SIZE + 4 + GAP, 0, 0, 0)
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, self.text())

    @override
    def hitButton(self, pos: object) -> bool:
        """Qt: all of it can be clicked."""
        return True
