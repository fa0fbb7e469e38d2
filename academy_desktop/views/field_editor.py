"""A field of a form with all that is to be said of it, and fields side by side.

Owns layout: label, mark of a change, editor, unit, and below them the help, or what is wrong and what would
do. Refuses to know what a field means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLineEdit, QSizePolicy, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.recipe_fields import Field, Value
from academy_desktop.viewmodels.recipe_form import Choice
from academy_desktop.views.kit import button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.recipe_form import EDITOR_HEIGHT, ChoiceBox, Switch, restyle
from academy_desktop.views.theme import GAP, GAP_L, GAP_S

#: Fields side by side.
COLUMNS = 3
#: Height of a label's line, whether there is a button in it or not.
LABEL_HEIGHT = 22
#: Longest value that stands on a button.
MOST_ON_BUTTON = 14


class FieldEditor(QWidget):
    """A field with its label, its unit, and below it what it does or what is wrong with it.

    Signals: `typed(path, value)` when the user changed it, `reset(path)` when what was filled in is wanted
    back, `mended(path)` when what would do is wanted in place of what is wrong.
    """

    typed = Signal(str, object)
    reset = Signal(str)
    mended = Signal(str)

    def __init__(self, look: Look, field: Field, value: Value, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look
        self._field = field
        self._gettext = translate
        self._name = label(field.label)
        self._help = label(field.help, "small", wrap=True)
        self.editor = self._make_editor()
        self.editor.setToolTip(field.hint)
        self._name.setBuddy(self.editor)
        self.undo = button(translate(N_("Put back")), "icon")
        self.undo.setProperty("fix", "reset")
        self.undo.setIconSize(QSize(16, 16))
        self.undo.setFixedSize(LABEL_HEIGHT + 2, LABEL_HEIGHT)
        self.undo.clicked.connect(lambda: self.reset.emit(field.path))
        self.mend = button("")
        self.mend.setProperty("fix", True)
        self.mend.clicked.connect(lambda: self.mended.emit(field.path))
        self._lay_out()
        look.changed.connect(self._draw)
        self._draw()
        self.show_value(value)
        self.show_change(None)
        self.show_problem("")

    @property
    def path(self) -> str:
        """The field's key in a recipe."""
        return self._field.path

    def show_value(self, value: Value) -> None:
        """Show a value; what is being typed stays as it is where it says the same."""
        match self.editor:
            case Switch() if isinstance(value, bool):
                self.editor.setChecked(value)
            case ChoiceBox():
                choices = [Choice(choice, choice) for choice in self._field.choices]
                self.editor.show_choices(choices, str(value))
                self.editor.setToolTip(self._field.hint)
            case QLineEdit() if self.editor.text() != value:
                self.editor.setText(str(value))

    def show_change(self, filled_in: Value | None) -> None:
        """Mark a field that was changed by hand, where `filled_in` stood; None: it was not."""
        changed = filled_in is not None
        restyle(self._name, "text_role", "changed" if changed else "body")
        if changed:
            said = self._gettext(N_("{field}: changed by you; put back {value}"))
            said = said.format(field=self._field.label, value=self._in_words(filled_in))
            self.undo.setAccessibleName(said)
            self.undo.setToolTip(said)
        self.undo.setVisible(changed)

    def show_problem(self, problem: str, nearest: Sequence[tuple[str, Value]] = ()) -> None:
        """Say what is wrong, and what would do, in place of what the field does; nothing: all is well."""
        self._help.setText(problem or self._field.help)
        said = f"{problem or self._field.help} {self._field.hint}".strip()
        self.editor.setAccessibleDescription(said)
        restyle(self._help, "text_role", "problem" if problem else "small")
        restyle(self.editor, "wrong", bool(problem))
        self.mend.setText(self._offer(nearest))
        self.mend.setAccessibleName(f"{self._field.label}: {self.mend.text()}")
        self.mend.setVisible(bool(problem and nearest))

    def _offer(self, nearest: Sequence[tuple[str, Value]]) -> str:
        values = [value for path, value in nearest]
        if len(values) != 1:
            return self._gettext(N_("Use these values"))
        if values[0] == "":
            return self._gettext(N_("Leave it empty"))
        if len(shown := self._in_words(values[0])) > MOST_ON_BUTTON:
            return self._gettext(N_("Use what would do"))
        return self._gettext(N_("Use {value}")).format(value=shown)

    def _in_words(self, value: Value | None) -> str:
        match value:
            case bool():
                return self._gettext(N_("On")) if value else self._gettext(N_("Off"))
            case None | "":
                return self._gettext(N_("nothing"))
        return value

    def _lay_out(self) -> None:
        field = self._field
        line = row(GAP)
        line.addWidget(self.editor, 0 if field.kind == "toggle" else 1)
        if field.unit:
            line.addWidget(label(field.unit, "muted"))
        if field.kind == "toggle":
            line.addStretch(1)
        mend = row(0)
        mend.addWidget(self.mend)
        mend.addStretch(1)
        lines = column(GAP_S)
        lines.addLayout(self._head())
        lines.addLayout(line)
        lines.addWidget(self._help)
        lines.addLayout(mend)
        lines.addStretch(1)
        self.setLayout(lines)
        # all fields of a row are equally wide, whatever stands in them
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def _head(self) -> QHBoxLayout:
        head = row(GAP_S)
        self._name.setMinimumHeight(LABEL_HEIGHT)
        head.addWidget(self._name)
        head.addWidget(self.undo, 0, Qt.AlignmentFlag.AlignVCenter)
        head.addStretch(1)
        return head

    def _make_editor(self) -> QWidget:
        field = self._field
        match field.kind:
            case "toggle":
                switch = Switch(self._look, field.label, self._gettext)
                switch.toggled.connect(lambda on: self.typed.emit(field.path, on))
                return switch
            case "choice":
                box = ChoiceBox(self._look, field.label)
                box.chosen.connect(lambda value: self.typed.emit(field.path, value))
                return box
        line = QLineEdit()
        line.setAccessibleName(field.label)
        line.setFixedHeight(EDITOR_HEIGHT)
        if field.optional:
            line.setPlaceholderText(self._gettext(N_("automatic")))
        line.textEdited.connect(lambda text: self.typed.emit(field.path, text))
        return line

    def _draw(self) -> None:
        self.undo.setIcon(self._look.icon("undo", self._look.tokens.accent))


class FieldGrid(QWidget):
    """Fields in columns of equal width; those that are not wanted leave no hole."""

    def __init__(self, editors: Sequence[FieldEditor]) -> None:
        super().__init__()
        self._editors = tuple(editors)
        self._shown: tuple[FieldEditor, ...] = ()
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(GAP_L)
        self._grid.setVerticalSpacing(GAP_L)
        for at in range(COLUMNS):
            self._grid.setColumnStretch(at, 1)
        self.setLayout(self._grid)
        self.show_only(lambda _path: True)

    def show_only(self, wanted: Callable[[str], bool]) -> bool:
        """Show the fields whose path is wanted; returns whether there are any."""
        shown = tuple(editor for editor in self._editors if wanted(editor.path))
        if shown != self._shown:
            self._shown = shown
            while self._grid.takeAt(0) is not None:
                pass
            for editor in self._editors:
                editor.setVisible(editor in shown)
            for number, editor in enumerate(shown):
                self._grid.addWidget(editor, number // COLUMNS, number % COLUMNS)
        return bool(shown)
