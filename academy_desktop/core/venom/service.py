"""The Venom servers of one data directory: look, send, go back.

Owns the wiring of this package, and that only one push or rollback runs at a time. Refuses to know screens.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from academy_desktop.core.exports import Exports
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.venom.activation import adapter_of, chat_model, look, restore
from academy_desktop.core.venom.answers import Adapter
from academy_desktop.core.venom.carrier import LOOK_S
from academy_desktop.core.venom.connections import Connection, Connections, Limits
from academy_desktop.core.venom.journal import Entry, Journal
from academy_desktop.core.venom.packing import Packing
from academy_desktop.core.venom.placement import Placement
from academy_desktop.core.venom.push import Means, Push
from academy_desktop.core.venom.reach import Reach, reaching, require_near
from academy_desktop.core.venom.recovery import Recovery, active_adapter, by_the_server
from academy_desktop.core.venom.report import Report, adapters_on, examine
from academy_desktop.core.venom.secrets import Secrets
from academy_desktop.core.venom.ssh_route import SshRoute, fingerprint
from academy_desktop.core.venom.steps import Listener, Order, Sent, Step, StepName
from academy_desktop.core.venom.ways import WaysFound, find_ways
from trainers.errors import AcademyError, ErrorCode
from trainers.events import AnyEvent
from trainers.locks import FileLock

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
        journal: what was sent where, when, and how that ended.
        secrets: of the SSH logins.

    Args:
        data: an opened data directory.
        jobs: its jobs.
        exports: its exports.
        models: the base models, for their names.
        offline: use no network; a server on this computer needs none.
        limits: seconds that requests may take.
        look_s: seconds between two looks for an adapter that was placed.
        secrets: of the SSH logins; by default nobody is asked for one.
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
        secrets: Secrets | None = None,
    ) -> None:
        self.journal = Journal(data.pushes)
        self.secrets = secrets or Secrets()
        self.connections = Connections(data.connections, data.tmp / "connections.lock")
        self._recovery = Recovery(self.journal, self.connections)
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
        with self._reach(connection) as reach:
            report = examine(reach, ask_for_changes=True)
        report.sent = self.journal.latest(connection)
        return report

    def ways(self, connection: Connection) -> WaysFound:
        """Find out which ways lead to a server, which need not be remembered yet; takes a few seconds.

        Raises:
            AcademyError: `offline`.
        """
        if self._offline:
            require_near(connection)
        return find_ways(connection)

    def host_key(self, route: SshRoute) -> str:
        """Return the public key that an SSH host shows, for the user to confirm.

        Raises:
            AcademyError: `offline`, `venom_ssh_unreachable`.
        """
        from academy_desktop.core.venom.ssh import ask_host_key  # asyncssh, which most commands do without

        with reaching(_only(route), self._limits, self.secrets, offline=self._offline):
            return ask_host_key(route, self._limits)

    def find_folder(self, name: str) -> str:
        """Return where a server keeps its adapters on its own computer; empty where it does not say it whole.

        Raises:
            AcademyError: `connection_unknown`, `offline`; what is wrong with the server.
        """
        with self._reach(self.connections.get(name)) as reach:
            found = reach.client.models_folder()
        return found if found.startswith("/") else ""

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
        with self._reach(self.connections.get(name)) as reach:
            reach.client.greet()
            return adapters_on(reach)

    def lessons(self, name: str, limit: int, tags: Sequence[str] = ()) -> Sequence[dict[str, Any]]:
        """Return what a server has learned from its tasks, at most `limit` lessons.

        Raises:
            AcademyError: `connection_unknown`, `offline`; what is wrong with the server.
        """
        with self._reach(self.connections.get(name)) as reach:
            reach.client.greet()
            return reach.client.lessons(limit, tags)

    def plan(self, name: str, order: Order) -> Sent:
        """Look what a push would do; changes nothing, so it may be asked while somebody sends.

        Raises:
            AcademyError: `connection_unknown`, `offline`; as `Push.run`.
        """
        with self._reach(self.connections.get(name)) as reach:
            return Push(self._means, reach, replace(order, dry_run=True), Unwatched()).run()

    def models(self, name: str, runtime: str) -> Sequence[str]:
        """Return the models of a server's runtime to which an adapter could be added.

        Raises:
            AcademyError: `connection_unknown`, `offline`; what is wrong with the server.
        """
        with self._reach(self.connections.get(name)) as reach:
            return reach.client.models().of(runtime)

    # changing

    @contextmanager
    def pushing(self, name: str, order: Order, listener: Listener) -> Iterator[Push]:
        """Give a push that is ready to `run`, while nobody else changes a server from here.

        Raises:
            AcademyError: `connection_unknown`, `offline`, `push_running`.
        """
        with self._alone():
            connection = self.connections.get(name)
            with self._reach(connection) as reach:
                if order.dry_run:
                    yield Push(self._means, reach, order, listener)
                    return
                if self._recovery.finish(reach, tolerant=True):
                    reach = replace(reach, connection=self.connections.get(name))
                yield Push(self._means, reach, order, listener, self.journal.begin(connection, order))

    def recover(self) -> Sequence[Entry]:
        """Finish what a push left halfway when the program died, on every server that can be reached.

        What cannot be reached now is left for the next time. While somebody pushes, nothing is done.

        Returns:
            The pushes that were halfway and are settled now.

        Raises:
            AcademyError: as `Connections.all`.
        """
        if not self.journal.unfinished():
            return ()
        settled: list[Entry] = []
        try:
            with self._alone():
                known = {one.name: one for one in self.connections.all()}
                for name in {entry.connection for entry in self.journal.unfinished()}:
                    settled += self._recover(name, known.get(name))
        except AcademyError as error:
            if error.code is not ErrorCode.PUSH_RUNNING:
                raise
        return settled

    def connect_over_ssh(
        self,
        name: str,
        url: str,
        models_dir: str | None,
        route: SshRoute,
        confirm: Callable[[str, str], bool],
    ) -> Connection:
        """Remember a server on another computer, reached over SSH.

        Args:
            name: what to call it.
            url: its address.
            models_dir: its models folder there; None: it is asked for it, once it can be reached.
            route: how to log in.
            confirm: asked about a host whose key nobody has confirmed yet, with its name and the key's
                fingerprint; where it is false, the connection is remembered all the same, without the key.

        Raises:
            AcademyError: as `Connections.add`; what `confirm` raises.
        """
        made = self.connections.add(name, url, models_dir, route)
        if made.ssh is not None and not made.ssh.host_key:
            key = ""
            with suppress(AcademyError):  # the report says what is wrong
                key = self.host_key(made.ssh)
            if key and confirm(made.ssh.place, fingerprint(key)):
                made = self.connections.trust(name, key)
        if made.models_dir is None and made.ssh is not None and made.ssh.host_key:
            with suppress(AcademyError):  # and here
                found = self.find_folder(name)
                made = self.connections.add(name, url, found, route) if found else made
        return made

    def remove_adapter(self, name: str, adapter_id: str) -> None:
        """Take an adapter off a server, over its models folder or its Ollama; one that is in use stays.

        Raises:
            AcademyError: `connection_unknown`, `offline`, `push_running`, `venom_adapter_in_use`,
                `venom_adapter_gone`; `venom_without_folder` for one of a models folder, which Ollama does
                not reach; what is wrong with the server or its folder.
        """
        with self._alone(), self._reach(self.connections.get(name)) as reach:
            reach.client.greet()
            seen = look(reach.client, registry=reach.ollama is None)
            if adapter_id in {seen.adapter_id, adapter_of(seen.model)}:
                raise AcademyError(ErrorCode.VENOM_ADAPTER_IN_USE, adapter=adapter_id)
            lies_there = adapter_id in {one.adapter_id for one in seen.adapters}
            if reach.ollama is not None:
                if lies_there:
                    raise AcademyError(ErrorCode.VENOM_WITHOUT_FOLDER, connection=name)
                if not reach.ollama.delete(chat_model(adapter_id)):
                    raise AcademyError(ErrorCode.VENOM_ADAPTER_GONE, path=adapter_id)
                return
            if not lies_there:
                raise AcademyError(ErrorCode.VENOM_ADAPTER_GONE, path=adapter_id)
            Placement(reach.folder(), self._means.owner).remove(adapter_id)

    def rollback(self, name: str) -> RolledBack:
        """Bring a server back to what it used before its active adapter.

        Raises:
            AcademyError: `connection_unknown`, `offline`, `push_running`, `venom_nothing_to_roll_back`,
                `venom_rollback_failed`; what is wrong with the server.
        """
        with self._alone():
            connection = self.connections.get(name)
            with self._reach(connection) as reach:
                reach.client.greet()
                settled = self._recovery.finish(reach, tolerant=False)
                undone = [one for one in settled if one.state == "undone"]
                connection = self.connections.get(name)
                registry = reach.ollama is None
                seen = look(reach.client, registry=registry)
                if undone and seen.agrees and seen.adapter_id in {None, _adapter_before(undone[-1])}:
                    return RolledBack(seen.runtime, seen.model, seen.adapter_id)
                known = connection.activation_of(active_adapter(connection, seen))
                if known is None:
                    found = by_the_server(reach, seen)
                else:
                    found = restore(reach.client, known.before, registry=registry)
                    self.connections.end_activation(name, known.adapter_id)
        return RolledBack(found.runtime, found.model, found.adapter_id)

    # inside

    def _brief_report(self, connection: Connection) -> Report:
        try:
            with self._reach(connection, LIST_LIMITS) as reach:
                return examine(reach, ask_for_changes=False)
        except AcademyError as trouble:
            return Report(connection, troubles=[trouble])

    def _recover(self, name: str, connection: Connection | None) -> Sequence[Entry]:
        if connection is None:
            return self._recovery.give_up(name)
        try:
            with self._reach(connection) as reach:
                return self._recovery.finish(reach, tolerant=True)
        except AcademyError:
            return ()

    def _reach(self, connection: Connection, limits: Limits | None = None) -> AbstractContextManager[Reach]:
        return reaching(connection, limits or self._limits, self.secrets, offline=self._offline)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = FileLock(self._lock)
        if not lock.acquire(0.2):
            raise AcademyError(ErrorCode.PUSH_RUNNING)
        try:
            yield
        finally:
            lock.release()


class Unwatched:
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


def _adapter_before(entry: Entry) -> str | None:
    return entry.before.adapter_id if entry.before else None


def _only(route: SshRoute) -> Connection:
    """A connection of which nothing counts but the way."""
    return Connection(name="", url="http://127.0.0.1", ssh=route)
