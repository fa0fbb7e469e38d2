"""The form of an import: files, name, checks and split beside what the rows are; then how far it is.

Owns layout and what was typed. Refuses to know files and how rows are checked.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIntValidator, QShowEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLayout, QLineEdit, QSizePolicy, QWidget
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.dataset_import import (
    LARGEST_SEED,
    USUAL_SEED,
    USUAL_SHARE,
    DatasetImport,
    Stage,
)
from academy_desktop.views.facts import thin_bar
from academy_desktop.views.fields import Choice, Field
from academy_desktop.views.import_preview import ImportPreviewView
from academy_desktop.views.kit import Elided, Emblem, Icon, button, card, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.page import scroller
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S, GAP_XL

PANEL_WIDTH = 1080

#: More names than these are counted.
MOST_FILES = 4

USUAL_PROFILE = "balanced"
USUAL_NEAR = "apart"


class ImportPanel(QWidget):
    """`more()` when the user wants to choose further files."""

    more = Signal()

    def __init__(self, look: Look, importing: DatasetImport, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look
        self._importing = importing
        self._gettext = translate
        self._files: tuple[str, ...] = ()
        self._stage = Stage.NONE
        self._asked = False
        self._file_lines = column(GAP_S)
        self.title = label("", "title", wrap=True)
        self.name = QLineEdit()
        self.share = Choice(look, translate(N_("Held-out rows")))
        self.profile = Choice(look, translate(N_("Checks")))
        self.near = Choice(look, translate(N_("Nearly the same rows")))
        self.seed = QLineEdit(str(USUAL_SEED))
        self.preview = ImportPreviewView(look, importing.preview, translate)
        self.bar = thin_bar(translate(N_("Progress of the import")))
        self.progress = label("", "small")
        self.cancel = button(translate(N_("Cancel")), "quiet")
        self.add = button(translate(N_("Add files")))
        self.start = button(translate(N_("Import")), "primary")
        self._fields = self._make_fields()
        self._running = self._make_running()
        self.setLayout(self._content())
        self._connect()
        self._draw()
        self._refresh()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        """Qt: the form appears."""
        super().showEvent(event)
        self._lead_keys()

    def _connect(self) -> None:
        self.add.setIconSize(QSize(16 + GAP, 16))
        self.add.clicked.connect(self.more)
        self.cancel.clicked.connect(self._cancel)
        self.start.clicked.connect(self._start)
        for line in (self.name, self.seed):
            line.returnPressed.connect(self._start)
            line.textChanged.connect(self._allow)
        self.profile.currentIndexChanged.connect(self._hint)
        self.near.currentIndexChanged.connect(self._hint)
        self.profile.currentIndexChanged.connect(
            lambda _place: self._importing.preview.choose_profile(self.profile.value)
        )
        self._importing.changed.connect(self._refresh)
        self._importing.preview.changed.connect(self._refresh_preview)
        self._look.changed.connect(self._draw)

    def _make_fields(self) -> QWidget:
        _ = self._gettext
        self.seed.setValidator(QIntValidator(0, LARGEST_SEED, self.seed))
        self.share.offer([(one.value, one.words) for one in self._importing.shares], str(USUAL_SHARE))
        self.profile.offer([(one.value, one.words) for one in self._importing.profiles], USUAL_PROFILE)
        self.near.offer([(one.value, one.words) for one in self._importing.near_dups], USUAL_NEAR)
        held_out = _(N_("Never learned from, to tell whether the model really understands."))
        drawn = _(N_("Another number holds out other rows."))
        self._profile_field = Field(_(N_("Checks")), self.profile)
        self._near_field = Field(_(N_("Nearly the same rows")), self.near)
        lines = column(GAP_M)
        name = Field(_(N_("Name")), self.name)
        self.name.setAccessibleName(_(N_("Name of the dataset")))
        lines.addWidget(name)
        lines.addWidget(self._profile_field)
        lines.addWidget(self._near_field)
        split = QGridLayout()
        split.setContentsMargins(0, 0, 0, 0)
        split.setHorizontalSpacing(GAP_M)
        split.addWidget(Field(_(N_("Held-out rows")), self.share, held_out), 0, 0, Qt.AlignmentFlag.AlignTop)
        split.addWidget(Field(_(N_("Drawn by number")), self.seed, drawn), 0, 1, Qt.AlignmentFlag.AlignTop)
        split.setColumnStretch(0, 1)
        split.setColumnStretch(1, 1)
        lines.addLayout(split)
        self._hint()
        return _held(lines)

    def _make_running(self) -> QWidget:
        lines = column(GAP)
        lines.addWidget(self.bar)
        lines.addWidget(self.progress)
        return _held(lines)

    def _content(self) -> QLayout:
        head = row(GAP_L)
        head.addWidget(Emblem(self._look, "datasets"), 0, Qt.AlignmentFlag.AlignTop)
        titles = column(GAP_S)
        titles.addWidget(self.title)
        explained = N_("The rows are copied into a dataset of their own; your files stay as they are.")
        titles.addWidget(label(self._gettext(explained), "muted", wrap=True))
        head.addLayout(titles, 1)
        files = QFrame()
        files.setProperty("inset", True)
        files.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._file_lines.setContentsMargins(GAP_M, GAP, GAP_M, GAP)
        files.setLayout(self._file_lines)
        side = column(GAP_L)
        side.addWidget(files)
        side.addWidget(self._fields)
        side.addWidget(self._running)
        side.addStretch(1)
        both = row(GAP_XL)
        both.addLayout(side, 5)
        both.addWidget(self.preview, 7)
        lines = column(GAP_L, GAP_XL)
        lines.addLayout(head)
        lines.addLayout(both, 1)
        around = column(0, GAP_XL)
        self._panel = card(lines)
        self._panel.setMaximumWidth(PANEL_WIDTH)
        centred = row(0)
        centred.addWidget(self._panel, 1)
        around.addLayout(centred, 1)
        page = QWidget()
        page.setObjectName("page")
        page.setLayout(around)
        whole = column(0)
        whole.addWidget(scroller(page), 1)
        whole.addWidget(self._footer())
        return whole

    def _footer(self) -> QWidget:
        """The buttons, in sight however long the form is."""
        buttons = row(GAP)
        buttons.setContentsMargins(2 * GAP_XL, GAP_M, 2 * GAP_XL, GAP_M)
        buttons.addWidget(self.cancel)
        buttons.addStretch(1)
        buttons.addWidget(self.add)
        buttons.addWidget(self.start)
        footer = QFrame()
        footer.setObjectName("footer")
        footer.setLayout(buttons)
        return footer

    def _draw(self) -> None:
        self.add.setIcon(self._look.icon("add", self._look.tokens.text, gap=GAP))
        tokens = self._look.tokens
        self.setStyleSheet(
            f"QFrame#footer {{ background: {tokens.surface}; border: none;"
            f" border-top: 1px solid {tokens.border}; }}"
        )

    def _refresh(self) -> None:
        importing = self._importing
        is_running = importing.stage is Stage.IMPORTING
        if importing.files and importing.files != self._files:
            if not self._files or not self.name.text().strip():
                self.name.setText(importing.name)
            self._show_files(importing.files)
        elif importing.stage is Stage.NONE:
            self._files = ()
        importing_it = self._gettext(N_("Importing “{name}”")).format(name=self.name.text().strip())
        self.title.setText(importing_it if is_running else self._gettext(N_("Import rows")))
        self._fields.setVisible(not is_running)
        self.preview.setVisible(not is_running)
        self._running.setVisible(is_running)
        policy = QSizePolicy.Policy
        self._panel.setSizePolicy(policy.Preferred, policy.Maximum if is_running else policy.Preferred)
        self.bar.setValue(round(1000 * importing.share_done))
        self.progress.setText(importing.progress if is_running else "")
        self.add.setVisible(not is_running)
        self.start.setVisible(not is_running)
        self.cancel.setEnabled(not importing.is_cancelling)
        self._allow()
        if importing.stage is not self._stage:
            self._stage = importing.stage
            self._lead_keys()

    def _refresh_preview(self) -> None:
        self._allow()
        asks = bool(self._importing.preview.question)
        if asks and not self._asked:
            self._lead_keys()
        self._asked = asks

    def _lead_keys(self) -> None:
        """Where the keys go: to what was not recognised, to the name, or to the only button that is left."""
        reason = Qt.FocusReason.OtherFocusReason
        if not self.isVisible():
            return
        if self._stage is Stage.IMPORTING:
            self.cancel.setFocus(reason)
        elif self.preview.mapping.lead_keys():
            self.name.deselect()
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

    def _hint(self) -> None:
        for field, choice, options in (
            (self._profile_field, self.profile, self._importing.profiles),
            (self._near_field, self.near, self._importing.near_dups),
        ):
            field.say(next((one.hint for one in options if one.value == choice.value), ""))

    def _allow(self) -> None:
        is_asking = self._importing.stage is Stage.ASKING
        is_whole = bool(self.name.text().strip()) and self.seed.hasAcceptableInput()
        self.start.setEnabled(is_asking and is_whole and self._importing.preview.is_ready)

    def _start(self) -> None:
        if self.start.isEnabled():
            self._importing.start(
                self.name.text(),
                float(self.share.value),
                self.profile.value,
                self.near.value,
                int(self.seed.text()),
            )

    def _cancel(self) -> None:
        if self._importing.stage is Stage.IMPORTING:
            self._importing.cancel()
        else:
            self._importing.leave()


def _held(lines: QLayout) -> QWidget:
    made = QWidget()
    made.setLayout(lines)
    return made
