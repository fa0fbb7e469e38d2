"""The parts that forms are made of: a choice, a few buttons of which one is pressed, a switch.

Owns how they look and what a screen reader hears. Refuses to know what a field means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from string import Template

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFrame,
    QPushButton,
    QSizePolicy,
    QStyledItemDelegate,
    QWidget,
)
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.recipe_form import Choice
from academy_desktop.views import fields
from academy_desktop.views.kit import row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_S, Sizes, Tokens

#: Height of everything that a value is edited with.
EDITOR_HEIGHT = 34

#: Track of a switch.
SWITCH = QSize(36, 20)

#: What the window's sheet does not have; for a page with a form.
SHEET = Template("""
QLineEdit[wrong="true"], QLineEdit[wrong="true"]:focus { border: 1px solid $danger; }
QLabel[text_role="changed"] { color: $accent; font-weight: 600; }
QLabel[text_role="problem"] { color: $danger; font-size: ${font_small}px; }
QComboBox QAbstractItemView::item { min-height: 28px; padding: 0 6px; border: none; border-radius: 6px; }
QComboBox QAbstractItemView::item:selected { background: $accent_soft; color: $text; }
QFrame[segments="true"] { background: $inset; border: 1px solid $border; border-radius: ${radius}px; }
QPushButton[segment="true"] {
    background: transparent; border: 1px solid transparent; border-radius: 6px; color: $muted;
    padding: 4px 12px; font-weight: 500;
}
QPushButton[segment="true"]:hover { color: $text; }
QPushButton[segment="true"]:checked {
    background: $raised; border: 1px solid $border_strong; color: $text;
}
QPushButton[segment="true"]:focus { border: 1px solid $accent; }
QPushButton[fix="true"] { padding: 2px 8px; font-size: ${font_small}px; }
QPushButton[fix="reset"] { padding: 1px; }
QFrame#footer { background: $surface; border: none; border-top: 1px solid $border; }
""")


def form_sheet(tokens: Tokens, sizes: Sizes) -> str:
    """The style sheet of a page with a form."""
    return SHEET.substitute(asdict(tokens), **asdict(sizes))


class ChoiceBox(fields.Choice):
    """One of several; `chosen(id)` when the user chose."""

    def __init__(self, look: Look, name: str) -> None:
        super().__init__(look, name)
        self.setFixedHeight(EDITOR_HEIGHT)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setMinimumContentsLength(6)
        self.setItemDelegate(QStyledItemDelegate(self))  # the box's own draws no sheet
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_choices(self, choices: Sequence[Choice], chosen: str) -> None:
        """Offer these, with one of them chosen."""
        self.offer(
            [(one.id, f"{one.title}  ·  {one.detail}" if one.detail else one.title) for one in choices],
            chosen,
        )

    @override
    def wheelEvent(self, event: QWheelEvent) -> None:
        """Qt: the wheel scrolls the page; it must not change a value on its way."""
        event.ignore()


class Segments(QFrame):
    """A few buttons side by side of which one is pressed, or none; `chosen(id)` when the user chose."""

    chosen = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setProperty("segments", True)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(EDITOR_HEIGHT)
        self._name = name
        self._shown: tuple[Choice, ...] = ()
        self._buttons: dict[str, QPushButton] = {}
        self._group = QButtonGroup(self)
        self._line = row(0)
        self._line.setContentsMargins(2, 2, 2, 2)
        self.setLayout(self._line)

    def show_choices(self, choices: Sequence[Choice], chosen: str) -> None:
        """Offer these, with one of them pressed."""
        if tuple(choices) != self._shown:
            self._shown = tuple(choices)
            for old in self._buttons.values():
                old.hide()
                old.deleteLater()
            self._buttons = {choice.id: self._segment(choice) for choice in choices}
            self._take_place()
        self._group.setExclusive(False)  # else one that was pressed could not be released
        for name, segment in self._buttons.items():
            segment.setChecked(name == chosen)
        self._group.setExclusive(True)
        stop = chosen if chosen in self._buttons else next(iter(self._buttons), "")
        for name, segment in self._buttons.items():  # Tab comes here once, the arrow keys go on
            segment.setFocusPolicy(Qt.FocusPolicy.TabFocus if name == stop else Qt.FocusPolicy.NoFocus)

    def _take_place(self) -> None:
        """Buttons made late are reached where they stand, not after everything else."""
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # Qt looks away from what takes no keys
        before: QWidget = self
        for segment in self._buttons.values():
            segment.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            QWidget.setTabOrder(before, segment)
            before = segment
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def _segment(self, choice: Choice) -> QPushButton:
        made = QPushButton(choice.title)
        made.setProperty("segment", True)
        made.setCheckable(True)
        made.setAccessibleName(f"{self._name}: {choice.title}")
        made.setAccessibleDescription(choice.detail)
        made.setToolTip(choice.detail)
        made.setCursor(Qt.CursorShape.PointingHandCursor)
        made.setAutoDefault(True)  # Enter presses what has the focus, as Space does
        made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        made.clicked.connect(lambda: self.chosen.emit(choice.id))
        self._group.addButton(made)
        self._line.addWidget(made)
        return made


class Switch(QCheckBox):
    """On or off."""

    def __init__(self, look: Look, name: str, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look
        self._words = (translate(N_("Off")), translate(N_("On")))
        self.setAccessibleName(name)
        self.setFixedHeight(EDITOR_HEIGHT)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        look.changed.connect(self.update)

    @override
    def sizeHint(self) -> QSize:
        """Qt: track and word."""
        word = max(self.fontMetrics().horizontalAdvance(word) for word in self._words)
        return QSize(SWITCH.width() + GAP + word + GAP_S, EDITOR_HEIGHT)

    @override
    def hitButton(self, pos: object) -> bool:
        """Qt: everything can be pressed."""
        return True

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw the track, the knob and the word."""
        tokens = self._look.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        track = QRectF(1, (self.height() - SWITCH.height()) / 2, SWITCH.width(), SWITCH.height())
        painter.setPen(QPen(QColor(tokens.accent if self.hasFocus() else tokens.border_strong), 1.5))
        painter.setBrush(QColor(tokens.accent if self.isChecked() else tokens.inset))
        painter.drawRoundedRect(track, track.height() / 2, track.height() / 2)
        knob = track.height() - 8
        left = track.right() - knob - 4 if self.isChecked() else track.left() + 4
        painter.setPen(QPen(QColor(tokens.text), 1.5) if self.hasFocus() else Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.on_accent if self.isChecked() else tokens.faint))
        painter.drawEllipse(QRectF(left, track.top() + 4, knob, knob))
        painter.setPen(QColor(tokens.text if self.isEnabled() else tokens.faint))
        beside = QRectF(track.right() + GAP, 0, self.width() - track.right() - GAP, self.height())
        painter.drawText(beside, Qt.AlignmentFlag.AlignVCenter, self._words[self.isChecked()])


def restyle(part: QWidget, name: str, value: object) -> None:
    """Change what the style sheet looks at, and have it look again."""
    if part.property(name) != value:
        part.setProperty(name, value)
        part.style().unpolish(part)
        part.style().polish(part)
