"""The Runs page: which job is shown, what the user may do with it, and how that went.

Owns the selection and the commands in flight. Refuses to know widgets, files and how a job is run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.reader import JobSummary
from academy_desktop.text.messages import Messages
from academy_desktop.viewmodels.event_hub import EventHub
from academy_desktop.viewmodels.job_table import JobSearch, JobTable
from academy_desktop.viewmodels.log_lines import LogLines
from academy_desktop.viewmodels.loss_curve import LossCurve
from academy_desktop.viewmodels.ports import JobSource
from academy_desktop.viewmodels.run_actions import RunAction
from academy_desktop.viewmodels.run_detail import RunDetail
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError, ErrorCode
from trainers.events import AnyEvent


def _nothing(_job: str) -> None:
    """What most commands are followed by."""


class Runs(QObject):
    """What the page shows.

    Signals: `selected(job id or "")`, `busy_changed(bool)`, `deleted(job id, name)` for what can be undone,
    `told(Description)` for what went wrong.
    """

    selected = Signal(str)
    busy_changed = Signal(bool)
    deleted = Signal(str, str)
    told = Signal(object)

    def __init__(
        self,
        jobs: JobSource,
        hub: EventHub,
        table: JobTable,
        detail: RunDetail,
        messages: Messages,
        supervisor: Supervisor,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.table = table
        self.found = JobSearch(self)
        self.found.setSourceModel(table)
        self.detail = detail
        self.curve = LossCurve(parent=self)
        self.log = LogLines(parent=self)
        self._jobs = jobs
        self._hub = hub
        self._messages = messages
        self._supervisor = supervisor
        self._selected = ""
        self._wanted = ""
        self._busy = False
        hub.jobs_read.connect(self._take_jobs)
        hub.events_read.connect(self._take_events)
        hub.lines_read.connect(self.log.add)
        hub.failed.connect(self._tell)

    @property
    def selected_id(self) -> str:
        """The id of the job that is shown, or nothing."""
        return self._selected

    @property
    def busy(self) -> bool:
        """Whether a command is on its way."""
        return self._busy

    @property
    def going(self) -> tuple[JobSummary, ...]:
        """The jobs that are not over."""
        return tuple(job for job in self.table.jobs() if not job.state.is_over)

    def select(self, job_id: str) -> None:
        """Show this job; one that is not in the table yet is shown once it appears."""
        self._wanted = job_id
        job = self.table.job(job_id)
        if job is None or job_id == self._selected:
            return
        self._selected = job_id
        self.curve.clear()
        self.log.clear()
        self._hub.watch(Path(job.run_dir))
        self.detail.show(job)
        self.selected.emit(job_id)

    def stop(self) -> None:
        """Ask the job that is shown to save and end."""
        self._command(self._jobs.stop)

    def resume(self) -> None:
        """Start the job that is shown again, from its last checkpoint."""
        self._command(self._jobs.resume)

    def begin_anew(self, *, shorter: bool = False, qlora: bool = False) -> None:
        """Queue the job that is shown again, as another one that takes less memory, and show that one."""
        begun: list[str] = []

        def begin(job: str) -> None:
            begun.append(self._jobs.begin_anew(job, shorter=shorter, qlora=qlora))

        self._command(begin, lambda _job: self.select(begun[0]))

    def run_anyway(self) -> None:
        """Have the job that is shown run in spite of the rule that holds it now."""
        self._command(self._jobs.run_anyway)

    def act(self, action: RunAction) -> None:
        """Do one of the detail's actions that need no word from the user and no desktop."""
        match action:
            case RunAction.START_NEXT:
                self._command(partial(self._jobs.move, to=1))
            case RunAction.SAVE:
                self._command(self._jobs.save)
            case RunAction.SAMPLE:
                self._command(self._jobs.sample)
            case RunAction.PAUSE:
                self._command(self._jobs.pause)
            case RunAction.UNPAUSE:
                self._command(self._jobs.unpause)
            case RunAction.SUSPEND:
                self._command(self._jobs.suspend)
            case RunAction.KILL:
                self._command(self._jobs.kill)
            case RunAction.DELETE:
                self.delete()

    def rename(self, name: str) -> None:
        """Call the job that is shown otherwise."""
        wanted = name.strip()
        if wanted and wanted != self.detail.title:
            self._command(partial(self._jobs.relabel, name=wanted))

    def delete(self) -> None:
        """Move the job that is shown, which is over, to the trash."""
        name = self.detail.title
        self._command(self._jobs.delete, lambda job: self.deleted.emit(job, name))

    def restore(self, job_id: str) -> None:
        """Bring a job back from the trash, and show it."""
        self._start(self._jobs.restore, job_id, self.select)

    async def stop_going(self) -> bool:
        """Ask every job that is not over to save and end; returns whether all could be asked."""
        asked = True
        for job in self.going:
            try:
                await asyncio.to_thread(self._jobs.stop, job.id)
            except AcademyError as error:
                if error.code is not ErrorCode.JOB_NOT_RUNNING:  # it ended by itself
                    self._tell(error)
                    asked = False
        self._hub.refresh()
        return asked

    def _command(self, command: Callable[[str], object], then: Callable[[str], None] = _nothing) -> None:
        if self._selected:
            self._start(command, self._selected, then)

    def _start(self, command: Callable[[str], object], job_id: str, then: Callable[[str], None]) -> None:
        if not self._busy:
            self._set_busy(True)
            self._supervisor.start(self._carry_out(command, job_id, then), "command")

    async def _carry_out(
        self, command: Callable[[str], object], job_id: str, then: Callable[[str], None]
    ) -> None:
        try:
            await asyncio.to_thread(command, job_id)
        except AcademyError as error:
            self._tell(error)
        else:
            then(job_id)
        finally:
            self._hub.refresh()
            self._set_busy(False)

    def _set_busy(self, busy: bool) -> None:
        self._busy = busy
        self.busy_changed.emit(busy)

    def _tell(self, error: AcademyError) -> None:
        self.told.emit(self._messages.describe(error.code, error.facts))

    def _take_jobs(self, jobs: Sequence[JobSummary]) -> None:
        self.table.update(jobs)
        shown = self.table.job(self._selected)
        if shown is not None:
            self.detail.show(shown)
        elif self._selected:
            self._forget()
        if not self._selected and jobs:
            self.select(self._wanted if self.table.job(self._wanted) else jobs[0].id)
        elif self._wanted != self._selected:
            self.select(self._wanted)

    def _forget(self) -> None:
        self._selected = ""
        self._hub.watch(None)
        self.curve.clear()
        self.log.clear()
        self.detail.show(None)
        self.selected.emit("")

    def _take_events(self, events: Sequence[AnyEvent]) -> None:
        self.curve.apply(events)
        self.detail.apply(events)
