"""Folders for work in progress that are gone afterwards, whatever ends their owner.

A lock file beside each folder is held as long as its owner lives; whoever makes the next folder in the same
place removes those whose owners were killed. Refuses to know what is worked on.
"""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainers.locks import FileLock

_LOCK_SUFFIX = ".lock"


@contextmanager
def work_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Give an empty folder below `parent` whose name begins with `prefix`; moving it away is allowed.

    Raises:
        OSError: it cannot be made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(parent, prefix)
    folder = parent / f"{prefix}{uuid.uuid4().hex}"
    lock = FileLock(folder.with_name(folder.name + _LOCK_SUFFIX))
    lock.acquire()
    try:
        folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.path.unlink(missing_ok=True)
        lock.release()


def remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove the folders of owners that live no more."""
    for path in list(parent.glob(f"{prefix}*{_LOCK_SUFFIX}")):
        lock = FileLock(path)
        with contextlib.suppress(OSError):
            if not lock.acquire():
                continue
            shutil.rmtree(path.with_name(path.name.removesuffix(_LOCK_SUFFIX)), ignore_errors=True)
            path.unlink(missing_ok=True)
            lock.release()
