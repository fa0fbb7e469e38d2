"""A window that says when its Home page was painted, first and with all that it shows, and then closes.

    python -m tests.bench.home_probe DATA_DIR

Says `painted`, `filled`, and at the end `modules`: those in the process that only a trainer may pay for.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QScrollArea, QWidget
from typing_extensions import override

from academy_desktop.app import Desk
from tests.windows import run_window, say

HEAVY = ("torch", "transformers", "datasets", "pandas")


class HomeWatch(QObject):
    """Sees every paint of the Home page."""

    def __init__(self, desk: Desk, content: QWidget) -> None:
        super().__init__(content)
        self._desk = desk
        self._said: set[str] = set()
        content.installEventFilter(self)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt: something happens to the page; what is being painted is there a turn of the loop later."""
        if event.type() == QEvent.Type.Paint:
            self._say_once("painted")
            home = self._desk.home
            if home.knows_jobs and home.findings and home.has_runs:
                self._say_once("filled")
        return False

    def _say_once(self, what: str) -> None:
        if what not in self._said:
            self._said.add(what)
            QTimer.singleShot(0, lambda: self._say(what))

    def _say(self, what: str) -> None:
        say(what)
        if what == "filled":
            self._desk.leave()


def watch(desk: Desk) -> None:
    """Watch the page that the window begins with."""
    page = desk.window.show_page("home")
    content = page.widget() if isinstance(page, QScrollArea) else None
    HomeWatch(desk, content or page)


if __name__ == "__main__":
    code = run_window(["--data-dir", sys.argv[1]], watch)
    say("modules", heavy=[name for name in HEAVY if name in sys.modules])
    sys.exit(code)
