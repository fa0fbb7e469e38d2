"""The small parts that every page is made of: labels, buttons, cards, badges, empty states.

Owns their construction and names for assistive technology. Refuses to know what a page shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from academy_desktop.core.states import JobState
from academy_desktop.text.marking import N_
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S, GAP_XL, state_colours

TextRole = Literal["body", "display", "title", "heading", "muted", "small", "number", "command"]
ButtonKind = Literal["plain", "primary", "quiet", "icon"]


def label(text: str = "", role: TextRole = "body", *, wrap: bool = False, selectable: bool = False) -> QLabel:
    """A line or paragraph of plain text in one of the theme's roles."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setProperty("text_role", role)
    made.setWordWrap(wrap)
    if selectable:
        made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made


class Elided(QLabel):
    """A line that ends in dots where its place is too narrow; the whole text is its tooltip."""

    def __init__(self, role: TextRole) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("text_role", role)

    @override
    def setText(self, text: str) -> None:
        """Qt: change the text."""
        if text != self.text():
            super().setText(text)
            self.setToolTip(text)

    @override
    def minimumSizeHint(self) -> QSize:
        """Qt: a few letters are enough."""
        return QSize(min(24, super().minimumSizeHint().width()), super().minimumSizeHint().height())

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw what fits."""
        painter = QPainter(self)
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        role = self.foregroundRole()
        area = self.contentsRect()
        self.style().drawItemText(
            painter, area, self.alignment(), self.palette(), self.isEnabled(), shown, role
        )


def button(text: str, kind: ButtonKind = "plain", *, hint: str = "") -> QPushButton:
    """A push button; an icon button keeps its text as its accessible name."""
    made = QPushButton("" if kind == "icon" else text)
    made.setProperty("kind", kind)
    made.setAccessibleName(text)
    made.setToolTip(hint or (text if kind == "icon" else ""))
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    made.setAutoDefault(True)  # Enter presses what has the focus, as Space does
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves no ring behind
    return made


def column(spacing: int = GAP, margins: int = 0) -> QVBoxLayout:
    """A vertical layout with the grid's distances."""
    made = QVBoxLayout()
    made.setSpacing(spacing)
    made.setContentsMargins(margins, margins, margins, margins)
    return made


def row(spacing: int = GAP, margins: int = 0) -> QHBoxLayout:
    """A horizontal layout with the grid's distances."""
    made = QHBoxLayout()
    made.setSpacing(spacing)
    made.setContentsMargins(margins, margins, margins, margins)
    return made


def side_by_side(*parts: QWidget) -> QWidget:
    """Buttons in the middle of a line, each as wide as it needs."""
    line = row(GAP)
    line.addStretch(1)
    for part in parts:
        line.addWidget(part)
    line.addStretch(1)
    made = QWidget()
    made.setLayout(line)
    return made


def card(content: QLayout) -> QFrame:
    """A raised surface around a layout."""
    made = QFrame()
    made.setProperty("card", True)
    made.setLayout(content)
    return made


class Icon(QLabel):
    """An icon that follows the theme; `token` names its colour. Decorative: silent for a screen reader."""

    def __init__(self, look: Look, name: str, token: str = "muted", size: int = 20) -> None:
        super().__init__()
        self._look = look
        self._name = name
        self._token = token
        self._size = size
        self.setFixedSize(size, size)
        look.changed.connect(self._draw)
        self._draw()

    def _draw(self) -> None:
        self.setPixmap(self._look.pixmap(self._name, getattr(self._look.tokens, self._token), self._size))

    def show_icon(self, name: str, token: str) -> None:
        """Show another icon, or the same in another colour."""
        self._name, self._token = name, token
        self._draw()


class Emblem(QFrame):
    """An icon on a soft ground: the head of a card."""

    def __init__(self, look: Look, name: str, size: int = 20) -> None:
        super().__init__()
        self.setProperty("emblem", True)
        self.setFixedSize(2 * size, 2 * size)
        line = row()
        line.addWidget(Icon(look, name, "accent", size), 0, Qt.AlignmentFlag.AlignCenter)
        self.setLayout(line)


