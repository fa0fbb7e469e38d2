"""The fields of the connection's dialog: one line of text each, and those that belong to one way together.

Owns their layout, and the dialogs that choose a file or folder. Refuses to know what is right: the form says
it while the user types.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QLineEdit, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.connection_form import ConnectionForm
from academy_desktop.views.kit import button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.recipe_form import EDITOR_HEIGHT, Segments, restyle
from academy_desktop.views.theme import GAP, GAP_M, GAP_S
from academy_desktop.views.tick import Tick

PORT_WIDTH = 84


class TextField(QWidget):
    """A line of text with its label above, and below it what it is for or what is wrong with it."""

    def __init__(self, name: str, hint: str = "", beside: QWidget | None = None) -> None:
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
        lines.addStretch(1)
        self.setLayout(lines)
        self.show_problem("")

    def show_text(self, text: str) -> None:
        """Show what the form says; what is being typed stays as it is where it says the same."""
        if self.editor.text().strip() != text:
            self.editor.setText(text)

    def show_problem(self, problem: str, hint: str = "") -> None:
        """Say what is wrong in place of what the field is for; nothing: all is well."""
        said = problem or hint or self._hint
        self._below.setText(said)
        self._below.setVisible(bool(said))
        self.editor.setAccessibleDescription(said)
        restyle(self._below, "text_role", "problem" if problem else "small")
        restyle(self.editor, "wrong", bool(problem))


class FolderFields(QWidget):
    """The models folder where this computer sees it."""

    def __init__(self, form: ConnectionForm, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._form = form
        self._gettext = translate
        self.browse = button(translate(N_("Choose …")), hint=translate(N_("Choose the models folder")))
        self.browse.setAccessibleName(translate(N_("Choose the models folder")))
        self.folder = TextField(
            translate(N_("Models folder")),
            translate(
                N_(
                    "What Venom calls ACADEMY_MODELS_DIR, often data/models beside Venom. Without it you can "
                    "look at the server, but send nothing."
                )
            ),
            self.browse,
        )
        lines = column(0)
        lines.addWidget(self.folder)
        self.setLayout(lines)
        self.folder.editor.textEdited.connect(form.set_folder)
        self.browse.clicked.connect(self._ask)

    def refresh(self) -> None:
        """Show what the form says."""
        self.folder.show_text(self._form.typed.here.path)
        self.folder.show_problem(self._form.typed.folder_problem, self._form.folder_hint)

    def _ask(self) -> None:
        dialog = QFileDialog(self, self._gettext(N_("Choose the models folder")), self._form.typed.folder)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._form.set_folder)
        dialog.open()


class OllamaFields(QWidget):
    """Where Venom's Ollama answers."""

    def __init__(self, form: ConnectionForm, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._form = form
        self.address = TextField(
            translate(N_("Address of Ollama")),
            translate(N_("Where the Ollama that Venom uses answers, often port 11434 of the same computer.")),
        )
        lines = column(0)
        lines.addWidget(self.address)
        self.setLayout(lines)
        self.address.editor.textEdited.connect(form.set_ollama)

    def refresh(self) -> None:
        """Show what the form says."""
        self.address.show_text(self._form.typed.ollama)
        self.address.show_problem(self._form.typed.ollama_problem)


class SshFields(QWidget):
    """Who logs in where, by what, and the models folder there."""

    def __init__(self, look: Look, form: ConnectionForm, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._form = form
        self._gettext = _ = translate
        self.login = TextField(_(N_("SSH login")))
        self.login.editor.setPlaceholderText("ada@venom.home")
        self.port = TextField(_(N_("Port")))
        self.port.editor.setPlaceholderText("22")
        self.port.setFixedWidth(PORT_WIDTH)
        self.by = Segments(_(N_("Log in by")))
        self.browse = button(_(N_("Choose …")), hint=_(N_("Choose the key file")))
        self.browse.setAccessibleName(_(N_("Choose the key file")))
        self.key = TextField(_(N_("Key file")), beside=self.browse)
        self.password = TextField(_(N_("Password")))
        self.passphrase = TextField(_(N_("Passphrase, if it has one")))
        for secret in (self.password, self.passphrase):
            secret.editor.setEchoMode(QLineEdit.EchoMode.Password)
        self.keeps = Tick(look, _(N_("Keep it in this computer’s keyring")))
        self.keeps.setAccessibleDescription(_(N_("Else it is asked for again after each start.")))
        self.folder = TextField(
            _(N_("Models folder there")),
            _(N_("The whole path on that computer of what Venom calls ACADEMY_MODELS_DIR.")),
        )
        self._host_key = label("", "small", wrap=True, selectable=True)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        who = row(GAP_M)
        who.addWidget(self.login, 1)
        who.addWidget(self.port)
        by = column(GAP_S)
        name = label(self._gettext(N_("Log in by")))
        name.setBuddy(self.by)
        by.addWidget(name)
        by.addWidget(self.by)
        proof = row(GAP_M)
        for part, share in ((self.key, 3), (self.passphrase, 2), (self.password, 1)):
            proof.addWidget(part, share)
        self._proof = QWidget()
        lines = column(GAP)
        lines.addLayout(proof)
        lines.addWidget(self.keeps)
        self._proof.setLayout(lines)
        whole = column(GAP_M)
        whole.addLayout(who)
        whole.addWidget(self._host_key)
        whole.addLayout(by)
        whole.addWidget(self._proof)
        whole.addWidget(self.folder)
        self.setLayout(whole)

    def _connect(self) -> None:
        form = self._form
        self.login.editor.textEdited.connect(form.set_ssh)
        self.port.editor.textEdited.connect(form.set_port)
        self.by.chosen.connect(form.set_login)
        self.key.editor.textEdited.connect(form.set_key_file)
        self.browse.clicked.connect(self._ask)
        for secret in (self.password, self.passphrase):
            secret.editor.textEdited.connect(form.set_secret)
        self.keeps.clicked.connect(form.set_keeps_secret)
        self.folder.editor.textEdited.connect(form.set_folder)

    def refresh(self) -> None:
        """Show what the form says."""
        form, typed = self._form, self._form.typed
        login = typed.login
        self.login.show_text(login.address)
        self.login.show_problem(typed.ssh_problem)
        self.port.show_text(login.port)
        self._host_key.setText(form.host_key_words)
        self._host_key.setVisible(bool(form.host_key_words))
        self.by.show_choices(form.logins, login.login)
        self._proof.setVisible(login.login != "agent")
        for part in (self.key, self.passphrase):
            part.setVisible(login.login == "key")
        self.password.setVisible(login.login == "password")
        for secret in (self.password, self.passphrase):
            if secret.editor.text() != login.secret:
                secret.editor.setText(login.secret)
        self.key.show_text(login.key_file)
        self.key.show_problem(typed.key_problem)
        self.keeps.setChecked(login.keeps_secret)
        self.folder.show_text(typed.far_folder)
        self.folder.show_problem("", form.folder_hint)

    def _ask(self) -> None:
        dialog = QFileDialog(self, self._gettext(N_("Choose the key file")), self._form.typed.login.key_file)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._form.set_key_file)
        dialog.open()
