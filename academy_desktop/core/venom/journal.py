"""The journal of pushes: one small file each, written before each step, that outlives the program.

From it the app knows what it was doing on a server when it died, and tells who sent what and when: servers
keep neither. Owns `pushes/` in the data directory. Refuses to talk to servers.
"""

from __future__ import annotations

import getpass
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from academy_desktop.core.venom.connections import Before, Connection, Route, newer_version
from academy_desktop.core.venom.steps import UNDIVIDED, Order, Sent, StepName
from trainers.errors import AcademyError, ErrorCode
from trainers.layout import PROTOCOL_VERSION, Record, write_record
from trainers.space import is_full

#: Entries that are kept of what is over.
KEPT: Final = 200
#: From here on the server may be halfway, with registry and chat out of step.
CHANGING: Final[frozenset[StepName]] = UNDIVIDED

#: `running`: it is, or the program died. `undone`: the server was brought back to what it used before.
State = Literal["running", "done", "failed", "cancelled", "undone"]


class Entry(Record):
    """One push; see PROTOCOL.md, "The journal of pushes"."""

    id: str
    connection: str
    url: str
    job: str
    route: Route = "folder"
    adapter_id: str = ""
    certified: bool | None = None
    placed: bool = False
    activate: bool = False
    by: str = ""
    begun_at: float
    ended_at: float | None = None
    step: StepName = "connect"
    state: State = "running"
    code: str = ""
    before: Before | None = None

    @property
    def is_halfway(self) -> bool:
        """Whether the push ended in the middle of what changes the server."""
        return self.state == "running" and self.step in CHANGING


class Journal:
    """All pushes of one data directory."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock

    def begin(self, connection: Connection, order: Order) -> Writer:
        """Note that a push begins.

        Raises:
            AcademyError: `disk_full`, `data_dir_not_writable`.
        """
        now = self._clock()
        entry = Entry(
            id=f"{round(now * 1000):013d}-{uuid.uuid4().hex[:8]}",
            connection=connection.name,
            url=connection.url,
            job=order.job,
            route=connection.route,
            activate=order.activate,
            by=_user(),
            begun_at=now,
        )
        self._forget_old()
        return Writer(self, entry)

    def all(self) -> Sequence[Entry]:
        """Return all entries, the newest last; one that cannot be read is left out."""
        return self._read_all(strict=False)

    def unfinished(self, connection: str = "") -> Sequence[Entry]:
        """Return the pushes that never came to an end, of one connection or all.

        One that is going on at this moment is among them: ask only while nobody else pushes.

        Raises:
            AcademyError: `protocol_newer` for an entry of a later version, which may be of a push that is
                halfway: only that version can tell.
        """
        found = self._read_all(strict=True)
        return [one for one in found if one.state == "running" and connection in {"", one.connection}]

    def latest(self, connection: Connection) -> dict[str, Entry]:
        """Return the newest push of each adapter that arrived on a server whole."""
        arrived = (one for one in self.all() if one.connection == connection.name and one.placed)
        return {one.adapter_id: one for one in arrived}

    def end(self, entry: Entry, state: State, code: str = "") -> Entry:
        """Note how a push ended.

        Raises:
            AcademyError: as `begin`.
        """
        over = entry.model_copy(update={"state": state, "code": code, "ended_at": self._clock()})
        self.write(over)
        return over

    def write(self, entry: Entry) -> None:
        """Write an entry, durably.

        Raises:
            AcademyError: as `begin`.
        """
        path = self._folder / f"{entry.id}.json"
        try:
            write_record(path, entry)
        except OSError as error:
            if is_full(error):
                raise AcademyError(ErrorCode.DISK_FULL, path=str(self._folder)) from error
            detail = error.strerror or str(error)
            raise AcademyError(
                ErrorCode.DATA_DIR_NOT_WRITABLE, path=str(self._folder), detail=detail
            ) from error

    def _read_all(self, *, strict: bool) -> Sequence[Entry]:
        found = (_read(path, strict=strict) for path in sorted(self._folder.glob("*.json")))
        return [entry for entry in found if entry is not None]

    def _forget_old(self) -> None:
        over = [one for one in self.all() if one.state != "running"]
        for entry in over[:-KEPT]:
            (self._folder / f"{entry.id}.json").unlink(missing_ok=True)


class Writer:
    """Keeps the entry of one push as it goes on; `note` writes it."""

    def __init__(self, journal: Journal, entry: Entry) -> None:
        self._journal = journal
        self.entry = entry
        journal.write(entry)

    def note(self, step: StepName, sent: Sent) -> None:
        """A step begins, and so much was done before it."""
        self._take(sent)
        self.entry = self.entry.model_copy(update={"step": step})
        self._journal.write(self.entry)

    def end(self, state: State, sent: Sent, code: str = "") -> None:
        """The push is over."""
        self._take(sent)
        self.entry = self._journal.end(self.entry, state, code)

    def _take(self, sent: Sent) -> None:
        known = {"adapter_id": sent.adapter_id, "before": sent.previous}
        update = {name: value for name, value in known.items() if value}
        said = {"placed": sent.placed, "certified": sent.certified}
        self.entry = self.entry.model_copy(update={**update, **said})


def _read(path: Path, *, strict: bool) -> Entry | None:
    """One entry; None for one that cannot be read, and, unless `strict`, for one of a later version.

    Raises:
        AcademyError: `protocol_newer`.
    """
    try:
        return Entry.model_validate_json(path.read_bytes())
    except OSError:
        return None
    except ValidationError as error:
        found = newer_version(error)
        if strict and found is not None:
            raise AcademyError(
                ErrorCode.PROTOCOL_NEWER, path=str(path), found=found, known=PROTOCOL_VERSION
            ) from error
        return None


def _user() -> str:
    """Who uses this computer, as it says itself."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
