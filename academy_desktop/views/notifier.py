"""Tells a user who looks elsewhere, in the desktop's own way.

Owns the ways: the system's tray, or on Linux the helper that most desktops bring. Refuses to know what is
told; where there is no way, the window's entry in the task bar still asks for attention.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import QProcess, QStandardPaths, QTimer
from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

#: Milliseconds for which the tray's icon stays.
SHOWN_MS = 15_000


class Notifier:
    """Tells on behalf of a window, and is silent while that window is the one in use."""

    def __init__(self, window: QWidget) -> None:
        self._window = window
        self._tray: QSystemTrayIcon | None = None

    def tell(self, title: str, text: str) -> None:
        """Show a title and a sentence outside the window."""
        if self._window.isActiveWindow():
            return
        QApplication.alert(self._window)
        helper = QStandardPaths.findExecutable("notify-send") if sys.platform == "linux" else ""
        if helper:
            QProcess.startDetached(helper, ["--app-name=Academy Desktop", "--", title, text])
        elif QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages():
            self._show_in_tray(title, text)

    def _show_in_tray(self, title: str, text: str) -> None:
        if self._tray is None:
            self._tray = QSystemTrayIcon(self._window.windowIcon(), self._window)
        self._tray.show()
        self._tray.showMessage(title, text, self._window.windowIcon(), SHOWN_MS)
        QTimer.singleShot(SHOWN_MS, self._tray, self._tray.hide)
