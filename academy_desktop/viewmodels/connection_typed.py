"""What stands in the fields of a connection's form, and what is wrong with it as far as that shows at once.

Owns the way from the fields to a connection. Refuses to know what a server answers, and widgets.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject

from academy_desktop.core.venom.connections import Connection, Route, checked_name, checked_url
from academy_desktop.core.venom.reach import is_this_computer
from academy_desktop.viewmodels.connection_login import TypedLogin
from academy_desktop.viewmodels.models_folder import FolderField
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError, ErrorCode

#: Where a Venom on this computer usually listens, and what it is called until the user says otherwise.
USUAL_URL: Final = "http://127.0.0.1:8000"
USUAL_NAME: Final = "home"

ROUTES: Final[tuple[Route, ...]] = ("folder", "ssh", "ollama")


class TypedConnection:
    """The fields.

    Attributes:
        way: how adapters reach the server; `is_way_chosen` once the user has said so.
        here: the models folder as seen from here, of the way `folder`.
        far_folder: the models folder as seen from the other computer, of the way `ssh`.
    """

    def __init__(
        self,
        connection: Connection | None,
        taken: Collection[str],
        say: Callable[[AcademyError], str],
        supervisor: Supervisor,
        parent: QObject,
    ) -> None:
        """`say`: one or two sentences on a mistake, to stand at its field."""
        self._taken = frozenset(taken) - ({connection.name} if connection else set())
        self._say = say
        self.name = connection.name if connection else self._free_name()
        self.url = connection.url if connection else USUAL_URL
        self.ollama = (connection.ollama or "") if connection else ""
        self.way: Route = connection.route if connection else "folder"
        self.is_way_chosen = connection is not None
        route = connection.ssh if connection else None
        self.login = TypedLogin.of(route) if route else TypedLogin.usual()
        folder = (connection.models_dir or "") if connection else ""
        self.here = FolderField("" if route else folder, supervisor, parent)
        self.far_folder = folder if route else ""
        self._offered: dict[str, str] = {}

    @property
    def folder(self) -> str:
        """The models folder of the way that is chosen."""
        return self.far_folder if self.way == "ssh" else self.here.path

    def set_folder(self, path: str) -> None:
        """Change it; needs the running loop."""
        if self.way == "ssh":
            self.far_folder = path.strip()
        else:
            self.here.set(path)

    def offer(self, *, here: str, far_folder: str, address: str, ollama: str) -> None:
        """Fill in what was found and the chosen way needs: once, and never over what somebody typed."""
        match self.way:
            case "ssh":
                self.login.address = self._offer("address", self.login.address, address)
                self.far_folder = self._offer("far folder", self.far_folder, far_folder)
            case "ollama":
                self.ollama = self._offer("ollama", self.ollama, ollama)
            case _:
                found = self._offer("here", self.here.path, here)
                if found != self.here.path:
                    self.here.set(found)

    def take_back_offers(self) -> None:
        """What was found is of another server now, and goes where nobody has changed it."""
        offered, self._offered = self._offered, {}
        if self.here.path and self.here.path == offered.get("here"):
            self.here.set("")
        if self.login.address == offered.get("address"):
            self.login.address = self.login.host_key = ""
        if self.far_folder == offered.get("far folder"):
            self.far_folder = ""
        if self.ollama == offered.get("ollama"):
            self.ollama = ""

    # what is wrong

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
    def ollama_problem(self) -> str:
        """What is wrong with Ollama’s address; nothing while there is none."""
        return self._problem(checked_url, self.ollama)

    @property
    def ssh_problem(self) -> str:
        """What is wrong with the SSH address and its port; nothing while there is none."""
        return self._login_problem(ErrorCode.VENOM_SSH_ADDRESS_INVALID) if self.login.address else ""

    @property
    def key_problem(self) -> str:
        """What is wrong with the key file; nothing while there is none."""
        is_there = bool(self.login.address) and bool(self.login.key_file)
        return self._login_problem(ErrorCode.VENOM_SSH_KEY_UNREADABLE) if is_there else ""

    @property
    def folder_problem(self) -> str:
        """What is wrong with the folder, as far as it was looked at from here."""
        trouble = self.here.trouble if self.way == "folder" else None
        return self._say(trouble) if trouble else ""

    @property
    def is_url_whole(self) -> bool:
        """Whether there is an address to look at."""
        return bool(self.url) and not self.url_problem

    @property
    def is_seen_from_there(self) -> bool:
        """Whether the address is the other computer’s own: asked directly, this one would answer."""
        host = self.login.host if self.way == "ssh" else ""
        if not host or not self.is_url_whole or not is_this_computer(self.url):
            return False
        return not is_this_computer(f"http://[{host}]" if ":" in host else f"http://{host}")

    @property
    def is_whole(self) -> bool:
        """Whether the address and what the chosen way needs are there and right."""
        match self.way:
            case "ssh":
                has_key = self.login.login != "key" or bool(self.login.key_file)
                is_there = bool(self.login.address) and has_key and not self.ssh_problem
                return self.is_url_whole and is_there and not self.key_problem
            case "ollama":
                return self.is_url_whole and bool(self.ollama) and not self.ollama_problem
            case _:
                return self.is_url_whole

    @property
    def can_be_kept(self) -> bool:
        """Whether it can be remembered as it stands."""
        is_missing = self.way == "folder" and self.here.is_missing
        return self.is_whole and bool(self.name) and not self.name_problem and not is_missing

    def connection(self) -> Connection:
        """The connection that is meant; one without a usable name gets the usual one.

        Raises:
            AcademyError: what is wrong with a field.
        """
        name = self.name if self.name and not self.name_problem else USUAL_NAME
        url = checked_url(self.url)
        match self.way:
            case "ssh":
                place = self.far_folder or None
                return Connection(name=name, url=url, models_dir=place, ssh=self.login.route())
            case "ollama":
                return Connection(name=name, url=url, ollama=checked_url(self.ollama))
            case _:
                here = str(Path(self.here.path).expanduser()) if self.here.path else None
                return Connection(name=name, url=url, models_dir=here)

    # inside

    def _offer(self, field: str, now: str, found: str) -> str:
        if now or not found or field in self._offered:
            return now
        self._offered[field] = found
        return found

    def _free_name(self) -> str:
        number = 1
        while (name := USUAL_NAME if number == 1 else f"{USUAL_NAME}-{number}") in self._taken:
            number += 1
        return name

    def _login_problem(self, code: ErrorCode) -> str:
        try:
            self.login.route()
        except AcademyError as error:
            return self._say(error) if error.code == code else ""
        return ""

    def _problem(self, check: Callable[[str], object], value: str) -> str:
        if not value:
            return ""
        try:
            check(value)
        except AcademyError as error:
            return self._say(error)
        return ""
