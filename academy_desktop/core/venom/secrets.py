"""Passwords and passphrases of SSH logins: in the system's keyring, or only in this program's memory.

Nothing here is ever written to a file of ours. Refuses to know connections and screens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from academy_desktop.core.venom.ssh_route import SshRoute
from trainers.errors import AcademyError, ErrorCode

SERVICE: Final = "academy-desktop"


class Secrets:
    """The secrets of one user.

    Args:
        ask: asks the user for the secret of a login, and returns None when nobody is there to be asked.
    """

    def __init__(self, ask: Callable[[SshRoute], str | None] = lambda route: None) -> None:
        self.ask = ask
        self._held: dict[str, str] = {}

    def get(self, route: SshRoute) -> str | None:
        """Return the secret of a login: as typed since the start, as the keyring has it, or by asking."""
        name = _name(route)
        if name in self._held:
            return self._held[name]
        found = _from_keyring(name)
        if found is None:
            found = self.ask(route)
            if found is not None:
                self._held[name] = found
        return found

    def hold(self, route: SshRoute, secret: str) -> None:
        """Keep a secret until the program ends."""
        self._held[_name(route)] = secret

    def let_go(self, route: SshRoute) -> None:
        """Hold a secret no longer; what the keyring has stays there."""
        self._held.pop(_name(route), None)

    def keep(self, route: SshRoute, secret: str) -> None:
        """Keep a secret in the keyring; it is held in any case.

        Raises:
            AcademyError: `keyring_missing`.
        """
        import keyring
        from keyring.errors import KeyringError

        self.hold(route, secret)
        try:
            keyring.set_password(SERVICE, _name(route), secret)
        except (KeyringError, RuntimeError) as error:
            raise AcademyError(ErrorCode.KEYRING_MISSING) from error

    def forget(self, route: SshRoute) -> None:
        """Forget the secret of a login everywhere."""
        import keyring
        from keyring.errors import KeyringError

        self._held.pop(_name(route), None)
        try:
            keyring.delete_password(SERVICE, _name(route))
        except (KeyringError, RuntimeError):
            return  # there is none


def _from_keyring(name: str) -> str | None:
    import keyring  # loads its back ends, which most commands do without
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(SERVICE, name)
    except (KeyringError, RuntimeError):
        return None


def _name(route: SshRoute) -> str:
    """A login's name in the keyring: the same whatever the connection is called."""
    return f"ssh {route.key_file}" if route.login == "key" else f"ssh {route.address}"
