"""One set-up at a time: an operating-system lock on a file.

Owns the lock. It is freed by the system when its holders end, however they end; it is never a matter of what
the file says.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


@contextmanager
def guarded(path: Path, on_wait: Callable[[], None]) -> Iterator[int]:
    """Holds the lock on `path`; calls `on_wait` once if another process has it.

    Yields the descriptor. A child that inherits it shares the lock: when a set-up is killed, the next one
    waits until the pip that it had started is gone too. (On Windows a child cannot share it.)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if not _locked(file.fileno()):
            on_wait()
            while not _locked(file.fileno()):
                time.sleep(0.2)
        yield file.fileno()


if sys.platform == "win32":

    def _locked(descriptor: int) -> bool:
        try:
            # One byte far behind the end: Windows locks are mandatory, and nobody reads there.
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _locked(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
