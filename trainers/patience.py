"""What a trainer does when the disk takes nothing: it keeps what it has in memory, says so, and tries again.

Owns the waiting. Refuses to know what is written, and to wait for what a wait does not mend.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from trainers.heartbeat import Heartbeat
from trainers.space import Trouble, trouble_of

T = TypeVar("T")

#: Seconds between two looks at the user's commands and at the room on the disk.
LOOK_S = 0.1
#: Seconds until a write is tried again for which there seems to be room (a quota, a broken cable): at first,
#: and at most.
AGAIN_S, MOST_AGAIN_S = 0.5, 8.0


class GaveUpError(Exception):
    """The user ended the job while it waited for its disk."""


@dataclass(frozen=True)
class Written(Generic[T]):
    """What a write returned, and how long it had to wait, in seconds."""

    result: T
    waited_s: float
    trouble: Trouble | None


class Patience:
    """Repeats a write until the disk takes it.

    Args:
        folder: on whose disk is written.
        heartbeat: where the waiting is told: a mapped file needs no disk for that.
        given_up: reads the user's commands; whether the job is to end without the write.
    """

    def __init__(self, folder: Path, heartbeat: Heartbeat, given_up: Callable[[], bool]) -> None:
        self._folder = folder
        self._heartbeat = heartbeat
        self._given_up = given_up

    def through(self, write: Callable[[], T], needed_bytes: int) -> Written[T]:
        """Write, as often as it takes; a failed `write` must leave nothing half done.

        Args:
            write: does it.
            needed_bytes: that must be free for it.

        Raises:
            GaveUpError: the user ended the job.
            OSError: something that is not the disk's.
        """
        begun, again_s, told = time.monotonic(), AGAIN_S, None
        while True:
            try:
                result = write()
            except OSError as error:
                trouble = trouble_of(error)
                if trouble is None:
                    raise
            else:
                return Written(result, time.monotonic() - begun if told else 0.0, told)
            told = trouble
            self._heartbeat.waits(trouble, needed_bytes)
            self._wait(needed_bytes, again_s)
            again_s = min(2 * again_s, MOST_AGAIN_S)

    def _wait(self, needed_bytes: int, again_s: float) -> None:
        """Wait until there is room that was not there, or for some seconds."""
        had_room = self._has_room(needed_bytes)
        deadline = time.monotonic() + again_s
        while had_room or not self._has_room(needed_bytes):
            if self._given_up():
                raise GaveUpError
            if time.monotonic() >= deadline:
                return
            time.sleep(LOOK_S)

    def _has_room(self, needed_bytes: int) -> bool:
        try:
            return shutil.disk_usage(self._folder).free >= needed_bytes
        except OSError:
            return False
