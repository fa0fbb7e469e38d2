"""A server's models folder as it is seen over SFTP.

Owns the way from a folder's methods to SFTP and back to the system's errors. A file that was uploaded in part
is gone on with, and its hash is taken where it lies: by `sha256sum` where the login may run it, or else by
reading it back. Refuses to know how the connection is made.
"""

from __future__ import annotations

import errno
import hashlib
import posixpath
import re
import shlex
import stat
from collections.abc import Awaitable, Callable, Sequence
from typing import BinaryIO, Final, TypeVar

import asyncssh

from academy_desktop.core.venom.folders import CHUNK, Counted, Kind
from academy_desktop.core.venom.ssh import SshLink
from trainers.errors import AcademyError, ErrorCode

T = TypeVar("T")
Deed = Callable[[asyncssh.SFTPClient], Awaitable[T]]

#: Hashing a file of some gigabytes there.
_HASH_S: Final = 1800.0
_DEED_S: Final = 120.0
_HEX = re.compile(r"\\?([0-9a-f]{64})\s")
_MISSING = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)
#: What the newer protocol says by its own codes, and OpenSSH by a word or not at all.
_ERRNOS: Final = {
    asyncssh.SFTPNoSuchFile: errno.ENOENT,
    asyncssh.SFTPNoSuchPath: errno.ENOENT,
    asyncssh.SFTPPermissionDenied: errno.EACCES,
    asyncssh.SFTPWriteProtect: errno.EROFS,
    asyncssh.SFTPNoSpaceOnFilesystem: errno.ENOSPC,
    asyncssh.SFTPQuotaExceeded: errno.ENOSPC,
    asyncssh.SFTPFileAlreadyExists: errno.EEXIST,
    asyncssh.SFTPDirNotEmpty: errno.ENOTEMPTY,
    asyncssh.SFTPNotADirectory: errno.ENOTDIR,
}
#: Less room than this, and a write that failed without a word failed for it.
_NO_ROOM: Final = 64 * 1024


