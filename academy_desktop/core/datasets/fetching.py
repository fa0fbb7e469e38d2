"""Rows from elsewhere as files that can be imported: the commits of a Git repository, the lessons of a Venom.

Owns the folder that such files wait in. Refuses to import: what was fetched is looked at first, as any file.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from academy_desktop.core.datasets.commits import Limits, read_commits
from academy_desktop.core.datasets.sources import write_lines

_STALE_S = 24 * 3600.0


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str:
        """The name."""
        ...


#: Asks the named Venom for its lessons: so many at most, only those with these tags.
AskLessons = Callable[[str, int, Sequence[str]], Iterable[Mapping[str, Any]]]


@dataclass(frozen=True)
class Fetched:
    """A file of rows, and how many there are."""

    path: Path
    rows: int


class Fetcher:
    """Fetches rows into `folder`; files that nobody imported for a day are gone at the next fetch."""

    def __init__(
        self, folder: Path, connections: Callable[[], Iterable[Named]], ask_lessons: AskLessons
    ) -> None:
        self._folder = folder
        self._connections = connections
        self._ask_lessons = ask_lessons

    def connections(self) -> Sequence[str]:
        """The names of the Venom servers that can be asked."""
        return [connection.name for connection in self._connections()]

    def commits(self, repository: Path, limits: Limits, watch: Callable[[], None] = lambda: None) -> Fetched:
        """Write a repository's commits, the newest first; what `watch` raises ends it.

        Raises:
            AcademyError: as `commits.read_commits`.
        """
        rows = (commit.row() for commit in read_commits(repository, limits, watch))
        return self._write("commits.jsonl", rows)

    def lessons(self, connection: str, limit: int, tags: Sequence[str] = ()) -> Fetched:
        """Write the lessons of a Venom server.

        Raises:
            AcademyError: as `Venom.lessons`.
        """
        return self._write("lessons.jsonl", self._ask_lessons(connection, limit, tags))

    def _write(self, name: str, rows: Iterable[Mapping[str, Any]]) -> Fetched:
        self._tidy()
        place = self._folder / uuid.uuid4().hex
        place.mkdir(parents=True)
        counted = _Counted(rows)
        return Fetched(write_lines(place / name, counted), counted.rows)

    def _tidy(self) -> None:
        for old in self._folder.iterdir() if self._folder.is_dir() else ():
            if time.time() - old.stat().st_mtime > _STALE_S:
                shutil.rmtree(old, ignore_errors=True)


class _Counted:
    """Rows that are counted as they go by."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._given = rows
        self.rows = 0

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for row in self._given:
            self.rows += 1
            yield row
