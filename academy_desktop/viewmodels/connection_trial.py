"""A try of a connection before it is remembered: all that is typed, looked at as it would be used.

Owns what the last try found, and the key of an SSH host that nobody has confirmed yet. Refuses to know how
the connection was typed, and widgets.
"""

from __future__ import annotations

import asyncio

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.venom.connections import Connection
from academy_desktop.core.venom.report import Report
from academy_desktop.core.venom.service import Venom
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError, ErrorCode

_HOST_TROUBLES = frozenset({ErrorCode.VENOM_SSH_HOST_UNKNOWN, ErrorCode.VENOM_SSH_HOST_CHANGED})


class ConnectionTrial(QObject):
    """Signals: `changed()`."""

    changed = Signal()

    def __init__(self, venom: Venom, supervisor: Supervisor, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._venom = venom
        self._supervisor = supervisor
        self._number = 0
        self._is_running = False
        self._report: Report | None = None
        self._shown_key = ""

    @property
    def is_running(self) -> bool:
        """Whether the connection is being tried."""
        return self._is_running

    @property
    def report(self) -> Report | None:
        """What the last try found; None once something else was typed."""
        return self._report

    @property
    def shown_key(self) -> str:
        """The public key that the SSH host showed, where another or none was confirmed."""
        return self._shown_key

    def begin(self, connection: Connection, secret: str = "") -> None:
        """Try it, with this password or passphrase; needs the running loop."""
        self.forget()
        self._is_running = True
        self.changed.emit()
        self._supervisor.start(self._try(connection, secret, self._number), "test connection")

    def fail(self, connection: Connection, error: AcademyError) -> None:
        """It cannot even be tried."""
        self.forget()
        self._report = Report(connection, troubles=[error])
        self.changed.emit()

    def forget(self) -> None:
        """What was found, or is being found, counts no longer."""
        self._number += 1
        self._is_running = False
        self._report, self._shown_key = None, ""

    async def _try(self, connection: Connection, secret: str, number: int) -> None:
        shown = ""
        if connection.ssh is not None and secret:
            self._venom.secrets.hold(connection.ssh, secret)
        try:
            report = await asyncio.to_thread(self._venom.look_at, connection)
            if connection.ssh is not None and _HOST_TROUBLES & {one.code for one in report.troubles}:
                shown = await asyncio.to_thread(self._venom.host_key, connection.ssh)
        except AcademyError as error:
            report = Report(connection, troubles=[error])
        if connection.ssh is not None and secret and not report.reachable:
            self._venom.secrets.let_go(connection.ssh)  # else it would beat the right one of the keyring
        if number == self._number:
            self._is_running = False
            self._report, self._shown_key = report, shown
            self.changed.emit()