class SftpFolder:
    """A models folder on another computer; methods as `ModelsFolder`.

    Args:
        link: a login there.
        root: the folder's path there; one that does not begin with a slash lies in the user's home.
    """

    def __init__(self, link: SshLink, root: str) -> None:
        self._link = link
        self._root = root.removeprefix("~/").rstrip("/") or ("/" if root.startswith("/") else ".")
        self._client: tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClient] | None = None
        self._has_shell = True

    def where(self, name: str = "") -> str:
        """As `ModelsFolder`; so are the others."""
        return f"{self._link.route.place}:{self._at(name)}"

    def require(self) -> None:
        """As `ModelsFolder`; whether it can be written shows by a folder that is made and removed again."""

        async def deed(sftp: asyncssh.SFTPClient) -> None:
            if not await sftp.isdir(self._at("")):
                raise AcademyError(ErrorCode.VENOM_FOLDER_MISSING, path=self.where())
            trial = self._at("checkpoint-academy-desktop-trial")
            try:
                await _make(sftp, trial)
                await sftp.rmdir(trial)
            except asyncssh.SFTPError as error:
                detail = error.reason
                raise AcademyError(
                    ErrorCode.VENOM_FOLDER_NOT_WRITABLE, path=self.where(), detail=detail
                ) from error

        self._do(deed)

    def kind(self, name: str) -> Kind:
        """As `ModelsFolder`."""

        async def deed(sftp: asyncssh.SFTPClient) -> Kind:
            try:
                found = await sftp.lstat(self._at(name))
            except _MISSING:
                return "nothing"
            return "folder" if stat.S_ISDIR(found.permissions or 0) else "file"

        return self._do(deed)

    def size(self, name: str) -> int | None:
        """As `ModelsFolder`."""

        async def deed(sftp: asyncssh.SFTPClient) -> int | None:
            return await _size(sftp, self._at(name))

        return self._do(deed)

    def names(self, folder: str) -> Sequence[str]:
        """As `ModelsFolder`."""

        async def deed(sftp: asyncssh.SFTPClient) -> Sequence[str]:
            try:
                found = await sftp.listdir(self._at(folder))
            except (*_MISSING, asyncssh.SFTPNotADirectory):
                return ()
            return sorted(name for name in map(str, found) if name not in {".", ".."})

        return self._do(deed)

    def read(self, name: str) -> bytes:
        """As `ModelsFolder`."""

        async def deed(sftp: asyncssh.SFTPClient) -> bytes:
            async with sftp.open(self._at(name), "rb") as stream:
                return _bytes(await stream.read())

        return self._do(deed)

    def sha256(self, name: str) -> str:
        """As `ModelsFolder`."""
        if self._has_shell:
            digest = self._link.run(lambda connection: _far_hash(connection, self._at(name)), _HASH_S)
            if digest:
                return digest
            self._has_shell = False

        async def deed(sftp: asyncssh.SFTPClient) -> str:
            digest = hashlib.sha256()
            async with sftp.open(self._at(name), "rb") as stream:
                while chunk := await stream.read(CHUNK):
                    digest.update(_bytes(chunk))
            return digest.hexdigest()

        return self._do(deed, _HASH_S)

    def free_bytes(self) -> int | None:
        """As `ModelsFolder`."""

        async def deed(sftp: asyncssh.SFTPClient) -> int | None:
            return await _free(sftp, self._at(""))

        return self._do(deed)

    def make(self, folder: str) -> None:
        """As `ModelsFolder`."""

        async def deed(sftp: asyncssh.SFTPClient) -> None:
            path = ""
            for step in folder.split("/"):
                path = f"{path}/{step}" if path else step
                await _make(sftp, self._at(path))

        self._do(deed)

    def write(self, name: str, content: bytes) -> None:
        """As `ModelsFolder`."""

        async def deed(sftp: asyncssh.SFTPClient) -> None:
            async with sftp.open(self._at(name), "wb") as stream:
                await stream.write(content)
                await _sync(stream)

        self._do(deed)

    def replace(self, name: str, content: bytes) -> None:
        """As `ModelsFolder`."""
        aside = f"{name}.academy-desktop.tmp"
        self.write(aside, content)

        async def deed(sftp: asyncssh.SFTPClient) -> None:
            try:
                await sftp.posix_rename(self._at(aside), self._at(name))
            except _MISSING:  # the answer to an earlier try was lost
                if await _size(sftp, self._at(name)) != len(content):
                    raise

        self._do(deed)

    def append(self, name: str, source: BinaryIO, counted: Counted) -> None:
        """As `ModelsFolder`; the last part that is there may have holes, so it is written again."""
        told = 0

        async def deed(sftp: asyncssh.SFTPClient) -> None:
            nonlocal told
            path = self._at(name)
            there = await _size(sftp, path)
            at = max(0, ((there or 0) - 1) // CHUNK * CHUNK)
            source.seek(at)
            counted(max(0, at - told))
            told = max(told, at)
            async with sftp.open(path, "wb" if there is None else "r+b") as stream:
                while chunk := source.read(CHUNK):
                    await stream.write(chunk, at)
                    at += len(chunk)
                    counted(max(0, at - told))
                    told = max(told, at)
                await _sync(stream)

        self._do(deed, self._link.limit_s)

    def rename(self, old: str, new: str) -> None:
        """As `ModelsFolder`."""

        async def deed(sftp: asyncssh.SFTPClient) -> None:
            if await sftp.exists(self._at(new)):
                if not await sftp.exists(self._at(old)):
                    return  # the answer to an earlier try was lost
                raise OSError(errno.EEXIST, "it is there already", self.where(new))
            await sftp.rename(self._at(old), self._at(new))

        self._do(deed)

    def remove(self, name: str) -> None:
        """As `ModelsFolder`."""

        async def deed(sftp: asyncssh.SFTPClient) -> None:
            path = self._at(name)
            try:
                found = await sftp.lstat(path)
                if stat.S_ISDIR(found.permissions or 0):
                    await sftp.rmtree(path)
                else:
                    await sftp.remove(path)
            except _MISSING:
                return

        self._do(deed)

    def remove_empty(self, folder: str) -> None:
        """As `ModelsFolder`."""

        async def deed(sftp: asyncssh.SFTPClient) -> None:
            try:
                await sftp.rmdir(self._at(folder))
            except asyncssh.SFTPError as error:
                if isinstance(error, asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection):
                    raise

        self._do(deed)

    def sync(self, folder: str) -> None:
        """As `ModelsFolder`: SFTP cannot sync a folder, its files are synced one by one."""

    # inside

    def _at(self, name: str) -> str:
        return posixpath.join(self._root, name) if name else self._root

    def _do(self, deed: Deed[T], limit_s: float = _DEED_S) -> T:
        """Do something with the files there.

        Raises:
            OSError: as the other system said it.
            AcademyError: `venom_ssh_no_files`; as `SshLink.run`.
        """

        async def work(connection: asyncssh.SSHClientConnection) -> T:
            sftp = await self._sftp(connection)
            try:
                return await deed(sftp)
            except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection):
                raise
            except asyncssh.SFTPError as error:
                raise await self._as_os_error(sftp, error) from error

        return self._link.run(work, limit_s)

    async def _sftp(self, connection: asyncssh.SSHClientConnection) -> asyncssh.SFTPClient:
        if self._client is None or self._client[0] is not connection:
            try:
                self._client = (connection, await connection.start_sftp_client())
            except (asyncssh.ConnectionLost, asyncssh.SFTPConnectionLost, asyncssh.DisconnectError):
                raise
            except (asyncssh.ChannelOpenError, asyncssh.SFTPError) as error:
                host = self._link.route.place
                raise AcademyError(ErrorCode.VENOM_SSH_NO_FILES, host=host) from error
        return self._client[1]

    async def _as_os_error(self, sftp: asyncssh.SFTPClient, error: asyncssh.SFTPError) -> OSError:
        number = _ERRNOS.get(type(error), errno.EIO)
        if "No space left" in error.reason:
            number = errno.ENOSPC
        if number == errno.EIO:
            free = await _free(sftp, self._at(""))
            number = errno.ENOSPC if free is not None and free < _NO_ROOM else errno.EIO
        return OSError(number, error.reason)


