"""The dialogs that fetch rows from elsewhere: the commits of a Git repository, the lessons of a Venom server.

Own layout and what was typed. Refuse to know Git and servers; what was fetched is imported as any file.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QIntValidator
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QLineEdit, QProgressBar, QWidget
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.dataset_fetch import (
    MOST_COMMITS,
    MOST_LESSONS,
    USUAL_COMMITS,
    USUAL_LESSONS,
    DatasetFetch,
)
from academy_desktop.views.facts import Remark
from academy_desktop.views.fields import Choice, Field
from academy_desktop.views.kit import Emblem, button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S, GAP_XL

DIALOG_WIDTH = 520


class FetchDialog(QDialog):
    """What both have: a title, fields, why nothing came, and the buttons. Closes itself once rows came."""

    def __init__(
        self, look: Look, fetch: DatasetFetch, icon: str, translate: Callable[[str], str], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._look = look
        self._fetch = fetch
        self._gettext = translate
        self.setWindowTitle("Academy Desktop")
        self.setModal(True)
        self.setObjectName("page")
        self.setFixedWidth(DIALOG_WIDTH)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.problem = Remark(look, "warning", "warning")
        self.cancel = button(translate(N_("Cancel")), "quiet")
        self.begin = button(translate(N_("Fetch")), "primary")
        self.begin.setDefault(True)
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(translate(N_("Fetching rows")))
        self._icon = icon
        self._fields = column(GAP_M)

    def _lay_out(
        self, title: str, sentence: str, begin: Callable[[], None], is_whole: Callable[[], bool]
    ) -> None:
        """Put the parts together; `begin` fetches, once `is_whole` says that all is filled in."""
        self._is_whole = is_whole
        self.setAccessibleName(title)
        self.setAccessibleDescription(sentence)
        texts = column(GAP_S)
        texts.addWidget(label(title, "heading", wrap=True))
        texts.addWidget(label(sentence, "muted", wrap=True))
        top = row(GAP_L)
        top.addWidget(Emblem(self._look, self._icon), 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(texts, 1)
        buttons = row(GAP)
        buttons.addWidget(self.cancel)
        buttons.addStretch(1)
        buttons.addWidget(self.begin)
        self._lines = column(GAP_L)
        self._lines.setContentsMargins(GAP_XL, GAP_XL, GAP_XL, GAP_L + GAP_S)
        self._lines.addLayout(top)
        self._lines.addLayout(self._fields)
        self._lines.addWidget(self._bar)
        self._lines.addWidget(self.problem)
        self._lines.addLayout(buttons)
        self.setLayout(self._lines)
        self.cancel.clicked.connect(self.reject)
        self.begin.clicked.connect(begin)
        self._fetch.changed.connect(self._refresh)
        self._fetch.fetched.connect(self._finish)
        self._refresh()

    @override
    def reject(self) -> None:
        """Qt: the user does not want the rows any more."""
        self._fetch.cancel()
        super().reject()

    def _finish(self, _path: str, _name: str) -> None:
        self.accept()

    def _refresh(self) -> None:
        problem = self._fetch.problem
        self.problem.say(problem.sentence if problem else "", problem.next_step if problem else "")
        self._bar.setVisible(self._fetch.is_running)
        self.begin.setEnabled(self._is_whole() and not self._fetch.is_running)
        self._lines.activate()
        self.setFixedHeight(self._lines.totalHeightForWidth(DIALOG_WIDTH))


class GitDialog(FetchDialog):
    """Asks for a repository and how many of its commits."""

    def __init__(
        self, look: Look, fetch: DatasetFetch, translate: Callable[[str], str], parent: QWidget
    ) -> None:
        super().__init__(look, fetch, "folder", translate, parent)
        _ = translate
        self.folder = QLineEdit()
        self.folder.setAccessibleName(_(N_("Folder of the repository")))
        self.browse = button(_(N_("Choose …")), hint=_(N_("Choose the folder of the repository")))
        self.limit = _number(MOST_COMMITS, USUAL_COMMITS)
        line = QWidget()
        line.setLayout(_beside(self.folder, self.browse))
        line.setAccessibleName(_(N_("Folder of the repository")))
        self._fields.addWidget(Field(_(N_("Folder of the repository")), line))
        newest = _(N_("The newest come first; merges and changes of other than text are passed over."))
        self._fields.addWidget(Field(_(N_("Most commits")), self.limit, newest))
        for line_edit in (self.folder, self.limit):
            line_edit.textChanged.connect(lambda _text: self._refresh())
        self.browse.clicked.connect(self._choose)
        self._lay_out(
            _(N_("Learn from a Git history")),
            _(N_("Each commit becomes a row: the change asks, its message answers. Nothing is run or sent.")),
            self._fetch_commits,
            lambda: bool(self.folder.text().strip()) and self.limit.hasAcceptableInput(),
        )
        self.folder.setFocus()

    def _choose(self) -> None:
        dialog = QFileDialog(self, self._gettext(N_("Choose the folder of the repository")))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.folder.setText)
        dialog.open()

    def _fetch_commits(self) -> None:
        self._fetch.fetch_commits(self.folder.text(), int(self.limit.text()))


class LessonsDialog(FetchDialog):
    """Asks for a Venom server, how many of its lessons, and with which tags."""

    def __init__(
        self, look: Look, fetch: DatasetFetch, translate: Callable[[str], str], parent: QWidget
    ) -> None:
        super().__init__(look, fetch, "venom", translate, parent)
        _ = translate
        self.connection = Choice(look, _(N_("Venom server")))
        self.limit = _number(MOST_LESSONS, USUAL_LESSONS)
        self.tags = QLineEdit()
        self.limit.textChanged.connect(lambda _text: self._refresh())
        self.none = Remark(look, "info", "accent")
        self._server = Field(_(N_("Venom server")), self.connection)
        self._fields.addWidget(self.none)
        self._fields.addWidget(self._server)
        self._fields.addWidget(Field(_(N_("Most lessons")), self.limit))
        tagged = _(N_("Separated by commas; without any, all lessons are taken."))
        self._fields.addWidget(Field(_(N_("Only with the tags")), self.tags, tagged))
        self._lay_out(
            _(N_("Learn from Venom’s lessons")),
            _(N_("What your Venom has learned from its tasks becomes rows; only successes are kept.")),
            self._fetch_lessons,
            lambda: bool(self.connection.value) and self.limit.hasAcceptableInput(),
        )
        self.limit.setFocus()

    def _fetch_lessons(self) -> None:
        self._fetch.fetch_lessons(self.connection.value, int(self.limit.text()), self.tags.text())

    def _refresh(self) -> None:
        names = self._fetch.connections
        self.connection.offer([(name, name) for name in names], self.connection.value)
        self._server.setVisible(bool(names))
        missing = self._gettext(N_("No Venom server is known yet."))
        step = self._gettext(N_("Add one on the Venom page first."))
        self.none.say(missing if self._fetch.is_without_server else "", step)
        super()._refresh()


def _number(most: int, value: int) -> QLineEdit:
    made = QLineEdit(str(value))
    made.setValidator(QIntValidator(1, most, made))
    return made


def _beside(part: QWidget, other: QWidget) -> QHBoxLayout:
    line = row(GAP)
    line.addWidget(part, 1)
    line.addWidget(other)
    return line
