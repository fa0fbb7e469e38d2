"""The log of a run: selectable text that follows its end.

Owns drawing. Refuses to know files: it shows `LogLines` and follows its signals.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextOption
from PySide6.QtWidgets import QFrame, QPlainTextEdit

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.log_lines import LogLines
from academy_desktop.views.kit import column, label
from academy_desktop.views.theme import GAP, GAP_L, GAP_M


class LogView(QFrame):
    """A card with the last lines; scrolled up, it stays where the reader is."""

    def __init__(self, lines: LogLines, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("card", True)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setMaximumBlockCount(lines.most)
        self.text.setUndoRedoEnabled(False)
        self.text.setWordWrapMode(QTextOption.WrapMode.NoWrap)
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.text.setTabChangesFocus(True)
        self.text.setPlaceholderText(translate(N_("Nothing was written to the log yet.")))
        self.text.setAccessibleName(translate(N_("Log")))
        self.text.setMinimumHeight(64)
        layout = column(GAP)
        layout.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP_M)
        layout.addWidget(label(translate(N_("Log")), "heading"))
        layout.addWidget(self.text, 1)
        self.setLayout(layout)
        self._follows = True
        bar = self.text.verticalScrollBar()
        bar.rangeChanged.connect(self._stay_at_end)
        bar.valueChanged.connect(self._note_position)
        lines.added.connect(self._add)
        lines.cleared.connect(self.text.clear)
        if lines.lines:
            self._add(list(lines.lines))

    def _add(self, lines: list[str]) -> None:
        """Append a batch by one insert."""
        self.text.appendPlainText("\n".join(lines))

    def _stay_at_end(self, _least: int, most: int) -> None:
        if self._follows:
            self.text.verticalScrollBar().setValue(most)

    def _note_position(self, value: int) -> None:
        self._follows = value >= self.text.verticalScrollBar().maximum() - 1
