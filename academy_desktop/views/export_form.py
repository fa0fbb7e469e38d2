"""The form of the Export page: what can be made, with sizes, where to, and the start.

Owns layout. Refuses to know how an export is made or proven.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QFrame, QGridLayout, QLabel, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.export import Exporting
from academy_desktop.viewmodels.export_choice import FormatChoice, QuantChoice, WeighChoice
from academy_desktop.views.kit import Elided, button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S
from academy_desktop.views.tick import BOX_SIZE, Tick


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
        self._weigh: tuple[Tick, QWidget] | None = None
        self._below = self._make_below(look, shown)
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
        if self._weigh is not None and shown.weighing is not None:
            tick, line = self._weigh
            tick.setChecked(shown.weighing.ticked)
            line.setVisible(shown.weighing.offered)

    def _make_below(self, look: Look, shown: FormatChoice) -> QWidget:
        lines = column(GAP_M)
        lines.setContentsMargins(BOX_SIZE + 4 + GAP_M, 0, 0, 0)
        lines.addLayout(self._make_quants(look, shown))
        if shown.weighing is not None:
            self._weigh = self._make_weighing(look, shown.weighing)
            lines.addWidget(self._weigh[1])
        made = QWidget()
        made.setLayout(lines)
        return made

    def _make_quants(self, look: Look, shown: FormatChoice) -> QGridLayout:
        self._parts: dict[str, tuple[Tick, QLabel]] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
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
        return grid

    def _make_weighing(self, look: Look, shown: WeighChoice) -> tuple[Tick, QWidget]:
        tick = Tick(look, shown.title)
        tick.setAccessibleDescription(shown.words)
        tick.clicked.connect(self._page.choice.weigh)
        self.ticks.append(tick)
        line = row(GAP_M)
        line.addWidget(tick, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(label(shown.words, "muted", wrap=True), 1)
        made = QWidget()
        made.setLayout(line)
        return tick, made

    def _make_tick(self, look: Look, shown: FormatChoice, choice: QuantChoice) -> Tick:
        tick = Tick(look, choice.title, f"{shown.title} {choice.title}")
        tick.setAccessibleDescription(choice.words)
        tick.clicked.connect(lambda wanted: self._page.choice.tick(choice.item, wanted))
        return tick


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


def _divider() -> QFrame:
    made = QFrame()
    made.setProperty("divider", True)
    made.setFixedHeight(1)
    return made
