"""What is being done for a run: one order, from the wish to the last file; and what it asks of the core.

Owns the state of an order and the interfaces of exports and jobs. Refuses to know widgets and formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from academy_desktop.core.exports import FinishedExport
from academy_desktop.core.history import History
from academy_desktop.core.reader import JobSummary
from trainers.events import AnyEvent, Exported
from trainers.exporting.record import Export
from trainers.recipe import ExportItem

Stage = Literal["export", "certify", "copy"]


class ExportSource(Protocol):
    """Orders and results, as `core.exports.Exports`; every call may block and belongs into a thread."""

    def queue(self, job: str, items: Sequence[ExportItem]) -> str:
        """Order exports of a run; returns the id of the export job."""
        ...

    def queue_certificate(self, job: str, exports: Sequence[str] = ()) -> str:
        """Order the proof of the named exports; returns the id of the job."""
        ...

    def finished(self, job: str, names: Sequence[str] = ()) -> Sequence[FinishedExport]:
        """The exports of a run, with their certificates."""
        ...

    def copy(self, export: Export, folder: Path) -> Path:
        """Copy an export and its certificate into a folder."""
        ...


class OrderJobs(Protocol):
    """Jobs, as `core.jobs.Jobs`; every call may block and belongs into a thread."""

    def get(self, job: str) -> JobSummary:
        """One job as it is now."""
        ...

    def stop(self, job: str) -> object:
        """Ask a job to end."""
        ...


@dataclass
class Order:
    """What is being done for a run now."""

    run: str
    stage: Stage
    job: str = ""
    cancelled: bool = False
    history: History = field(default_factory=History)
    made: dict[str, None] = field(default_factory=dict)

    def begin(self, stage: Stage, job: str = "") -> None:
        """Go on with another job."""
        self.stage, self.job, self.history = stage, job, History()

    def fold(self, events: Sequence[AnyEvent]) -> None:
        """Take what the job said."""
        self.history.fold_all(events)
        for event in events:
            if isinstance(event.payload, Exported):
                self.made[Path(event.payload.path).name] = None
