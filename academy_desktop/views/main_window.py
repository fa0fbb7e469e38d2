"""The window: a rail with the pages at the left, the page in force at the right.

Owns navigation, shortcuts and the theme's switch. Refuses to know pages: they are handed in, and made when
first shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QByteArray, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QFrame, QMainWindow, QPushButton, QStackedWidget, QWidget
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.views.kit import Icon, Notice, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_M, GAP_S

RAIL_WIDTH = 184


@dataclass(frozen=True)
class Page:
    """One entry of the rail; `make` is called when the page is first shown."""

    id: str
    title: str
    icon: str
    make: Callable[[], QWidget]


class Rail(QFrame):
    """The navigation; `chosen(page id)`."""

    chosen = Signal(str)

    def __init__(self, look: Look, pages: Sequence[Page], translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setObjectName("rail")
        self.setFixedWidth(RAIL_WIDTH)
        self._look = look
        self._gettext = translate
        self._buttons: dict[str, tuple[QPushButton, str]] = {}
        self.theme = _rail_button("")
        self.theme.clicked.connect(lambda: look.set_dark(not look.dark))
        lines = column(GAP_S)
        lines.setContentsMargins(GAP_M, GAP_M, GAP_M, GAP_M)
        lines.addWidget(self._brand())
        lines.addSpacing(GAP_M)
        for number, page in enumerate(pages, 1):
            lines.addWidget(self._entry(number, page))
        lines.addStretch(1)
        lines.addWidget(self.theme)
        self.setLayout(lines)
        look.changed.connect(self._draw)
        self._draw()

    def mark(self, page_id: str) -> None:
        """Mark the entry of the page that is shown."""
        for name, (entry, _) in self._buttons.items():
            entry.setChecked(name == page_id)

    def _brand(self) -> QWidget:
        line = row(GAP)
        line.setContentsMargins(GAP, GAP, 0, GAP)
        product = label("Academy", "heading")
        product.setObjectName("product")
        line.addWidget(Icon(self._look, "mark", "accent", 28))
        line.addWidget(product, 1)
        holder = QWidget()
        holder.setLayout(line)
        return holder

    def _entry(self, number: int, page: Page) -> QPushButton:
        entry = _rail_button(page.title)
        entry.setCheckable(True)
        entry.setToolTip(f"{page.title} ({QKeySequence(f'Ctrl+{number}').toString()})")
        entry.clicked.connect(lambda: self.chosen.emit(page.id))
        self._buttons[page.id] = (entry, page.icon)
        return entry

    def _draw(self) -> None:
        tokens = self._look.tokens
        for entry, icon in self._buttons.values():
            entry.setIcon(self._look.icon(icon, tokens.muted, tokens.accent, 20, GAP))
        text = self._gettext(N_("Light theme")) if self._look.dark else self._gettext(N_("Dark theme"))
        self.theme.setText(text)
        self.theme.setAccessibleName(text)
        self.theme.setIcon(self._look.icon("sun" if self._look.dark else "moon", tokens.muted, None, 20, GAP))


class MainWindow(QMainWindow):
    """`closed()` once the user closed it; `may_close` is asked first and may ask the user in turn."""

    closed = Signal()

    def __init__(
        self,
        look: Look,
        pages: Sequence[Page],
        translate: Callable[[str], str],
        may_close: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__()
        self._may_close = may_close
        self.setWindowTitle("Academy Desktop")
        self.setWindowIcon(look.icon("mark", look.tokens.accent))
        self.setMinimumSize(960, 600)
        self.resize(1180, 760)
        self._pages = {page.id: page for page in pages}
        self._made: dict[str, QWidget] = {}
        self.rail = Rail(look, pages, translate)
        self._stack = QStackedWidget()
        self.notice = Notice(look, translate)
        self.rail.chosen.connect(self.show_page)
        self.setCentralWidget(self._centre())
        for number, page in enumerate(pages, 1):
            self._shortcut(f"Ctrl+{number}", page.id)
        # not every desktop has a key for it
        keys = QKeySequence.keyBindings(QKeySequence.StandardKey.Quit) or [QKeySequence("Ctrl+Q")]
        QShortcut(keys[0], self).activated.connect(self.close)
        self.show_page(pages[0].id)

    def show_page(self, page_id: str) -> QWidget:
        """Show a page, made now if it was never shown; returns it."""
        if page_id not in self._made:
            self._made[page_id] = self._pages[page_id].make()
            self._stack.addWidget(self._made[page_id])
        self._stack.setCurrentWidget(self._made[page_id])
        self.rail.mark(page_id)
        return self._made[page_id]

    @property
    def page_ids(self) -> tuple[str, ...]:
        """The pages, from top to bottom."""
        return tuple(self._pages)

    def tell(self, title: str, text: str) -> None:
        """Show what went wrong, above whatever page is shown."""
        self.notice.tell(title, text)

    def place(self) -> str:
        """Where the window stands and how large it is, for `put`."""
        return self.saveGeometry().toBase64().toStdString()

    def put(self, place: str) -> None:
        """Stand where an earlier window stood; what no window said is ignored."""
        self.restoreGeometry(QByteArray.fromBase64(QByteArray(place.encode())))

    @override
    def showEvent(self, event: QShowEvent) -> None:
        """Qt: the window appears; nothing wears a ring before the first Tab."""
        super().showEvent(event)
        centre = self.centralWidget()
        if centre is not None:
            centre.setFocus()

    @override
    def closeEvent(self, event: QCloseEvent) -> None:
        """Qt: the window goes; runs in progress stay, they belong to their hosts."""
        if not self._may_close():
            event.ignore()
            return
        for page in self._made.values():
            page.close()
        super().closeEvent(event)
        self.closed.emit()

    def come_forward(self) -> None:
        """Show the window to a user who looks for it."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def _centre(self) -> QWidget:
        right = column(0)
        right.addWidget(self.notice)
        right.addWidget(self._stack, 1)
        line = row(0)
        line.addWidget(self.rail)
        line.addLayout(right, 1)
        centre = QWidget()
        centre.setObjectName("page")
        centre.setLayout(line)
        centre.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        return centre

    def _shortcut(self, keys: str, page_id: str) -> None:
        QShortcut(QKeySequence(keys), self).activated.connect(lambda: self.show_page(page_id))


def _rail_button(text: str) -> QPushButton:
    made = QPushButton(text)
    made.setProperty("rail", True)
    made.setAccessibleName(text)
    made.setIconSize(QSize(20 + GAP, 20))
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves no ring behind
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    made.setAutoDefault(True)  # Enter presses what has the focus, as Space does
    return made
