"""What the connection's dialog finds out by itself about an address, while it is typed.

Owns the pause after the last letter, and that only the newest look counts. Refuses to know what else was
typed, and widgets.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.venom.connections import Connection
from academy_desktop.core.venom.report import Report
from academy_desktop.core.venom.service import Venom
from academy_desktop.core.venom.ways import WaysFound
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError

#: Nobody is asked while letters follow each other faster than this, in seconds.
PAUSE_S: Final = 0.6


class ConnectionLook(QObject):
    """Signals: `changed()`."""

    changed = Signal()

    def __init__(self, venom: Venom, supervisor: Supervisor, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._venom = venom
        self._supervisor = supervisor
        self._task: asyncio.Task[Any] | None = None
        self._report: Report | None = None
        self._ways: WaysFound | None = None

    @property
    def is_looking(self) -> bool:
        """Whether an address waits to be looked at, or is looked at now."""
        return self._task is not None

    @property
    def report(self) -> Report | None:
        """What answers at the address, asked directly."""
        return self._report

    @property
    def ways(self) -> WaysFound | None:
        """Which ways lead to its adapters."""
        return self._ways

    def begin(self, url: str, pause_s: float = PAUSE_S) -> None:
        """Look at this address, unless another follows soon; needs the running loop."""
        self._forget()
        self._task = self._supervisor.start(self._look(url, pause_s), "connection look")
        self.changed.emit()

    def stop(self) -> None:
        """Forget what was found, and give up what is being found out."""
        self._forget()
        self.changed.emit()

    def _forget(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = self._report = self._ways = None

    async def _look(self, url: str, pause_s: float) -> None:
        """Whoever answers is told at once; it may take seconds more until all ways are known."""
        await asyncio.sleep(pause_s)
        asked = Connection(name="new", url=url)
        try:
            self._report = await asyncio.to_thread(self._venom.look_at, asked)
            self.changed.emit()
            self._ways = await asyncio.to_thread(self._venom.ways, asked)
        except AcademyError as error:
            self._report = Report(asked, troubles=[error])
        self._task = None
        self.changed.emit()
