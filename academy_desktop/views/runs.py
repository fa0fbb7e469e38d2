"""The Runs page: the jobs at the left; curve, figures and log of the one that is chosen at the right.

Owns layout. Refuses to know files, threads and how a job is run.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QIcon, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QLineEdit,
    QProgressBar,
    QSplitter,
    QStackedLayout,
    QStackedWidget,
    QWidget,
)
from typing_extensions import override

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.queue_end import QueueEnd
from academy_desktop.viewmodels.runs import Runs
from academy_desktop.views.facts import FigureTile
from academy_desktop.views.kit import (
    Badge,
    Elided,
    EmptyState,
    button,
    card,
    column,
    label,
    row,
    side_by_side,
)
from academy_desktop.views.log_view import LogView
from academy_desktop.views.look import Look
from academy_desktop.views.loss_chart import LossChart
from academy_desktop.views.page import HEAD_HEIGHT, heading, list_card, two_sides
from academy_desktop.views.queue_bar import QueueBar
from academy_desktop.views.run_list import RunList
from academy_desktop.views.run_menu import RunMenu
from academy_desktop.views.samples import SamplesPanel
from academy_desktop.views.tabs import Tabs
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S

#: Figures shown side by side.
MOST_FIGURES = 6
#: What can be looked at below them.
PROGRESS, SAMPLES = "progress", "samples"


class RunHead(QWidget):
    """Name, state, sentence and actions of a run; `export_wanted()` when its adapter is to be taken away."""

    export_wanted = Signal()

    def __init__(self, look: Look, runs: Runs, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look
        self._runs = runs
        self.title = Elided("title")
        self.title.setMinimumHeight(HEAD_HEIGHT)
        self.badge = Badge(look)
        self.sentence = label("", wrap=True, selectable=True)
        self.machine = label("", "small", wrap=True)
        self.stop = button(
            translate(N_("Stop and save")), hint=translate(N_("Saves a checkpoint, then ends the run"))
        )
        self.resume = button(
            translate(N_("Resume")), "primary", hint=translate(N_("Goes on from the last checkpoint"))
        )
        self.anyway = button(
            translate(N_("Run now anyway")),
            hint=translate(N_("Goes on in spite of what makes it wait now, for as long as that lasts")),
        )
        self.shorter = button(
            translate(N_("Begin anew with shorter rows")),
            hint=translate(
                N_("Another run, from the beginning: rows are cut at half the length, and are other data.")
            ),
        )
        self.smaller = button(
            translate(N_("Begin anew in 4 bit")),
            hint=translate(
                N_("Another run from the beginning: the model is kept in 4 bit (QLoRA), a little less exact.")
            ),
        )
        self.export = button(
            translate(N_("Export")), hint=translate(N_("Makes files of the adapter that this run trained"))
        )
        self.more = button(translate(N_("More for this run")), "icon")
        self.menu = RunMenu(look, runs, translate, self.more)
        self.more.setMenu(self.menu)
        self.stop.clicked.connect(runs.stop)
        self.resume.clicked.connect(runs.resume)
        self.shorter.clicked.connect(lambda: runs.begin_anew(shorter=True))
        self.smaller.clicked.connect(lambda: runs.begin_anew(qlora=True))
        self.anyway.clicked.connect(runs.run_anyway)
        self.export.clicked.connect(self.export_wanted)
        self._lay_out()
        runs.detail.changed.connect(self._refresh)
        runs.busy_changed.connect(self._refresh)
        look.changed.connect(self._draw)
        self._draw()
        self._refresh()

    def _lay_out(self) -> None:
        first = row(GAP_M)
        first.addWidget(self.title)
        first.addWidget(self.badge)
        first.addStretch(1)
        for action in (self.anyway, self.stop, self.resume, self.export):
            action.setIconSize(QSize(16 + GAP, 16))
        for action in (self.stop, self.resume, self.export):
            first.addWidget(action)
        self.more.setIconSize(QSize(16, 16))
        first.addWidget(self.more)
        lines = column(GAP_S)
        lines.addLayout(first)
        why = row(GAP_M)
        why.addWidget(self.sentence, 1)
        why.addWidget(self.anyway)
        lines.addLayout(why)
        ways = row(GAP_M)
        for way in (self.shorter, self.smaller):
            ways.addWidget(way)
        ways.addStretch(1)
        lines.addLayout(ways)
        lines.addWidget(self.machine)
        self.setLayout(lines)

    def _draw(self) -> None:
        self.stop.setIcon(self._look.icon("stop", self._look.tokens.text, gap=GAP))
        self.anyway.setIcon(self._look.icon("resume", self._look.tokens.text, gap=GAP))
        self.resume.setIcon(self._look.icon("resume", self._look.tokens.on_accent, gap=GAP))
        self.export.setIcon(self._look.icon("export", self._look.tokens.text, gap=GAP))
        self.more.setIcon(self._look.icon("more", self._look.tokens.muted))

    def _refresh(self) -> None:
        detail = self._runs.detail
        self.title.setText(detail.title)
        self.badge.show_state(detail.state, detail.state_word)
        self.sentence.setText(detail.sentence)
        activity = " · ".join(part for part in (detail.activity, detail.machine) if part)
        self.machine.setText("\n".join((activity, *detail.warnings)).strip())
        self.machine.setVisible(bool(self.machine.text()))
        self.stop.setVisible(detail.can_stop)
        self.resume.setVisible(detail.can_resume)
        for way in (self.shorter, self.smaller):
            way.setVisible(detail.can_begin_smaller)
            way.setEnabled(not self._runs.busy)
        self.anyway.setVisible(detail.is_held)
        self.export.setVisible(detail.can_export)
        self.more.setVisible(bool(detail.actions))
        for action in (self.anyway, self.stop, self.resume):
            action.setEnabled(not self._runs.busy)


class RunView(QWidget):
    """One run as a whole."""

    def __init__(self, look: Look, runs: Runs, formats: Formats, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._runs = runs
        self.head = RunHead(look, runs, translate)
        self.tiles = [FigureTile() for _ in range(MOST_FIGURES)]
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(translate(N_("Progress of the run")))
        tiles = row(GAP_M)
        tiles.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP_M)
        for tile in self.tiles:
            tiles.addWidget(tile, 1)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.setHandleWidth(GAP_M)
        parts.setChildrenCollapsible(False)
        self.chart = LossChart(look, runs.curve, formats, translate)
        self.log = LogView(runs.log, translate)
        parts.addWidget(self.chart)
        parts.addWidget(self.log)
        parts.setStretchFactor(0, 3)
        parts.setStretchFactor(1, 2)
        parts.setSizes([300, 170])
        self.samples = SamplesPanel(look, runs, translate)
        self.tabs = Tabs(
            look,
            translate(N_("What is shown of the run")),
            {PROGRESS: translate(N_("Progress")), SAMPLES: translate(N_("Samples"))},
        )
        self._shown = QStackedWidget()
        self._shown.addWidget(parts)
        self._shown.addWidget(self.samples)
        lines = column(GAP_M)
        lines.addWidget(self.head)
        lines.addWidget(self.progress)
        lines.addWidget(card(tiles))
        lines.addWidget(self.tabs)
        lines.addWidget(self._shown, 1)
        self.setLayout(lines)
        self.tabs.chosen.connect(self._refresh)
        runs.detail.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        detail = self._runs.detail
        figures = detail.figures[:MOST_FIGURES]
        for tile, figure in zip(self.tiles, figures, strict=False):
            tile.show_figure(figure)
        for number, tile in enumerate(self.tiles):
            tile.setVisible(number < len(figures))
        self.chart.setVisible(detail.has_curve)
        self.tabs.setVisible(detail.has_curve)
        samples = detail.has_curve and self.tabs.tab == SAMPLES
        self._shown.setCurrentIndex(1 if samples else 0)
        share = detail.share_done
        self.progress.setValue(round(1000 * (share or 0.0)))
        self.progress.setVisible(share is not None and not detail.state.is_over)


class RunsPage(QWidget):
    """The page; empty it says how to begin: `wanted(page id, job id or "")` when the user goes there."""

    wanted = Signal(str, str)

    def __init__(
        self,
        look: Look,
        runs: Runs,
        formats: Formats,
        translate: Callable[[str], str],
        end: QueueEnd | None = None,
    ) -> None:
        """`end`: what follows the last run; without it nothing is offered."""
        super().__init__()
        self.setObjectName("page")
        self.bar = QueueBar(look, end, translate) if end is not None else None
        self._look = look
        self._runs = runs
        self._gettext = translate
        self.search = QLineEdit()
        self.list = RunList(look, runs.found, translate, follows=True)
        self.view = RunView(look, runs, formats, translate)
        self._nothing = label(
            translate(N_("No run fits. Search for part of a name or a state.")), "muted", wrap=True
        )
        self._set_up_search()
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty())
        self._stack.addWidget(self._full())
        self.setLayout(self._stack)
        self.list.opened.connect(runs.select)
        self.view.head.export_wanted.connect(lambda: self.wanted.emit("export", runs.selected_id))
        self.view.head.menu.send_wanted.connect(lambda: self.wanted.emit("venom", runs.selected_id))
        runs.selected.connect(self._show)
        for model in (runs.table, runs.found):
            for signal in (model.rowsInserted, model.rowsRemoved, model.modelReset, model.layoutChanged):
                signal.connect(self._choose)
        self._choose()
        self._show(runs.selected_id)

    @override
    def closeEvent(self, event: QCloseEvent) -> None:
        """Qt: the window goes."""
        self.view.chart.close()
        super().closeEvent(event)

    def _set_up_search(self) -> None:
        self.search.setPlaceholderText(self._gettext(N_("Find a run")))
        self.search.setAccessibleName(self._gettext(N_("Find a run")))
        self.search.setClearButtonEnabled(True)
        self._glass = self.search.addAction(QIcon(), QLineEdit.ActionPosition.LeadingPosition)
        self.search.textChanged.connect(self._search)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self).activated.connect(self._find)
        self._look.changed.connect(self._draw)
        self._draw()

    def _empty(self) -> EmptyState:
        demo = button(self._gettext(N_("Start the demo")), "primary")
        demo.clicked.connect(lambda: self.wanted.emit("demo", ""))
        train = button(self._gettext(N_("Train a model")))
        train.clicked.connect(lambda: self.wanted.emit("train", ""))
        return EmptyState(
            self._look,
            "runs",
            self._gettext(N_("No runs yet")),
            self._gettext(N_("Everything that you train appears here, live. The demo shows the whole way.")),
            side_by_side(demo, train),
        )

    def _full(self) -> QWidget:
        left = column(GAP_M)
        left.addWidget(heading(self._gettext(N_("Runs"))))
        left.addWidget(self.search)
        self._nothing.setContentsMargins(GAP, GAP, GAP, GAP)
        left.addWidget(list_card(self._nothing, self.list), 1)
        if self.bar is not None:
            left.addWidget(self.bar)
        return two_sides(left, self.view)

    def _draw(self) -> None:
        self._glass.setIcon(self._look.icon("search", self._look.tokens.muted))

    def _find(self) -> None:
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def _search(self, text: str) -> None:
        self._runs.found.search(text)
        self._show(self._runs.selected_id)

    def _choose(self) -> None:
        self._stack.setCurrentIndex(1 if self._runs.table.rowCount() else 0)
        self._nothing.setVisible(self._runs.found.rowCount() == 0)

    def _show(self, job_id: str) -> None:
        self.list.show_job(job_id)
