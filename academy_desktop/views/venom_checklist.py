"""What was looked at on a Venom server, one thing below the other: a mark, its name, how it stands.

Owns layout. Refuses to know how a server is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from academy_desktop.viewmodels.venom_standing import Mark, StandingLine
from academy_desktop.views.certificate import empty
from academy_desktop.views.kit import Elided, Icon, label
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP_M, GAP_S

#: How a thing stands → icon and colour.
MARKS: dict[Mark, tuple[str, str]] = {
    "ok": ("check", "success"),
    "warn": ("warning", "warning"),
    "none": ("info", "muted"),
}


class Checklist(QWidget):
    """The list; without lines there is nothing to see."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._shown: tuple[StandingLine, ...] = ()
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(GAP_M)
        self._grid.setVerticalSpacing(GAP_S)
        self._grid.setColumnStretch(2, 1)
        self.setLayout(self._grid)

    def show_lines(self, lines: Sequence[StandingLine]) -> None:
        """Show these."""
        self.setVisible(bool(lines))
        if tuple(lines) != self._shown:
            self._shown = tuple(lines)
            empty(self._grid)
            for at, line in enumerate(lines):
                self._show_line(at, line)

    def _show_line(self, at: int, line: StandingLine) -> None:
        top = Qt.AlignmentFlag.AlignTop
        self._grid.addWidget(Icon(self._look, *MARKS[line.mark], 16), at, 0, top)
        self._grid.addWidget(label(line.label, "muted"), at, 1, top)
        value: QLabel = Elided("body") if line.is_path else label("", wrap=True, selectable=True)
        value.setText(line.value)
        value.setAlignment(top)
        value.setAccessibleName(f"{line.label}: {line.value}")
        self._grid.addWidget(value, at, 2)
