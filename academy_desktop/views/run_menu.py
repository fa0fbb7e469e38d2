"""The menu with what else can be done with a run.

Owns its entries and the question for a new name. Refuses to know how anything is carried out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QInputDialog, QMenu, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.run_actions import WORDS, RunAction
from academy_desktop.viewmodels.runs import Runs
from academy_desktop.views.dialogs import DIALOG_WIDTH
from academy_desktop.views.look import Look

#: What has an icon of its own.
ICONS = {
    RunAction.SEND: "venom",
    RunAction.DELETE: "trash",
    RunAction.SHOW_FILES: "folder",
    RunAction.UNPAUSE: "resume",
    RunAction.KILL: "close",
}

#: What takes something away stands below a line.
LAST = {RunAction.KILL, RunAction.DELETE}


class RunMenu(QMenu):
    """Says what can be done when it opens; `parent`: the button that opens it.

    `send_wanted()` when the adapter is to be sent to a Venom server.
    """

    send_wanted = Signal()

    def __init__(self, look: Look, runs: Runs, translate: Callable[[str], str], parent: QWidget) -> None:
        super().__init__(parent)
        self._look = look
        self._runs = runs
        self._gettext = translate
        self._button = parent
        self.setToolTipsVisible(True)
        self.setAccessibleName(parent.accessibleName())
        self.aboutToShow.connect(self._fill)

    def _fill(self) -> None:
        self.clear()
        for action in self._runs.detail.actions:
            if action in LAST:
                self.addSeparator()
            entry = self.addAction(self._gettext(WORDS[action].title))
            entry.setToolTip(self._gettext(WORDS[action].hint))
            entry.setEnabled(not self._runs.busy)
            if action in ICONS:
                entry.setIcon(self._look.icon(ICONS[action], self._look.tokens.muted))
            entry.triggered.connect(partial(self._choose, action))

    def _choose(self, action: RunAction, _checked: bool = False) -> None:
        match action:
            case RunAction.RENAME:
                self._ask_name()
            case RunAction.SEND:
                self.send_wanted.emit()
            case RunAction.SHOW_FILES:
                QDesktopServices.openUrl(QUrl.fromLocalFile(self._runs.detail.folder))
            case _:
                self._runs.act(action)

    def _ask_name(self) -> None:
        dialog = QInputDialog(self._button.window())
        dialog.setMinimumWidth(DIALOG_WIDTH)
        dialog.setWindowTitle(self._gettext(N_("Rename")))
        dialog.setLabelText(self._gettext(N_("What shall this run be called?")))
        dialog.setTextValue(self._runs.detail.title)
        dialog.textValueSelected.connect(self._runs.rename)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
