"""The Venom servers of one data directory: look, send, go back.

Owns the wiring of this package, and that only one push or rollback runs at a time. Refuses to know screens.
"""

from __future__ import annotations

import hashlib
import ipaddress
import platform
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from academy_desktop.core.exports import Exports
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.venom.activation import Seen, adapter_of, look, restore
from academy_desktop.core.venom.answers import Adapter
from academy_desktop.core.venom.connections import Before, Connection, Connections, Limits
from academy_desktop.core.venom.names import find_family
from academy_desktop.core.venom.packing import Packing
from academy_desktop.core.venom.push import LOOK_S, Means, Push
from academy_desktop.core.venom.report import Report, examine
from academy_desktop.core.venom.steps import Listener, Order, Sent, Step, StepName
from trainers.errors import AcademyError, ErrorCode
from trainers.events import AnyEvent
from trainers.locks import FileLock

if TYPE_CHECKING:
    from academy_desktop.core.venom.client import VenomClient

#: Enough for a list of connections: whoever is slower is slow.
LIST_LIMITS = Limits(connect_s=2.0, read_s=4.0)


@dataclass(frozen=True)
class RolledBack:
    """What a server uses after a rollback."""

    runtime: str
    model: str
    adapter_id: str | None


class Venom:
    """All that can be done with Venom servers.

    Attributes:
        connections: the servers that the user has named.

    Args:
        data: an opened data directory.
        jobs: its jobs.
        exports: its exports.
        models: the base models, for their names.
        offline: use no network; a server on this computer needs none.
        limits: seconds that requests may take.
        look_s: seconds between two looks for an adapter that was placed.
    """

    def __init__(
        self,
        data: DataDir,
        jobs: Jobs,
        exports: Exports,
        models: Models,
        offline: bool = False,
        limits: Limits | None = None,
        look_s: float = LOOK_S,
    ) -> None:
        self.connections = Connections(data.connections, data.tmp / "connections.lock")
        self._lock = data.tmp / "venom.lock"
        self._offline = offline
        self._limits = limits or Limits()
        owner = hashlib.sha256(f"{platform.node()}:{data.root}".encode()).hexdigest()[:12]
        packing = Packing(jobs, exports, models)
        self._means = Means(jobs, packing, self.connections, owner, look_s)

    # looking

    def report(self, name: str) -> Report:
        """Look at everything that a push to this server needs.

        Raises:
            AcademyError: `connection_unknown`, `offline`.
        """
        return self.look_at(self.connections.get(name))

    def look_at(self, connection: Connection) -> Report:
        """Look at a server that need not be remembered yet.

        Raises:
            AcademyError: `offline`.
        """
        with self._client(connection) as client:
            return examine(connection, client, ask_for_changes=True)

    def reports(self) -> Sequence[Report]:
        """Look at all servers at once, briefly; whether they take changes is not asked.

        Raises:
            AcademyError: as `Connections.all`.
        """
        connections = self.connections.all()
        if not connections:
            return ()
        with ThreadPoolExecutor(max_workers=min(8, len(connections))) as pool:
            return tuple(pool.map(self._brief_report, connections))

    def adapters(self, name: str) -> Sequence[Adapter]:
        """Return the adapters that a server finds.

        Raises:
            AcademyError: `connection_unknown`, `offline`; what is wrong with the server.
        """
        with self._client(self.connections.get(name)) as client:
            client.greet()
            return client.adapters()

    def lessons(self, name: str, limit: int, tags: Sequence[str] = ()) -> Sequence[dict[str, Any]]:
        """Return what a server has learned from its tasks, at most `limit` lessons.

        Raises:
            AcademyError: `connection_unknown`, `offline`; what is wrong with the server.
        """
        with self._client(self.connections.get(name)) as client:
            client.greet()
            return client.lessons(limit, tags)

    def plan(self, name: str, order: Order) -> Sent:
        """Look what a push would do; changes nothing, so it may be asked while somebody sends.

        Raises:
            AcademyError: `connection_unknown`, `offline`; as `Push.run`.
        """
        connection = self.connections.get(name)
        with self._client(connection) as client:
            return Push(self._means, connection, client, replace(order, dry_run=True), _Unwatched()).run()

    def models(self, name: str, runtime: str) -> Sequence[str]:
        """Return the models of a server's runtime to which an adapter could be added.

        Raises:
            AcademyError: `connection_unknown`, `offline`; what is wrong with the server.
        """
        with self._client(self.connections.get(name)) as client:
            return client.models().of(runtime)

    # changing

    @contextmanager
    def pushing(self, name: str, order: Order, listener: Listener) -> Iterator[Push]:
        """Give a push that is ready to `run`, while nobody else changes a server from here.

        Raises:
            AcademyError: `connection_unknown`, `offline`, `push_running`.
        """
        with self._alone():
            connection = self.connections.get(name)
            with self._client(connection) as client:
                yield Push(self._means, connection, client, order, listener)

    def rollback(self, name: str) -> RolledBack:
        """Bring a server back to what it used before its active adapter.

        Raises:
            AcademyError: `connection_unknown`, `offline`, `push_running`, `venom_nothing_to_roll_back`,
                `venom_rollback_failed`; what is wrong with the server.
        """
        with self._alone():
            connection = self.connections.get(name)
            with self._client(connection) as client:
                client.greet()
                seen = look(client)
                known = connection.activation_of(_active(connection, seen))
                if known is None:
                    found = _by_the_server(client, connection, seen)
                else:
                    found = restore(client, known.before)
                    self.connections.end_activation(name, known.adapter_id)
        return RolledBack(found.runtime, found.model, found.adapter_id)

    # inside

    def _brief_report(self, connection: Connection) -> Report:
        try:
            with self._client(connection, LIST_LIMITS) as client:
                return examine(connection, client, ask_for_changes=False)
        except AcademyError as trouble:
            return Report(connection, troubles=[trouble])

    def _client(self, connection: Connection, limits: Limits | None = None) -> VenomClient:
        if self._offline and not _is_this_computer(connection.url):
            raise AcademyError(ErrorCode.OFFLINE, detail=connection.url)
        from academy_desktop.core.venom.client import VenomClient  # httpx, which most commands do without

        return VenomClient(connection.url, limits or self._limits)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = FileLock(self._lock)
        if not lock.acquire(0.2):
            raise AcademyError(ErrorCode.PUSH_RUNNING)
        try:
            yield
        finally:
            lock.release()