def _bytes(read: str | bytes) -> bytes:
    """What was read of a file in binary mode."""
    return read.encode() if isinstance(read, str) else read


async def _size(sftp: asyncssh.SFTPClient, path: str) -> int | None:
    try:
        found = await sftp.stat(path)
    except (*_MISSING, asyncssh.SFTPNotADirectory):
        return None
    return found.size if stat.S_ISREG(found.permissions or 0) else None


async def _make(sftp: asyncssh.SFTPClient, path: str) -> None:
    """One folder, unless it is there."""
    try:
        await sftp.mkdir(path)
    except asyncssh.SFTPError:
        if not await sftp.isdir(path):
            raise


async def _sync(stream: asyncssh.SFTPClientFile) -> None:
    try:
        await stream.fsync()
    except asyncssh.SFTPOpUnsupported:
        return  # an extension; where it is missing, closing the file is all that can be done


async def _free(sftp: asyncssh.SFTPClient, path: str) -> int | None:
    try:
        found = await sftp.statvfs(path)
    except asyncssh.SFTPError:
        return None  # an extension too
    return int(found.bavail * found.frsize)


async def _far_hash(connection: asyncssh.SSHClientConnection, path: str) -> str:
    """What `sha256sum` says there; empty where it cannot be run."""
    try:
        done = await connection.run(f"sha256sum -- {shlex.quote(path)}", check=False)
    except asyncssh.ChannelOpenError:
        return ""
    found = _HEX.match(str(done.stdout or ""))
    return found[1] if found and done.exit_status == 0 else ""
