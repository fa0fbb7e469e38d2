"""Rows from a Git repository or a Venom server, fetched into a file that is then imported like any other.

Owns the one fetch that may be in progress. Refuses to know widgets, Git and servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Event
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.datasets.commits import Limits
from academy_desktop.core.datasets.fetching import Fetched
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Description, Messages
from academy_desktop.viewmodels.background import as_academy, in_thread
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError

#: What is fetched at most, unless the user says otherwise.
USUAL_COMMITS, USUAL_LESSONS = Limits().commits, 1000
MOST_COMMITS, MOST_LESSONS = 100_000, 100_000


class RowFetcher(Protocol):
    """Fetches rows; every call blocks and belongs into a thread."""

    def connections(self) -> Sequence[str]:
        """The names of the Venom servers that can be asked."""
        ...

    def commits(self, repository: Path, limits: Limits, watch: Callable[[], None] = ..., /) -> Fetched:
        """The commits of a repository."""
        ...

    def lessons(self, connection: str, limit: int, tags: Sequence[str] = ..., /) -> Fetched:
        """The lessons of a server."""
        ...


class _GivenUpError(Exception):
    """Nobody waits for the rows any more."""


class DatasetFetch(QObject):
    """Signals: `changed()`, `fetched(path, name of the dataset)`."""

    changed = Signal()
    fetched = Signal(str, str)

    def __init__(
        self,
        fetcher: RowFetcher,
        messages: Messages,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._fetcher = fetcher
        self._messages = messages
        self._gettext = translate
        self._supervisor = supervisor
        self._connections: tuple[str, ...] | None = None
        self._problem: Description | None = None
        self._is_running = False
        self._give_up = Event()

    @property
    def connections(self) -> tuple[str, ...]:
        """The names of the Venom servers that can be asked."""
        return self._connections or ()

    @property
    def is_without_server(self) -> bool:
        """Whether it is known that there is no server to ask."""
        return self._connections == ()

    @property
    def is_running(self) -> bool:
        """Whether rows are on their way."""
        return self._is_running

    @property
    def problem(self) -> Description | None:
        """Why nothing came."""
        return self._problem

    def open(self) -> None:
        """Begin anew: look at the connections, forget what went wrong; needs the running loop."""
        self._problem = None
        self._supervisor.start(self._look(), "connections")
        self.changed.emit()

    def take_connections(self, names: Sequence[str]) -> None:
        """Take the names of the servers that can be asked."""
        self._connections = tuple(names)
        self.changed.emit()

    def fetch_commits(self, repository: str, limit: int) -> None:
        """Fetch the commits of the repository in a folder, the newest first; needs the running loop."""
        folder = Path(repository.strip()).expanduser()
        name = self._gettext(N_("Commits of {name}")).format(name=folder.name)
        nothing = N_("The repository has no commit that changes text.")
        self._begin(lambda watch: self._fetcher.commits(folder, Limits(limit), watch), name, nothing)

    def fetch_lessons(self, connection: str, limit: int, tags: str = "") -> None:
        """Fetch the lessons of a server, only those with one of the tags, if any; needs the running loop."""
        wanted = [tag.strip() for tag in tags.split(",") if tag.strip()]
        name = self._gettext(N_("Lessons of {name}")).format(name=connection)
        nothing = N_("The server has no such lessons.")
        self._begin(lambda _watch: self._fetcher.lessons(connection, limit, wanted), name, nothing)

    def cancel(self) -> None:
        """Give up waiting."""
        self._give_up.set()

    def _begin(self, work: Callable[[Callable[[], None]], Fetched], name: str, nothing: str) -> None:
        if not self._is_running:
            self._is_running, self._problem, self._give_up = True, None, Event()
            self.changed.emit()
            self._supervisor.start(self._fetch(work, name, nothing, self._give_up), "fetch")

    async def _fetch(
        self, work: Callable[[Callable[[], None]], Fetched], name: str, nothing: str, give_up: Event
    ) -> None:
        def watch() -> None:
            if give_up.is_set():
                raise _GivenUpError

        try:
            found = await in_thread(partial(work, watch), give_up, self.changed.emit)
            if not give_up.is_set():
                self._take(found, name, nothing)
        except _GivenUpError:
            pass  # whoever gave up knows
        except (AcademyError, OSError) as error:
            known = as_academy(error)
            self._problem = self._messages.describe(known.code, known.facts)
        finally:
            self._is_running = False
            self.changed.emit()

    def _take(self, found: Fetched, name: str, nothing: str) -> None:
        if found.rows:
            self.fetched.emit(str(found.path), name)
        else:
            title = self._gettext(N_("There is nothing to learn"))
            self._problem = Description(title, self._gettext(nothing), "")

    async def _look(self) -> None:
        try:
            self.take_connections(await asyncio.to_thread(self._fetcher.connections))
        except (AcademyError, OSError) as error:
            known = as_academy(error)
            self._problem = self._messages.describe(known.code, known.facts)
            self.changed.emit()