class _Unwatched:
    """For what nobody watches."""

    def started(self, step: StepName) -> None:
        """A step begins."""

    def progress(self, done: int, total: int) -> None:
        """Bytes of the step."""

    def event(self, event: AnyEvent) -> None:
        """A job of the step said something."""

    def done(self, step: Step) -> None:
        """A step is over."""

    def failed(self, step: Step) -> None:
        """A step failed."""


def _active(connection: Connection, seen: Seen) -> str:
    """The adapter that the registry names, or else the one that the chat's model was made from.

    Raises:
        AcademyError: `venom_nothing_to_roll_back`.
    """
    active = seen.adapter_id or adapter_of(seen.model)
    if active is None:
        raise AcademyError(ErrorCode.VENOM_NOTHING_TO_ROLL_BACK, connection=connection.name, model=seen.model)
    return active


def _by_the_server(client: VenomClient, connection: Connection, seen: Seen) -> Seen:
    """Go back by what the server remembers; where it remembers nothing, to the base model of the adapter."""
    active = _active(connection, seen)
    if seen.adapter_id is not None:
        client.deactivate(deploy=seen.agrees)
    now = look(client)
    if now.agrees:
        return now
    older = adapter_of(now.model)
    if older is not None and older != active and now.base_of(older):
        return restore(client, Before(runtime=now.runtime, model=now.model, adapter_id=older))
    base = seen.base_of(active)
    family = find_family([base])
    return restore(client, Before(runtime=seen.runtime, model=family.tag if family else base))


def _is_this_computer(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
