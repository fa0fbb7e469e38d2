"""Which ways lead to a Venom server from this computer: its models folder, SSH, its Ollama.

Owns what is tried for that; all of it is harmless and brief, and nothing is logged in or changed. Refuses to
know sentences, and which way somebody chooses.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeVar
from urllib.parse import urlsplit

from academy_desktop.core.venom.answers import same_model
from academy_desktop.core.venom.connections import Connection, Limits, Route
from academy_desktop.core.venom.names import DEFAULT_RUNTIME
from academy_desktop.core.venom.reach import is_this_computer
from academy_desktop.core.venom.ssh_route import SSH_PORT
from trainers.errors import AcademyError, Fact

if TYPE_CHECKING:
    from academy_desktop.core.venom.client import VenomClient

T = TypeVar("T")

#: Where Ollama listens unless somebody changed it.
OLLAMA_PORT: Final = 11434
#: Whoever is slower than this is not there.
LIMITS: Final = Limits(connect_s=2.0, read_s=3.0)
_BANNER: Final = b"SSH-"

#: `works`: nothing is missing. `could`: something has to be given or checked. `no`: not from here.
Fit = Literal["works", "could", "no"]


@dataclass(frozen=True)
class Way:
    """One way to a server.

    Attributes:
        reason: what was found, a code for which `text.venom` has a sentence.
        facts: what the sentence needs, and a form can begin with: path; host and port; url and version.
    """

    name: Route
    fit: Fit
    reason: str
    facts: dict[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class WaysFound:
    """All ways; of those that lead there, the one that needs least and can do most comes first."""

    ways: tuple[Way, ...]

    @property
    def best(self) -> Way | None:
        """The first that leads there."""
        return next((way for way in self.ways if way.fit != "no"), None)


@dataclass(frozen=True)
class _Venom:
    """What the server says of itself, as far as it answers from here."""

    answers: bool = False
    takes_changes: bool | None = None  #: None: it did not say
    folder: str = ""
    models: tuple[str, ...] = ()


def find_ways(connection: Connection, limits: Limits = LIMITS) -> WaysFound:
    """Try all ways to a server at once.

    Args:
        connection: a draft will do. Its SSH port and the address of its Ollama are tried where it has them.
        limits: seconds that each trial may take.
    """
    connection = _from_here(connection)
    with ThreadPoolExecutor(max_workers=3) as pool:
        venom = pool.submit(_ask_venom, connection.url, limits)
        ssh = pool.submit(_ssh, connection, limits)
        ollama = pool.submit(_ask_ollama, _ollama_url(connection), limits)
        found = venom.result()
        ways = (
            _folder(found, here=is_this_computer(connection.url)),
            _without_need(ssh.result(), found, here=is_this_computer(connection.url)),
            _ollama(_ollama_url(connection), ollama.result(), found),
        )
    return WaysFound(tuple(sorted(ways, key=lambda way: way.fit == "no")))


def _ask_venom(url: str, limits: Limits) -> _Venom:
    from academy_desktop.core.venom.client import VenomClient  # httpx

    with VenomClient(url, limits, pause=lambda seconds: None) as client:
        try:
            client.greet()
        except AcademyError:
            return _Venom()
        return _Venom(
            answers=True,
            takes_changes=_or(client.takes_changes, None),
            folder=_or(client.models_folder, ""),
            models=_or(lambda: _ollama_models(client), ()),
        )


def _ollama_models(client: VenomClient) -> tuple[str, ...]:
    return tuple(one.name for one in client.models().models if one.provider == DEFAULT_RUNTIME)


def _ask_ollama(url: str, limits: Limits) -> tuple[str, tuple[str, ...]]:
    """The version of the Ollama at an address, and its models; an empty version where there is none."""
    from academy_desktop.core.venom.ollama import OllamaClient  # httpx

    with OllamaClient(url, limits) as client, suppress(AcademyError):
        return client.version(), client.models()
    return "", ()


def _ssh(connection: Connection, limits: Limits) -> Way:
    host = connection.ssh.host if connection.ssh else urlsplit(connection.url).hostname or ""
    port = connection.ssh.port if connection.ssh else SSH_PORT
    facts: dict[str, Fact] = {"host": host, "port": str(port)}
    try:
        with socket.create_connection((host, port), limits.connect_s) as wire:
            wire.settimeout(limits.connect_s)
            greeted = wire.recv(len(_BANNER)) == _BANNER
    except OSError:
        greeted = False
    return Way("ssh", "could" if greeted else "no", "answers" if greeted else "no_answer", facts)


def _without_need(way: Way, venom: _Venom, *, here: bool) -> Way:
    """On this computer a login leads nowhere that one is not already."""
    is_needless = here and venom.answers and venom.takes_changes is not False
    return Way("ssh", "no", "here", way.facts) if is_needless else way


def _folder(venom: _Venom, *, here: bool) -> Way:
    if not venom.answers:
        return Way("folder", "no", "no_answer")
    if venom.takes_changes is None:
        return Way("folder", "no", "not_now")
    if not venom.takes_changes:
        return Way("folder", "no", "elsewhere")
    folder = Path(venom.folder)
    if not here or not folder.is_absolute() or not folder.is_dir():  # a tunnel may lead anywhere
        return Way("folder", "could", "untold", {"path": ""})
    if not os.access(folder, os.W_OK | os.X_OK):
        return Way("folder", "no", "not_writable", {"path": str(folder)})
    return Way("folder", "works", "here", {"path": str(folder)})


def _ollama(url: str, found: tuple[str, tuple[str, ...]], venom: _Venom) -> Way:
    version, models = found
    facts: dict[str, Fact] = {"url": url, "version": version}
    if not version:
        return Way("ollama", "no", "no_answer", facts)
    if not venom.answers:
        return Way("ollama", "no", "no_venom", facts)
    shared = any(same_model(one, other) for one in models for other in venom.models)
    return Way("ollama", "works", "shared", facts) if shared else Way("ollama", "could", "unsure", facts)


def _from_here(connection: Connection) -> Connection:
    """The same with the address as this computer sees it: over SSH it is one of the other computer."""
    route, parts = connection.ssh, urlsplit(connection.url)
    is_there = route is not None and not is_this_computer(f"http://{_in_url(route.host)}")
    if route is None or not is_there or not is_this_computer(connection.url):
        return connection
    host = _in_url(route.host)
    place = f"{host}:{parts.port}" if parts.port else host
    return connection.model_copy(update={"url": parts._replace(netloc=place).geturl()})


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _ollama_url(connection: Connection) -> str:
    if connection.ollama:
        return connection.ollama
    return f"http://{_in_url(urlsplit(connection.url).hostname or '')}:{OLLAMA_PORT}"


def _or(ask: Callable[[], T], otherwise: T) -> T:
    try:
        return ask()
    except AcademyError:
        return otherwise
