"""The index of the jobs: what is known of those that are over, so that a long list reads no events.

Owns `index.sqlite3` and its versions. It holds nothing that the run directories do not say, so it may be
lost, damaged or thrown away at any time. Refuses to know how a summary is made.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from academy_desktop.core.reader import JobSummary
from trainers.layout import RunDir

#: Each entry lifts the index by one version.
_LADDER = (
    "CREATE TABLE jobs (id TEXT PRIMARY KEY, stamp TEXT NOT NULL, summary TEXT NOT NULL) WITHOUT ROWID",
)
_BUSY_S = 2.0


class JobIndex:
    """Summaries of jobs that are over, each with the stamp of the files that it was made from.

    Whatever goes wrong with the file, the index is only empty: nothing here raises.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()

    def read(self) -> Mapping[str, tuple[str, JobSummary]]:
        """Return (stamp, summary) of every job that is known, by id."""
        found: dict[str, tuple[str, JobSummary]] = {}
        with self._open() as database:
            for job, stamp, text in database.execute("SELECT id, stamp, summary FROM jobs"):
                with contextlib.suppress(ValidationError):  # another version's: it is made anew
                    found[job] = (stamp, JobSummary.model_validate_json(text))
        return found

    def write(self, entries: Sequence[tuple[str, JobSummary]]) -> None:
        """Keep summaries, each with its stamp; all of them or none."""
        rows = [(summary.id, stamp, summary.model_dump_json()) for stamp, summary in entries]
        with self._open() as database, database:
            database.executemany("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)", rows)

    def forget(self, jobs: Sequence[str]) -> None:
        """Drop jobs that are there no more."""
        with self._open() as database, database:
            database.executemany("DELETE FROM jobs WHERE id = ?", [(job,) for job in jobs])

    def clear(self) -> None:
        """Throw everything away, a damaged file too."""
        with self._guard:
            self._remove()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Give a connection for one piece of work; a file that is none is replaced by an empty one."""
        with self._guard:
            try:
                database = self._connect()
            except sqlite3.DatabaseError:
                database = self._replacement()
            try:
                yield database
            except sqlite3.DatabaseError:
                self._close(database)
                self._remove()
            else:
                self._close(database)

    def _connect(self) -> sqlite3.Connection:
        if self._path.is_symlink():  # it could lead anywhere, and be made there
            raise sqlite3.DatabaseError("a link")
        database = sqlite3.connect(self._path, timeout=_BUSY_S, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            _climb(database)
            _require_own(database)
        except sqlite3.DatabaseError:
            self._close(database)
            raise
        return database

    def _replacement(self) -> sqlite3.Connection:
        """Begin with an empty file; in memory where that cannot be."""
        self._remove()
        try:
            return self._connect()
        except sqlite3.DatabaseError:
            database = sqlite3.connect(":memory:", check_same_thread=False)
            _climb(database)
            return database

    def _remove(self) -> None:
        for name in (self._path.name, f"{self._path.name}-wal", f"{self._path.name}-shm"):
            with contextlib.suppress(OSError):
                self._path.with_name(name).unlink()

    def _close(self, database: sqlite3.Connection) -> None:
        with contextlib.suppress(sqlite3.Error):
            database.close()


def stamp_of(run: RunDir) -> str:
    """Say which state of a run's files a summary was made from: another state, another stamp.

    Cheap, for it is asked for every job at every look: a few calls of `stat`, no reading. Host and app write
    into an attempt's folder by renames, which its time of change tells.
    """
    newest = max(run.attempt_numbers(), default=0)
    return ";".join(
        (str(newest), *(_file_stamp(path) for path in (run.events, run.label, run.attempts / str(newest))))
    )


def _file_stamp(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "-"
    return f"{found.st_size}.{found.st_mtime_ns}"


def _require_own(database: sqlite3.Connection) -> None:
    """Make sure that nothing runs when a table is read: no view, no trigger, no table of another kind.

    Raises:
        sqlite3.DatabaseError: it holds something else than this version makes.
    """
    found = database.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
    if found != [("table", "jobs", _LADDER[0])]:
        raise sqlite3.DatabaseError("not made here")


def _climb(database: sqlite3.Connection) -> None:
    """Lift the index to this version.

    Raises:
        sqlite3.DatabaseError: it is damaged, or a later version's.
    """
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > len(_LADDER):
        raise sqlite3.DatabaseError(f"version {version}")
    if version == len(_LADDER):
        return
    with database:
        # Another process may have climbed since the look: only one at a time gets past this line.
        database.execute("BEGIN IMMEDIATE")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        for step in _LADDER[version:]:
            database.execute(step)
        database.execute(f"PRAGMA user_version = {len(_LADDER)}")
