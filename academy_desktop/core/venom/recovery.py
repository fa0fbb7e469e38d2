"""What a push left halfway when the program died: registry and chat are brought together again.

Owns what the journal says of such pushes, and the way back from an adapter that nobody here remembers.
Refuses to know when that is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from academy_desktop.core.venom.activation import Seen, adapter_of, look, mend, restore
from academy_desktop.core.venom.connections import Before, Connection, Connections
from academy_desktop.core.venom.journal import Entry, Journal
from academy_desktop.core.venom.names import find_family
from academy_desktop.core.venom.reach import Reach
from trainers.errors import AcademyError, ErrorCode


class Recovery:
    """The pushes that died, as the journal of one data directory tells them."""

    def __init__(self, journal: Journal, connections: Connections) -> None:
        self._journal = journal
        self._connections = connections

    def finish(self, reach: Reach, *, tolerant: bool) -> Sequence[Entry]:
        """Settle the pushes to one server that died there; returns what was settled.

        With `tolerant`, what fails is left for the next time.

        Raises:
            AcademyError: as `mend`, unless `tolerant`; `protocol_newer`.
        """
        settled: list[Entry] = []
        for entry in self._journal.unfinished(reach.connection.name):
            if not entry.is_halfway or entry.url != reach.connection.url:
                self._journal.end(entry, "failed")
                continue
            try:
                is_used = _mended(reach, entry)
            except AcademyError:
                if tolerant:
                    continue
                raise
            if not is_used:
                self._connections.end_activation(entry.connection, entry.adapter_id)
            settled.append(self._journal.end(entry, "done" if is_used else "undone"))
        return settled

    def give_up(self, name: str) -> Sequence[Entry]:
        """Close the entries of a connection that was forgotten, and with it how its server is reached."""
        return [self._journal.end(entry, "failed") for entry in self._journal.unfinished(name)]


def active_adapter(connection: Connection, seen: Seen) -> str:
    """Return the adapter that the registry names, or else the one that the chat's model was made from.

    Raises:
        AcademyError: `venom_nothing_to_roll_back`.
    """
    active = seen.adapter_id or adapter_of(seen.model)
    if active is None:
        raise AcademyError(ErrorCode.VENOM_NOTHING_TO_ROLL_BACK, connection=connection.name, model=seen.model)
    return active


def by_the_server(reach: Reach, seen: Seen) -> Seen:
    """Go back by what the server remembers; where it remembers nothing, to the base model of the adapter.

    Raises:
        AcademyError: as `active_adapter` and `restore`.
    """
    client, registry = reach.client, reach.ollama is None
    active = active_adapter(reach.connection, seen)
    if seen.adapter_id is not None:
        client.deactivate(deploy=seen.agrees)
    now = look(client, registry=registry)
    if now.agrees:
        return now
    older = adapter_of(now.model)
    if older is not None and older != active and now.base_of(older):
        return restore(client, Before(runtime=now.runtime, model=now.model, adapter_id=older))
    base = seen.base_of(active) or _base_in_ollama(reach, seen.model)
    family = find_family([base])
    before = Before(runtime=seen.runtime, model=family.tag if family else base)
    return restore(client, before, registry=registry)


def _mended(reach: Reach, entry: Entry) -> bool:
    undo, registry = entry.step == "rollback", entry.route != "ollama"
    return mend(reach.client, entry.adapter_id, entry.before, undo=undo, registry=registry)


def _base_in_ollama(reach: Reach, model: str) -> str:
    if reach.ollama is None:
        return ""
    with suppress(AcademyError):
        made = reach.ollama.show(model)
        return made.base if made is not None else ""
    return ""
