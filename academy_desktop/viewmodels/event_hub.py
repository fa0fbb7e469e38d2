"""Brings what the run directories say to the view models: read in threads, delivered in batches.

Owns the rhythm: however fast a trainer writes, the views hear of it at most `FLUSHES_PER_S` times a second,
and of at most `MOST_EVENTS` events at a time. The list of jobs and the run that is shown are looked at side
by side, so that a long list never holds up a curve. Refuses to know what the events mean, and to write.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.reader import JobSummary
from academy_desktop.viewmodels.log_lines import LineCutter
from academy_desktop.viewmodels.ports import EventSource, JobSource, TextSource
from trainers.errors import AcademyError, ErrorCode
from trainers.events import AnyEvent
from trainers.layout import RunDir

T = TypeVar("T")

#: While a long history is read the first time, and otherwise: a trainer takes longer than that for a step.
FLUSHES_PER_S = 30.0
CALM_FLUSHES_PER_S = 10.0
MOST_EVENTS = 2000

#: Seconds between two looks at the list of jobs, and how many times longer than a look the rest after it is.
JOBS_EVERY_S = 1.0
REST = 5.0

#: A job that is deleted during a look is no failure; what cannot be read so many times in a row is.
PATIENCE = 3


@dataclass
class Watch:
    """One run directory that is being followed."""

    events: EventSource
    log: TextSource
    lines: LineCutter = field(default_factory=LineCutter)
    pending: deque[AnyEvent] = field(default_factory=deque)


@dataclass(frozen=True)
class Batch:
    """What one look at the run that is watched brought; `more`: there is a backlog."""

    watch: Watch
    events: Sequence[AnyEvent] = ()
    lines: Sequence[str] = ()
    more: bool = False


class EventHub(QObject):
    """Emits `jobs_read`, `events_read` and `lines_read`, each with a list, and `failed(AcademyError)`.

    Events and lines belong to the run given to `watch` last; nothing of an earlier one arrives after that.
    """

    jobs_read = Signal(object)
    events_read = Signal(object)
    lines_read = Signal(object)
    failed = Signal(object)

    def __init__(
        self,
        jobs: JobSource,
        open_events: Callable[[Path], EventSource],
        open_log: Callable[[Path], TextSource],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._open_events = open_events
        self._open_log = open_log
        self._clock = clock
        self._sleep = sleep
        self._watch: Watch | None = None
        self._jobs_due = 0.0

    def watch(self, run_dir: Path | None) -> None:
        """Follow this run directory, from its first event, instead of the one before."""
        if run_dir is None:
            self._watch = None
            return
        run = RunDir(run_dir)
        self._watch = Watch(self._open_events(run.events), self._open_log(run.log))

    def refresh(self) -> None:
        """Look at the list of jobs at the next chance, for example after a command."""
        self._jobs_due = 0.0

    def read_jobs(self) -> list[JobSummary]:
        """Look at the list of jobs, the newest first; blocks, belongs into a thread."""
        return list(reversed(self._jobs.list()))

    def read_run(self) -> Batch | None:
        """Look at the run that is watched; blocks, belongs into a thread, one call at a time."""
        watch = self._watch
        if watch is None:
            return None
        watch.pending.extend(watch.events.read_new())
        count = min(MOST_EVENTS, len(watch.pending))
        events = [watch.pending.popleft() for _ in range(count)]
        return Batch(watch, events, watch.lines.cut(watch.log.read_new()), bool(watch.pending))

    def deliver(self, batch: Batch | None) -> None:
        """Hand a batch to the views, in their thread; one of a run that is no longer watched is dropped."""
        if batch is None or batch.watch is not self._watch:
            return
        if batch.events:
            self.events_read.emit(batch.events)
        if batch.lines:
            self.lines_read.emit(batch.lines)

    async def follow_jobs(self) -> None:
        """Read and deliver the list of jobs until cancelled; what cannot be read may be read next time."""
        patient = _Patient(self.failed.emit)
        while True:
            if self._clock() >= self._jobs_due:
                self._jobs_due = math.inf  # a wish to refresh during the look is not lost
                began = self._clock()
                jobs = await patient.look(self.read_jobs)
                now = self._clock()
                self._jobs_due = min(self._jobs_due, now + max(JOBS_EVERY_S, REST * (now - began)))
                if jobs is not None:
                    self.jobs_read.emit(jobs)
            await self._sleep(1 / CALM_FLUSHES_PER_S)

    async def follow_run(self) -> None:
        """Read and deliver what the run that is watched says, until cancelled; as `follow_jobs`."""
        patient = _Patient(self.failed.emit)
        while True:
            batch = await patient.look(self.read_run)
            self.deliver(batch)
            hurry = batch is not None and batch.more
            await self._sleep(1 / (FLUSHES_PER_S if hurry else CALM_FLUSHES_PER_S))


class _Patient:
    """Looks in a thread; tells what failed once, and not before it failed `PATIENCE` times in a row."""

    def __init__(self, tell: Callable[[AcademyError], object]) -> None:
        self._tell = tell
        self._failures = 0

    async def look(self, read: Callable[[], T]) -> T | None:
        """What `read` returns, or None when it failed."""
        try:
            found = await asyncio.to_thread(read)
        except AcademyError as error:
            self._count(error)
        except OSError as error:
            path = str(error.filename) if error.filename else None
            detail = error.strerror or str(error)
            self._count(AcademyError(ErrorCode.FILE_UNREADABLE, path=path, detail=detail))
        else:
            self._failures = 0
            return found
        return None

    def _count(self, error: AcademyError) -> None:
        self._failures += 1
        if self._failures == PATIENCE:
            self._tell(error)
