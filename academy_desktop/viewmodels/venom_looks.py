"""Looks at Venom servers: each may take long, none holds anything up, and of several the newest counts.

Owns what was found by the last look at each. Refuses to know which server is shown, and words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.venom.connections import Connection
from academy_desktop.core.venom.report import Report
from academy_desktop.core.venom.service import Venom
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError


class ServerLooks(QObject):
    """Signals: `changed()`, `looked(name)` after a server was looked at in full."""

    changed = Signal()
    looked = Signal(str)

    def __init__(self, venom: Venom, supervisor: Supervisor, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._venom = venom
        self._supervisor = supervisor
        self._known: Mapping[str, Connection] = {}
        self._reports: dict[str, Report] = {}
        self._newest: dict[str, int] = {}
        self._going: dict[str, int] = {}

    def report(self, name: str) -> Report | None:
        """What the last look at a server found."""
        return self._reports.get(name)

    def is_going(self, name: str) -> bool:
        """Whether a server is being looked at now."""
        return bool(self._going.get(name))

    def take(self, known: Mapping[str, Connection]) -> None:
        """Take the connections, by name; what was found of one at another address is forgotten."""
        self._known = known
        self._reports = {
            name: report
            for name, report in self._reports.items()
            if name in known and report.connection.same_way_as(known[name])
        }

    def look(self, name: str) -> None:
        """Look at this server in full; needs the running loop."""
        if name:
            self._newest[name] = self._newest.get(name, 0) + 1
            self._going[name] = self._going.get(name, 0) + 1
            self._supervisor.start(self._look_at(name, self._newest[name]), "venom server")
            self.changed.emit()

    def look_around(self, shown: str) -> None:
        """Look at all servers briefly, for a list; what is known in full of the one that is shown stays."""
        self._supervisor.start(self._look_around(shown), "venom servers")

    async def _look_at(self, name: str, number: int) -> None:
        connection = self._known.get(name)
        report: Report | None = None
        try:
            report = await asyncio.to_thread(self._venom.report, name)
        except AcademyError as error:
            report = Report(connection, troubles=[error]) if connection else None
        finally:
            self._going[name] -= 1
        if number == self._newest[name] and report is not None and name in self._known:
            self._reports[name] = report
            self.looked.emit(name)
        self.changed.emit()

    async def _look_around(self, shown: str) -> None:
        begun = dict(self._newest)
        try:
            found = await asyncio.to_thread(self._venom.reports)
        except AcademyError:  # the look at the connections has told it
            return
        for report in found:
            name = report.connection.name
            is_newest = self._newest.get(name) == begun.get(name)  # no full look has begun meanwhile
            if name != shown and name in self._known and is_newest:
                self._reports[name] = report
        self.changed.emit()
