"""How a computer is reached over SSH: user, host, port, the way to log in, the host's key.

Owns the spelling of addresses and what a connection's record keeps; it keeps no secrets. Refuses to talk to
anybody.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Final, Literal

from trainers.errors import AcademyError, ErrorCode
from trainers.layout import Record

SSH_PORT: Final = 22
_ADDRESS = re.compile(
    r"(?P<user>[^@\s:/]+)@(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>\d{1,5}))?"
)

Login = Literal["agent", "key", "password"]


class SshRoute(Record):
    """One computer, and how to log in there.

    Attributes:
        login: by the keys of the SSH agent, by a key file, or by a password.
        key_file: of the login `key`; its passphrase, if it has one, lies in the keyring.
        host_key: the host's public key that the user has confirmed, in OpenSSH's spelling; empty: none yet.
    """

    user: str
    host: str
    port: int = SSH_PORT
    login: Login = "agent"
    key_file: str | None = None
    host_key: str = ""

    @property
    def address(self) -> str:
        """As people write it: `ada@venom.home`, with the port where it is another than 22."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}" + (f":{self.port}" if self.port != SSH_PORT else "")

    @property
    def place(self) -> str:
        """The host alone, with the port where it is another than 22."""
        return self.address.partition("@")[2]

    def leads_to(self, other: SshRoute) -> bool:
        """Whether both lead to the same host, so that what was confirmed of one counts for the other."""
        return (self.host.lower(), self.port) == (other.host.lower(), other.port)


def parse_route(address: str, key_file: Path | None = None, *, by_password: bool = False) -> SshRoute:
    """Read USER@HOST[:PORT]; without a key file and a password the SSH agent's keys are used.

    Raises:
        AcademyError: `venom_ssh_address_invalid`; `venom_ssh_key_unreadable` for no such file.
    """
    found = _ADDRESS.fullmatch(address.strip())
    port = int(found["port"] or SSH_PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise AcademyError(ErrorCode.VENOM_SSH_ADDRESS_INVALID, address=address)
    login: Login = "key" if key_file else "password" if by_password else "agent"
    key = checked_key_file(key_file) if key_file else None
    return SshRoute(
        user=found["user"], host=found["v6"] or found["host"], port=port, login=login, key_file=key
    )


def checked_key_file(path: Path) -> str:
    """Return a key file's path in its one spelling.

    Raises:
        AcademyError: `venom_ssh_key_unreadable`.
    """
    key = path.expanduser().absolute()
    if not key.is_file():
        raise AcademyError(ErrorCode.VENOM_SSH_KEY_UNREADABLE, path=str(key), detail="there is no such file")
    return str(key)


def fingerprint(host_key: str) -> str:
    """Return what people compare of a public key: `SHA256:…`, as OpenSSH prints it; empty for no key."""
    words = host_key.split()
    if len(words) < 2:
        return ""
    digest = hashlib.sha256(base64.b64decode(words[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
