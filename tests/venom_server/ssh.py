"""A real SSH server on loopback, as it runs beside a Venom: SFTP, a shell, and doors to its own ports."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import asyncssh
from asyncssh.channel import SSHChannel

USER = "ada"


@dataclass
class Rights:
    """What the server allows. `keys`: public keys that may log in. `far_errors`: SFTP's answer to a write."""

    keys: list[asyncssh.SSHKey] = field(default_factory=list)
    password: str = ""
    sftp: bool = True
    shell: bool = True
    full_after_bytes: int | None = None


class SshServer:
    """The server in a thread; a context manager. `rights` may be changed while it runs."""

    def __init__(self, rights: Rights, host_key: asyncssh.SSHKey | None = None, port: int = 0) -> None:
        self.rights = rights
        self.host_key = host_key or asyncssh.generate_private_key("ssh-ed25519")
        self.logins = 0
        self.sent_bytes = 0
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()

    @property
    def port(self) -> int:
        assert self._acceptor is not None
        return int(self._acceptor.get_port())

    @property
    def public_key(self) -> str:
        return self.host_key.export_public_key().decode().strip()

    def __enter__(self) -> SshServer:
        self._thread.start()
        self._acceptor = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            self._port,
            server_factory=lambda: _Door(self),
            server_host_keys=[self.host_key],
        )

    async def _end(self) -> None:
        assert self._acceptor is not None
        self._acceptor.close()
        for connection in list(self._connections):
            connection.abort()
            with contextlib.suppress(Exception):
                await connection.wait_closed()
        await self._acceptor.wait_closed()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        if not self.rights.shell or process.command is None:
            process.stderr.write(b"This account is for files.\n")
            process.exit(1)
            return
        child = await asyncio.create_subprocess_exec(
            "sh", "-c", process.command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        said, _ = await child.communicate()
        process.stdout.write(said)
        process.exit(child.returncode or 0)


class _Door(asyncssh.SSHServer):
    def __init__(self, server: SshServer) -> None:
        self._server = server
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._server._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._server._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def auth_completed(self) -> None:
        self._server.logins += 1

    def public_key_auth_supported(self) -> bool:
        return bool(self._server.rights.keys)

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key in self._server.rights.keys

    def password_auth_supported(self) -> bool:
        return bool(self._server.rights.password)

    def validate_password(self, username: str, password: str) -> bool:
        return username == USER and password == self._server.rights.password

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return dest_host == "127.0.0.1"

    def session_requested(
        self,
    ) -> tuple[asyncssh.SSHServerChannel[bytes], asyncssh.SSHServerSession[bytes]]:
        assert self._connection is not None
        server = self._server

        def files(channel: SSHChannel[bytes]) -> asyncssh.SFTPServer:
            return _Files(channel, server)

        channel = self._connection.create_server_channel(encoding=None)
        session: asyncssh.SSHServerProcess[bytes] = asyncssh.SSHServerProcess(
            server._run, files if server.rights.sftp else None, 3, False
        )
        return channel, session


class _Files(asyncssh.SFTPServer):
    def __init__(self, channel: SSHChannel[bytes], server: SshServer) -> None:
        super().__init__(cast("asyncssh.SSHServerChannel[bytes]", channel))
        self._server = server

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        limit = self._server.rights.full_after_bytes
        self._server.sent_bytes += len(data)
        if limit is not None and self._server.sent_bytes > limit:
            raise OSError(28, "No space left on device")
        written = super().write(file_obj, offset, data)
        assert isinstance(written, int)
        return written


def write_key(path: Path, passphrase: str | None = None) -> asyncssh.SSHKey:
    """A private key in a file, in OpenSSH's own format and quickly opened; returns its public half."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    path.write_bytes(key.export_private_key("openssh", passphrase, rounds=50))
    path.chmod(0o600)
    return key.convert_to_public()
