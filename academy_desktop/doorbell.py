"""One window per data directory: the first one owns a doorbell, any other rings it and goes.

Owns a lock in the data directory, which the system frees however its holder ends, and a local socket to ring
at. Neither can refuse a start for longer than its holder lives. Refuses to know what a window is.
"""

from __future__ import annotations

import getpass
import hashlib
import logging
import time
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from trainers.locks import FileLock

LOCK_NAME = "window.lock"

#: How long a window that has just begun, or is busy, may take to answer.
ANSWER_S = 3.0
_RETRY_S = 0.05
_HELLO = b"show\n"

_log = logging.getLogger(__name__)


class Doorbell(QObject):
    """The doorbell of one data directory; `rung()` when another window wanted to open."""

    rung = Signal()

    def __init__(self, root: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lock = FileLock(root / LOCK_NAME)
        self._name = _socket_name(root)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._answer)

    def claim(self) -> bool:
        """Whether this is the only window now; then it can be rung at until `release`."""
        try:
            if not self._lock.acquire(timeout_s=_RETRY_S):
                return False
        except OSError as error:  # a file system without locks must not keep anybody out
            _log.warning("no lock on the data directory: %s", error)
            return True
        # nobody else holds the lock, so a socket of this name is what a killed window left behind
        QLocalServer.removeServer(self._name)
        if not self._server.listen(self._name):
            _log.warning("other windows cannot ring here: %s", self._server.errorString())
        return True

    def ring(self, timeout_s: float = ANSWER_S) -> bool:
        """Ask the window that holds the lock to come forward; returns whether it was heard. Blocks."""
        deadline = time.monotonic() + timeout_s
        while True:
            socket = QLocalSocket()
            socket.connectToServer(self._name)
            left_ms = max(int(1000 * (deadline - time.monotonic())), 1)
            if socket.waitForConnected(left_ms):
                socket.write(_HELLO)
                socket.flush()
                heard = socket.waitForReadyRead(left_ms)
                socket.disconnectFromServer()
                return heard
            if time.monotonic() >= deadline:
                return False
            time.sleep(_RETRY_S)

    def release(self) -> None:
        """Let the next window be the first."""
        self._server.close()
        self._lock.release()

    def _answer(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.disconnected.connect(socket.deleteLater)
            socket.write(_HELLO)
            socket.flush()
            self.rung.emit()


def _socket_name(root: Path) -> str:
    """Short, because socket paths must be; one's own, because the folder for them is shared."""
    whose = f"{getpass.getuser()}:{root.resolve()}"
    return f"academy-desktop-{hashlib.sha256(whose.encode()).hexdigest()[:16]}"
