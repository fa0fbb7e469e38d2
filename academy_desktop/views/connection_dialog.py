"""The dialog for a connection: name, address, SSH login, models folder, and a test before it is remembered.

Owns layout. Refuses to know what is right: the form says it while the user types.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFileDialog, QFrame, QLineEdit, QProgressBar, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.connection_form import USUAL_URL, ConnectionForm
from academy_desktop.views.certificate import empty
from academy_desktop.views.facts import Remark
from academy_desktop.views.kit import Emblem, button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.recipe_form import EDITOR_HEIGHT, form_sheet, restyle
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S, GAP_XL

DIALOG_WIDTH = 560


class TextField(QWidget):
    """A line of text with its label above, and below it what it is for or what is wrong with it."""

    def __init__(self, name: str, hint: str, beside: QWidget | None = None) -> None:
        super().__init__()
        self._hint = hint
        self.editor = QLineEdit()
        self.editor.setAccessibleName(name)
        self.editor.setFixedHeight(EDITOR_HEIGHT)
        self._below = label(hint, "small", wrap=True)
        title = label(name)
        title.setBuddy(self.editor)
        line = row(GAP)
        line.addWidget(self.editor, 1)
        if beside is not None:
            line.addWidget(beside)
        lines = column(GAP_S)
        lines.addWidget(title)
        lines.addLayout(line)
        lines.addWidget(self._below)
        self.setLayout(lines)
        self.show_problem("")

    def show_problem(self, problem: str) -> None:
        """Say what is wrong in place of what the field is for; nothing: all is well."""
        self._below.setText(problem or self._hint)
        self.editor.setAccessibleDescription(problem or self._hint)
        restyle(self._below, "text_role", "problem" if problem else "small")
        restyle(self.editor, "wrong", bool(problem))


class ConnectionDialog(QDialog):
    """Opened for one form; closes itself once the connection is saved."""

    def __init__(
        self, look: Look, form: ConnectionForm, translate: Callable[[str], str], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._look = look
        self._form = form
        self._gettext = translate
        self._shown: tuple[object, ...] = ()
        self.setWindowTitle("Academy Desktop")
        self.setModal(True)
        self.setObjectName("page")
        self.setFixedWidth(DIALOG_WIDTH)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.browse = button(translate(N_("Choose …")), hint=translate(N_("Choose the models folder")))
        self.browse.setAccessibleName(translate(N_("Choose the models folder")))
        self.name = TextField(translate(N_("Name")), translate(N_("What you call this server.")))
        where = translate(N_("Where Venom answers, for example {url}.")).format(url=USUAL_URL)
        self.url = TextField(translate(N_("Address")), where)
        self.folder = TextField(
            translate(N_("Models folder")),
            translate(
                N_(
                    "The folder that Venom calls ACADEMY_MODELS_DIR, as this computer sees it: on the same "
                    "computer often data/models beside Venom, else a shared drive. Without it you can look "
                    "at the server, but send nothing."
                )
            ),
            self.browse,
        )
        self.ssh = TextField(
            translate(N_("SSH login")),
            translate(
                N_(
                    "For a Venom on another computer: who logs in where, such as ada@venom.home. Venom takes "
                    "changes from its own computer only, and this is the way in. Leave it empty for a Venom "
                    "on this computer."
                )
            ),
        )
        self.key = TextField(
            translate(N_("Key file")),
            translate(N_("Empty: a key of the SSH agent, or the password beside it.")),
        )
        self.secret = TextField(
            translate(N_("Password or passphrase")),
            translate(N_("Kept in this computer’s keyring and nowhere else.")),
        )
        self.secret.editor.setEchoMode(QLineEdit.EchoMode.Password)
        self.trust = button(translate(N_("Trust this computer")))
        self._question = label("", wrap=True, selectable=True)
        self.test = button(translate(N_("Test")))
        self.cancel = button(translate(N_("Cancel")), "quiet")
        self.save = button(translate(N_("Save")), "primary")
        self.save.setDefault(True)  # Enter in a field would press the first button else
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(translate(N_("Looking at the server")))
        self._found = column(GAP)
        self._lay_out()
        self._fill()
        self._connect()
        self._draw()
        self._refresh()
        self.name.editor.setFocus()
        self.name.editor.selectAll()

    def _lay_out(self) -> None:
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
        buttons = row(GAP)
        buttons.addWidget(self.test)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.save)
        self._results = QFrame()
        self._results.setProperty("inset", True)
        self._found.setContentsMargins(GAP_M, GAP_M, GAP_M, GAP_M)
        self._results.setLayout(self._found)
        lines = self._lines = column(GAP_L)
        lines.setContentsMargins(GAP_XL, GAP_XL, GAP_XL, GAP_L + GAP_S)
        lines.addLayout(top)
        self._login = QWidget()
        login = row(GAP_M)
        login.setContentsMargins(0, 0, 0, 0)
        login.addWidget(self.key, 1)
        login.addWidget(self.secret, 1)
        self._login.setLayout(login)
        self._asked = QWidget()
        asked = row(GAP_M)
        asked.setContentsMargins(0, 0, 0, 0)
        asked.addWidget(self._question, 1)
        asked.addWidget(self.trust)
        self._asked.setLayout(asked)
        fields = (self.name, self.url, self.ssh, self._login, self.folder)
        for part in (*fields, self._bar, self._results, self._asked):
            lines.addWidget(part)
        lines.addLayout(buttons)
        self.setLayout(lines)

    def _fill(self) -> None:
        self.name.editor.setText(self._form.name)
        self.url.editor.setText(self._form.url)
        self.folder.editor.setText(self._form.folder)
        self.ssh.editor.setText(self._form.ssh)
        self.key.editor.setText(self._form.key_file)

    def _connect(self) -> None:
        form = self._form
        self.name.editor.textEdited.connect(form.set_name)
        self.url.editor.textEdited.connect(form.set_url)
        self.folder.editor.textEdited.connect(form.set_folder)
        self.ssh.editor.textEdited.connect(form.set_ssh)
        self.key.editor.textEdited.connect(form.set_key_file)
        self.secret.editor.textEdited.connect(form.set_secret)
        self.trust.clicked.connect(form.trust)
        self.browse.clicked.connect(self._ask_folder)
        self.test.clicked.connect(form.test)
        self.save.clicked.connect(form.save)
        self.cancel.clicked.connect(self.reject)
        form.changed.connect(self._refresh)
        form.saved.connect(self.accept)
        self._look.changed.connect(self._draw)

    def _draw(self) -> None:
        self.setStyleSheet(form_sheet(self._look.tokens, self._look.sizes))

    def _ask_folder(self) -> None:
        dialog = QFileDialog(self, self._gettext(N_("Choose the models folder")), self._form.folder)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._take_folder)
        dialog.open()

    def _take_folder(self, folder: str) -> None:
        self.folder.editor.setText(folder)
        self._form.set_folder(folder)

    def _refresh(self) -> None:
        form = self._form
        self.name.show_problem(form.name_problem)
        self.url.show_problem(form.url_problem)
        self.folder.show_problem(form.folder_problem)
        self.ssh.show_problem(form.ssh_problem)
        self._login.setVisible(bool(form.ssh))
        self.browse.setVisible(not form.ssh)
        self._question.setText(form.trust_question)
        self._asked.setVisible(bool(form.trust_question))
        self.test.setEnabled(form.can_test)
        self.save.setEnabled(form.can_save)
        self._bar.setVisible(form.is_testing)
        shown = (form.verdict, form.troubles)
        if shown != self._shown:
            self._shown = shown
            self._show_found()
        self._results.setVisible(bool(form.verdict or form.troubles))
        self._fit()

    def _fit(self) -> None:
        """Be as high as the words need: Qt would take the height of the widest words' one line."""
        self._lines.activate()
        self.setFixedHeight(self._lines.totalHeightForWidth(DIALOG_WIDTH))

    def _show_found(self) -> None:
        """What the test found: that all is well, or each trouble with what can be done about it."""
        empty(self._found)
        if self._form.verdict:
            self._add_remark("check", "success").say(self._form.verdict)
        for trouble in self._form.troubles:
            self._add_remark("warning", "warning").say(trouble.sentence, trouble.next_step)

    def _add_remark(self, icon: str, token: str) -> Remark:
        made = Remark(self._look, icon, token)
        self._found.addWidget(made)  # before it has words: they show it, and alone it would be a window
        return made
