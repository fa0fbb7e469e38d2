"""A network between a client and a server: carries bytes, from an address of its own, until it breaks.

A server behind it sees whoever comes through it as a stranger. Faults are armed one at a time, and strike
once so many bytes have gone to the server.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Literal

Kind = Literal["drop", "reset", "stall", "deaf"]

#: Another address of this computer than a server takes for its own.
STRANGER = "127.0.0.2"


@dataclass
class Fault:
    """What happens to the connection that carries the byte of this number.

    `drop`: it is closed. `reset`: at once, with no farewell. `stall`: nothing passes any more. `deaf`: what
    the server says is lost, and the connection closed once it has said something.
    """

    kind: Kind
    after_bytes: int


class Relay:
    """Listens in threads; a context manager."""

    def __init__(
        self, target: tuple[str, int], listen: tuple[str, int] = ("127.0.0.1", 0), source: str = "127.0.0.1"
    ) -> None:
        self._target = target
        self._source = source
        self._guard = threading.Lock()
        self._fault: Fault | None = None
        self._open: set[socket.socket] = set()
        self._closing = threading.Event()
        self.struck = 0
        self._listener = socket.create_server(listen)
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in list(self._threads):
            thread.join()

    def arm(self, kind: Kind, after_bytes: int) -> None:
        """Let this happen once, to whatever connection it is."""
        with self._guard:
            self._fault = Fault(kind, after_bytes)

    def disarm(self) -> None:
        with self._guard:
            self._fault = None

    def cut(self) -> None:
        """Close every connection that there is."""
        with self._guard:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    # inside

    def _start(self, work: object, *arguments: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target, 5, source_address=(self._source, 0))
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._guard:
                self._open |= {near, far}
            told = threading.Event()
            self._start(self._carry, near, far, True, told)
            self._start(self._carry, far, near, False, told)

    def _carry(self, one: socket.socket, other: socket.socket, up: bool, deaf: threading.Event) -> None:
        try:
            while chunk := one.recv(65536):
                kind = self._strikes(len(chunk)) if up else None
                if kind == "deaf":
                    deaf.set()
                elif kind == "stall":
                    self._closing.wait(30)
                    break
                elif kind is not None:
                    if kind == "reset":
                        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
                if not up and deaf.is_set():
                    break
                other.sendall(chunk)
        except OSError:
            pass
        finally:
            for each in (one, other):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            if up:  # the other direction ends by the shutdown and uses them no more than that
                with self._guard:
                    self._open -= {one, other}
            with contextlib.suppress(OSError):
                one.close()

    def _strikes(self, size: int) -> Kind | None:
        with self._guard:
            fault = self._fault
            if fault is None:
                return None
            fault.after_bytes -= size
            if fault.after_bytes > 0:
                return None
            self._fault = None
            self.struck += 1
            return fault.kind
