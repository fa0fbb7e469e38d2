"""The Export page: the finished runs at the left; at the right the files of one, and what else can be made.

Owns layout. Refuses to know how an export is made or proven.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFrame,
    QGridLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QWidget,
)
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.certificate import ExportCard
from academy_desktop.viewmodels.export import Exporting
from academy_desktop.viewmodels.export_choice import FormatChoice, QuantChoice
from academy_desktop.views.certificate import ExportCardView, empty, show_in_folder
from academy_desktop.views.kit import Elided, EmptyState, button, column, label, row, side_by_side
from academy_desktop.views.look import Look
from academy_desktop.views.page import CONTENT_WIDTH, HEAD_HEIGHT, heading, list_card, scroller, two_sides
from academy_desktop.views.run_list import RunList
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S, GAP_XL

BOX_SIZE = 18


class Tick(QCheckBox):
    """A box to tick in the colours of the theme."""

    def __init__(self, look: Look, text: str = "", name: str = "") -> None:
        super().__init__(text)
        self._look = look
        self.setAccessibleName(name or text)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        look.changed.connect(self.update)

    @override
    def sizeHint(self) -> QSize:
        """Qt: box and text."""
        metrics = self.fontMetrics()
        width = metrics.horizontalAdvance(self.text()) + GAP if self.text() else 0
        return QSize(BOX_SIZE + 4 + width, max(BOX_SIZE + 4, metrics.height()))

    @override
    def minimumSizeHint(self) -> QSize:
        """Qt: the same."""
        return self.sizeHint()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw it."""
        tokens = self._look.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(2, (self.height() - BOX_SIZE) / 2, BOX_SIZE, BOX_SIZE).adjusted(0.5, 0.5, -0.5, -0.5)
        on, usable = self.isChecked(), self.isEnabled()
        border = tokens.accent if on or self.hasFocus() else tokens.border_strong
        painter.setPen(QPen(QColor(border if usable else tokens.border), 1))
        painter.setBrush(QColor((tokens.accent if usable else tokens.faint) if on else tokens.surface))
        painter.drawRoundedRect(box, 4, 4)
        if on:
            size = BOX_SIZE - 4
            tick = self._look.pixmap("check", tokens.on_accent, size)
            painter.drawPixmap(round(box.left() + 1.5), round(box.top() + 1.5), tick)
        if self.hasFocus():
            painter.setPen(QPen(QColor(tokens.text if on else tokens.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(-1.5, -1.5, 1.5, 1.5), 5, 5)
        if self.text():
            painter.setPen(QColor(tokens.text if usable else tokens.faint))
            area = self.rect().adjusted(BOX_SIZE + 4 + GAP, 0, 0, 0)
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, self.text())

    @override
    def hitButton(self, pos: object) -> bool:
        """Qt: all of it can be clicked."""
        return True


class FormatView(QWidget):
    """One format with its tick, and below it its number formats while it is wanted."""

    def __init__(self, look: Look, page: Exporting, shown: FormatChoice) -> None:
        super().__init__()
        self._page = page
        self._form = shown.format
        self.tick = Tick(look, name=shown.title)
        self.tick.setAccessibleDescription(shown.words)
        self.tick.clicked.connect(lambda wanted: page.choice.tick_format(self._form, wanted))
        self._size = label("", "muted")
        self.ticks = [self.tick]
        texts = column(2)
        texts.addWidget(label(shown.title, "heading"))
        texts.addWidget(label(shown.words, "muted", wrap=True))
        head = row(GAP_M)
        head.addWidget(self.tick, 0, Qt.AlignmentFlag.AlignTop)
        head.addLayout(texts, 1)
        head.addWidget(self._size, 0, Qt.AlignmentFlag.AlignTop)
        lines = column(GAP)
        lines.addLayout(head)
        self._below = self._make_quants(look, shown)
        lines.addWidget(self._below)
        self.setLayout(lines)
        self.show_choice(shown)

    def show_choice(self, shown: FormatChoice) -> None:
        """Show the ticks and sizes as they are now."""
        self.tick.setChecked(shown.ticked)
        named = [choice for choice in shown.choices if choice.title]
        self._below.setVisible(shown.ticked and bool(named))
        self._size.setText("" if named and shown.ticked else shown.choices[0].size)
        for choice in named:
            tick, size = self._parts[choice.title]
            tick.setChecked(choice.ticked)
            size.setText(choice.size)

    def _make_quants(self, look: Look, shown: FormatChoice) -> QWidget:
        self._parts: dict[str, tuple[Tick, QLabel]] = {}
        grid = QGridLayout()
        grid.setContentsMargins(BOX_SIZE + 4 + GAP_M, 0, 0, 0)
        grid.setHorizontalSpacing(GAP_M)
        grid.setVerticalSpacing(GAP_S)
        grid.setColumnStretch(1, 1)
        for at, choice in enumerate(one for one in shown.choices if one.title):
            tick = self._make_tick(look, shown, choice)
            size = label("", "muted")
            self._parts[choice.title] = (tick, size)
            self.ticks.append(tick)
            grid.addWidget(tick, at, 0)
            grid.addWidget(label(choice.words, "muted", wrap=True), at, 1)
            grid.addWidget(size, at, 2, Qt.AlignmentFlag.AlignRight)
        made = QWidget()
        made.setLayout(grid)
        return made

    def _make_tick(self, look: Look, shown: FormatChoice, choice: QuantChoice) -> Tick:
        tick = Tick(look, choice.title, f"{shown.title} {choice.title}")
        tick.setAccessibleDescription(choice.words)
        tick.clicked.connect(lambda wanted: self._page.choice.tick(choice.item, wanted))
        return tick


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


class OrderForm(QFrame):
    """What can be made: formats with their sizes, where to, proof, start."""

    def __init__(self, look: Look, page: Exporting, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._page = page
        self._gettext = translate
        self.formats = [FormatView(look, page, one) for one in page.choice.formats]
        self.prove = Tick(look, translate(N_("Prove it")))
        self.prove.setChecked(page.prove)
        self.prove.clicked.connect(self._set_prove)
        self.start = button(translate(N_("Start")), "primary")
        self.start.clicked.connect(page.start)
        self.choose = button(translate(N_("Choose a folder …")))
        self.choose.clicked.connect(self._ask_folder)
        self.clear = button(translate(N_("Do not copy")), "quiet")
        self.clear.clicked.connect(lambda: self._set_folder(""))
        self._folder = Elided("muted")
        self._summary = label("", "muted", wrap=True)
        self._lay_out()
        page.choice.changed.connect(self._refresh)
        page.changed.connect(self._refresh)
        self._set_folder(page.folder)

    def _lay_out(self) -> None:
        lines = column(GAP_L, GAP_L)
        for one in self.formats:
            lines.addWidget(one)
        lines.addWidget(_divider())
        lines.addLayout(self._option(self.prove, N_("Compares each export with the model that you trained.")))
        where = row(GAP_M)
        texts = column(2)
        texts.addWidget(label(self._gettext(N_("Copy to a folder")), "heading"))
        texts.addWidget(self._folder)
        where.addLayout(texts, 1)
        where.addWidget(self.clear)
        where.addWidget(self.choose)
        lines.addLayout(where)
        lines.addWidget(_divider())
        foot = row(GAP_M)
        foot.addWidget(self._summary, 1)
        foot.addWidget(self.start)
        lines.addLayout(foot)
        self.setLayout(lines)

    def _option(self, tick: Tick, words: str) -> QGridLayout:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GAP_M)
        grid.setColumnStretch(1, 1)
        grid.addWidget(tick, 0, 0, Qt.AlignmentFlag.AlignVCenter)
        grid.addWidget(label(self._gettext(words), "muted", wrap=True), 0, 1, Qt.AlignmentFlag.AlignVCenter)
        return grid

    def _refresh(self) -> None:
        for view, choice in zip(self.formats, self._page.choice.formats, strict=True):
            view.show_choice(choice)
        self._summary.setText(self._page.choice.summary)
        self.start.setEnabled(bool(self._page.choice.items) and not self._page.is_busy)

    def _set_prove(self, wanted: bool) -> None:
        self._page.prove = wanted

    def _set_folder(self, folder: str) -> None:
        self._page.folder = folder
        said = self._gettext(N_("Exports stay with the run. A copy can lie elsewhere as well."))
        self._folder.setText(folder or said)
        self.clear.setVisible(bool(folder))
        self._refresh()

    def _ask_folder(self) -> None:
        dialog = QFileDialog(self, self._gettext(N_("Copy to a folder")), self._page.folder)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._set_folder)
        dialog.open()


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


def _divider() -> QFrame:
    made = QFrame()
    made.setProperty("divider", True)
    made.setFixedHeight(1)
    return made
