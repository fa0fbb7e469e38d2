"""Operating-system locks on files: held means that the holder lives, whatever process ids say.

Owns the difference between POSIX (`flock`) and Windows (`msvcrt`). Standard library only: the job host uses
it. Refuses to know what is protected.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

#: How long to sleep between two tries for a lock.
_RETRY_S = 0.02
#: Windows locks are mandatory: one byte far beyond any content is locked, so that readers are not disturbed.
_FAR_BYTE = 1 << 60
#: A link may lead to any file of this computer: none is locked, and none is made elsewhere.
_OPENING = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
#: There is no file, or what is there cannot be one that somebody has locked.
_NO_FILE = frozenset({errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV})


class FileLock:
    """An exclusive lock on a file; the system frees it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, timeout_s: float = 0.0) -> bool:
        """Take the lock, trying for `timeout_s` seconds; returns whether it is held now.

        A probe (`is_held`) takes the lock for some microseconds: whoever must not miss it gives a timeout.

        Raises:
            OSError: the file cannot be made or opened.
        """
        deadline = time.monotonic() + timeout_s
        descriptor = os.open(self.path, _OPENING | os.O_CREAT, 0o644)
        while not _lock(descriptor, shared=False):
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return False
            time.sleep(_RETRY_S)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back; does nothing when it is not held."""
        if self._descriptor is not None:
            _unlock(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock on this file."""
    try:
        descriptor = os.open(path, _OPENING)
    except OSError as error:
        if error.errno in _NO_FILE:
            return False
        raise
    try:
        if not _lock(descriptor, shared=True):
            return True
        _unlock(descriptor)
        return False
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, *, shared: bool) -> bool:
        """Try once; Windows has no shared lock here, so `shared` changes nothing."""
        os.lseek(descriptor, _FAR_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool) -> bool:
        """Try once; probes share, so that they never stand in each other's way."""
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
