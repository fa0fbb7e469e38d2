"""The Export page: the finished runs at the left; at the right the files of one, and what else can be made.

Owns layout. Refuses to know how an export is made or proven.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QProgressBar, QScrollArea, QStackedLayout, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.certificate import ExportCard
from academy_desktop.viewmodels.export import Exporting
from academy_desktop.views.certificate import ExportCardView, empty, show_in_folder
from academy_desktop.views.export_form import OrderForm
from academy_desktop.views.kit import Elided, EmptyState, button, column, label, row, side_by_side
from academy_desktop.views.look import Look
from academy_desktop.views.page import CONTENT_WIDTH, HEAD_HEIGHT, heading, list_card, scroller, two_sides
from academy_desktop.views.run_list import RunList
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_XL


class OrderView(QFrame):
    """What is being made or proven now, with its progress."""

    def __init__(self, page: Exporting, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._page = page
        self._title = Elided("heading")
        self._detail = Elided("muted")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(translate(N_("Progress of the export")))
        self.cancel = button(translate(N_("Cancel")), hint=translate(N_("What is finished stays")))
        self.cancel.clicked.connect(page.cancel)
        texts = column(2)
        texts.addWidget(self._title)
        texts.addWidget(self._detail)
        head = row(GAP_M)
        head.addLayout(texts, 1)
        head.addWidget(self.cancel, 0, Qt.AlignmentFlag.AlignTop)
        lines = column(GAP_M, GAP_L)
        lines.addLayout(head)
        lines.addWidget(self._bar)
        self.setLayout(lines)
        page.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        page = self._page
        self.setVisible(page.is_busy)
        self._title.setText(page.activity)
        self._detail.setText(page.detail)
        self.cancel.setEnabled(not page.is_cancelling)
        share = page.share_done
        self._bar.setRange(0, 0 if share is None and page.is_busy else 1000)
        self._bar.setValue(round(1000 * (share or 0.0)))


class RunExports(QWidget):
    """One run: its name, what is being done, its files, and the form."""

    def __init__(
        self,
        look: Look,
        page: Exporting,
        translate: Callable[[str], str],
        show_folder: Callable[[str], object],
    ) -> None:
        super().__init__()
        self._look = look
        self._page = page
        self._gettext = translate
        self._show_folder = show_folder
        self._opened: set[tuple[str, str]] = set()
        self._shown: tuple[ExportCard, ...] | None = None
        self.cards: list[ExportCardView] = []
        self._title = Elided("title")
        self._title.setMinimumHeight(HEAD_HEIGHT)
        self._subtitle = label("", "muted")
        self.order = OrderView(page, translate)
        self.form = OrderForm(look, page, translate)
        self._files_head = self._make_files_head()
        self._files = column(GAP_M)
        self._form_title = label(translate(N_("Make files")), "heading")
        self._lay_out()
        page.selected.connect(self._refresh_head)
        page.cards_changed.connect(self._refresh_cards)
        page.changed.connect(self._refresh_busy)
        self._refresh_head()
        self._refresh_cards()

    def _make_files_head(self) -> QWidget:
        self.prove_all = button(self._gettext(N_("Prove all")))
        self.prove_all.clicked.connect(lambda: self._page.certify(self._page.unproven))
        line = row(GAP)
        line.addWidget(label(self._gettext(N_("Files of this run")), "heading"))
        line.addStretch(1)
        line.addWidget(self.prove_all)
        made = QWidget()
        made.setLayout(line)
        return made

    def _lay_out(self) -> None:
        names = column(2)
        names.addWidget(self._title)
        names.addWidget(self._subtitle)
        lines = column(GAP_M)
        lines.addLayout(names)
        lines.addSpacing(GAP)
        lines.addWidget(self.order)
        lines.addWidget(self._files_head)
        lines.addLayout(self._files)
        lines.addSpacing(GAP)
        lines.addWidget(self._form_title)
        lines.addWidget(self.form)
        lines.addStretch(1)
        self.setLayout(lines)

    def _refresh_head(self) -> None:
        self._title.setText(self._page.title)
        self._subtitle.setText(self._page.subtitle)

    def _refresh_cards(self) -> None:
        cards = self._page.cards
        if cards != self._shown or not cards:
            self._shown = cards
            empty(self._files)
            self.cards = [self._make_card(shown) for shown in cards or ()]
            for one in self.cards:
                self._files.addWidget(one)
        self._files_head.setVisible(bool(cards))
        self._refresh_busy()

    def _refresh_busy(self) -> None:
        busy = self._page.is_busy
        self.prove_all.setVisible(len(self._page.unproven) > 1)
        self.prove_all.setEnabled(not busy)
        for one in self.cards:
            one.prove.setEnabled(not busy)

    def _make_card(self, shown: ExportCard) -> ExportCardView:
        run = self._page.selected_id
        is_open = (run, shown.name) in self._opened
        made = ExportCardView(self._look, shown, self._gettext, is_open=is_open)
        made.proof_wanted.connect(lambda name: self._page.certify((name,)))
        made.shown_in_folder.connect(self._show_folder)
        made.opened.connect(lambda name, wanted: self._note_opened(run, name, wanted))
        return made

    def _note_opened(self, run: str, name: str, wanted: bool) -> None:
        if wanted:
            self._opened.add((run, name))
        else:
            self._opened.discard((run, name))


class ExportPage(QWidget):
    """The page; without a finished run it says how to get one.

    `wanted(page id, "")` when the user goes there.
    """

    wanted = Signal(str, str)

    def __init__(
        self,
        look: Look,
        page: Exporting,
        translate: Callable[[str], str],
        show_folder: Callable[[str], object] = show_in_folder,
    ) -> None:
        super().__init__()
        self.setObjectName("page")
        self._page = page
        self._gettext = translate
        self.list = RunList(look, page.runs, translate, follows=True)
        self.list.setAccessibleName(translate(N_("Finished runs")))
        self.view = RunExports(look, page, translate, show_folder)
        self._empty = self._make_empty(look)
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._full())
        self.setLayout(self._stack)
        self.list.opened.connect(page.select)
        page.selected.connect(self._show)
        for signal in (page.runs.rowsInserted, page.runs.rowsRemoved, page.runs.modelReset):
            signal.connect(self._choose)
        self._choose()
        self._show(page.selected_id)

    def _make_empty(self, look: Look) -> EmptyState:
        train = button(self._gettext(N_("Train a model")), "primary")
        train.clicked.connect(lambda: self.wanted.emit("train", ""))
        demo = button(self._gettext(N_("Start the demo")))
        demo.clicked.connect(lambda: self.wanted.emit("demo", ""))
        return EmptyState(
            look,
            "export",
            self._gettext(N_("Nothing to export yet")),
            self._gettext(
                N_(
                    "Once a training run is finished, you make files of it here and have them proven. "
                    "Train a model, or let the demo show the whole way."
                )
            ),
            side_by_side(train, demo),
        )

    def _full(self) -> QWidget:
        left = column(GAP_M)
        left.addWidget(heading(self._gettext(N_("Finished runs"))))
        left.addWidget(list_card(self.list), 1)
        return two_sides(left, self._scroller(), right_margin=0)

    def _scroller(self) -> QScrollArea:
        self.view.setMaximumWidth(CONTENT_WIDTH)
        line = row(0)
        line.setContentsMargins(0, 0, GAP_XL, 0)
        line.addWidget(self.view, 1)
        inner = QWidget()
        inner.setObjectName("page")
        inner.setLayout(line)
        return scroller(inner)

    def _choose(self) -> None:
        self._stack.setCurrentIndex(1 if self._page.has_runs else 0)

    def _show(self, job_id: str) -> None:
        self.list.show_job(job_id)
