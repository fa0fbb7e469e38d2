"""The models folder of a server where this computer sees it: its path as typed, and what is wrong with it.

Owns the look at the disk, in a thread: a network drive that is gone may take long. Refuses to know widgets.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.venom.connections import Connection, checked_folder
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError, ErrorCode


class FolderField(QObject):
    """Signals: `changed()` once it was looked at."""

    changed = Signal()

    def __init__(self, path: str, supervisor: Supervisor, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self._supervisor = supervisor
        self._trouble: AcademyError | None = None
        self._looks = 0

    @property
    def trouble(self) -> AcademyError | None:
        """What is wrong with the folder, as far as it was looked at."""
        return self._trouble

    @property
    def is_missing(self) -> bool:
        """Whether there is no such folder."""
        return self._trouble is not None and self._trouble.code is ErrorCode.VENOM_FOLDER_MISSING

    def set(self, path: str) -> None:
        """It is there, or nowhere; needs the running loop."""
        self.path = path.strip()
        self._trouble = None
        self._looks += 1
        if self.path:
            self._supervisor.start(self._look(self.path, self._looks), "models folder")

    async def _look(self, path: str, number: int) -> None:
        trouble = await asyncio.to_thread(_trouble_of, path)
        if number == self._looks:
            self._trouble = trouble
            self.changed.emit()


def _trouble_of(path: str) -> AcademyError | None:
    try:
        place = checked_folder(Path(path))
        Connection(name="new", url="http://127.0.0.1", models_dir=str(place)).folder()
    except AcademyError as error:
        return error
    return None
