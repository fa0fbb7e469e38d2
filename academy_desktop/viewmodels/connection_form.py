"""The form of a connection: what is typed, what is found out about it meanwhile, a try, and its end.

Owns what becomes of what the user does. Refuses to know widgets and requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.venom.connections import Connection, Route, checked_url, draft
from academy_desktop.core.venom.reach import is_this_computer
from academy_desktop.core.venom.report import Report
from academy_desktop.core.venom.service import Venom
from academy_desktop.core.venom.ssh_route import Login, fingerprint
from academy_desktop.core.venom.ways import Way
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Description
from academy_desktop.text.venom import VenomWords
from academy_desktop.text.venom_window import VenomWindowWords
from academy_desktop.viewmodels.connection_login import guessed_address
from academy_desktop.viewmodels.connection_look import PAUSE_S, ConnectionLook
from academy_desktop.viewmodels.connection_trial import ConnectionTrial
from academy_desktop.viewmodels.connection_typed import ROUTES, TypedConnection
from academy_desktop.viewmodels.recipe_form import Choice
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.viewmodels.venom_standing import FOLDER_TROUBLES, StandingLine, Standings
from trainers.errors import AcademyError, ErrorCode

LOGINS: Final[dict[Login, str]] = {
    "agent": N_("SSH agent"),
    "key": N_("Key file"),
    "password": N_("Password"),
}

#: Troubles that the choice of a way answers: said there, and not as something that is wrong.
_ANSWERED_BY_A_WAY = frozenset({ErrorCode.VENOM_REMOTE, ErrorCode.VENOM_WITHOUT_FOLDER})


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
        ways: VenomWords,
        standings: Standings,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        parent: QObject | None = None,
    ) -> None:
        """`connection`: the one that is edited, or None for a new one; `taken`: names that are in use."""
        super().__init__(parent)
        self._venom = venom
        self._old = connection
        self._words = words
        self._way_words = ways
        self._standings = standings
        self._gettext = translate
        self._supervisor = supervisor
        self.typed = TypedConnection(connection, taken, self._say, supervisor, self)
        self._look = ConnectionLook(venom, supervisor, self)
        self._trial = ConnectionTrial(venom, supervisor, self)
        self._is_saving = False
        self._save_trouble: AcademyError | None = None
        self._look.changed.connect(self._take_found)
        self._trial.changed.connect(self._take_found)
        self.typed.here.changed.connect(self.changed)

    # what is shown

    @property
    def is_new(self) -> bool:
        """Whether a connection is added, rather than changed."""
        return self._old is None

    @property
    def is_looking(self) -> bool:
        """Whether it is being found out what answers at the address."""
        return self._look.is_looking

    @property
    def is_testing(self) -> bool:
        """Whether the connection is being tried as it stands."""
        return self._trial.is_running

    @property
    def found(self) -> tuple[StandingLine, ...]:
        """What is known of the server, as a list of what was looked at."""
        report = self._known
        return self._standings.checklist(report) if report else ()

    @property
    def verdict(self) -> str:
        """What a try found where all is well."""
        report = self._trial.report
        return self._standings.summary(report) if report and not report.troubles else ""

    @property
    def troubles(self) -> tuple[Description, ...]:
        """What is wrong with saving, or by the last try, or with the server beyond what a way answers."""
        if self._save_trouble is not None:
            found = [self._save_trouble]
        elif self._trial.report is not None:
            found = self._trial.report.troubles
        else:
            report = self._look.report
            found = [one for one in report.troubles if one.code not in _ANSWERED_BY_A_WAY] if report else []
        return tuple(
            self._words.describe_here(one.code, one.facts) for one in found if not self._is_asked(one)
        )

    @property
    def trust_question(self) -> str:
        """What the user is asked before an SSH host is trusted; nothing while none waits for it."""
        if not self._trial.shown_key:
            return ""
        if self.typed.login.host_key:
            said = N_("Trust the new key only if you know why it is another one.")
        else:
            said = N_("Is it the key of that computer? Any other is refused from then on.")
        return self._gettext(said)

    @property
    def host_key_words(self) -> str:
        """The key that the SSH host has to show; nothing while none is trusted."""
        key = fingerprint(self.typed.login.host_key)
        said = N_("Trusted host key: {fingerprint}")
        return self._gettext(said).format(fingerprint=key) if key and not self._trial.shown_key else ""

    @property
    def keyring_question(self) -> str:
        """What the user decides where no keyring keeps the secret; nothing while that is no question."""
        if self._save_trouble is None or not self._is_asked(self._save_trouble):
            return ""
        said = N_(
            "This computer has no keyring that could keep the password, and it is kept nowhere else. "
            "Academy Desktop can go on without: then the Venom page asks for it after each start."
        )
        return self._gettext(said)

    @property
    def ways(self) -> tuple[Choice, ...]:
        """The ways, each with what speaks for it or against it at this server."""
        known = {one.name: one for one in self._look.ways.ways} if self._look.ways else {}
        return tuple(
            Choice(route, self._way_words.way_title(route), self._why(known[route]) if route in known else "")
            for route in ROUTES
        )

    @property
    def way_sentence(self) -> str:
        """Why the chosen way fits or not."""
        return next(one.detail for one in self.ways if one.id == self.typed.way)

    @property
    def logins(self) -> tuple[Choice, ...]:
        """By what one can show who one is."""
        return tuple(Choice(login, self._gettext(title)) for login, title in LOGINS.items())

    @property
    def folder_hint(self) -> str:
        """What the server says of its models folder, where that helps."""
        report = self._known
        told = report.told_folder if report else ""
        if not told or told == self.typed.folder:
            return ""
        if told.startswith("/"):
            return self._gettext(N_("The server says that it is {path}.")).format(path=told)
        said = N_("The server calls it “{path}”, seen from where Venom was started: give the whole path.")
        return self._gettext(said).format(path=told)

    @property
    def can_test(self) -> bool:
        """Whether there is enough to try."""
        return self.typed.is_whole and not self.is_testing and not self._is_saving

    @property
    def can_save(self) -> bool:
        """Whether all that is needed is there."""
        return self.typed.can_be_kept and not self._is_saving

    # what the user does

    def begin(self) -> None:
        """The form is shown: find out what is there; needs the running loop."""
        self._look_from_here(pause_s=0)
        if self._old is not None:
            self.test()

    def end(self) -> None:
        """The form is gone: nobody waits for what is being found out, and its secret is where it belongs."""
        self.typed.login.secret = ""
        self._trial.forget()
        self._look.stop()

    def set_name(self, name: str) -> None:
        """Call it so."""
        self.typed.name = name.strip()
        self.changed.emit()

    def set_url(self, url: str) -> None:
        """Reach it there; what was found elsewhere no longer counts."""
        self.typed.url = url.strip()
        self.typed.take_back_offers()
        self._retype(of_way=False)
        self._look_from_here()

    def choose_way(self, way: str) -> None:
        """Go this way, whatever is found."""
        self.typed.way = next(one for one in ROUTES if one == way)
        self.typed.is_way_chosen = True
        self._retype()
        self._take_found()

    def set_ollama(self, url: str) -> None:
        """Reach Venom's Ollama there."""
        self.typed.ollama = url.strip()
        self._retype()

    def set_ssh(self, address: str) -> None:
        """Log in so; the host is confirmed anew."""
        self.typed.login.address, self.typed.login.host_key = address.strip(), ""
        self._retype()

    def set_port(self, port: str) -> None:
        """Log in at this port; the host is confirmed anew."""
        self.typed.login.port, self.typed.login.host_key = port.strip(), ""
        self._retype()

    def set_login(self, login: str) -> None:
        """Show who one is by this; a password is no passphrase."""
        self.typed.login.login = next(one for one in LOGINS if one == login)
        self.typed.login.secret = ""
        self._retype()

    def set_key_file(self, path: str) -> None:
        """Log in with this key."""
        self.typed.login.key_file = path.strip()
        self._retype()

    def set_secret(self, secret: str) -> None:
        """The password, or the passphrase of the key; it goes to the keyring and nowhere else."""
        self.typed.login.secret = secret
        self._retype()

    def set_keeps_secret(self, keeps: bool) -> None:
        """Keep the secret in the keyring, or only until the program ends."""
        self.typed.login.keeps_secret = keeps
        self._retype()

    def set_folder(self, folder: str) -> None:
        """Its models folder: as seen from here, or over SSH from there."""
        self.typed.set_folder(folder)
        self._retype()

    def trust(self) -> None:
        """The user has compared the host's key: pin it, and look on."""
        if self._trial.shown_key:
            self.typed.login.host_key = self._trial.shown_key
            self.test()

    def test(self) -> None:
        """Look at the server as it would be remembered."""
        if not self.can_test:
            return
        self._save_trouble = None
        try:
            wanted = self.typed.connection()
        except AcademyError as error:
            self._trial.fail(Connection(name=self.typed.name, url=self.typed.url), error)
        else:
            self._trial.begin(wanted, self.typed.login.secret)

    def stop(self) -> None:
        """Wait no longer for what is being tried."""
        self._trial.forget()
        self.changed.emit()

    def save(self) -> None:
        """Remember the connection; a host whose key nobody confirmed is asked for it first, once."""
        if not self.can_save:
            return
        if self.typed.way == "ssh" and not self.typed.login.host_key and self._trial.report is None:
            self.test()
            return
        self._is_saving, self._save_trouble = True, None
        self.changed.emit()
        self._supervisor.start(self._save(), "save connection")

    def go_without_keyring(self) -> None:
        """Remember the connection, and its secret only until the program ends."""
        self.typed.login.keeps_secret = False
        self.save()

    # inside

    def _look_from_here(self, pause_s: float = PAUSE_S) -> None:
        """Find out what answers at the address, unless only the other computer can tell."""
        if self.typed.is_url_whole and not self.typed.is_seen_from_there:
            self._look.begin(checked_url(self.typed.url), pause_s)
        else:
            self._look.stop()

    @property
    def _known(self) -> Report | None:
        """What is known of the server: by the last try that reached it, or by a look at its address."""
        tried, seen = self._trial.report, self._look.report
        return tried if tried is not None and (tried.reachable or seen is None) else seen

    @property
    def _is_remote(self) -> bool:
        """Whether the server takes changes from its own computer only, asked directly."""
        report = self._look.report
        return report is not None and ErrorCode.VENOM_REMOTE in {one.code for one in report.troubles}

    async def _save(self) -> None:
        try:
            made = await asyncio.to_thread(self._store)
        except AcademyError as error:
            self._save_trouble = error
        else:
            self.saved.emit(made, self._old.name if self._old else "")
        finally:
            self._is_saving = False
            self.changed.emit()

    def _store(self) -> Connection:
        """Blocks, belongs into a thread."""
        typed, secrets = self.typed.connection(), self._venom.secrets
        wanted = draft(typed.name, typed.url, typed.models_dir, typed.ssh, typed.ollama)
        login = self.typed.login
        if wanted.ssh is not None and not login.keeps_secret:
            secrets.forget(wanted.ssh)
        if wanted.ssh is not None and login.secret:
            (secrets.keep if login.keeps_secret else secrets.hold)(wanted.ssh, login.secret)
        if self._old is not None:
            return self._venom.connections.change(self._old.name, wanted)
        return self._venom.connections.add(
            wanted.name, wanted.url, wanted.models_dir, wanted.ssh, wanted.ollama
        )

    def _take_found(self) -> None:
        """Go the way that fits, and fill in what the server tells, where the user has said nothing."""
        found = self._look.ways
        if found is not None and not self.typed.is_way_chosen:
            self.typed.way = found.best.name if found.best else self._last_resort()
        facts = {one.name: one.facts for one in found.ways} if found else {}
        told = self._known.told_folder if self._known else ""
        host = str(facts.get("ssh", {}).get("host") or "")
        self.typed.offer(
            here=str(facts.get("folder", {}).get("path") or ""),
            far_folder=told if told.startswith("/") else "",
            address=guessed_address(host) if host and not is_this_computer(self.typed.url) else "",
            ollama=str(facts.get("ollama", {}).get("url") or ""),
        )
        if self._is_mended:
            self.test()
        self.changed.emit()

    @property
    def _is_mended(self) -> bool:
        """Whether a try missed only the folder, which the server has told by that very try."""
        report = self._trial.report
        codes = {trouble.code for trouble in report.troubles} if report else set()
        return codes == {ErrorCode.VENOM_WITHOUT_FOLDER} and bool(self.typed.folder)

    def _last_resort(self) -> Route:
        """The way to offer where none was found: a login may be at another port, or the server asleep."""
        return "ssh" if self._is_remote or not is_this_computer(self.typed.url) else "folder"

    def _retype(self, *, of_way: bool = True) -> None:
        """Something else is typed: what a try found counts no longer; a way that is filled in is chosen."""
        self.typed.is_way_chosen = self.typed.is_way_chosen or of_way
        self._trial.forget()
        self._save_trouble = None
        self.changed.emit()

    def _why(self, way: Way) -> str:
        said = self._way_words.way(way.name, way.reason, way.facts)
        if way.name == "ssh" and self._is_remote:
            said = " ".join([self._gettext(N_("SSH is the way in to a Venom on another computer.")), said])
        if self._look.ways is not None and way == self._look.ways.best:
            return self._gettext(N_("Suggested. {reason}")).format(reason=said)
        return said

    def _is_asked(self, trouble: AcademyError) -> bool:
        """Whether the user is asked about it, so that it need not be told as well."""
        return trouble.code == ErrorCode.KEYRING_MISSING and bool(self.typed.login.secret)

    def _say(self, error: AcademyError) -> str:
        """At a field: how it has to be, where that says more than what is wrong."""
        said = self._words.describe_here(error.code, error.facts)
        return said.sentence if error.code in FOLDER_TROUBLES else f"{said.sentence} {said.next_step}"
