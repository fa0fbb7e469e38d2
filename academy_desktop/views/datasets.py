"""The Datasets page: the datasets at the left; numbers, dropped rows and rows of the chosen one at the right.

Owns layout, the choice of files and the dropping of files onto the page. Refuses to read files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QMimeData, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedLayout,
    QWidget,
)
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.dataset_import import Stage
from academy_desktop.viewmodels.datasets import Datasets
from academy_desktop.views.audit_panel import AuditPanel
from academy_desktop.views.facts import FigureRow, Remark
from academy_desktop.views.import_menu import Sources
from academy_desktop.views.import_panel import ImportPanel
from academy_desktop.views.kit import Elided, EmptyState, button, card, column, label, row, side_by_side
from academy_desktop.views.look import Look
from academy_desktop.views.page import HEAD_HEIGHT, heading, list_card, two_sides
from academy_desktop.views.record_list import RecordList
from academy_desktop.views.row_browser import RowBrowserView
from academy_desktop.views.row_view import RowView
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S

#: Forms that the empty page names: the usual ones stand first.
COMMON_FORMS = 4


class DropHint(QLabel):
    """Lies over the page while files are dragged over it."""

    def __init__(self, look: Look, text: str, parent: QWidget) -> None:
        super().__init__(text, parent)
        self._look = look
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        look.changed.connect(self._draw)
        self._draw()
        self.hide()

    def cover(self) -> None:
        """Lie over the whole page, but for its edge."""
        page = self.parentWidget()
        if page is not None:
            self.setGeometry(page.rect().adjusted(GAP_M, GAP_M, -GAP_M, -GAP_M))
            self.raise_()
            self.show()

    def _draw(self) -> None:
        tokens, sizes = self._look.tokens, self._look.sizes
        self.setStyleSheet(
            f"background: {tokens.accent_soft}; color: {tokens.accent}; font-weight: 650;"
            f" font-size: {sizes.font_title}px; border: 2px dashed {tokens.accent};"
            f" border-radius: {sizes.radius_card}px;"
        )


class DropReasons(QWidget):
    """Why rows were dropped: one line each, with its count."""

    def __init__(self, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._shown: Sequence[tuple[str, str]] = ()
        self._lines = column(GAP_S)
        lines = column(GAP, GAP_L)
        lines.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP_M)
        lines.addWidget(label(translate(N_("Why rows were dropped")), "heading"))
        lines.addLayout(self._lines)
        held = column(0)
        held.addWidget(card(lines))
        self.setLayout(held)

    def show_reasons(self, reasons: Sequence[tuple[str, str]]) -> None:
        """Show these (count, sentence); without any there is nothing to see."""
        self.setVisible(bool(reasons))
        if reasons == self._shown:
            return
        self._shown = reasons
        while (item := self._lines.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.hide()
                old.deleteLater()
        width = max((self.fontMetrics().horizontalAdvance(count) for count, _ in reasons), default=0) + GAP
        for count, sentence in reasons:
            number = label(count)
            number.setMinimumWidth(width)
            number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
            line = row(GAP_M)
            line.addWidget(number)
            line.addWidget(label(sentence, "muted", wrap=True), 1)
            held = QWidget()
            held.setLayout(line)
            self._lines.addWidget(held)


class DatasetView(QScrollArea):
    """One dataset as a whole."""

    def __init__(self, look: Look, datasets: Datasets, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._datasets = datasets
        self.title = Elided("title")
        self.title.setMinimumHeight(HEAD_HEIGHT)
        self.subtitle = Elided("small")
        self.news = Remark(look, "check", "success")
        self.advice = Remark(look, "info", "warning")
        self.check = button(translate(N_("Check all rows")))
        self.train = button(translate(N_("Train on them")))
        self.figures = FigureRow(4)
        self.reasons = DropReasons(translate)
        self.rows = RowView(look, datasets, translate)
        self.browser = RowBrowserView(look, datasets, translate)
        self.audit = AuditPanel(look, datasets, translate)
        self.show_rows, self.show_check = button(translate(N_("Rows"))), button(translate(N_("Check")))
        self._about = QWidget()
        lines = column(GAP_M)
        head = column(GAP_S)
        head.addWidget(self.title)
        head.addWidget(self.subtitle)
        lines.addLayout(head)
        about = column(GAP_M)
        about.addWidget(self.figures)
        about.addWidget(self.advice)
        about.addWidget(self.reasons)
        self._about.setLayout(about)
        lines.addWidget(self._said())
        lines.addWidget(self._about)
        lines.addLayout(self._switch())
        lines.addWidget(self._both, 1)
        lines.addWidget(self.audit, 1)
        inner = QWidget()
        inner.setLayout(lines)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(inner)
        datasets.changed.connect(self._refresh)
        self.audit.listed.connect(lambda: self._turn_to(self.show_rows))
        self._turn_to(self.show_rows)
        self._refresh()

    def _said(self) -> QWidget:
        """What just happened, with the next steps beside it."""
        self._news_line = QWidget()
        line = row(GAP)
        line.addWidget(self.news, 1)
        for step in (self.check, self.train):
            line.addWidget(step, 0, Qt.AlignmentFlag.AlignTop)
        self._news_line.setLayout(line)
        self.check.clicked.connect(self._check_all)
        return self._news_line

    def _check_all(self) -> None:
        self._turn_to(self.show_check)
        self._datasets.audit.start()

    def _switch(self) -> QHBoxLayout:
        """Two buttons, and what they show: the rows with the one that is looked at, or the check."""
        self._both = QWidget()
        beside = row(GAP_M)
        beside.addWidget(self.browser, 2)
        beside.addWidget(self.rows, 3)
        self._both.setLayout(beside)
        line = row(GAP)
        for one in (self.show_rows, self.show_check):
            one.setCheckable(True)
            one.clicked.connect(lambda _checked=False, one=one: self._turn_to(one))
            line.addWidget(one)
        line.addStretch(1)
        line.addWidget(self.rows.tokens)
        line.addWidget(self.rows.model)
        return line

    def _turn_to(self, wanted: QPushButton) -> None:
        for one in (self.show_rows, self.show_check):
            one.setChecked(one is wanted)
            one.setProperty("kind", "primary" if one is wanted else "plain")
            one.style().unpolish(one)
            one.style().polish(one)
        checks = wanted is self.show_check
        self.audit.setVisible(checks)
        self.rows.tokens.setEnabled(not checks)
        for part in (self._both, self._about):
            part.setVisible(not checks)

    def _refresh(self) -> None:
        shown = self._datasets
        self.title.setText(shown.title)
        self.subtitle.setText(shown.subtitle)
        self.news.say(shown.news, shown.next_step)
        self._news_line.setVisible(bool(shown.news))
        self.check.setEnabled(shown.audit.can_start)
        self.advice.say(shown.advice)
        self.figures.show_figures(shown.figures)
        self.reasons.show_reasons(shown.drops)


class DatasetsPage(QWidget):
    """The page; empty it says which rows it takes. `wanted(page, dataset)` when the user goes on there."""

    wanted = Signal(str, str)

    def __init__(self, look: Look, datasets: Datasets, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setObjectName("page")
        self.setAcceptDrops(True)
        self._look = look
        self._datasets = datasets
        self._gettext = translate
        self._adders: list[QPushButton] = []
        self.list = RecordList(look, datasets.records, translate(N_("Datasets")))
        self.view = DatasetView(look, datasets, translate)
        self.form = ImportPanel(look, datasets.importing, translate)
        self.sources = Sources(look, datasets, translate, self)
        self._waiting = label(translate(N_("Reading your datasets …")), "muted")
        self._waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedLayout()
        for part in (self._waiting, self._empty(), self._full(), self.form):
            self._stack.addWidget(part)
        self.setLayout(self._stack)
        self.drop_hint = DropHint(look, translate(N_("Drop the files here to import their rows")), self)
        self.form.more.connect(self.sources.choose_files)
        self.view.train.clicked.connect(self._train)
        self.list.opened.connect(datasets.select)
        datasets.changed.connect(self._refresh)
        datasets.importing.changed.connect(self._choose)
        look.changed.connect(self._draw)
        self._draw()
        self._refresh()

    @override
    def closeEvent(self, event: QCloseEvent) -> None:
        """Qt: the window goes, and the chart, which must go first."""
        self.view.audit.chart.close()
        super().closeEvent(event)

    @override
    def showEvent(self, event: QShowEvent) -> None:
        """Qt: the page appears; what the command line made meanwhile appears with it."""
        super().showEvent(event)
        self._datasets.refresh()

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt: the page changes its size."""
        super().resizeEvent(event)
        if self.drop_hint.isVisible():
            self.drop_hint.cover()

    @override
    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Qt: something is dragged over the page."""
        if _files(event.mimeData()) and self._datasets.importing.stage is not Stage.IMPORTING:
            event.acceptProposedAction()
            self.drop_hint.cover()

    @override
    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Qt: it goes elsewhere."""
        self.drop_hint.hide()

    @override
    def dropEvent(self, event: QDropEvent) -> None:
        """Qt: it is dropped here."""
        self.drop_hint.hide()
        files = _files(event.mimeData())
        if files:
            event.acceptProposedAction()
            self._datasets.importing.ask(files)

    def _train(self) -> None:
        shown = self._datasets.shown
        self.wanted.emit("train", shown.id if shown else "")

    def _empty(self) -> QWidget:
        lines = column(GAP_M)
        lines.addWidget(self._import_button(), 0, Qt.AlignmentFlag.AlignHCenter)
        dropped = label(self._gettext(N_("or drop files and folders onto this page")), "small")
        lines.addWidget(dropped, 0, Qt.AlignmentFlag.AlignHCenter)
        if self.sources.can_fetch:
            lines.addWidget(self._elsewhere(), 0, Qt.AlignmentFlag.AlignHCenter)
        forms = column(GAP_M)
        forms.setContentsMargins(GAP_L, GAP_M, GAP_L, GAP_M)
        forms.addWidget(label(self._gettext(N_("Columns that are recognised")), "small"))
        for name, columns in self._datasets.forms[:COMMON_FORMS]:
            line = row(GAP_M)
            line.addWidget(label(name))
            line.addStretch(1)
            line.addWidget(label(columns, "command"))
            forms.addLayout(line)
        lines.addSpacing(GAP_S)
        lines.addWidget(card(forms))
        action = QWidget()
        action.setLayout(lines)
        return EmptyState(
            self._look,
            "datasets",
            self._gettext(N_("No datasets yet")),
            self._gettext(
                N_(
                    "Rows in JSON, CSV, Parquet, text, PDF or Word files become a checked dataset"
                    " that a model can learn from."
                )
            ),
            action,
        )

    def _elsewhere(self) -> QWidget:
        """Buttons for rows that are in no file yet."""
        git = button(self._gettext(N_("From a Git history")), "quiet")
        venom = button(self._gettext(N_("From Venom’s lessons")), "quiet")
        git.clicked.connect(self.sources.fetch_commits)
        venom.clicked.connect(self.sources.fetch_lessons)
        return side_by_side(git, venom)

    def _full(self) -> QWidget:
        head = row(GAP)
        head.addWidget(heading(self._gettext(N_("Datasets"))))
        head.addStretch(1)
        head.addWidget(self._import_button(small=True))
        left = column(GAP_M)
        left.addLayout(head)
        left.addWidget(list_card(self.list), 1)
        return two_sides(left, self.view)

    def _import_button(self, *, small: bool = False) -> QPushButton:
        text = self._gettext(N_("Import")) if small else self._gettext(N_("Choose files"))
        made = button(text, "primary")
        made.setIconSize(QSize(16 + GAP, 16))
        if small:
            made.setMenu(self.sources.menu(made))
        else:
            made.clicked.connect(self.sources.choose_files)
        self._adders.append(made)
        return made

    def _draw(self) -> None:
        for adder in self._adders:
            adder.setIcon(self._look.icon("add", self._look.tokens.on_accent, gap=GAP))

    def _refresh(self) -> None:
        shown = self._datasets.shown
        self.list.show_record(shown.id if shown else "")
        self._choose()

    def _choose(self) -> None:
        was_form = self._stack.currentWidget() is self.form
        if self._datasets.importing.stage is not Stage.NONE:
            self._stack.setCurrentWidget(self.form)
        elif not self._datasets.is_known:
            self._stack.setCurrentIndex(0)
        else:
            self._stack.setCurrentIndex(2 if self._datasets.all else 1)
            if was_form and self.isVisible():
                after = self.list if self._datasets.all else self._adders[0]
                after.setFocus(Qt.FocusReason.OtherFocusReason)


def _files(mime: QMimeData) -> list[str]:
    return [url.toLocalFile() for url in mime.urls() if url.isLocalFile()]
