"""Rows as marked text: what is learned, what is only read, what is to be avoided, what is wrong.

Owns the colours. Refuses to know where rows come from.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QTextCharFormat, QTextOption
from PySide6.QtWidgets import QPlainTextEdit

from academy_desktop.viewmodels.row_preview import Part
from academy_desktop.views.look import Look


class RowText(QPlainTextEdit):
    """Text that can be read, selected and copied, and nothing else."""

    def __init__(self, look: Look, name: str, height: int) -> None:
        super().__init__()
        self._look = look
        self._shown: tuple[Part, ...] = ()
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setTabChangesFocus(True)
        self.setAccessibleName(name)
        self.setMinimumHeight(height)
        look.changed.connect(self._write)

    def show_parts(self, parts: Sequence[Part]) -> None:
        """Show these, from the beginning."""
        if tuple(parts) != self._shown:
            self._shown = tuple(parts)
            self._write()

    def _write(self) -> None:
        self.clear()
        cursor = self.textCursor()
        for part in self._shown:
            cursor.insertText(part.text, self._format(part))
            if part.token is not None:
                cursor.insertText(f" {part.token} ", self._id_format())
        self.verticalScrollBar().setValue(0)

    def _id_format(self) -> QTextCharFormat:
        made = QTextCharFormat()
        made.setForeground(QColor(self._look.tokens.faint))
        made.setVerticalAlignment(QTextCharFormat.VerticalAlignment.AlignSubScript)
        return made

    def _format(self, part: Part) -> QTextCharFormat:
        tokens = self._look.tokens
        colour, ground, weight = tokens.muted, "", QFont.Weight.Normal
        if part.tone == "caption":
            colour, weight = tokens.text, QFont.Weight.Bold
        elif part.tone == "problem":
            colour = tokens.warning
        elif part.learned and part.tone == "worse":
            colour, ground, weight = tokens.danger, tokens.danger_soft, QFont.Weight.DemiBold
        elif part.learned:
            colour, ground, weight = tokens.accent, tokens.accent_soft, QFont.Weight.DemiBold
        made = QTextCharFormat()
        made.setForeground(QColor(colour))
        made.setFontWeight(weight)
        if ground:
            made.setBackground(QColor(ground))
        return made
