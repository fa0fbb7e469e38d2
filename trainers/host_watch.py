"""Whether a trainer still gets somewhere, told from its heartbeat, its process, and its own pace.

Owns the limits. Standard library only. Ends nothing: a long native call stops every beat of a healthy
trainer, so the host only writes down what it sees, and the user decides.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from trainers.heartbeat import read_heartbeat, waits_in
from trainers.space import Trouble

#: `process_stopped`: it was halted, for example by a debugger. `no_progress`: it runs, or waits, for far
#: longer than it should. A disk's trouble keeps it from being started.
Stall = Literal["", "process_stopped", "no_progress"] | Trouble

#: A process may be halted for a moment without harm.
STOPPED_S = 5.0
#: Silence that is this many times as long as is usual in a phase is too long.
_TIMES_USUAL = 10
#: So many units of work make a pace.
_PACE_OF = 3
#: Where no pace is known, work that can be seen (processor time, reading, writing) earns so many times the
#: patience: the first step of a large model on a small processor may take most of an hour.
_PATIENCE_AT_WORK = 60
#: Share of a processor, or of a megabyte per second, below which nothing seems to happen.
_IDLE = 0.01
#: What the heartbeat says while the user wants it to wait.
PAUSED = "paused"


@dataclass(frozen=True)
class Sign:
    """What one look found.

    Attributes:
        progress: the heartbeat's counter.
        phase: what the trainer says it is doing.
        stopped: whether the process is halted by a signal.
        work: seconds of processor time plus megabytes moved, ever growing; None where the system does not
            tell.
    """

    progress: int
    phase: str
    stopped: bool = False
    work: float | None = None


class Watch:
    """Judges one trainer. `clock` must stand still while the computer sleeps, as the monotonic one does.

    Args:
        patience_s: shortest silence, in seconds, that can count as a stall.
    """

    def __init__(self, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience_s = patience_s
        self._clock = clock
        self._last: Sign | None = None
        self._since = self._running_since = clock()
        self._pace: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=100))
        self._work: deque[tuple[float, float]] = deque()

    def look(self, sign: Sign) -> Stall:
        """Judge by a new look; made about once a second."""
        now = self._clock()
        last, self._last = self._last, sign
        if not sign.stopped:
            self._running_since = now
        if last is None or sign.phase != last.phase or sign.phase == PAUSED or waits_in(sign.phase):
            self._move(now)
        elif sign.progress != last.progress:
            units = max(sign.progress - last.progress, 1)
            self._pace[sign.phase].extend([(now - self._since) / units] * min(units, _PACE_OF))
            self._move(now)
        self._note_work(now, sign)
        if now - self._running_since >= STOPPED_S:
            return "process_stopped"
        return "no_progress" if now - self._since > self._limit(now, sign) else ""

    def _move(self, now: float) -> None:
        self._since = now

    def _note_work(self, now: float, sign: Sign) -> None:
        if sign.work is not None:
            self._work.append((now, sign.work))
            while len(self._work) > 1 and self._work[1][0] <= now - self._patience_s:
                self._work.popleft()

    def _limit(self, now: float, sign: Sign) -> float:
        """Seconds of silence that are still healthy."""
        pace = self._pace[sign.phase]
        if len(pace) >= _PACE_OF:
            return max(self._patience_s, _TIMES_USUAL * median(pace))
        return self._patience_s * (1 if self._is_idle(now) else _PATIENCE_AT_WORK)

    def _is_idle(self, now: float) -> bool:
        if not self._work:
            return False
        began, before = self._work[0]
        return now > began and (self._work[-1][1] - before) / (now - began) < _IDLE


def look_at(pid: int, heartbeat: Path, started_at: float) -> Sign:
    """Look at a trainer; a heartbeat older than `started_at`, in seconds since 1970, is not its own."""
    beat = read_heartbeat(heartbeat)
    stopped, work = _process(pid)
    if beat is None or beat.t < started_at:
        return Sign(-1, "", stopped, work)
    return Sign(beat.progress, beat.phase, stopped, work)


def _process(pid: int) -> tuple[bool, float | None]:
    """Whether a process is halted, and what it has done so far."""
    if sys.platform != "linux":
        return False, None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        moved = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    except (OSError, ValueError):
        return False, None
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return fields[0] in {"T", "t"}, seconds + (int(moved["rchar"]) + int(moved["wchar"])) / 1e6
