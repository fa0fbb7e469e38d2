"""Brings what the run directories say to the view models: read in a thread, delivered in batches.

Owns the rhythm: however fast a trainer writes, the views hear of it at most `FLUSHES_PER_S` times a second,
and of at most `MOST_EVENTS` events at a time. Refuses to know what the events mean and to write anything.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.reader import JobSummary
from academy_desktop.viewmodels.log_lines import LineCutter
from academy_desktop.viewmodels.ports import EventSource, JobSource, TextSource
from trainers.errors import AcademyError
from trainers.events import AnyEvent
from trainers.layout import RunDir

FLUSHES_PER_S = 10.0
MOST_EVENTS = 2000

#: Seconds between two looks at the list of jobs.
JOBS_EVERY_S = 1.0


@dataclass
class Watch:
    """One run directory that is being followed."""

    events: EventSource
    log: TextSource
    lines: LineCutter = field(default_factory=LineCutter)
    pending: deque[AnyEvent] = field(default_factory=deque)


@dataclass(frozen=True)
class Batch:
    """What one look at the disk brought."""

    watch: Watch | None
    jobs: Sequence[JobSummary] | None = None
    events: Sequence[AnyEvent] = ()
    lines: Sequence[str] = ()


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
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._open_events = open_events
        self._open_log = open_log
        self._clock = clock
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

    def read(self) -> Batch:
        """Look at the disk; blocks, belongs into a thread, one call at a time."""
        watch = self._watch
        jobs = None
        if self._clock() >= self._jobs_due:
            self._jobs_due = self._clock() + JOBS_EVERY_S
            jobs = sorted(self._jobs.list(), key=lambda job: job.id, reverse=True)
        if watch is None:
            return Batch(None, jobs)
        watch.pending.extend(watch.events.read_new())
        count = min(MOST_EVENTS, len(watch.pending))
        events = [watch.pending.popleft() for _ in range(count)]
        return Batch(watch, jobs, events, watch.lines.cut(watch.log.read_new()))

    def deliver(self, batch: Batch) -> None:
        """Hand a batch to the views, in their thread."""
        if batch.jobs is not None:
            self.jobs_read.emit(batch.jobs)
        if batch.watch is None or batch.watch is not self._watch:
            return
        if batch.events:
            self.events_read.emit(batch.events)
        if batch.lines:
            self.lines_read.emit(batch.lines)

    async def run(self) -> None:
        """Read and deliver until cancelled. What cannot be read is told once; the next look may go well."""
        told: str | None = None
        while True:
            try:
                self.deliver(await asyncio.to_thread(self.read))
                told = None
            except AcademyError as error:
                if told != str(error):
                    self.failed.emit(error)
                told = str(error)
            await asyncio.sleep(1 / FLUSHES_PER_S)
