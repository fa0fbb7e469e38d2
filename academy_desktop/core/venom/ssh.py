"""One login on another computer over SSH: work done there, and a door from here to a port of that computer.

Owns the connection, its event loop in a thread of its own, the check of the host's key, and reconnecting.
Everything here blocks, so it belongs into a thread. Refuses to know files, Venom, and where secrets lie.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Final, TypeVar

import asyncssh

from academy_desktop.core.venom.connections import Limits
from academy_desktop.core.venom.ssh_route import SshRoute, fingerprint
from trainers.errors import AcademyError, ErrorCode

T = TypeVar("T")
Work = Callable[[asyncssh.SSHClientConnection], Awaitable[T]]

#: A connection that breaks is made again this often for one piece of work, with longer and longer pauses.
TRIES: Final = 4
_PAUSE_S: Final = 0.25
#: Questions in a row without an answer after which a connection counts as broken. They take less time than
#: a request may, so that one that hangs in a broken connection is cut off and sent again.
_UNANSWERED: Final = 3
#: A busy computer may take so long to answer such a question, and to let somebody in.
_QUESTION_S: Final = 1.0
_LOGIN_S: Final = 5.0
_BROKEN = (asyncssh.ConnectionLost, asyncssh.DisconnectError, asyncssh.SFTPConnectionLost,
           asyncssh.SFTPNoConnection, ConnectionError, TimeoutError, asyncio.IncompleteReadError)  # fmt: skip


class _BrokenError(Exception):
    """The connection broke under a piece of work."""


class SshLink:
    """A login; a context manager that ends it. Connects when it is first needed.

    Args:
        route: where to, with the host's confirmed key.
        secret: gives the password or passphrase; called once, when it is needed.
        limits: seconds that connecting and one piece of work may take.
    """

    def __init__(self, route: SshRoute, secret: Callable[[], str | None], limits: Limits) -> None:
        self.route = route
        self._secret = secret
        self._limits = limits
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ssh", daemon=True)
        self._thread.start()
        self._turn = threading.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._agent: asyncssh.SSHAgentClient | None = None
        self._doors: dict[int, tuple[asyncssh.SSHListener, int]] = {}
        self._ports: dict[int, int] = {}

    def __enter__(self) -> SshLink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the login."""
        if self._loop.is_closed():
            return
        with contextlib.suppress(TimeoutError):
            self._do(self._drop(), self._limits.connect_s)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(_end_all())
        self._loop.close()

    @property
    def limit_s(self) -> float:
        """The longest that a piece of work may take, in seconds."""
        return self._limits.activate_s

    def run(self, work: Work[T], limit_s: float | None = None) -> T:
        """Do something over the connection; where it breaks, all over again, so it must bear that.

        Raises:
            AcademyError: `venom_ssh_lost` when it breaks each time; as connecting does.
        """
        with self._turn:
            return self._do(self._again_and_again(work, limit_s or self._limits.activate_s))

    def door(self, port: int) -> int:
        """Return a port of this computer behind which that port of the other one lies, from its inside.

        Raises:
            AcademyError: as `run`.
        """
        with self._turn:
            return self._do(self._again_and_again(lambda connection: self._open(connection, port), 60))

    # inside the thread

    def _do(self, work: Coroutine[Any, Any, T], limit_s: float | None = None) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(limit_s)
        except BaseException:
            future.cancel()
            raise

    async def _again_and_again(self, work: Work[T], limit_s: float) -> T:
        detail = ""
        for number in range(TRIES):
            if number:
                await asyncio.sleep(_PAUSE_S * 2 ** (number - 1))
            connection = await self._connected(first=number == 0)
            if connection is None:
                continue
            try:
                return await asyncio.wait_for(work(connection), limit_s)
            except _BROKEN as error:
                detail = str(error) or type(error).__name__
                await self._drop()
        raise AcademyError(ErrorCode.VENOM_SSH_LOST, host=self.route.place, detail=detail)

    async def _connected(self, *, first: bool) -> asyncssh.SSHClientConnection | None:
        """The connection; None where it cannot be made again just now."""
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        was_there = self._connection is not None
        await self._drop()
        try:
            self._connection = await self._connect()
        except AcademyError as error:
            if error.code is ErrorCode.VENOM_SSH_UNREACHABLE and (was_there or not first):
                return None
            raise
        return self._connection

    async def _connect(self) -> asyncssh.SSHClientConnection:
        """Log in; a refusal may be cut off before it is heard, so a broken try is made again."""
        for number in range(TRIES):
            try:
                return await self._connect_once()
            except asyncssh.ConnectionLost as error:
                if number == TRIES - 1:
                    raise _unreachable(self.route, error) from error
                await asyncio.sleep(_PAUSE_S)
        raise AssertionError

    async def _connect_once(self) -> asyncssh.SSHClientConnection:
        route = self.route
        if not route.host_key:
            key = await _host_key(route, self._limits.connect_s)
            raise AcademyError(
                ErrorCode.VENOM_SSH_HOST_UNKNOWN, host=route.place, fingerprint=fingerprint(key)
            )
        pinned = asyncssh.import_public_key(route.host_key)
        proof = await self._proof()
        try:
            return await asyncssh.connect(
                route.host,
                route.port,
                username=route.user,
                config=None,
                known_hosts=([pinned], [], []),
                connect_timeout=self._limits.connect_s,
                login_timeout=max(_LOGIN_S, self._limits.read_s),
                keepalive_interval=max(_QUESTION_S, self._limits.read_s / (2 * _UNANSWERED)),
                keepalive_count_max=_UNANSWERED,
                **proof,
            )
        except asyncssh.HostKeyNotVerifiable as error:
            await self._raise_changed(error)
            raise
        except asyncssh.KeyExchangeFailed as error:  # it has no key of the kind that was confirmed
            await self._raise_changed(error)
            raise
        except asyncssh.PermissionDenied as error:
            raise AcademyError(
                ErrorCode.VENOM_SSH_REFUSED, user=route.user, host=route.place, method=route.login
            ) from error
        except asyncssh.ConnectionLost:
            raise
        except (asyncssh.Error, OSError) as error:
            raise _unreachable(route, error) from error

    async def _raise_changed(self, cause: Exception) -> None:
        found = await _host_key(self.route, self._limits.connect_s)
        raise AcademyError(
            ErrorCode.VENOM_SSH_HOST_CHANGED,
            host=self.route.place,
            known=fingerprint(self.route.host_key),
            fingerprint=fingerprint(found),
        ) from cause

    async def _proof(self) -> dict[str, Any]:
        """What shows who we are; nothing else is tried."""
        none: dict[str, Any] = {"agent_path": None, "client_keys": None, "password": None}
        match self.route.login:
            case "agent":
                return none | {"client_keys": await self._agent_keys(), "preferred_auth": ["publickey"]}
            case "key":
                return none | {"client_keys": [self._key()], "preferred_auth": ["publickey"]}
            case "password":
                ways = ["password", "keyboard-interactive"]
                return none | {"password": self._told_secret(), "preferred_auth": ways}

    async def _agent_keys(self) -> list[Any]:
        path = os.environ.get("SSH_AUTH_SOCK", "")
        if not path and os.name == "posix":
            raise AcademyError(ErrorCode.VENOM_SSH_AGENT_EMPTY, detail="no agent runs")
        try:
            self._agent = await asyncssh.connect_agent(path)
            keys = list(await self._agent.get_keys())
        except (OSError, ValueError, asyncssh.Error) as error:
            raise AcademyError(ErrorCode.VENOM_SSH_AGENT_EMPTY, detail="it does not answer") from error
        if not keys:
            raise AcademyError(ErrorCode.VENOM_SSH_AGENT_EMPTY, detail="it holds no key")
        return keys

    def _key(self) -> asyncssh.SSHKey:
        path = self.route.key_file or ""
        try:
            return asyncssh.read_private_key(path)
        except OSError as error:
            detail = error.strerror or str(error)
            raise AcademyError(ErrorCode.VENOM_SSH_KEY_UNREADABLE, path=path, detail=detail) from error
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            if "assphrase" not in str(error):
                raise AcademyError(
                    ErrorCode.VENOM_SSH_KEY_UNREADABLE, path=path, detail="it is no private key"
                ) from error
        passphrase = self._told_secret()
        try:
            return asyncssh.read_private_key(path, passphrase)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
            # without its cause: nothing that was tried shall stand in a log
            raise AcademyError(ErrorCode.VENOM_SSH_PASSPHRASE_WRONG, path=path) from None

    def _told_secret(self) -> str:
        secret = self._secret()
        if secret is None:
            raise AcademyError(ErrorCode.VENOM_SSH_SECRET_NEEDED, address=self.route.address)
        return secret

    async def _open(self, connection: asyncssh.SSHClientConnection, port: int) -> int:
        """A door leads from the same port of this computer after each reconnect."""
        if port not in self._doors:
            usual = self._ports.get(port, 0)
            listener = await connection.forward_local_port("127.0.0.1", usual, "127.0.0.1", port)
            self._ports[port] = listener.get_port()
            self._doors[port] = (listener, self._ports[port])
        return self._doors[port][1]

    async def _drop(self) -> None:
        """Let go of a connection, broken or not."""
        for listener, _ in self._doors.values():
            listener.close()
        self._doors.clear()
        connection, self._connection = self._connection, None
        agent, self._agent = self._agent, None
        if agent is not None:
            agent.close()
        if connection is not None:
            connection.abort()
            with contextlib.suppress(*_BROKEN, asyncssh.Error, OSError):
                await asyncio.wait_for(connection.wait_closed(), 2)


def ask_host_key(route: SshRoute, limits: Limits) -> str:
    """Return a host's public key, in OpenSSH's spelling, for the user to confirm; nobody logs in. Blocks.

    Raises:
        AcademyError: `venom_ssh_unreachable`.
    """
    return asyncio.run(_host_key(route, limits.connect_s))


async def _host_key(route: SshRoute, limit_s: float) -> str:
    try:
        key = await asyncio.wait_for(
            asyncssh.get_server_host_key(route.host, route.port, config=None), limit_s
        )
    except (asyncssh.Error, OSError, TimeoutError) as error:
        raise _unreachable(route, error) from error
    if key is None:
        raise AcademyError(ErrorCode.VENOM_SSH_UNREACHABLE, host=route.place, detail="it shows no host key")
    return key.export_public_key().decode().strip()


def _unreachable(route: SshRoute, error: Exception) -> AcademyError:
    detail = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
    if isinstance(error, TimeoutError):
        detail = "it did not answer in time"
    return AcademyError(ErrorCode.VENOM_SSH_UNREACHABLE, host=route.place, detail=detail)


async def _end_all() -> None:
    """Let everything that still runs in this loop end."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)
