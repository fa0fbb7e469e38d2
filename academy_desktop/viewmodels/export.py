"""The Export page: from a finished run to files, and from files to proof.

Owns the way of an order: make, prove, copy; and which run is looked at. An order that another window or the
command line gave is shown as well. Refuses to know widgets and formats.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QSortFilterProxyModel, Signal
from typing_extensions import override

from academy_desktop.core.exports import FinishedExport
from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.viewmodels.certificate import ExportCard, Verdicts
from academy_desktop.viewmodels.event_hub import EventHub
from academy_desktop.viewmodels.export_choice import ExportChoice, Measures, measure
from academy_desktop.viewmodels.export_order import ExportSource, Order, OrderJobs, Stage
from academy_desktop.viewmodels.job_table import AnyIndex, JobTable, Role, title
from academy_desktop.viewmodels.ports import EventSource
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError, ErrorCode
from trainers.layout import RunDir
from trainers.recipe import ExportItem

#: Seconds between two looks at an order in progress.
LOOK_EVERY_S = 0.1

#: Jobs that are shown on this page.
ORDERS = frozenset({"export", "certify"})


class FinishedRuns(QSortFilterProxyModel):
    """The training runs of a job table that came to their end."""

    @override
    def filterAcceptsRow(self, source_row: int, source_parent: AnyIndex) -> bool:
        """Qt: whether a row of the source is shown."""
        job = self.sourceModel().index(source_row, 0, source_parent).data(Role.JOB)
        return job is not None and is_finished(job)


def is_finished(job: JobSummary) -> bool:
    """Whether files can be made of a job."""
    return job.kind == "train" and job.state is JobState.SUCCEEDED


class Exporting(QObject):
    """What the page shows and does.

    Signals: `selected(job id or "")`, `changed()` for the order in progress, `cards_changed()` for what is
    finished, `told(Description)` for what went wrong.
    """

    selected = Signal(str)
    changed = Signal()
    cards_changed = Signal()
    told = Signal(object)

    def __init__(
        self,
        exports: ExportSource,
        jobs: OrderJobs,
        open_events: Callable[[Path], EventSource],
        hub: EventHub,
        table: JobTable,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        measures: Callable[[JobSummary], Measures] = measure,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._exports = exports
        self._jobs = jobs
        self._open_events = open_events
        self._hub = hub
        self._table = table
        self._messages = messages
        self._formats = formats
        self._gettext = translate
        self._supervisor = supervisor
        self._measure = measures
        self._verdicts = Verdicts(formats, translate)
        self._selected = ""
        self._wanted = ""
        self._orders: dict[str, Order] = {}
        self._followed: set[str] = set()
        self._loads = 0
        self._cards: tuple[ExportCard, ...] | None = None
        self._seen: frozenset[tuple[str, JobState]] = frozenset()
        self.choice = ExportChoice(formats, translate, self)
        self.prove = True
        self.folder = ""
        self.runs = FinishedRuns(self)
        self.runs.setSourceModel(table)
        hub.jobs_read.connect(self.take_jobs)

    # what is shown

    @property
    def selected_id(self) -> str:
        """The run whose exports are shown, or nothing."""
        return self._selected

    @property
    def has_runs(self) -> bool:
        """Whether there is any finished run."""
        return self.runs.rowCount() > 0

    @property
    def title(self) -> str:
        """What the run is called."""
        job = self._table.job(self._selected)
        return title(job) if job else ""

    @property
    def subtitle(self) -> str:
        """When the run ended, and how well it had learned."""
        job = self._table.job(self._selected)
        if job is None:
            return ""
        moment = self._formats.moment(job.ended_at or job.created_at)
        parts = [self._gettext(N_("Finished {when}")).format(when=moment)]
        if job.loss is not None:
            parts.append(self._gettext(N_("loss {loss}")).format(loss=self._formats.decimal(job.loss, 3)))
        return " · ".join(parts)

    @property
    def cards(self) -> tuple[ExportCard, ...] | None:
        """The run's finished exports; None while nobody knows."""
        return self._cards

    @property
    def unproven(self) -> tuple[str, ...]:
        """The names of exports that nobody checked yet."""
        return tuple(card.name for card in self._cards or () if card.standing == "unknown")

    # the order in progress

    @property
    def is_busy(self) -> bool:
        """Whether something is being done for the run that is shown."""
        return self._selected in self._orders

    @property
    def is_cancelling(self) -> bool:
        """Whether the order ends as soon as it can."""
        order = self._orders.get(self._selected)
        return order is not None and order.cancelled

    @property
    def activity(self) -> str:
        """What is being done, in a few words: `Making gguf-q8_0.gguf`."""
        order = self._orders.get(self._selected)
        if order is None:
            return ""
        if order.cancelled:
            return self._gettext(N_("Ending …"))
        if order.stage == "copy":
            return self._gettext(N_("Copying to your folder"))
        phase = order.history.phase
        name = phase.detail if phase else ""
        if order.stage == "certify":
            said = N_("Proving {name}") if name else N_("Proving the exports")
        else:
            said = N_("Making {name}") if name else N_("Making the exports")
        return self._gettext(said).format(name=name)

    @property
    def detail(self) -> str:
        """The phase in words, and how far it is: `Writing the export · 130 of 272 parts · 48%`."""
        order = self._orders.get(self._selected)
        if order is None or order.stage == "copy":
            return ""
        if order.job and order.history.attempt == 0:
            return self._gettext(N_("Starting; this takes a few seconds."))
        phase, progress = order.history.phase, order.history.progress
        parts = [self._messages.phase(phase.name)] if phase else []
        if progress is not None and progress.total:
            parts += [self._amount(progress.done, progress.total, progress.unit)]
            parts += [self._formats.percent(progress.done / progress.total)]
        return " · ".join(parts)

    @property
    def share_done(self) -> float | None:
        """How far the present phase is, 0 to 1, or None when nobody knows."""
        order = self._orders.get(self._selected)
        progress = order.history.progress if order else None
        return min(progress.done / progress.total, 1.0) if progress and progress.total else None

    # what the user does

    def select(self, job_id: str) -> None:
        """Show this run; one that is not in the table yet is shown once it appears."""
        self._wanted = job_id
        job = self._table.job(job_id)
        if job is None or not is_finished(job) or job_id == self._selected:
            return
        self._show(job)

    def start(self) -> None:
        """Make what is ticked; then prove it and copy it, where that is wanted."""
        items = self.choice.items
        if self._selected and items and not self.is_busy:
            order = self._begin(self._selected, "export")
            folder = Path(self.folder) if self.folder else None
            work = partial(self._make, order, items, self.prove, folder)
            self._supervisor.start(self._in_order(order, work), "export")

    def certify(self, names: Sequence[str]) -> None:
        """Prove exports that are there already."""
        if self._selected and names and not self.is_busy:
            order = self._begin(self._selected, "certify")
            work = partial(self._prove, order, tuple(names))
            self._supervisor.start(self._in_order(order, work), "certify")

    def cancel(self) -> None:
        """End what is being done for the run that is shown; finished exports stay."""
        order = self._orders.get(self._selected)
        if order is None or order.cancelled:
            return
        order.cancelled = True
        self.changed.emit()
        if order.job:
            self._supervisor.start(self._stop(order.job), "cancel")

    # inside: orders

    def _begin(self, run: str, stage: Stage) -> Order:
        order = self._orders[run] = Order(run, stage)
        self.changed.emit()
        return order

    async def _make(
        self, order: Order, items: Sequence[ExportItem], prove: bool, folder: Path | None
    ) -> None:
        job = await asyncio.to_thread(self._exports.queue, order.run, items)
        await self._follow(order, job)
        if prove and not order.cancelled:
            try:
                await self._prove(order, tuple(order.made))
            except AcademyError as error:  # a file that could not be checked is a file all the same
                self._tell(error)
        if folder is not None and not order.cancelled:
            await self._copy(order, folder)

    async def _prove(self, order: Order, names: Sequence[str]) -> None:
        order.begin("certify")
        job = await asyncio.to_thread(self._exports.queue_certificate, order.run, names)
        await self._follow(order, job)

    async def _copy(self, order: Order, folder: Path) -> None:
        order.begin("copy")
        self.changed.emit()
        finished = await asyncio.to_thread(self._exports.finished, order.run, tuple(order.made))
        for one in finished:
            await asyncio.to_thread(self._exports.copy, one.export, folder)

    async def _in_order(self, order: Order, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work of an order; whatever becomes of it, the page shows what there is afterwards."""
        try:
            await work()
        except AcademyError as error:
            self._tell(error)
        finally:
            self._orders.pop(order.run, None)
            self._hub.refresh()
            self.changed.emit()
        if order.run == self._selected:
            await self._load(order.run)

    async def _follow(self, order: Order, job: str) -> None:
        """Show a job until it is over.

        Raises:
            AcademyError: why it did not succeed, unless the user ended it.
        """
        order.begin(order.stage, job)
        self._followed.add(job)
        self._hub.refresh()
        if order.cancelled:  # while it was being queued
            await self._stop(job)
        summary = await asyncio.to_thread(self._jobs.get, job)
        events = self._open_events(RunDir(Path(summary.run_dir)).events)
        while True:
            # The state first: what a job that is over has said is all there to be read.
            summary = await asyncio.to_thread(self._jobs.get, job)
            order.fold(await asyncio.to_thread(events.read_new))
            if order.run == self._selected:
                self.changed.emit()
            if summary.state.is_over:
                break
            await asyncio.sleep(LOOK_EVERY_S)
        order.job = ""
        if summary.state is JobState.STOPPED:
            order.cancelled = True
        elif summary.state is not JobState.SUCCEEDED:
            raise _why(summary)

    async def _stop(self, job: str) -> None:
        try:
            await asyncio.to_thread(self._jobs.stop, job)
        except AcademyError as error:
            if error.code is not ErrorCode.JOB_NOT_RUNNING:  # it ended by itself
                self._tell(error)

    # inside: what there is

    def take_jobs(self, jobs: Sequence[JobSummary]) -> None:
        """Take the jobs as they are now."""
        known = {job.id for job in jobs if is_finished(job)}
        if self._selected and self._selected not in known:
            self._forget()
        if self._wanted != self._selected and self._wanted in known:
            self.select(self._wanted)
        elif not self._selected:
            newest = next((job for job in jobs if is_finished(job)), None)
            if newest is not None:
                self._show(newest)
        orders = [job for job in jobs if job.parent == self._selected and job.kind in ORDERS]
        self._join(orders)
        seen = frozenset((job.id, job.state) for job in orders if job.state.is_over)
        if seen != self._seen and self._selected:
            self._seen = seen
            if self._cards is not None:
                self._supervisor.start(self._load(self._selected), "exports")

    def _join(self, orders: Sequence[JobSummary]) -> None:
        """Show an order that somebody else gave."""
        going = next((job for job in orders if not job.state.is_over and job.id not in self._followed), None)
        if going is None or self.is_busy:
            return
        order = self._begin(self._selected, "certify" if going.kind == "certify" else "export")
        self._supervisor.start(self._in_order(order, partial(self._follow, order, going.id)), "order")

    def _show(self, job: JobSummary) -> None:
        self._selected = self._wanted = job.id
        self._cards = None
        self._seen = frozenset()
        self.choice.take(Measures())
        self.selected.emit(job.id)
        self.cards_changed.emit()
        self.changed.emit()
        self._supervisor.start(self._load(job.id), "exports")
        self._supervisor.start(self._measure_run(job), "measures")

    def _forget(self) -> None:
        self._selected = ""
        self._cards = None
        self.selected.emit("")
        self.cards_changed.emit()
        self.changed.emit()

    async def _load(self, run: str) -> None:
        """Read the exports of a run; what cannot be read is told, and counts as none."""
        self._loads += 1
        number = self._loads
        found: Sequence[FinishedExport] = ()
        try:
            found = await asyncio.to_thread(self._exports.finished, run)
        except AcademyError as error:
            self._tell(error)
        if run == self._selected and number == self._loads:
            cards = tuple(self._verdicts.card(one) for one in found)
            if cards != self._cards:
                self._cards = cards
                self.cards_changed.emit()

    async def _measure_run(self, job: JobSummary) -> None:
        found = await asyncio.to_thread(self._measure, job)
        if job.id == self._selected:
            self.choice.take(found)

    def _amount(self, done: int, total: int, unit: str) -> str:
        if unit == "bytes":
            sizes = self._formats.size(done), self._formats.size(total)
            return self._gettext(N_("{done} of {total}")).format(done=sizes[0], total=sizes[1])
        said = N_("row {done} of {total}") if unit == "rows" else N_("part {done} of {total}")
        return self._gettext(said).format(
            done=self._formats.integer(done), total=self._formats.integer(total)
        )

    def _tell(self, error: AcademyError) -> None:
        self.told.emit(self._messages.describe(error.code, error.facts))


def _why(summary: JobSummary) -> AcademyError:
    """Why a job did not succeed, as the error that its page would tell."""
    if summary.reason in set(ErrorCode):
        return AcademyError(ErrorCode(summary.reason), **summary.facts)
    return AcademyError(ErrorCode.CRASHED, **({"detail": summary.reason} | summary.facts))
