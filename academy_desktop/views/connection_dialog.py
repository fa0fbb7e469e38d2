"""The dialog for a connection: at the left what the user says, at the right what the server says.

Owns layout. Refuses to know what is right: the form says it while the user types.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QWidget
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.connection_form import ConnectionForm
from academy_desktop.viewmodels.connection_typed import USUAL_URL
from academy_desktop.views.connection_fields import FolderFields, OllamaFields, SshFields, TextField
from academy_desktop.views.connection_found import FoundPanel
from academy_desktop.views.kit import Emblem, button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.recipe_form import Segments, form_sheet
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S, GAP_XL

DIALOG_WIDTH = 920
FOUND_WIDTH = 344
LEAST_HEIGHT = 470


class ConnectionDialog(QDialog):
    """Opened for one form; closes itself once the connection is saved. Needs the running loop."""

    def __init__(
        self, look: Look, form: ConnectionForm, translate: Callable[[str], str], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._look = look
        self._form = form
        self._gettext = translate
        self.setWindowTitle("Academy Desktop")
        self.setModal(True)
        self.setObjectName("page")
        self.setFixedWidth(DIALOG_WIDTH)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.name = TextField(translate(N_("Name")), translate(N_("What you call this server.")))
        where = translate(N_("For example {url}.")).format(url=USUAL_URL)
        self.url = TextField(translate(N_("Address")), where)
        self.way = Segments(translate(N_("Way to its adapters")))
        self._way_words = label("", "small", wrap=True)
        self.folder = FolderFields(form, translate)
        self.ssh = SshFields(look, form, translate)
        self.ollama = OllamaFields(form, translate)
        self.found = FoundPanel(look, form, translate)
        self.test = button(translate(N_("Try")), hint=translate(N_("Try the connection as it stands")))
        self.cancel = button(translate(N_("Cancel")), "quiet")
        self.save = button(translate(N_("Save")), "primary")
        self.save.setDefault(True)  # Enter in a field would press the first button else
        self._lay_out()
        self._connect()
        self._draw()
        self._refresh()
        self.url.editor.setFocus()
        self.url.editor.selectAll()
        form.begin()

    @override
    def done(self, result: int) -> None:
        """Qt: it closes, whatever came of it."""
        self._form.end()
        super().done(result)

    def _lay_out(self) -> None:
        left = column(GAP_M)
        names = row(GAP_M)
        names.addWidget(self.name, 2)
        names.addWidget(self.url, 3)
        left.addLayout(names)
        way = column(GAP_S)
        title = label(self._gettext(N_("Way to its adapters")))
        title.setBuddy(self.way)
        for part in (title, self.way, self._way_words):
            way.addWidget(part)
        left.addLayout(way)
        for fields in (self.folder, self.ssh, self.ollama):
            left.addWidget(fields)
        left.addStretch(1)
        self.found.setFixedWidth(FOUND_WIDTH)
        both = row(GAP_L)
        both.addLayout(left, 1)
        both.addWidget(self.found)
        lines = self._lines = column(GAP_L)
        lines.setContentsMargins(GAP_XL, GAP_XL, GAP_XL, GAP_L + GAP_S)
        lines.addLayout(self._head())
        lines.addLayout(both, 1)
        lines.addLayout(self._foot())
        self.setLayout(lines)

    def _head(self) -> QHBoxLayout:
        _ = self._gettext
        title = _(N_("Add a connection")) if self._form.is_new else _(N_("Edit the connection"))
        sentence = _(N_("Academy Desktop remembers where your Venom is. Nothing changes on the server."))
        self.setAccessibleName(title)
        self.setAccessibleDescription(sentence)
        texts = column(GAP_S)
        texts.addWidget(label(title, "heading", wrap=True))
        texts.addWidget(label(sentence, "muted", wrap=True))
        top = row(GAP_L)
        top.addWidget(Emblem(self._look, "venom"), 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(texts, 1)
        return top

    def _foot(self) -> QHBoxLayout:
        buttons = row(GAP)
        buttons.addWidget(self.test)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.save)
        return buttons

    def _connect(self) -> None:
        form = self._form
        self.name.editor.textEdited.connect(form.set_name)
        self.url.editor.textEdited.connect(form.set_url)
        self.way.chosen.connect(form.choose_way)
        self.test.clicked.connect(self._try_or_stop)
        self.save.clicked.connect(form.save)
        self.cancel.clicked.connect(self.reject)
        form.changed.connect(self._refresh)
        form.saved.connect(self.accept)
        self._look.changed.connect(self._draw)

    def _try_or_stop(self) -> None:
        if self._form.is_testing:
            self._form.stop()
        else:
            self._form.test()

    def _draw(self) -> None:
        self.setStyleSheet(form_sheet(self._look.tokens, self._look.sizes))

    def _refresh(self) -> None:
        form, typed = self._form, self._form.typed
        self.name.show_text(typed.name)
        self.name.show_problem(typed.name_problem)
        self.url.show_text(typed.url)
        self.url.show_problem(typed.url_problem)
        self.way.show_choices(form.ways, typed.way)
        self._way_words.setText(form.way_sentence)
        self._way_words.setVisible(bool(form.way_sentence))
        for way, part in (("folder", self.folder), ("ssh", self.ssh), ("ollama", self.ollama)):
            part.setVisible(typed.way == way)
            part.refresh()
        self.found.refresh()
        text = self._gettext(N_("Stop")) if form.is_testing else self._gettext(N_("Try"))
        self.test.setText(text)
        self.test.setAccessibleName(text)
        self.test.setEnabled(form.can_test or form.is_testing)
        self.save.setEnabled(form.can_save)
        self._fit()

    def _fit(self) -> None:
        """Be as high as the words need: Qt would take the height of the widest words' one line."""
        self._lines.activate()
        self.setFixedHeight(max(LEAST_HEIGHT, self._lines.totalHeightForWidth(DIALOG_WIDTH)))
