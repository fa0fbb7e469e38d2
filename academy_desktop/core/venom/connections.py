"""The Venom servers that the user has named, and what was active on each before a push.

Owns `connections.json`. It holds no secrets: a server asks for none, and those of SSH logins lie in the
keyring. Refuses to talk to servers.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import ValidationError

from academy_desktop.core.venom.folders import LocalFolder
from academy_desktop.core.venom.ssh_route import SshRoute
from trainers.errors import AcademyError, ErrorCode
from trainers.files import read_regular
from trainers.layout import PROTOCOL_VERSION, Record, write_record
from trainers.locks import FileLock
from trainers.space import is_full

#: Rollbacks that can follow each other.
KEPT_ACTIVATIONS: Final = 20
#: A change of the file takes milliseconds.
_LOCK_S = 10.0
#: How an adapter gets to a server: into its models folder, as seen from here or over SSH, or its Ollama.
Route = Literal["folder", "ssh", "ollama"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Limits:
    """Seconds that a request may take.

    The server does a whole activation before it answers, and loads the chat's model before its first word.
    """

    connect_s: float = 5.0
    read_s: float = 20.0
    activate_s: float = 6000.0
    chat_s: float = 180.0


class Before(Record):
    """What a server's chat used: a model of a runtime, and the adapter that it was made from, if any."""

    runtime: str
    model: str
    adapter_id: str | None = None


class Activation(Record):
    """One adapter that was made active from here, or was about to be."""

    adapter_id: str
    before: Before


class Connection(Record):
    """One server.

    Attributes:
        url: where it answers; over SSH, its port as seen on its own computer.
        models_dir: where it looks for adapters, as seen from here, or with `ssh` from there.
        ssh: how its computer is reached; None for a server that is asked directly.
        ollama: where the Ollama answers that it uses, for a server whose files cannot be reached.
        activations: the newest last.
    """

    name: str
    url: str
    models_dir: str | None = None
    ssh: SshRoute | None = None
    ollama: str | None = None
    activations: tuple[Activation, ...] = ()

    @property
    def route(self) -> Route:
        """How an adapter gets there."""
        return "ollama" if self.ollama else "ssh" if self.ssh else "folder"

    def activation_of(self, adapter_id: str) -> Activation | None:
        """Return the newest activation of an adapter."""
        return next((one for one in reversed(self.activations) if one.adapter_id == adapter_id), None)

    def folder(self) -> LocalFolder:
        """The server's models folder where this computer sees it.

        Raises:
            AcademyError: `venom_without_folder`, `venom_folder_missing`, `venom_folder_not_writable`.
        """
        folder = LocalFolder(Path(self.folder_path()))
        folder.require()
        return folder

    def folder_path(self) -> str:
        """The path of the models folder.

        Raises:
            AcademyError: `venom_without_folder`.
        """
        if self.models_dir is None:
            raise AcademyError(ErrorCode.VENOM_WITHOUT_FOLDER, connection=self.name)
        return self.models_dir

    def same_way_as(self, other: Connection) -> bool:
        """Whether both lead to the same server and folder on the same way."""
        ways = [(one.url, one.models_dir, one.ssh, one.ollama) for one in (self, other)]
        return ways[0] == ways[1]


class _Stored(Record):
    connections: tuple[Connection, ...] = ()


