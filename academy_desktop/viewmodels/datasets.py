"""The Datasets page: which datasets there are, the one that is shown, its import and its rows.

Owns the list and the selection. Refuses to know widgets and files.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.datasets.forms import Form, usual_fields
from academy_desktop.core.datasets.manifest import DatasetManifest
from academy_desktop.text.findings import Findings
from academy_desktop.text.formats import Formats
from academy_desktop.text.forms import FORM_NAMES
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.viewmodels.background import as_academy
from academy_desktop.viewmodels.dataset_audit import AuditSource, DatasetAudit
from academy_desktop.viewmodels.dataset_fetch import DatasetFetch, RowFetcher
from academy_desktop.viewmodels.dataset_import import DatasetImport, ImportTarget
from academy_desktop.viewmodels.figures import Figure
from academy_desktop.viewmodels.models import BaseModels
from academy_desktop.viewmodels.records import Record, Records
from academy_desktop.viewmodels.row_browser import RowBrowser
from academy_desktop.viewmodels.row_preview import RowPreview
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError

#: The forms that are named before there is any dataset: the usual ones, as far as there is room.
COMMON_FORMS = (Form.QUESTION_ANSWER, Form.ALPACA, Form.PROMPT_COMPLETION, Form.MESSAGES)


class DatasetSource(ImportTarget, Protocol):
    """The datasets of a data directory; every call may block and belongs into a thread."""

    def list(self) -> Sequence[DatasetManifest]:
        """All datasets, the oldest first."""
        ...


class Datasets(QObject):
    """Signals: `changed()` for the list or the dataset that is shown, `told(Description)`."""

    changed = Signal()
    told = Signal(object)

    def __init__(
        self,
        source: DatasetSource,
        inspection: AuditSource,
        models: BaseModels,
        findings: Findings,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        clock: Callable[[], float] = time.time,
        parent: QObject | None = None,
        *,
        fetcher: RowFetcher | None = None,
    ) -> None:
        """`fetcher`: brings rows from Git and from Venom servers; without it there are none to be had."""
        super().__init__(parent)
        self.records = Records(self)
        self.preview = RowPreview(inspection, messages, formats, translate, self)
        self.browser = RowBrowser(inspection, formats, translate, supervisor, self)
        self.audit = DatasetAudit(inspection, findings, formats, translate, supervisor, self._described, self)
        self.importing = DatasetImport(source, messages, formats, translate, supervisor, clock, self)
        self.fetch = DatasetFetch(fetcher, messages, translate, supervisor, self) if fetcher else None
        if self.fetch is not None:
            self.fetch.fetched.connect(lambda path, name: self.importing.ask([path], name))
        self.models = models
        self._source = source
        self._messages = messages
        self._formats = formats
        self._gettext = translate
        self._clock = clock
        self._found: tuple[DatasetManifest, ...] | None = None
        self._shown: DatasetManifest | None = None
        self._news = ""
        self._due = asyncio.Event()
        self._due.set()
        self.importing.told.connect(self.told)
        self.importing.imported.connect(self._take_imported)
        self.audit.told.connect(self.told)
        self.audit.mended.connect(self._take_mended)
        models.changed.connect(self._take_models)
        self.preview.changed.connect(lambda: self.browser.move(self.preview.number))

    @property
    def is_known(self) -> bool:
        """Whether the datasets were looked at yet."""
        return self._found is not None

    @property
    def all(self) -> tuple[DatasetManifest, ...]:
        """The datasets, the newest first."""
        return self._found or ()

    @property
    def forms(self) -> tuple[tuple[str, str], ...]:
        """The forms that rows may come in: name, columns."""
        return tuple(
            (self._gettext(FORM_NAMES[form]), ", ".join(field.columns[0] for field in usual_fields(form)))
            for form in COMMON_FORMS
        )

    @property
    def shown(self) -> DatasetManifest | None:
        """The dataset that is shown."""
        return self._shown

    def refresh(self) -> None:
        """Look at the datasets at the next chance."""
        self._due.set()

    async def follow(self) -> None:
        """Look at the datasets whenever that is due, until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                self.take(await asyncio.to_thread(self._source.list))
            except (AcademyError, OSError) as error:
                known = as_academy(error)
                self.told.emit(self._messages.describe(known.code, known.facts))

    def take(self, found: Sequence[DatasetManifest]) -> None:
        """Take the datasets that were found, the oldest first."""
        self._found = tuple(reversed(found))
        known = {one.id: one for one in self._found}
        kept = known.get(self._shown.id) if self._shown else None
        self._show(kept or next(iter(self._found), None))

    def select(self, dataset_id: str) -> None:
        """Show this dataset."""
        wanted = next((one for one in self.all if one.id == dataset_id), None)
        if wanted is not None and wanted != self._shown:
            self._news = ""
            self._show(wanted)

    def choose_model(self, model_id: str) -> None:
        """Render rows for this model."""
        self.preview.use(next((one for one in self.models.trainable if one.id == model_id), None))
        self.audit.show(self._shown.id if self._shown else "", self.preview.model)

    def list_defects(self, code: str) -> None:
        """List only the rows with this defect, and look at the first of them."""
        name = next((one.name for one in self.audit.defects if one.code == code), code)
        self._list_only(self.audit.rows_with(code), name)

    def list_cut(self) -> None:
        """List only the rows that the limit cuts, and look at the first of them."""
        self._list_only(self.audit.rows_cut(), self.audit.limit_words)

    def _list_only(self, numbers: Sequence[int], why: str) -> None:
        self.browser.list_only(numbers, why)
        if numbers:
            self.preview.go(numbers[0])

    @property
    def news(self) -> str:
        """What just happened to the dataset that is shown."""
        return self._news

    @property
    def next_step(self) -> str:
        """What to do with a dataset that was just made."""
        if not self._news:
            return ""
        return self._gettext(N_("Next: check all rows for a model, then train on them."))

    @property
    def title(self) -> str:
        """The name of the dataset that is shown."""
        return self._shown.name if self._shown else ""

    @property
    def subtitle(self) -> str:
        """Its form, its files and when it was made."""
        shown = self._shown
        if shown is None:
            return ""
        files = ", ".join(source.name for source in shown.sources)
        when = self._formats.moment(shown.created_at)
        return " · ".join((self._form(shown), files, when))

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Its numbers."""
        shown = self._shown
        if shown is None:
            return ()
        size = sum(source.size_bytes for source in shown.sources)
        dropped = shown.rows_in - shown.rows_kept
        of_all = self._say(N_("of {rows}"), rows=self._formats.integer(shown.rows_in))
        held = shown.eval_rows / shown.rows_kept if shown.rows_kept else 0.0
        return (
            Figure(self._gettext(N_("Rows to learn")), self._formats.integer(shown.train_rows)),
            Figure(
                self._gettext(N_("Held out")),
                self._formats.integer(shown.eval_rows),
                self._formats.percent(held),
            ),
            Figure(self._gettext(N_("Dropped")), self._formats.integer(dropped), of_all),
            Figure(self._gettext(N_("Size")), self._formats.size(size)),
        )

    @property
    def drops(self) -> tuple[tuple[str, str], ...]:
        """Why rows were dropped, the most frequent reason first: count, sentence."""
        counted = self._shown.dropped if self._shown else {}
        order = sorted(counted, key=lambda reason: -counted[reason])
        return tuple((self._formats.integer(counted[one]), self._messages.drop_reason(one)) for one in order)

    @property
    def advice(self) -> str:
        """What could be better about it."""
        shown = self._shown
        if shown is None:
            return ""
        said: list[str] = []
        if shown.few_rows is not None:
            few = self._formats.integer(shown.few_rows)
            said.append(self._say(N_("That is few: {rows} rows or more are advisable."), rows=few))
        elif not shown.eval_rows:
            said.append(
                self._gettext(
                    N_("No row is held out, so a run cannot be checked on rows that it has not seen.")
                )
            )
        if shown.conflicting_rows:
            count = self._formats.integer(shown.conflicting_rows)
            kept = N_("{rows} rows answer a question that another row answers differently; all were kept.")
            said.append(self._say(kept, rows=count))
        if shown.near_rows:
            count = self._formats.integer(shown.near_rows)
            near = N_("{rows} rows are nearly the same as others; they stand on one side, kept or held out.")
            said.append(self._say(near, rows=count))
        return " ".join(said)

    def _take_imported(self, made: DatasetManifest, is_new: bool) -> None:
        took = self._formats.duration(max(made.seconds, 0.1))
        self._news = (
            self._say(N_("Imported in {time}."), time=took)
            if is_new
            else self._gettext(N_("These rows were here already; nothing was added."))
        )
        others = tuple(one for one in self.all if one.id != made.id)
        self._found = tuple(sorted((made, *others), key=lambda one: -one.created_at))
        self._show(made)
        self.refresh()

    def _take_mended(self, made: DatasetManifest, rows: int) -> None:
        self._news = self._say(
            N_("A new version with {rows} rows mended; the old one is still here."),
            rows=self._formats.integer(rows),
        )
        others = tuple(one for one in self.all if one.id != made.id)
        self._found = (made, *others)
        self._show(made)
        self.refresh()

    def _described(self, error: AcademyError) -> object:
        return self._messages.describe(error.code, error.facts)

    def _take_models(self) -> None:
        kept = self.preview.model.id if self.preview.model else ""
        trainable = self.models.trainable
        first = next(iter(trainable), None)
        self.preview.use(next((one for one in trainable if one.id == kept), first))
        self.audit.show(self._shown.id if self._shown else "", self.preview.model)
        self.changed.emit()

    def _show(self, dataset: DatasetManifest | None) -> None:
        self._shown = dataset
        self.records.update([self._record(one) for one in self.all])
        self.browser.show(dataset.id if dataset else "")
        self.preview.show(dataset)
        self.audit.show(dataset.id if dataset else "", self.preview.model)
        self.changed.emit()

    def _record(self, one: DatasetManifest) -> Record:
        rows = self._say(
            N_("{train} to learn, {held} held out"),
            train=self._formats.integer(one.train_rows),
            held=self._formats.integer(one.eval_rows),
        )
        ago = self._formats.relative(one.created_at, self._clock())
        return Record(one.id, one.name, f"{self._form(one)} · {ago}", rows)

    def _form(self, one: DatasetManifest) -> str:
        return self._gettext(FORM_NAMES[one.format])

    def _say(self, template: str, **facts: str) -> str:
        return self._gettext(template).format(**facts)
