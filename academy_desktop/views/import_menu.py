"""The menu that says where rows can come from: files, a folder, a Git history, a Venom server.

Owns its entries and the dialogs behind them. Refuses to know what becomes of the rows.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.dataset_import import ENDINGS
from academy_desktop.viewmodels.datasets import Datasets
from academy_desktop.views.fetch_dialog import GitDialog, LessonsDialog
from academy_desktop.views.look import Look


class Sources:
    """Opens the dialog for each place that rows can come from; none of them blocks."""

    def __init__(
        self, look: Look, datasets: Datasets, translate: Callable[[str], str], page: QWidget
    ) -> None:
        self._look = look
        self._datasets = datasets
        self._gettext = translate
        self._page = page

    @property
    def can_fetch(self) -> bool:
        """Whether rows can come from Git and from Venom."""
        return self._datasets.fetch is not None

    def choose_files(self) -> None:
        """Let the user choose files with rows."""
        endings = " ".join(f"*.{ending}" for ending in ENDINGS)
        dialog = self._dialog(N_("Choose files with rows"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        rows, everything = self._gettext(N_("Files with rows")), self._gettext(N_("All files"))
        dialog.setNameFilters([f"{rows} ({endings})", f"{everything} (*)"])
        dialog.open()

    def choose_folder(self) -> None:
        """Let the user choose a folder of which all files with rows are read."""
        dialog = self._dialog(N_("Choose a folder of files with rows"))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.open()

    def fetch_commits(self) -> None:
        """Ask for a Git repository."""
        self._open_fetch(GitDialog)

    def fetch_lessons(self) -> None:
        """Ask for a Venom server."""
        self._open_fetch(LessonsDialog)

    def menu(self, button: QWidget) -> QMenu:
        """The menu of all places, for the button that opens it."""
        made = QMenu(button)
        made.setAccessibleName(button.accessibleName())
        entries = [("file", N_("Files …"), self.choose_files), ("folder", N_("Folder …"), self.choose_folder)]
        if self.can_fetch:
            entries.append(("datasets", N_("Git history …"), self.fetch_commits))
            entries.append(("venom", N_("Venom lessons …"), self.fetch_lessons))
        for icon, words, act in entries:
            entry = made.addAction(self._gettext(words))
            entry.setIcon(self._look.icon(icon, self._look.tokens.muted))
            entry.triggered.connect(lambda _checked=False, act=act: act())
        return made

    def _dialog(self, title: str) -> QFileDialog:
        dialog = QFileDialog(self._page, self._gettext(title))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.filesSelected.connect(lambda files: self._datasets.importing.ask(files))
        return dialog

    def _open_fetch(self, dialog: type[GitDialog] | type[LessonsDialog]) -> None:
        fetch = self._datasets.fetch
        if fetch is not None:
            fetch.open()
            dialog(self._look, fetch, self._gettext, self._page).open()
