"""Shutting the computer down after the last job: asked for, called off, and how it stands.

Owns the request (PROTOCOL.md, "Shutting down"). Refuses to do it: a host does, once no job is left. A request
holds for the jobs of now and those that come while one of them goes on; nothing remembers it any longer.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from academy_desktop.core.paths import DataDir
from academy_desktop.core.reader import read_if_whole
from trainers.errors import AcademyError, ErrorCode
from trainers.host_records import boot_id
from trainers.host_shutdown import COUNTDOWN_S, LOCK, REQUEST, STATE, command
from trainers.layout import ShutdownRecord, ShutdownRequest, write_record
from trainers.locks import is_held
from trainers.space import disk_full, is_full

#: How long the user is told what became of a request.
TOLD_S = 12 * 3600.0
#: What can become of a request while the computer stays on.
_OUTCOMES = frozenset({"called_off", "failed"})

ShutdownState = Literal["off", "waiting", "counting", "now", "called_off", "failed"]


@dataclass(frozen=True)
class ShutdownStatus:
    """How it stands: `at` is when the countdown ends (seconds since 1970), `job` the one that ended badly."""

    state: ShutdownState = "off"
    at: float | None = None
    job: str = ""
    detail: str = ""

    @property
    def is_on(self) -> bool:
        """Whether the computer will be shut down, if nobody cancels it."""
        return self.state in {"waiting", "counting", "now"}


class Shutdown:
    """The request of one data directory; every call may block."""

    def __init__(self, data: DataDir) -> None:
        self._runs = data.runs
        self._request = data.queue / REQUEST
        self._state = data.queue / STATE
        self._lock = data.queue / LOCK

    def ask(self, countdown_s: float = COUNTDOWN_S) -> None:
        """Have the computer shut down once the jobs that go on now are over.

        Raises:
            AcademyError: `queue_empty`, `shutdown_unavailable`, `disk_full`.
        """
        jobs = self._going()
        if not jobs:
            raise AcademyError(ErrorCode.QUEUE_EMPTY)
        program = command(sys.platform)[0]
        if shutil.which(program) is None:
            raise AcademyError(ErrorCode.SHUTDOWN_UNAVAILABLE, program=program)
        request = ShutdownRequest(
            asked_at=time.time(), boot_id=boot_id(), jobs=tuple(jobs), countdown_s=countdown_s
        )
        try:
            write_record(self._request, request)
        except OSError as error:
            if not is_full(error):
                raise
            raise disk_full(self._request.parent) from error

    def cancel(self) -> None:
        """Leave the computer on; also when it is counted down already."""
        self._request.unlink(missing_ok=True)

    def forget_if_idle(self) -> None:
        """A job that starts when none goes on begins anew: what was asked for before is over."""
        if self._request.exists() and not self._going() and not is_held(self._lock):
            self.cancel()

    def status(self) -> ShutdownStatus:
        """How it stands now."""
        request = read_if_whole(self._request, ShutdownRequest)
        record = read_if_whole(self._state, ShutdownRecord)
        carried_out = is_held(self._lock)
        if request is None or request.boot_id != boot_id():
            return self._outcome(record)
        if carried_out and record is not None and record.asked_at == request.asked_at:
            return ShutdownStatus(record.state, record.at, record.job, record.detail)
        return ShutdownStatus("waiting") if carried_out or self._going() else ShutdownStatus()

    def _outcome(self, record: ShutdownRecord | None) -> ShutdownStatus:
        """What became of the last request, for as long as that is news."""
        if record is None or record.state not in _OUTCOMES:
            return ShutdownStatus()
        try:
            age_s = time.time() - self._state.stat().st_mtime
        except FileNotFoundError:  # dismissed at this moment
            return ShutdownStatus()
        if age_s > TOLD_S:
            return ShutdownStatus()
        return ShutdownStatus(record.state, None, record.job, record.detail)

    def dismiss(self) -> None:
        """The user has read what became of the request."""
        record = read_if_whole(self._state, ShutdownRecord)
        if record is not None and record.state in _OUTCOMES:
            self._state.unlink(missing_ok=True)

    def _going(self) -> Sequence[str]:
        return [run.name for run in self._all() if is_held(run / "host.lock")]

    def _all(self) -> Sequence[Path]:
        return sorted(self._runs.iterdir())
