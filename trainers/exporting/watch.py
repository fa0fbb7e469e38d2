"""How a long piece of work tells how far it is and learns that it should end; and how much memory it took.

Owns the pace of progress events. Refuses to know what is being done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import psutil

from trainers.events import Payload, Progress

Unit = Literal["bytes", "rows", "tensors", "steps"]

#: Between two progress events; the first and the last are always told.
PACE_S = 0.25


class CancelledError(Exception):
    """The user asked to end; never leaves the job."""


class Watch:
    """Reports progress and asks, at each step, whether to go on."""

    def __init__(self, emit: Callable[[Payload], None], cancelled: Callable[[], bool]) -> None:
        self._emit = emit
        self._cancelled = cancelled
        self._told_at = 0.0

    def emit(self, payload: Payload) -> None:
        """Say something at once."""
        self._emit(payload)

    def check(self) -> None:
        """Go on, or raise `CancelledError`."""
        if self._cancelled():
            raise CancelledError

    def progress(self, done: int, total: int, unit: Unit) -> None:
        """Say how far the phase is, unless that was just said; raise `CancelledError` if asked to."""
        self.check()
        now = time.monotonic()
        if done in {0, total} or now - self._told_at >= PACE_S:
            self._told_at = now
            self._emit(Progress(done=done, total=total, unit=unit))


def peak_rss_bytes() -> int:
    """Return the most memory that this process, or any one that it started, ever held resident."""
    status = Path("/proc/self/status")
    if not status.is_file():
        memory = psutil.Process().memory_info()
        return int(getattr(memory, "peak_wset", memory.rss))
    import resource  # POSIX alone has it

    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    # Not getrusage for the process itself: it would also count what the parent held when it forked.
    own = next(
        int(line.split()[1]) for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM:")
    )
    return max(own, children) * 1024
