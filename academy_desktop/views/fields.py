"""The fields of a form: a choice among a few, and a field with its label and hint.

Owns their look, which follows the theme. Refuses to know what is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QLabel,
    QListView,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)
from typing_extensions import override

from academy_desktop.views.kit import column, label
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_M, GAP_S


class Choice(QComboBox):
    """One of a few; `chosen(value)` when the user took another one."""

    chosen = Signal(str)

    def __init__(self, look: Look, name: str) -> None:
        super().__init__()
        self._look = look
        self.setAccessibleName(name)
        self.setView(QListView())  # the native one takes no style
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.currentTextChanged.connect(self.setToolTip)
        self.activated.connect(lambda _row: self.chosen.emit(self.value))
        look.changed.connect(self._draw)
        self._draw()

    @property
    def value(self) -> str:
        """The value that is chosen, or nothing."""
        return str(self.currentData() or "")

    def offer(self, options: Sequence[tuple[str, str]], value: str) -> None:
        """Offer these (value, words), with one of them chosen."""
        now = [(str(self.itemData(row)), self.itemText(row)) for row in range(self.count())]
        if now != list(options):
            self.clear()
            for one, words in options:
                self.addItem(words, one)
        self.setCurrentIndex(max(self.findData(value), 0) if options else -1)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: the field as the sheet draws it, its words as far as there is room, and a chevron."""
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        kind, parts = QStyle.ComplexControl.CC_ComboBox, QStyle.SubControl
        words = self.style().subControlRect(kind, option, parts.SC_ComboBoxEditField, self)
        arrow = self.style().subControlRect(kind, option, parts.SC_ComboBoxArrow, self)
        shown = self.fontMetrics().elidedText(
            self.currentText(), Qt.TextElideMode.ElideMiddle, words.width() - GAP_S
        )
        option.currentText = shown
        painter.drawComplexControl(kind, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        tokens = self._look.tokens
        pixmap = self._look.pixmap("down", tokens.muted if self.isEnabled() else tokens.faint, 16)
        painter.drawPixmap(arrow.center().x() - 8, self.height() // 2 - 8, pixmap)
        painter.end()

    def _draw(self) -> None:
        tokens, radius = self._look.tokens, self._look.sizes.radius
        self.setStyleSheet(
            f"QComboBox {{ background: {tokens.surface}; border: 1px solid {tokens.border_strong};"
            f" border-radius: {radius}px; padding: 6px {GAP}px; combobox-popup: 0; }}"
            f"QComboBox:hover {{ background: {tokens.hover}; }}"
            f"QComboBox:focus {{ border: 1px solid {tokens.accent}; }}"
            f"QComboBox:disabled {{ color: {tokens.faint}; background: {tokens.inset};"
            f" border-color: {tokens.border}; }}"
            f"QComboBox::drop-down {{ border: none; width: {2 * GAP_M}px; }}"
            "QComboBox::down-arrow { image: none; }"
            f"QComboBox QAbstractItemView {{ background: {tokens.raised}; color: {tokens.text};"
            f" border: 1px solid {tokens.border_strong}; padding: {GAP_S}px; }}"
            f"QComboBox QAbstractItemView::item {{ padding: 6px {GAP}px; border-radius: {GAP_S}px; }}"
            f"QComboBox QAbstractItemView::item:selected {{ background: {tokens.accent_soft};"
            f" color: {tokens.accent}; }}"
        )


class Field(QWidget):
    """A part of a form with its label above and, where there is one, a hint below."""

    def __init__(self, name: str, part: QWidget, hint: str = "") -> None:
        super().__init__()
        self._name = label(name, "small")
        self._name.setBuddy(part)
        self.hint: QLabel = label(hint, "small", wrap=True)
        self.hint.setVisible(bool(hint))
        if not part.accessibleName():
            part.setAccessibleName(name)
        lines = column(GAP_S)
        for line in (self._name, part, self.hint):
            lines.addWidget(line)
        self.setLayout(lines)

    def say(self, hint: str) -> None:
        """Show another hint."""
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))
