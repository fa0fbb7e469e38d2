"""How a page is laid out: a list beside what it opens, or one column in the middle.

Owns widths and margins. Refuses to know what stands there.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLayout, QScrollArea, QWidget

from academy_desktop.views.kit import card, column, label, row
from academy_desktop.views.theme import GAP, GAP_L, GAP_S, GAP_XL

#: The first line of a page, and of both sides of one, so that they stand level.
HEAD_HEIGHT = 32

#: A line of text or a card is never wider than this.
CONTENT_WIDTH = 1080

#: Least and largest width of a list; between, it has a share of the page.
LIST_WIDTHS = (272, 344)


def heading(text: str) -> QLabel:
    """The name of a page, or of a side of one."""
    made = label(text, "title")
    made.setMinimumHeight(HEAD_HEIGHT)
    return made


def list_card(*parts: QWidget) -> QFrame:
    """A card with a list in it, the last of `parts`, which takes all the room that there is."""
    held = column(0, GAP_S)
    for part in parts[:-1]:
        held.addWidget(part)
    held.addWidget(parts[-1], 1)
    return card(held)


def two_sides(
    left: QLayout,
    right: QWidget,
    *,
    widths: tuple[int, int] = LIST_WIDTHS,
    shares: tuple[int, int] = (1, 3),
    right_margin: int = GAP_XL,
) -> QWidget:
    """A page with a list at the left and what it opens at the right."""
    side = QWidget()
    side.setLayout(left)
    side.setMinimumWidth(widths[0])
    side.setMaximumWidth(widths[1])
    both = row(GAP_L)
    both.setContentsMargins(GAP_XL, GAP_XL, right_margin, GAP_XL)
    both.addWidget(side, shares[0])
    both.addWidget(right, shares[1])
    return _page(both)


def one_column(lines: QLayout) -> QWidget:
    """A page whose lines stand in the middle, no wider than is good to read."""
    inner = QWidget()
    inner.setLayout(lines)
    inner.setMaximumWidth(CONTENT_WIDTH)
    centred = QHBoxLayout()
    centred.setContentsMargins(GAP_XL + GAP, GAP_XL, GAP_XL + GAP, GAP_XL)
    centred.addWidget(inner, 1)
    return _page(centred)


def scroller(inner: QWidget) -> QScrollArea:
    """A part of a page that scrolls up and down when it is longer than its room."""
    made = QScrollArea()
    made.setWidgetResizable(True)
    made.setFrameShape(QFrame.Shape.NoFrame)
    made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.setWidget(inner)
    return made


def _page(lines: QLayout) -> QWidget:
    made = QWidget()
    made.setObjectName("page")
    made.setLayout(lines)
    return made
