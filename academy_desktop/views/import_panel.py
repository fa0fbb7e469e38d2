"""The form of an import: files, name, held-out share, checks; then how far it is.

Owns layout and what was typed. Refuses to know files and how rows are checked.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QScrollArea, QWidget
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.dataset_import import USUAL_SHARE, DatasetImport, Stage
from academy_desktop.views.facts import thin_bar
from academy_desktop.views.fields import Choice, Field
from academy_desktop.views.kit import Elided, Emblem, Icon, button, card, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S, GAP_XL

PANEL_WIDTH = 600

#: More names than these are counted.
MOST_FILES = 4

USUAL_PROFILE = "balanced"


class ImportPanel(QScrollArea):
    """`more()` when the user wants to choose further files."""

    more = Signal()

    def __init__(self, look: Look, importing: DatasetImport, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look
        self._importing = importing
        self._gettext = translate
        self._files: tuple[str, ...] = ()
        self._stage = Stage.NONE
        self._file_lines = column(GAP_S)
        self.title = label("", "title", wrap=True)
        self.name = QLineEdit()
        self.share = Choice(look, translate(N_("Held-out rows")))
        self.profile = Choice(look, translate(N_("Checks")))
        self.question = Choice(look, translate(N_("Column with the question")))
        self.answer = Choice(look, translate(N_("Column with the answer")))
        self.bar = thin_bar(translate(N_("Progress of the import")))
        self.progress = label("", "small")
        self.cancel = button(translate(N_("Cancel")), "quiet")
        self.add = button(translate(N_("Add files")))
        self.start = button(translate(N_("Import")), "primary")
        self._fields = self._make_fields()
        self._columns = self._make_columns()
        self._running = self._make_running()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(self._content())
        self.add.setIconSize(QSize(16 + GAP, 16))
        self.add.clicked.connect(self.more)
        self.cancel.clicked.connect(self._cancel)
        self.start.clicked.connect(self._start)
        self.name.returnPressed.connect(self._start)
        self.name.textChanged.connect(self._allow)
        self.profile.currentIndexChanged.connect(self._hint)
        for part in (self.question, self.answer):
            part.currentIndexChanged.connect(self._allow)
        importing.changed.connect(self._refresh)
        look.changed.connect(self._draw)
        self._draw()
        self._refresh()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        """Qt: the form appears."""
        super().showEvent(event)
        self._lead_keys()

    def _make_fields(self) -> QWidget:
        self.name.setAccessibleName(self._gettext(N_("Name of the dataset")))
        self.share.offer([(one.value, one.words) for one in self._importing.shares], str(USUAL_SHARE))
        self.profile.offer([(one.value, one.words) for one in self._importing.profiles], USUAL_PROFILE)
        held_out = self._gettext(N_("Never learned from, to tell whether the model really understands."))
        self._profile_field = Field(self._gettext(N_("Checks")), self.profile)
        self._hint()
        pair = row(GAP_L)
        pair.addWidget(Field(self._gettext(N_("Held-out rows")), self.share, held_out), 1)
        pair.addWidget(self._profile_field, 1)
        for place in range(pair.count()):
            item = pair.itemAt(place)
            if item is not None:
                item.setAlignment(Qt.AlignmentFlag.AlignTop)
        lines = column(GAP_M)
        lines.addWidget(Field(self._gettext(N_("Name")), self.name))
        lines.addLayout(pair)
        made = QWidget()
        made.setLayout(lines)
        return made

    def _make_columns(self) -> QWidget:
        pair = row(GAP_L)
        pair.addWidget(Field(self._gettext(N_("Column with the question")), self.question), 1)
        pair.addWidget(Field(self._gettext(N_("Column with the answer")), self.answer), 1)
        made = QWidget()
        made.setLayout(pair)
        return made

    def _make_running(self) -> QWidget:
        lines = column(GAP)
        lines.addWidget(self.bar)
        lines.addWidget(self.progress)
        made = QWidget()
        made.setLayout(lines)
        return made

    def _content(self) -> QWidget:
        head = row(GAP_L)
        head.addWidget(Emblem(self._look, "datasets"), 0, Qt.AlignmentFlag.AlignTop)
        titles = column(GAP_S)
        titles.addWidget(self.title)
        explained = N_("The rows are copied into a dataset of their own; your files stay as they are.")
        titles.addWidget(label(self._gettext(explained), "muted", wrap=True))
        head.addLayout(titles, 1)
        files = QFrame()
        files.setProperty("inset", True)
        self._file_lines.setContentsMargins(GAP_M, GAP, GAP_M, GAP)
        files.setLayout(self._file_lines)
        buttons = row(GAP)
        buttons.addWidget(self.cancel)
        buttons.addStretch(1)
        buttons.addWidget(self.add)
        buttons.addWidget(self.start)
        lines = column(GAP_L, GAP_XL)
        lines.addLayout(head)
        lines.addWidget(files)
        for part in (self._columns, self._fields, self._running):
            lines.addWidget(part)
        lines.addLayout(buttons)
        panel = card(lines)
        panel.setMaximumWidth(PANEL_WIDTH)
        # before the buttons in reading order, as the eye goes
        QWidget.setTabOrder(self.add, self.start)
        middle = column(0)
        middle.addStretch(1)
        middle.addWidget(panel)
        middle.addStretch(2)
        around = row(0, GAP_XL)
        around.addStretch(1)
        around.addLayout(middle, 8)
        around.addStretch(1)
        page = QWidget()
        page.setObjectName("page")
        page.setLayout(around)
        return page

    def _draw(self) -> None:
        self.add.setIcon(self._look.icon("add", self._look.tokens.text, gap=GAP))

    def _refresh(self) -> None:
        importing = self._importing
        is_running = importing.stage is Stage.IMPORTING
        if importing.files and importing.files != self._files:
            if not self._files or not self.name.text().strip():
                self.name.setText(importing.name)
            self._show_files(importing.files)
        elif importing.stage is Stage.NONE:
            self._files = ()
        self._offer_columns()
        importing_it = self._gettext(N_("Importing “{name}”")).format(name=self.name.text().strip())
        self.title.setText(importing_it if is_running else self._gettext(N_("Import rows")))
        self._fields.setVisible(not is_running)
        self._columns.setVisible(not is_running and len(importing.columns) > 1)
        self._running.setVisible(is_running)
        self.bar.setValue(round(1000 * importing.share_done))
        self.progress.setText(importing.progress if is_running else "")
        self.add.setVisible(not is_running)
        self.start.setVisible(not is_running)
        self.cancel.setEnabled(not importing.is_cancelling)
        self._allow()
        if importing.stage is not self._stage:
            self._stage = importing.stage
            self._lead_keys()

    def _lead_keys(self) -> None:
        """Where the keys go: to what was not recognised, to the name, or to the only button that is left."""
        reason = Qt.FocusReason.OtherFocusReason
        if not self.isVisible():
            return
        if self._stage is Stage.IMPORTING:
            self.cancel.setFocus(reason)
        elif len(self._importing.columns) > 1:
            self.name.deselect()
            self.question.setFocus(reason)
        else:
            self.name.setFocus(reason)
            self.name.selectAll()

    def _show_files(self, files: tuple[str, ...]) -> None:
        self._files = files
        while (item := self._file_lines.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.hide()
                old.deleteLater()
        for name in files[:MOST_FILES]:
            text = Elided("body")
            text.setText(name)
            line = row(GAP)
            line.addWidget(Icon(self._look, "file", "muted", 16))
            line.addWidget(text, 1)
            held = QWidget()
            held.setLayout(line)
            self._file_lines.addWidget(held)
        others = len(files) - MOST_FILES
        if others > 0:
            said = self._gettext(N_("and {count} more")).format(count=others)
            self._file_lines.addWidget(label(said, "small"))

    def _offer_columns(self) -> None:
        columns = self._importing.columns
        if len(columns) > 1:
            offered = [(name, name) for name in columns]
            for part, usual in ((self.question, columns[0]), (self.answer, columns[1])):
                part.offer(offered, part.value if part.value in columns else usual)

    def _hint(self) -> None:
        hints = {one.value: one.hint for one in self._importing.profiles}
        self._profile_field.say(hints.get(self.profile.value, ""))

    def _allow(self) -> None:
        is_asking = self._importing.stage is Stage.ASKING
        has_columns = len(self._importing.columns) > 1
        is_clear = not has_columns or self.question.value != self.answer.value
        self.start.setEnabled(is_asking and bool(self.name.text().strip()) and is_clear)

    def _start(self) -> None:
        if not self.start.isEnabled():
            return
        has_columns = len(self._importing.columns) > 1
        self._importing.start(
            self.name.text(),
            float(self.share.value),
            self.profile.value,
            self.question.value if has_columns else None,
            self.answer.value if has_columns else None,
        )

    def _cancel(self) -> None:
        if self._importing.stage is Stage.IMPORTING:
            self._importing.cancel()
        else:
            self._importing.leave()
