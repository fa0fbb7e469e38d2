"""Which runs have an adapter that can be sent, and why others have none.

Owns the choice. Refuses to know servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.reader import JobSummary
from academy_desktop.core.venom.packing import CONFIG_NAME
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.event_hub import EventHub
from academy_desktop.viewmodels.job_table import title
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.layout import RunDir

#: Of the runs that cannot be sent, so many are named; more are counted.
MOST_NAMES: Final = 1


def has_adapter(job: JobSummary) -> bool:
    """Whether a run has left an adapter; looks at the disk."""
    return (RunDir(Path(job.run_dir)).adapter / CONFIG_NAME).is_file()


class SendableRuns(QObject):
    """Signals: `changed()`."""

    changed = Signal()

    def __init__(
        self,
        hub: EventHub,
        formats: Formats,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._formats = formats
        self._gettext = translate
        self._supervisor = supervisor
        self._jobs: tuple[JobSummary, ...] = ()
        self._sendable: frozenset[str] | None = None
        self._chosen = ""
        self._wanted = ""
        self._looks = 0
        hub.jobs_read.connect(self.take_jobs)

    @property
    def is_known(self) -> bool:
        """Whether anybody looked yet."""
        return self._sendable is not None

    @property
    def choices(self) -> tuple[tuple[str, str], ...]:
        """The runs that can be sent, the newest first: id, words."""
        return tuple((job.id, self._words(job)) for job in self._jobs if self._can_be_sent(job))

    @property
    def chosen(self) -> str:
        """The id of the run that is to be sent, or nothing."""
        return self._chosen

    @property
    def chosen_title(self) -> str:
        """What that run is called."""
        return next((title(job) for job in self._jobs if job.id == self._chosen), "")

    @property
    def others(self) -> str:
        """Why the other runs cannot be sent."""
        if not self.is_known:
            return ""
        left = [job for job in self._jobs if not self._can_be_sent(job)]
        going = [job for job in left if not job.state.is_over]
        over = [job for job in left if job.state.is_over]
        said = [
            self._say(
                going,
                N_("“{name}” is still in progress and can be sent once it is finished."),
                N_("{count} runs are still in progress and can be sent once they are finished."),
            ),
            self._say(
                over,
                N_("“{name}” ended before it had an adapter; resume it on the Runs page to get one."),
                N_("{count} runs ended before they had an adapter; resume them on the Runs page to get one."),
            ),
        ]
        return "\n".join(one for one in said if one)

    def choose(self, job_id: str) -> None:
        """Send this run; one that is not there yet is chosen once it appears."""
        self._wanted = job_id
        self._settle()

    def take_jobs(self, jobs: Sequence[JobSummary]) -> None:
        """Take the jobs as they are now, the newest first."""
        found = tuple(job for job in jobs if job.kind == "train")
        if _facts(found) != _facts(self._jobs) or not self.is_known:
            self._jobs = found
            self._looks += 1
            self._supervisor.start(self._look(found, self._looks), "adapters")

    async def _look(self, jobs: Sequence[JobSummary], number: int) -> None:
        found = await asyncio.to_thread(lambda: frozenset(job.id for job in jobs if has_adapter(job)))
        if number == self._looks:
            self._sendable = found
            self._settle()

    def _settle(self) -> None:
        ids = [job_id for job_id, _ in self.choices]
        if self._wanted in ids:
            self._chosen, self._wanted = self._wanted, ""
        elif self._chosen not in ids:
            self._chosen = next(iter(ids), "")
        self.changed.emit()

    def _can_be_sent(self, job: JobSummary) -> bool:
        return job.state.is_over and job.id in (self._sendable or ())

    def _words(self, job: JobSummary) -> str:
        moment = self._formats.moment(job.ended_at or job.created_at)
        return f"{title(job)}  ·  {moment}"

    def _say(self, jobs: Sequence[JobSummary], one: str, many: str) -> str:
        if not jobs:
            return ""
        if len(jobs) <= MOST_NAMES:
            return self._gettext(one).format(name=title(jobs[0]))
        return self._gettext(many).format(count=self._formats.integer(len(jobs)))


def _facts(jobs: Sequence[JobSummary]) -> tuple[tuple[object, ...], ...]:
    """What decides about the choice: not the step that a run is at."""
    return tuple((job.id, job.name, job.state, job.ended_at) for job in jobs)