class Badge(QLabel):
    """A job's state as a coloured pill."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._state = JobState.QUEUED
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        look.changed.connect(self._paint)

    def show_state(self, state: JobState, word: str) -> None:
        """Show a state by its word and its colours."""
        self._state = state
        self.setText(word)
        self._paint()

    def _paint(self) -> None:
        text, background = state_colours(self._look.tokens, self._state)
        self.setStyleSheet(
            f"color: {text.name()}; background: {background.name()}; font-weight: 600;"
            f" font-size: {self._look.sizes.font_small}px; border-radius: 10px; padding: 3px 10px;"
        )


class EmptyState(QWidget):
    """What a page says while it has nothing to show, with the next step."""

    def __init__(
        self, look: Look, icon: str, title: str, sentence: str, action: QWidget | None = None
    ) -> None:
        super().__init__()
        lines = column(GAP_M)
        lines.addStretch(2)
        lines.addWidget(Icon(look, icon, "accent", 48), 0, Qt.AlignmentFlag.AlignHCenter)
        lines.addSpacing(GAP)
        for text in (label(title, "title"), label(sentence, "muted", wrap=True)):
            text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            lines.addWidget(text)
        if action is not None:
            lines.addSpacing(GAP)
            lines.addWidget(action)
        lines.addStretch(3)
        inner = QWidget()
        inner.setFixedWidth(400)
        inner.setLayout(lines)
        centred = row(0, GAP_XL)
        centred.addStretch(1)
        centred.addWidget(inner)
        centred.addStretch(1)
        self.setLayout(centred)


class Notice(QWidget):
    """Something that the user should know, above a page, and what to do about it; a button puts it away."""

    def __init__(self, look: Look, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look
        self._act: Callable[[], None] | None = None
        self._icon = Icon(look, "warning", "danger", 24)
        self._title = label("", "heading")
        self._text = label("", wrap=True, selectable=True)
        self.action = button("")
        self.action.clicked.connect(self._do)
        self._close = button(translate(N_("Dismiss")), "icon")
        self._close.clicked.connect(self.hide)
        self._lay_out()
        look.changed.connect(self._draw)
        self._draw()
        self.hide()

    def _lay_out(self) -> None:
        texts = column(GAP_S)
        texts.addWidget(self._title)
        texts.addWidget(self._text)
        line = row(GAP_M)
        line.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP_M)
        line.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(texts, 1)
        line.addWidget(self.action, 0, Qt.AlignmentFlag.AlignVCenter)
        line.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        self._frame = QFrame()
        self._frame.setLayout(line)
        around = column(0)
        around.setContentsMargins(GAP_XL, GAP_L, GAP_XL, 0)
        around.addWidget(self._frame)
        self.setLayout(around)

    def tell(self, title: str, text: str) -> None:
        """Show what went wrong: a title and its sentences."""
        self._show("notice", ("warning", "danger"), title, text)

    def offer(self, title: str, text: str, action: str, act: Callable[[], None]) -> None:
        """Show what was done, and a button, `action`, that does something about it: `act`, once."""
        self._show("offer", ("info", "accent"), title, text)
        self._act = act
        self.action.setText(action)
        self.action.setAccessibleName(action)
        self.action.setAccessibleDescription(title)
        self.action.show()

    def _show(self, kind: str, icon: tuple[str, str], title: str, text: str) -> None:
        self._act = None
        self.action.hide()
        self._icon.show_icon(*icon)
        self._frame.setObjectName(kind)
        self._frame.style().polish(self._frame)
        self._title.setText(title)
        self._text.setText(text)
        self.setAccessibleName(f"{title}. {text}")
        self.show()

    def _do(self) -> None:
        act, self._act = self._act, None
        self.hide()
        if act is not None:
            act()

    def _draw(self) -> None:
        self._close.setIcon(self._look.icon("close", self._look.tokens.muted))
