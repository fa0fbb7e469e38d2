"""Tabs: a few names side by side, one of them in front.

Owns how they look. Refuses to know what stands behind them.
"""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from academy_desktop.viewmodels.recipe_form import Choice
from academy_desktop.views.look import Look
from academy_desktop.views.recipe_form import Segments, form_sheet


class Tabs(QWidget):
    """`chosen(id)` when the user chose one; `tab`: the one in front."""

    chosen = Signal(str)

    def __init__(self, look: Look, name: str, tabs: Mapping[str, str]) -> None:
        super().__init__()
        self._look = look
        self._choices = tuple(Choice(tab, title) for tab, title in tabs.items())
        self.tab = next(iter(tabs))
        self.segments = Segments(name)
        self.segments.show_choices(self._choices, self.tab)
        self.segments.chosen.connect(self.show_tab)
        line = QVBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.segments)
        self.setLayout(line)
        look.changed.connect(self._draw)
        self._draw()

    def show_tab(self, tab: str) -> None:
        """Bring one to the front."""
        if tab != self.tab:
            self.tab = tab
            self.segments.show_choices(self._choices, tab)
            self.chosen.emit(tab)

    def _draw(self) -> None:
        self.setStyleSheet(form_sheet(self._look.tokens, self._look.sizes))
