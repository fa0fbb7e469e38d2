"""Writes files so that nobody ever sees half of one, and reads small ones that may be anything.

Owns aside, fsync and rename, and what counts as a file to be read. Standard library only: the job host uses
it. Refuses to know what is written.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

#: No record, manifest or configuration is as long; what is longer is not read into memory.
MOST_RECORD_BYTES = 32 * 1024 * 1024


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading, and nothing that would never end or never begin: a pipe, a device, a folder.

    Raises:
        OSError: there is none, or it is no regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:  # a name with a zero in it
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, most_bytes: int = MOST_RECORD_BYTES) -> bytes:
    """Read a whole file of a bounded size.

    Raises:
        OSError: as `open_regular`, or the file is longer.
    """
    with open_regular(path) as stream:
        content = stream.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return content


def lines_of(stream: BinaryIO, most_bytes: int = MOST_RECORD_BYTES) -> Iterator[bytes]:
    """Yield lines; one that is longer comes in pieces, which no reader of rows takes for one."""
    while line := stream.readline(most_bytes):
        yield line


def replace_whole(path: Path, content: bytes) -> None:
    """Write a whole file so that a reader, or a power cut, sees the old content or the new, never a part.

    Written aside, fsynced, renamed; the folder, which must exist, is fsynced too where the system allows it.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` durable; a no-op where folders cannot be opened (Windows)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
