"""What every command is given: the user's language, the screen, and the core over the data directory.

Owns building them once. Refuses to know commands.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from academy_desktop.cli.screen import Screen
from academy_desktop.core.workshop import Workshop, open_workshop
from academy_desktop.text.language import Words


class Session:
    """One run of `academy`."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.screen = Screen(words)
        self._data_dir: Path | None = None
        self._offline = False

    def begin(self, data_dir: Path | None, offline: bool, screen: Screen) -> None:
        """Take what the command line said before the command."""
        self._data_dir, self._offline, self.screen = data_dir, offline, screen

    @cached_property
    def workshop(self) -> Workshop:
        """The core; opened when a command first needs it.

        Raises:
            AcademyError: as `open_workshop`.
        """
        return open_workshop(self._data_dir, self._offline)

    @property
    def offline(self) -> bool:
        """Whether the network is out of bounds."""
        return self._offline
