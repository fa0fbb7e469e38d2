"""When a job has to wait although its device is free: `considerate.json`, as the user wrote it.

Owns the reading of that document and the judgement: quiet hours, on battery, too hot; and what the user
waived for one job. Standard library only. Refuses to know how a job is made to wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from trainers.host_quiet import QuietHours
from trainers.host_records import read_json
from trainers.host_sensors import Reading

Reason = Literal["", "quiet_hours", "on_battery", "too_hot"]
#: `pause` keeps the memory, `suspend` saves and gives it back.
Way = Literal["pause", "suspend"]

#: A card that was too hot has to be this much cooler than the limit, in degrees Celsius.
COOLER_BY = 5.0


@dataclass(frozen=True)
class Hold:
    """Why a job has to wait now; without a reason it may run. `until`: seconds since 1970, where known."""

    reason: Reason = ""
    until: float | None = None
    way: Way = "pause"

    def __bool__(self) -> bool:
        return bool(self.reason)


@dataclass(frozen=True)
class Rules:
    """The document; what it does not say, or says so that nobody understands it, counts as not wanted."""

    quiet_hours: QuietHours | None = None
    pause_on_battery: bool = False
    most_celsius: float | None = None
    way: Way = "pause"

    @classmethod
    def read(cls, path: Path) -> Rules:
        """Read the document; never fails."""
        try:
            raw = read_json(path)
            if raw.get("v", 1) != 1:
                return cls()
            return cls(
                _quiet(raw.get("quiet_hours")),
                raw.get("pause_on_battery") is True,
                _limit(raw.get("most_celsius")),
                "suspend" if raw.get("way") == "suspend" else "pause",
            )
        except (OSError, ValueError, RecursionError):
            return cls()


class Judge:
    """Judges for one job, by the document as it is at each look. Without a document it may always run."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._hot = False
        self._waived: frozenset[Reason] = frozenset()
        self._waive = False

    def waive(self) -> None:
        """Let the job run in spite of what holds it now, for as long as that goes on."""
        self._waive = True

    def look(self, reading: Reading) -> Hold:
        """What holds the job now."""
        if self._path is None:
            return Hold()
        holds = self._holds(Rules.read(self._path), reading)
        reasons = frozenset(one.reason for one in holds)
        self._waived = reasons if self._waive else self._waived & reasons
        self._waive = False
        return next((one for one in holds if one.reason not in self._waived), Hold())

    def _holds(self, rules: Rules, reading: Reading) -> list[Hold]:
        found: list[Hold] = []
        if rules.quiet_hours is not None:
            ends = rules.quiet_hours.end(datetime.fromtimestamp(self._clock()))  # noqa: DTZ006 - local hours
            if ends is not None:
                found.append(Hold("quiet_hours", ends.timestamp(), rules.way))
        if rules.pause_on_battery and reading.on_battery:
            found.append(Hold("on_battery", None, rules.way))
        if self._is_hot(rules.most_celsius, reading.gpu.celsius):
            found.append(Hold("too_hot"))  # a card cools while its memory is kept
        return found

    def _is_hot(self, limit: float | None, celsius: float | None) -> bool:
        if limit is None or celsius is None:
            self._hot = False
        else:
            self._hot = celsius > limit - (COOLER_BY if self._hot else 0.0)
        return self._hot


def _quiet(raw: Any) -> QuietHours | None:
    try:
        return None if raw is None else QuietHours.read(raw)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _limit(raw: Any) -> float | None:
    return float(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else None
