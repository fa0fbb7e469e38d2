"""The Runs page: the jobs at the left; curve, figures and log of the one that is chosen at the right.

Owns layout. Refuses to know files, threads and how a job is run.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.run_detail import Figure
from academy_desktop.viewmodels.runs import Runs
from academy_desktop.views.kit import Badge, Command, Elided, EmptyState, button, card, column, label, row
from academy_desktop.views.log_view import LogView
from academy_desktop.views.look import Look
from academy_desktop.views.loss_chart import LossChart
from academy_desktop.views.run_list import RunList
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S, GAP_XL

LIST_WIDTH = 272

#: The first line of both sides, so that they stand level.
HEAD_HEIGHT = 32


class Tile(QFrame):
    """One figure: label, value, hint."""

    def __init__(self) -> None:
        super().__init__()
        self._label = Elided("small")
        self._value = Elided("number")
        self._hint = Elided("small")
        lines = column(2)
        for part in (self._label, self._value, self._hint):
            part.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            lines.addWidget(part)
        self.setLayout(lines)

    def show_figure(self, figure: Figure) -> None:
        """Show a figure."""
        for part, text in (
            (self._label, figure.label),
            (self._value, figure.value),
            (self._hint, figure.hint),
        ):
            part.setText(text)
        self.setAccessibleName(f"{figure.label}: {figure.value} {figure.hint}".strip())


class RunHead(QWidget):
    """Name, state, sentence and the actions of a run."""

    def __init__(self, look: Look, runs: Runs, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look
        self._runs = runs
        self.title = Elided("title")
        self.title.setMinimumHeight(HEAD_HEIGHT)
        self.badge = Badge(look)
        self.sentence = label("", "muted", wrap=True, selectable=True)
        self.machine = label("", "small", wrap=True)
        self.stop = button(
            translate(N_("Stop and save")), hint=translate(N_("Saves a checkpoint, then ends the run"))
        )
        self.resume = button(
            translate(N_("Resume")), "primary", hint=translate(N_("Goes on from the last checkpoint"))
        )
        self.stop.clicked.connect(runs.stop)
        self.resume.clicked.connect(runs.resume)
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
        for action in (self.stop, self.resume):
            action.setIconSize(QSize(16 + GAP, 16))
            first.addWidget(action)
        lines = column(GAP_S)
        lines.addLayout(first)
        lines.addWidget(self.sentence)
        lines.addWidget(self.machine)
        self.setLayout(lines)

    def _draw(self) -> None:
        self.stop.setIcon(self._look.icon("stop", self._look.tokens.text, gap=GAP))
        self.resume.setIcon(self._look.icon("resume", self._look.tokens.on_accent, gap=GAP))

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
        for action in (self.stop, self.resume):
            action.setEnabled(not self._runs.busy)


class RunView(QWidget):
    """One run as a whole."""

    def __init__(self, look: Look, runs: Runs, formats: Formats, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._runs = runs
        self.head = RunHead(look, runs, translate)
        self.tiles = [Tile() for _ in runs.detail.figures]
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
        parts.addWidget(LossChart(look, runs.curve, formats, translate))
        parts.addWidget(LogView(runs.log, translate))
        parts.setStretchFactor(0, 3)
        parts.setStretchFactor(1, 2)
        parts.setSizes([300, 170])
        lines = column(GAP_M)
        lines.addWidget(self.head)
        lines.addWidget(self.progress)
        lines.addWidget(card(tiles))
        lines.addWidget(parts, 1)
        self.setLayout(lines)
        runs.detail.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        detail = self._runs.detail
        for tile, figure in zip(self.tiles, detail.figures, strict=True):
            tile.show_figure(figure)
        share = detail.share_done
        self.progress.setValue(round(1000 * (share or 0.0)))
        self.progress.setVisible(share is not None and not detail.state.is_over)


class RunsPage(QWidget):
    """The page; empty it says how to begin."""

    def __init__(self, look: Look, runs: Runs, formats: Formats, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setObjectName("page")
        self._runs = runs
        self.list = RunList(look, runs.table, translate)
        self.list.opened.connect(runs.select)
        self.view = RunView(look, runs, formats, translate)
        empty = EmptyState(
            look,
            "runs",
            translate(N_("No runs yet")),
            translate(N_("Everything that you train appears here, live. The demo shows the whole way.")),
            Command(look, "academy demo", translate),
        )
        self._stack = QStackedLayout()
        self._stack.addWidget(empty)
        self._stack.addWidget(self._full(translate))
        self.setLayout(self._stack)
        runs.selected.connect(self._show)
        for signal in (runs.table.rowsInserted, runs.table.rowsRemoved, runs.table.modelReset):
            signal.connect(self._choose)
        self._choose()
        self._show(runs.selected_id)

    def _full(self, translate: Callable[[str], str]) -> QWidget:
        left: QVBoxLayout = column(GAP_M)
        heading: QLabel = label(translate(N_("Runs")), "title")
        heading.setMinimumHeight(HEAD_HEIGHT)
        left.addWidget(heading)
        held = column(0, GAP_S)
        held.addWidget(self.list)
        frame = card(held)
        frame.setFixedWidth(LIST_WIDTH)
        left.addWidget(frame, 1)
        right = column(GAP_M)
        right.addWidget(self.view, 1)
        both = row(GAP_L)
        both.setContentsMargins(GAP_XL, GAP_XL, GAP_XL, GAP_XL)
        both.addLayout(left)
        both.addLayout(right, 1)
        page = QWidget()
        page.setObjectName("page")
        page.setLayout(both)
        return page

    def _choose(self) -> None:
        self._stack.setCurrentIndex(1 if self._runs.table.rowCount() else 0)

    def _show(self, job_id: str) -> None:
        self.list.show_job(job_id)
