"""The form of a connection: name, address, SSH login, models folder, checked while typed, and a test.

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
from academy_desktop.core.venom.ssh_route import SshRoute, parse_route
from academy_desktop.text.marking import N_
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
        route = connection.ssh if connection else None
        self.ssh = route.address if route else ""
        self.key_file = (route.key_file or "") if route else ""
        self.secret = ""
        self._login_by_password = bool(route and route.login == "password")
        self._host_key = route.host_key if route else ""
        self._shown_key = ""
        self._goes_without_keyring = False
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
    def ssh_problem(self) -> str:
        """What is wrong with the SSH address; nothing while there is none."""
        return self._problem(parse_route, self.ssh)

    @property
    def trust_question(self) -> str:
        """What the user is asked before an SSH host is trusted; nothing while none waits for it."""
        if not self._shown_key:
            return ""
        return self._gettext(N_("Is it the key of that computer? Any other is refused from then on."))

    @property
    def folder_problem(self) -> str:
        """What is wrong with the folder, as far as it was looked at."""
        return self._say(self._folder_trouble) if self._folder_trouble else ""

    @property
    def can_test(self) -> bool:
        """Whether there is an address to try."""
        is_free = not self._is_testing and not self._is_saving
        return bool(self.url) and not self.url_problem and not self.ssh_problem and is_free

    @property
    def can_save(self) -> bool:
        """Whether all that is needed is there."""
        there = bool(self.name and self.url) and not self.name_problem and not self.url_problem
        there = there and not self.ssh_problem
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

    def set_ssh(self, address: str) -> None:
        """Reach its computer so, or directly; a host is confirmed anew."""
        self.ssh = address.strip()
        self._host_key = ""
        self._login_by_password = False
        self._forget_test()
        self.set_folder(self.folder)

    def set_key_file(self, path: str) -> None:
        """Log in with this key, or by the agent or a password."""
        self.key_file = path.strip()
        self._forget_test()
        self.changed.emit()

    def set_secret(self, secret: str) -> None:
        """The password, or the passphrase of the key; it goes to the keyring and nowhere else."""
        self.secret = secret
        self._goes_without_keyring = False
        self._forget_test()
        self.changed.emit()

    def trust(self) -> None:
        """The user has compared the host's key: pin it, and look on."""
        self._host_key = self._shown_key
        self._shown_key = ""
        self.test()

    def set_folder(self, folder: str) -> None:
        """Its models folder as seen from here, or nothing; it is looked at in a thread.

        Over SSH it is one of the other computer, and looked at by the test.
        """
        self.folder = folder.strip()
        self._folder_trouble = None
        self._folder_looks += 1
        self._forget_test()
        self.changed.emit()
        if self.folder and not self.ssh:
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
        url, shown = self.url, ""
        try:
            typed = self._typed(name)
            report = await asyncio.to_thread(self._venom.look_at, typed)
            if typed.ssh and _is_unknown_host(report):
                shown = await asyncio.to_thread(self._venom.host_key, typed.ssh)
        except AcademyError as error:
            report = Report(Connection(name=name, url=url), troubles=[error])
        if number == self._tests:
            self._shown_key = shown
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
        """Blocks, belongs into a thread.

        Where there is no keyring, the user is told, and the secret held until the program ends if he goes on.
        """
        route = self._route()
        wanted = draft(self.name, self.url, self.folder or None, route)
        if route is not None and self.secret and not self._goes_without_keyring:
            self._goes_without_keyring = True
            self._venom.secrets.keep(route, self.secret)
        if self._old is not None:
            return self._venom.connections.change(self._old.name, wanted)
        return self._venom.connections.add(wanted.name, wanted.url, wanted.models_dir, wanted.ssh)

    def _route(self) -> SshRoute | None:
        """How the server's computer is reached, as typed: by key, else by password, else by the agent."""
        if not self.ssh:
            return None
        key = Path(self.key_file) if self.key_file else None
        by_password = not key and (bool(self.secret) or self._login_by_password)
        route = parse_route(self.ssh, key, by_password=by_password)
        return route.model_copy(update={"host_key": self._host_key})

    def _typed(self, name: str) -> Connection:
        """The connection as it stands; a folder that is not there is found when it is looked at."""
        route = self._route()
        if route is not None and self.secret:
            self._venom.secrets.hold(route, self.secret)
        place = self.folder if route else str(Path(self.folder).expanduser())
        models_dir = place if self.folder else None
        return Connection(name=name, url=checked_url(self.url), models_dir=models_dir, ssh=route)

    def _forget_test(self) -> None:
        self._tests += 1
        self._is_testing = False
        self._shown_key = ""
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


def _is_unknown_host(report: Report) -> bool:
    """Whether an SSH host showed a key that nobody has confirmed, or another than before."""
    codes = {trouble.code for trouble in report.troubles}
    return bool(codes & {ErrorCode.VENOM_SSH_HOST_UNKNOWN, ErrorCode.VENOM_SSH_HOST_CHANGED})


def _folder_trouble(folder: str) -> AcademyError | None:
    """What is wrong with a models folder; blocks, and long on a network drive that is gone."""
    try:
        place = checked_folder(Path(folder))
        Connection(name=USUAL_NAME, url=USUAL_URL, models_dir=str(place)).folder()
    except AcademyError as error:
        return error
    return None
