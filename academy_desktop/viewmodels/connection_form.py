"""The form of a connection: name, address, models folder, each checked while it is typed, and a test.

Owns what was typed and what is wrong with it. Refuses to know widgets and requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.venom.connections import (
    Connection,
    checked_folder,
    checked_name,
    checked_url,
    draft,
)
from academy_desktop.core.venom.report import Report
from academy_desktop.core.venom.service import Venom
from academy_desktop.text.messages import Description
from academy_desktop.text.venom_window import VenomWindowWords
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.viewmodels.venom_standing import FOLDER_TROUBLES, Standings
from trainers.errors import AcademyError, ErrorCode

#: Where a Venom on this computer usually listens, and what it is called until the user says otherwise.
USUAL_URL: Final = "http://127.0.0.1:8000"
USUAL_NAME: Final = "home"


class ConnectionForm(QObject):
    """Signals: `changed()`, `saved(Connection, its name before)`."""

    changed = Signal()
    saved = Signal(object, str)

    def __init__(
        self,
        venom: Venom,
        connection: Connection | None,
        taken: Collection[str],
        words: VenomWindowWords,
        standings: Standings,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        parent: QObject | None = None,
    ) -> None:
        """`connection`: the one that is edited, or None for a new one; `taken`: names that are in use."""
        super().__init__(parent)
        self._venom = venom
        self._old = connection
        self._taken = frozenset(taken) - ({connection.name} if connection else set())
        self._words = words
        self._standings = standings
        self._gettext = translate
        self._supervisor = supervisor
        self.name = connection.name if connection else self._free_name()
        self.url = connection.url if connection else USUAL_URL
        self.folder = (connection.models_dir or "") if connection else ""
        self._folder_trouble: AcademyError | None = None
        self._folder_looks = 0
        self._tests = 0
        self._is_testing = False
        self._is_saving = False
        self._troubles: tuple[Description, ...] = ()
        self._verdict = ""

    # what is shown

    @property
    def is_new(self) -> bool:
        """Whether a connection is added, rather than changed."""
        return self._old is None

    @property
    def name_problem(self) -> str:
        """What is wrong with the name; nothing while there is none."""
        if self.name in self._taken:
            return self._say(AcademyError(ErrorCode.CONNECTION_EXISTS, connection=self.name))
        return self._problem(checked_name, self.name)

    @property
    def url_problem(self) -> str:
        """What is wrong with the address; nothing while there is none."""
        return self._problem(checked_url, self.url)

    @property
    def folder_problem(self) -> str:
        """What is wrong with the folder, as far as it was looked at."""
        return self._say(self._folder_trouble) if self._folder_trouble else ""

    @property
    def can_test(self) -> bool:
        """Whether there is an address to try."""
        return bool(self.url) and not self.url_problem and not self._is_testing and not self._is_saving

    @property
    def can_save(self) -> bool:
        """Whether all that is needed is there."""
        there = bool(self.name and self.url) and not self.name_problem and not self.url_problem
        trouble = self._folder_trouble
        is_folder_there = trouble is None or trouble.code is not ErrorCode.VENOM_FOLDER_MISSING
        return there and is_folder_there and not self._is_saving

    @property
    def is_testing(self) -> bool:
        """Whether the server is being tried."""
        return self._is_testing

    @property
    def verdict(self) -> str:
        """What a test found where all is well."""
        return self._verdict

    @property
    def troubles(self) -> tuple[Description, ...]:
        """What is wrong by the last test, or with saving."""
        return self._troubles

    # what the user does

    def set_name(self, name: str) -> None:
        """Call it so."""
        self.name = name.strip()
        self.changed.emit()

    def set_url(self, url: str) -> None:
        """Reach it there; what a test found elsewhere no longer counts."""
        self.url = url.strip()
        self._forget_test()
        self.changed.emit()

    def set_folder(self, folder: str) -> None:
        """Its models folder as seen from here, or nothing; it is looked at in a thread."""
        self.folder = folder.strip()
        self._folder_trouble = None
        self._folder_looks += 1
        self._forget_test()
        self.changed.emit()
        if self.folder:
            self._supervisor.start(self._look_at_folder(self.folder, self._folder_looks), "models folder")

    def test(self) -> None:
        """Look at the server as it would be remembered."""
        if self.can_test:
            self._forget_test()
            self._is_testing = True
            self.changed.emit()
            self._supervisor.start(self._test(self._tests), "test connection")

    def save(self) -> None:
        """Remember the connection."""
        if self.can_save:
            self._is_saving = True
            self.changed.emit()
            self._supervisor.start(self._save(), "save connection")

    # inside

    async def _look_at_folder(self, folder: str, number: int) -> None:
        trouble = await asyncio.to_thread(_folder_trouble, folder)
        if number == self._folder_looks:
            self._folder_trouble = trouble
            self.changed.emit()

    async def _test(self, number: int) -> None:
        name = self.name if self.name and not self.name_problem else USUAL_NAME
        url, folder = self.url, self.folder
        try:
            report = await asyncio.to_thread(self._venom.look_at, _typed(name, url, folder))
        except AcademyError as error:
            report = Report(Connection(name=name, url=url), troubles=[error])
        if number == self._tests:
            self._is_testing = False
            self._troubles = self._standings.of(report).troubles
            self._verdict = "" if report.troubles else self._standings.summary(report)
            self.changed.emit()

    async def _save(self) -> None:
        try:
            made = await asyncio.to_thread(self._store)
        except AcademyError as error:
            self._troubles = (self._words.describe(error.code, error.facts),)
        else:
            self.saved.emit(made, self._old.name if self._old else "")
        finally:
            self._is_saving = False
            self.changed.emit()

    def _store(self) -> Connection:
        """Blocks, belongs into a thread."""
        wanted = draft(self.name, self.url, Path(self.folder) if self.folder else None)
        if self._old is not None:
            return self._venom.connections.change(self._old.name, wanted)
        return self._venom.connections.add(
            wanted.name, wanted.url, Path(wanted.models_dir) if wanted.models_dir else None
        )

    def _forget_test(self) -> None:
        self._tests += 1
        self._is_testing = False
        self._troubles = ()
        self._verdict = ""

    def _free_name(self) -> str:
        number = 1
        while (name := USUAL_NAME if number == 1 else f"{USUAL_NAME}-{number}") in self._taken:
            number += 1
        return name

    def _problem(self, check: Callable[[str], object], value: str) -> str:
        if not value:
            return ""
        try:
            check(value)
        except AcademyError as error:
            return self._say(error)
        return ""

    def _say(self, error: AcademyError) -> str:
        """At a field: how it has to be, where that says more than what is wrong."""
        said = self._words.describe(error.code, error.facts)
        return said.sentence if error.code in FOLDER_TROUBLES else f"{said.sentence} {said.next_step}"


def _typed(name: str, url: str, folder: str) -> Connection:
    """The connection as it stands in the form; a folder that is not there is found when it is looked at."""
    place = str(Path(folder).expanduser()) if folder else None
    return Connection(name=name, url=checked_url(url), models_dir=place)


def _folder_trouble(folder: str) -> AcademyError | None:
    """What is wrong with a models folder; blocks, and long on a network drive that is gone."""
    try:
        place = checked_folder(Path(folder))
        Connection(name=USUAL_NAME, url=USUAL_URL, models_dir=str(place)).folder()
    except AcademyError as error:
        return error
    return None
