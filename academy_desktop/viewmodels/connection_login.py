"""An SSH login as it is typed: who, where, by what, and the key of the host as far as it was confirmed.

Owns the way between what stands in the fields and a route. Refuses to know where secrets lie, and screens.
"""

from __future__ import annotations

import getpass
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from academy_desktop.core.venom.ssh_route import SSH_PORT, Login, SshRoute, parse_route
from trainers.errors import AcademyError, ErrorCode

_ENDS_IN_PORT = re.compile(r":\d+$")
#: Where people keep their keys, the newest kind first.
_USUAL_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")


@dataclass
class TypedLogin:
    """What stands in the fields; `secret` is a password, or the passphrase of the key."""

    address: str = ""
    port: str = ""
    login: Login = "agent"
    key_file: str = ""
    secret: str = field(default="", repr=False)  # nothing that is printed shall show it
    keeps_secret: bool = True
    host_key: str = ""

    @classmethod
    def of(cls, route: SshRoute) -> TypedLogin:
        """The login of a connection; its secret stays where it is."""
        port = str(route.port) if route.port != SSH_PORT else ""
        user_at_host = route.model_copy(update={"port": SSH_PORT}).address
        return cls(user_at_host, port, route.login, route.key_file or "", host_key=route.host_key)

    @classmethod
    def usual(cls) -> TypedLogin:
        """What fits most on this computer: its agent, else a key in the usual place, else a password."""
        if os.environ.get("SSH_AUTH_SOCK"):
            return cls()
        keys = (Path.home() / ".ssh" / name for name in _USUAL_KEYS)
        key = next((key for key in keys if key.is_file()), None)
        return cls(login="key", key_file=str(key)) if key else cls(login="password")

    @property
    def full_address(self) -> str:
        """User, host and port as one: `ada@venom.home:2222`."""
        has_own = not self.port or _ENDS_IN_PORT.search(self.address)
        return self.address if has_own else f"{self.address}:{self.port}"

    @property
    def host(self) -> str:
        """The other computer; empty while the address is none."""
        try:
            return parse_route(self.full_address).host
        except AcademyError:
            return ""

    def route(self) -> SshRoute:
        """The route that is meant.

        Raises:
            AcademyError: `venom_ssh_address_invalid`, `venom_ssh_key_unreadable`.
        """
        key = None
        if self.login == "key":
            if not self.key_file:
                raise AcademyError(ErrorCode.VENOM_SSH_KEY_UNREADABLE, detail="none is chosen yet")
            key = Path(self.key_file)
        made = parse_route(self.full_address, key, by_password=self.login == "password")
        return made.model_copy(update={"host_key": self.host_key})


def guessed_address(host: str) -> str:
    """Who probably logs in at a host: whoever sits here."""
    try:
        return f"{getpass.getuser()}@{host}"
    except (OSError, KeyError):  # nobody with a name
        return ""