class Connections:
    """All connections of one data directory.

    Args:
        path: `connections.json`.
        lock: guards changes, for the window and commands may make some at once.
    """

    def __init__(self, path: Path, lock: Path) -> None:
        self._path = path
        self._lock = lock

    def all(self) -> Sequence[Connection]:
        """Return all connections, sorted by name.

        Raises:
            AcademyError: `file_unreadable`, `protocol_newer`.
        """
        return self._read().connections

    def get(self, name: str) -> Connection:
        """Return a connection by its name.

        Raises:
            AcademyError: `connection_unknown`; as `all`.
        """
        return _find(self.all(), name)

    def add(
        self,
        name: str,
        url: str,
        models_dir: Path | str | None = None,
        ssh: SshRoute | None = None,
        ollama: str | None = None,
    ) -> Connection:
        """Remember a server; for one that is known by this name, change how it is reached.

        Raises:
            AcademyError: `connection_name_invalid`, `venom_url_invalid`, `venom_folder_missing`,
                `connection_exists` when the name means another server; as `all`.
        """
        wanted = draft(name, url, models_dir, ssh, ollama)
        with self._changing() as connections:
            known = next((one for one in connections if one.name == name), None)
            if known is not None and known.url != wanted.url:
                raise AcademyError(ErrorCode.CONNECTION_EXISTS, connection=name, url=known.url)
            made = _going(known or wanted, wanted)
            connections[:] = [*(one for one in connections if one.name != name), made]
        return made

    def change(self, name: str, wanted: Connection) -> Connection:
        """Give a server another name, address or folder; what was active on it before stays known.

        Args:
            name: what it is called now.
            wanted: as `draft` makes it.

        Raises:
            AcademyError: `connection_unknown`; `connection_exists` when the new name means another one; as
                `all`.
        """
        with self._changing() as connections:
            old = _find(connections, name)
            taken = next((one for one in connections if one.name == wanted.name != name), None)
            if taken is not None:
                raise AcademyError(ErrorCode.CONNECTION_EXISTS, connection=taken.name, url=taken.url)
            route = _with_known_key(wanted.ssh, old.ssh) if wanted.ssh else None
            made = wanted.model_copy(update={"activations": old.activations, "ssh": route})
            connections[connections.index(old)] = made
        return made

    def trust(self, name: str, host_key: str) -> Connection:
        """Remember the key of a connection's SSH host, which the user has confirmed.

        Raises:
            AcademyError: `connection_unknown`; as `all`.
        """
        with self._changing() as connections:
            old = _find(connections, name)
            route = old.ssh.model_copy(update={"host_key": host_key}) if old.ssh else None
            made = old.model_copy(update={"ssh": route})
            connections[connections.index(old)] = made
        return made

    def remove(self, name: str) -> Connection:
        """Forget a server; nothing happens on it.

        Raises:
            AcademyError: `connection_unknown`; as `all`.
        """
        with self._changing() as connections:
            gone = _find(connections, name)
            connections.remove(gone)
        return gone

    def begin_activation(self, name: str, activation: Activation) -> None:
        """Remember what is active before an adapter becomes so; one that is begun again is replaced.

        Raises:
            AcademyError: `connection_unknown`; as `all`.
        """

        def changed(known: Sequence[Activation]) -> Sequence[Activation]:
            earlier = known[:-1] if known and known[-1].adapter_id == activation.adapter_id else known
            return [*earlier, activation][-KEPT_ACTIVATIONS:]

        self._change_activations(name, changed)

    def end_activation(self, name: str, adapter_id: str) -> None:
        """Forget the newest activation of an adapter, which was undone, and later ones that came to nothing.

        Raises:
            AcademyError: `connection_unknown`; as `all`.
        """

        def changed(known: Sequence[Activation]) -> Sequence[Activation]:
            places = [place for place, one in enumerate(known) if one.adapter_id == adapter_id]
            return known[: places[-1]] if places else known

        self._change_activations(name, changed)

    # inside

    def _change_activations(
        self, name: str, change: Callable[[Sequence[Activation]], Sequence[Activation]]
    ) -> None:
        with self._changing() as connections:
            old = _find(connections, name)
            new = old.model_copy(update={"activations": tuple(change(old.activations))})
            connections[connections.index(old)] = new

    @contextmanager
    def _changing(self) -> Iterator[list[Connection]]:
        lock = FileLock(self._lock)
        if not lock.acquire(_LOCK_S):
            raise AcademyError(ErrorCode.FILE_UNREADABLE, path=str(self._path), detail="it is in use")
        try:
            connections = list(self._read().connections)
            yield connections
            ordered = tuple(sorted(connections, key=lambda one: one.name))
            self._write(_Stored(connections=ordered))
        finally:
            lock.release()

    def _write(self, stored: _Stored) -> None:
        try:
            write_record(self._path, stored)
        except OSError as error:
            if is_full(error):
                raise AcademyError(ErrorCode.DISK_FULL, path=str(self._path.parent)) from error
            detail = error.strerror or str(error)
            raise AcademyError(
                ErrorCode.DATA_DIR_NOT_WRITABLE, path=str(self._path.parent), detail=detail
            ) from error

    def _read(self) -> _Stored:
        try:
            return _Stored.model_validate_json(read_regular(self._path))
        except FileNotFoundError:
            return _Stored()
        except OSError as error:
            detail = error.strerror or str(error)
            raise AcademyError(ErrorCode.FILE_UNREADABLE, path=str(self._path), detail=detail) from error
        except ValidationError as error:
            if (found := newer_version(error)) is not None:
                raise AcademyError(
                    ErrorCode.PROTOCOL_NEWER, path=str(self._path), found=found, known=PROTOCOL_VERSION
                ) from error
            detail = error.errors()[0]["msg"]
            raise AcademyError(ErrorCode.FILE_UNREADABLE, path=str(self._path), detail=detail) from error


