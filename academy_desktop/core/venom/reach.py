"""The way to one server: its API and its models folder, directly or over SSH, so that nobody else asks which.

Owns that choice, and for how long a login lasts. Refuses to know what is asked and placed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from academy_desktop.core.venom.connections import Connection, Limits
from academy_desktop.core.venom.folders import ModelsFolder
from academy_desktop.core.venom.secrets import Secrets
from trainers.errors import AcademyError, ErrorCode

if TYPE_CHECKING:
    from academy_desktop.core.venom.client import VenomClient
    from academy_desktop.core.venom.ollama import OllamaClient
    from academy_desktop.core.venom.ssh import SshLink


@dataclass(frozen=True)
class Reach:
    """One server within reach, for as long as the block lasts that made it so.

    Attributes:
        link: the way over SSH, where it is taken.
        ollama: the server's Ollama, where that is the way.
    """

    connection: Connection
    client: VenomClient
    link: SshLink | None = None
    ollama: OllamaClient | None = None

    def folder(self) -> ModelsFolder:
        """The server's models folder, ready to be written.

        Raises:
            AcademyError: `venom_without_folder`; as `ModelsFolder.require`, and as the login.
        """
        if self.link is None:
            return self.connection.folder()
        from academy_desktop.core.venom.sftp_folder import SftpFolder  # asyncssh

        folder = SftpFolder(self.link, self.connection.folder_path())
        folder.require()
        return folder


@contextmanager
def reaching(
    connection: Connection, limits: Limits, secrets: Secrets, *, offline: bool = False
) -> Iterator[Reach]:
    """Bring a server within reach.

    Raises:
        AcademyError: `offline`.
    """
    if offline:
        require_near(connection)
    # httpx and asyncssh, which most commands do without
    from academy_desktop.core.venom.client import VenomClient

    if connection.ollama is not None:
        from academy_desktop.core.venom.ollama import OllamaClient

        with (
            VenomClient(connection.url, limits) as client,
            OllamaClient(connection.ollama, limits) as ollama,
        ):
            yield Reach(connection, client, ollama=ollama)
        return
    if connection.ssh is None:
        with VenomClient(connection.url, limits) as client:
            yield Reach(connection, client)
        return
    from academy_desktop.core.venom.ssh import SshLink

    route, port = connection.ssh, _port(connection.url)
    with (
        SshLink(route, lambda: secrets.get(route), limits) as link,
        VenomClient(connection.url, limits, door=lambda: link.door(port)) as client,
    ):
        yield Reach(connection, client, link)


def require_near(connection: Connection) -> None:
    """Refuse another computer.

    Raises:
        AcademyError: `offline`.
    """
    if connection.ssh is not None:
        if not is_this_computer(f"http://{connection.ssh.host}"):
            raise AcademyError(ErrorCode.OFFLINE, detail=connection.ssh.host)
        return
    for url in (connection.url, connection.ollama):
        if url is not None and not is_this_computer(url):
            raise AcademyError(ErrorCode.OFFLINE, detail=url)


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def is_this_computer(url: str) -> bool:
    """Whether an address is one of this computer, whatever listens there."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
