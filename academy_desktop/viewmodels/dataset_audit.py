"""The audit of the dataset that is shown: its progress, what it found, and what another limit would cut.

Owns the limit and the report. Refuses to know widgets, and how rows are rendered.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.datasets.audit import Bar, Report, problem_counts
from academy_desktop.core.datasets.manifest import DatasetManifest
from academy_desktop.core.datasets.mends import can_mend
from academy_desktop.core.models import Model
from academy_desktop.text.findings import Findings
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.background import as_academy, in_thread
from academy_desktop.viewmodels.figures import Figure
from academy_desktop.viewmodels.row_preview import RowSource
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError
from trainers.recipe import Training

#: The limit that a recipe begins with.
LIMIT: int = Training.model_fields["max_seq_length"].default


class AuditSource(RowSource, Protocol):
    """Audits and mends datasets; every call blocks and belongs into a thread."""

    def audit(
        self, key: str, model: Path, max_length: int, progress: Callable[[int, int, str], None] = ...
    ) -> Report:
        """Render and check every row."""
        ...

    def mend(self, key: str, model: Path, report: Report) -> tuple[DatasetManifest | None, int]:
        """Mend what an audit found."""
        ...


class _GivenUpError(Exception):
    """Nobody waits for the audit any more."""


@dataclass(frozen=True)
class DefectLine:
    """One kind of defect: its name, how many rows have it, and what its mend does."""

    code: str
    name: str
    rows: int
    mend: str
    can_mend: bool


class DatasetAudit(QObject):
    """Signals: `changed()`, `limited()` for another limit alone, `mended(DatasetManifest, int)`, `told`."""

    changed = Signal()
    limited = Signal()
    mended = Signal(object, int)
    told = Signal(object)

    def __init__(
        self,
        source: AuditSource,
        findings: Findings,
        formats: Formats,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        describe: Callable[[AcademyError], object],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._source = source
        self._findings = findings
        self._formats = formats
        self._gettext = translate
        self._supervisor = supervisor
        self._describe = describe
        self._dataset = ""
        self._model: Model | None = None
        self._report: Report | None = None
        self._limit = LIMIT
        self._give_up = Event()
        self._done = (0, 0)
        self._is_running = self._is_mending = False

    @property
    def is_running(self) -> bool:
        """Whether rows are being looked at."""
        return self._is_running

    @property
    def is_busy(self) -> bool:
        """Whether rows are being looked at, or mended."""
        return self._is_running or self._is_mending

    @property
    def can_start(self) -> bool:
        """Whether there is a dataset and a model, and nothing under way."""
        return bool(self._dataset) and self._model is not None and not self.is_busy

    @property
    def share_done(self) -> float:
        """How much of the rows was looked at, from 0 to 1."""
        done, total = self._done
        return done / total if total else 0.0

    @property
    def report(self) -> Report | None:
        """What was found, for the dataset and the model that are shown."""
        return self._report

    @property
    def limit(self) -> int:
        """Tokens after which a row would be cut."""
        return self._limit

    @property
    def bars(self) -> Sequence[Bar]:
        """Rows by length."""
        return self._report.histogram() if self._report else ()

    @property
    def defects(self) -> tuple[DefectLine, ...]:
        """What was found, the commonest first."""
        report = self._report
        if report is None:
            return ()
        facts = {"tokens": report.longest}
        return tuple(
            DefectLine(
                code, self._findings.defect_name(code), rows, self._findings.mend(code, facts), can_mend(code)
            )
            for code, rows in problem_counts(report).items()
        )

    @property
    def mendable(self) -> bool:
        """Whether something was found that can be mended."""
        return not self.is_busy and any(one.can_mend for one in self.defects)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """What the limit leaves, and what it cuts."""
        report = self._report
        if report is None:
            return ()
        cut = report.cut(self._limit)
        learned = report.all_supervised_tokens
        number, percent = self._formats.integer, self._formats.percent
        return (
            Figure(
                self._gettext(N_("Learned tokens")),
                number(learned - cut.supervised_tokens),
                self._say(N_("of {count}"), count=number(learned)),
            ),
            Figure(
                self._gettext(N_("Rows cut")),
                number(cut.rows),
                percent(cut.rows / report.rows) if report.rows else "",
            ),
            Figure(
                self._gettext(N_("Learned tokens cut")),
                number(cut.supervised_tokens),
                percent(cut.supervised_tokens / learned) if learned else "",
            ),
            Figure(
                self._gettext(N_("Emptied rows")),
                number(cut.emptied_rows),
                percent(cut.emptied_rows / report.rows) if report.rows else "",
            ),
        )

    @property
    def summary(self) -> str:
        """What the audit says as a whole."""
        report = self._report
        if report is None:
            return self._gettext(
                N_("A check renders every row for the model and names what would go wrong in training.")
            )
        rows = self._formats.integer(report.rows)
        if not report.defects:
            return self._say(N_("All {rows} rows are sound."), rows=rows)
        bad = self._formats.integer(len(report.rows_with()))
        return self._say(
            N_("{bad} of {rows} rows have a defect. Click on a kind to see its rows."), bad=bad, rows=rows
        )

    @property
    def limit_words(self) -> str:
        """The limit: `cut after 512 tokens`."""
        return self._say(N_("cut after {limit} tokens"), limit=self._formats.integer(self._limit))

    def show(self, dataset: str, model: Model | None) -> None:
        """Be about this dataset and this model; what was found for others is gone."""
        before = self._model.path if self._model else ""
        if (dataset, model.path if model else "") != (self._dataset, before):
            self._give_up.set()
            self._dataset, self._model, self._report = dataset, model, None
            self.changed.emit()

    def set_limit(self, limit: int) -> None:
        """Think of another limit."""
        limit = max(limit, 1)
        if limit != self._limit:
            self._limit = limit
            self.limited.emit()

    def rows_with(self, code: str) -> array[int]:
        """Numbers of the rows with this defect."""
        return self._report.rows_with(code) if self._report else array("I")

    def rows_cut(self) -> array[int]:
        """Numbers of the rows that are longer than the limit."""
        return self._report.rows_longer_than(self._limit) if self._report else array("I")

    def start(self) -> None:
        """Look at every row; needs the running loop."""
        if self.can_start:
            self._is_running, self._done, self._give_up = True, (0, 0), Event()
            self.changed.emit()
            self._supervisor.start(self._audit(), "audit")

    def cancel(self) -> None:
        """Give up looking."""
        self._give_up.set()

    def mend(self) -> None:
        """Mend what can be mended, as a new version; needs the running loop."""
        if self.mendable:
            self._is_mending = True
            self.changed.emit()
            self._supervisor.start(self._mend(), "mend")

    def look(self) -> None:
        """Audit here and now; blocks."""
        assert self._model is not None
        self._report = self._source.audit(self._dataset, Path(self._model.path), self._limit)
        self.changed.emit()

    async def _audit(self) -> None:
        assert self._model is not None
        dataset, model, limit = self._dataset, self._model, self._limit
        give_up = self._give_up

        def progress(done: int, total: int, _detail: str) -> None:
            self._done = (done, total)
            if give_up.is_set():
                raise _GivenUpError

        try:
            found = await in_thread(
                lambda: self._source.audit(dataset, Path(model.path), limit, progress),
                give_up,
                self.changed.emit,
            )
            if (dataset, model) == (self._dataset, self._model):
                self._report = found
        except _GivenUpError:
            pass  # whoever gave up knows
        except (AcademyError, OSError) as error:
            self.told.emit(self._describe(as_academy(error)))
        finally:
            self._is_running = False
            self.changed.emit()

    async def _mend(self) -> None:
        assert self._model is not None
        assert self._report is not None
        dataset, model, report = self._dataset, Path(self._model.path), self._report
        try:
            made, rows = await asyncio.to_thread(self._source.mend, dataset, model, report)
            if made is not None:
                self.mended.emit(made, rows)
        except (AcademyError, OSError) as error:
            self.told.emit(self._describe(as_academy(error)))
        finally:
            self._is_mending = False
            self.changed.emit()

    def _say(self, template: str, **facts: str) -> str:
        return self._gettext(template).format(**facts)