def draft(
    name: str,
    url: str,
    models_dir: Path | str | None = None,
    ssh: SshRoute | None = None,
    ollama: str | None = None,
) -> Connection:
    """Return a connection that is not remembered yet.

    Args:
        name: what to call it.
        url: its address.
        models_dir: its models folder; with `ssh`, one of the other computer.
        ssh: how its computer is reached.
        ollama: the address of its Ollama; whoever has this needs neither a folder nor SSH.

    Raises:
        AcademyError: as `checked_name`, `checked_url` and `checked_folder`.
    """
    checked = Connection(name=checked_name(name), url=checked_url(url), ssh=ssh)
    if ollama:
        return checked.model_copy(update={"ssh": None, "ollama": checked_url(ollama)})
    place = (str(models_dir) if ssh else str(checked_folder(Path(models_dir)))) if models_dir else None
    return checked.model_copy(update={"models_dir": place})


def newer_version(error: ValidationError) -> int | None:
    """Return the version of a record that is not of ours; None where something else is wrong with it."""
    for problem in error.errors():
        if problem["loc"] == ("v",) and isinstance(found := problem["input"], int):
            return found
    return None


def _going(known: Connection, wanted: Connection) -> Connection:
    """A connection that goes the way that is wanted; what of it is not named stays as it was."""
    if wanted.ollama:
        return known.model_copy(update={"models_dir": None, "ssh": None, "ollama": wanted.ollama})
    leaves_ollama = wanted.models_dir or wanted.ssh
    return known.model_copy(
        update={
            "models_dir": wanted.models_dir or known.models_dir,
            "ssh": _with_known_key(wanted.ssh, known.ssh),
            "ollama": None if leaves_ollama else known.ollama,
        }
    )


def _with_known_key(wanted: SshRoute | None, known: SshRoute | None) -> SshRoute | None:
    """The login that is wanted, with the host's key as it was confirmed, if it is the same host."""
    if wanted is None or known is None or wanted.host_key or not wanted.leads_to(known):
        return wanted or known
    return wanted.model_copy(update={"host_key": known.host_key})


def checked_name(name: str) -> str:
    """Return a name that a connection can have.

    Raises:
        AcademyError: `connection_name_invalid`.
    """
    if not _NAME.fullmatch(name):
        raise AcademyError(ErrorCode.CONNECTION_NAME_INVALID, connection=name)
    return name


def checked_folder(models_dir: Path) -> Path:
    """Return a models folder in its one spelling.

    Raises:
        AcademyError: `venom_folder_missing`.
    """
    folder = models_dir.expanduser().resolve()
    if not folder.is_dir():
        raise AcademyError(ErrorCode.VENOM_FOLDER_MISSING, path=str(folder))
    return folder


def checked_url(url: str) -> str:
    """Return a server's address in its one spelling, without a slash at its end.

    Raises:
        AcademyError: `venom_url_invalid`; also for one with a password in it, for it would be stored.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise AcademyError(ErrorCode.VENOM_URL_INVALID, url=url) from error
    if parts.username is not None or parts.password is not None:
        shown = parts._replace(netloc=parts.hostname or "").geturl()
        raise AcademyError(ErrorCode.VENOM_URL_INVALID, url=shown)
    plain = not (parts.query or parts.fragment) and not re.search(r"\s", url.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain or port == 0:
        raise AcademyError(ErrorCode.VENOM_URL_INVALID, url=url)
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _find(connections: Sequence[Connection], name: str) -> Connection:
    for connection in connections:
        if connection.name == name:
            return connection
    names = [connection.name for connection in connections]
    near = difflib.get_close_matches(name, names, n=3) or names
    raise AcademyError(ErrorCode.CONNECTION_UNKNOWN, connection=name, known=", ".join(near))
