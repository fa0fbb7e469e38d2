"""Keeps theme and choice together: the window looks as was chosen, and a change of its look is a choice.

Owns what "as the system" means. Refuses to know where choices are kept.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QGuiApplication

from academy_desktop.viewmodels.settings import Preferences
from academy_desktop.views.look import Look


class ThemeFollower(QObject):
    """Lives as long as the look."""

    def __init__(self, look: Look, preferences: Preferences) -> None:
        super().__init__(look)
        self._look = look
        self._preferences = preferences
        preferences.changed.connect(self.follow)
        look.changed.connect(self._note)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self.follow)
        self.follow()

    def follow(self) -> None:
        """Put the chosen theme in force."""
        self._look.set_dark(self._is_dark_wanted())

    def _is_dark_wanted(self) -> bool:
        chosen = self._preferences.settings.theme
        if chosen == "system":
            return QGuiApplication.styleHints().colorScheme() is Qt.ColorScheme.Dark
        return chosen == "dark"

    def _note(self) -> None:
        """The window's own button changed the theme: that is a choice too."""
        if self._look.dark != self._is_dark_wanted():
            self._preferences.choose_theme("dark" if self._look.dark else "light")
