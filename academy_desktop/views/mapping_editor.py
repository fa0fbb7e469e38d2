"""Which column of the files holds which field of a form: one choice per field.

Owns layout. Refuses to know forms: the view model says which fields there are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.import_preview import FieldLine, ImportPreview
from academy_desktop.views.fields import Choice
from academy_desktop.views.kit import label
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_M


class MappingEditor(QWidget):
    """A line for each field: its name and the column that it is in."""

    def __init__(self, look: Look, preview: ImportPreview, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look
        self._preview = preview
        self._gettext = translate
        self._names: tuple[str, ...] = ()
        self._labels: list[QLabel] = []
        self.choices: dict[str, Choice] = {}
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(GAP_M)
        self._grid.setVerticalSpacing(GAP)
        self._grid.setColumnStretch(1, 1)
        self.setLayout(self._grid)
        preview.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the fields of the form as it is now."""
        lines = self._preview.fields
        if tuple(line.name for line in lines) != self._names:
            self._build(lines)
        for line in lines:
            none = N_("— choose a column —") if line.required else N_("— none —")
            offered = [("", self._gettext(none)), *((name, name) for name in self._preview.columns)]
            self.choices[line.name].offer(offered, line.column)
        self.setVisible(bool(lines))

    def lead_keys(self) -> bool:
        """Give the keys to the first field that still needs a column; whether there is one."""
        missing = next((line for line in self._preview.fields if line.required and not line.column), None)
        if missing is not None:
            self.choices[missing.name].setFocus(Qt.FocusReason.OtherFocusReason)
        return missing is not None

    def _build(self, lines: tuple[FieldLine, ...]) -> None:
        for part in (*self._labels, *self.choices.values()):
            self._grid.removeWidget(part)
            part.hide()
            part.deleteLater()
        self._labels, self.choices = [], {}
        for place, line in enumerate(lines):
            name, choice = label(line.words, "small"), Choice(self._look, line.words)
            name.setBuddy(choice)
            choice.chosen.connect(partial(self._preview.choose_column, line.name))
            self._grid.addWidget(name, place, 0)
            self._grid.addWidget(choice, place, 1)
            self._labels.append(name)
            self.choices[line.name] = choice
        self._names = tuple(line.name for line in lines)
