"""Whether a lack of memory ended a trainer: told from the system's counters, and from its last words.

Owns the signs. Standard library only. Refuses to guess: a SIGKILL without any of them came from somebody.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from trainers.heartbeat import read_heartbeat
from trainers.host_process import Outcome
from trainers.host_records import last_event

#: Phases in which fewer rows at once take less memory; a model that cannot be loaded stays as large.
_PHASES_OF_ROWS = frozenset({"training", "evaluating", "saving"})
#: Looks, some a second, after which a count of the system's kills is old: a process that is being ended may
#: take seconds to give its memory back.
_RECENT_LOOKS = 50
#: A process that has had this share of the address space that it is allowed is refused more before long, and
#: many a library does not look whether it was.
_CLOSE = 0.9
_CRASHES = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS"})
#: A computer with less than this share of its memory available is about to end somebody, in whatever way.
_LOW = 0.03
_WORDS = re.compile(
    rb"MemoryError|bad_alloc|(?:can't|cannot|not) allocate memory|out of memory|not enough memory",
    re.IGNORECASE,
)


class MemoryWatch:
    """Looks at the memory while a trainer runs; `proc` and `groups` are where Linux tells of it."""

    def __init__(self, pid: int, proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> None:
        self._proc = proc
        self._own = proc / str(pid)
        self._groups = groups
        self._kills: dict[Path, deque[int]] = {}
        self._is_low = self._is_close = False
        self._note_kills()

    def look(self) -> None:
        """Take note of the moment; some times a second: the end comes quickly."""
        self._note_kills()
        self._is_low = _is_low(self._proc / "meminfo")
        self._is_close = _is_close(self._own)

    def is_to_blame(self, outcome: Outcome, last_words: bytes) -> bool:
        """Whether a lack of memory ended a trainer that did not end by itself, and that nobody ended."""
        if outcome.signal == "SIGKILL":
            return self._is_low or any(_kills_in(one) > seen[0] for one, seen in self._kills.items())
        if outcome.signal in _CRASHES and self._is_close:
            return True
        return outcome.exit_code != 0 and _WORDS.search(last_words) is not None

    def _find(self) -> tuple[Path, ...]:
        """Where the kernel counts: for the process's own control group, else for the whole computer.

        The computer's count also rises for a stranger's process.
        """
        own = tuple(one for one in _own_counters(self._own / "cgroup", self._groups) if one.is_file())
        return own or ((self._proc / "vmstat",) if self._own.is_dir() else ())

    def _note_kills(self) -> None:
        """Read all counters that were ever the process's: one that is ending seems to be in another group."""
        for counter in self._find():
            self._kills.setdefault(counter, deque(maxlen=_RECENT_LOOKS))
        for counter, seen in self._kills.items():
            seen.append(_kills_in(counter))


def computes_rows(run_dir: Path, started_at: float) -> bool:
    """Whether the trainer started at `started_at` was last at what fewer rows at once make smaller."""
    beat = read_heartbeat(run_dir / "heartbeat")
    return beat is not None and beat.t >= started_at and beat.phase in _PHASES_OF_ROWS


def has_ended(run_dir: Path, attempt: int) -> bool:
    """Whether an attempt has said by itself how it ended."""
    event = last_event(run_dir)
    return (event.get("attempt"), event.get("type")) == (attempt, "ended")


def _own_counters(membership: Path, groups: Path) -> Iterator[Path]:
    """Yield where the control group of a process counts such ends: both versions have their place for it."""
    try:
        lines = membership.read_text().splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            yield groups / path.lstrip("/") / "memory.events"
        elif "memory" in controllers.split(","):
            yield groups / "memory" / path.lstrip("/") / "memory.oom_control"


def _kills_in(counter: Path) -> int:
    try:
        for line in counter.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    except (OSError, ValueError):
        pass
    return 0


def _is_low(meminfo: Path) -> bool:
    try:
        sizes = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        available, total = (int(sizes[name].split()[0]) for name in ("MemAvailable", "MemTotal"))
    except (OSError, ValueError, KeyError, IndexError):
        return False
    return available < _LOW * total


def _is_close(process: Path) -> bool:
    """Whether a process has come close to a limit on its address space."""
    try:
        limits = (process / "limits").read_text().splitlines()
        status = (process / "status").read_text().splitlines()
        limit = next(line.split()[3] for line in limits if line.startswith("Max address space"))
        peak = next(line.split()[1] for line in status if line.startswith("VmPeak:"))
        return limit.isdigit() and int(peak) * 1024 >= _CLOSE * int(limit)
    except (OSError, ValueError, IndexError, StopIteration):
        return False
