"""Quiet hours: from one time of day to another, local time, over midnight too, on the days they begin on.

Owns that arithmetic. Standard library only. Refuses to know what is quiet then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True)
class QuietHours:
    """From `begins` to `ends`; if both are the same, a whole day. `days`: 0 is Monday, by the beginning."""

    begins: time
    ends: time
    days: frozenset[int] = EVERY_DAY

    @classmethod
    def read(cls, raw: dict[str, Any]) -> QuietHours:
        """From the document's `begins`, `ends` (HH:MM) and `days`.

        Raises:
            ValueError, KeyError, TypeError: it says no such hours.
        """
        days = frozenset(int(day) for day in raw.get("days", EVERY_DAY))
        return cls(_minute(raw["begins"]), _minute(raw["ends"]), days)

    def end(self, now: datetime) -> datetime | None:
        """When the quiet hours that hold at `now` are over (local time without zone), or None."""
        for day in (now.date() - timedelta(days=1), now.date()):
            begins = datetime.combine(day, self.begins)
            over = day if self.ends > self.begins else day + timedelta(days=1)
            ends = datetime.combine(over, self.ends)
            if day.weekday() in self.days and begins <= now < ends:
                return self._last_end(ends)
        return None

    def _last_end(self, ends: datetime) -> datetime:
        """Hours that begin the moment others end make one night of two; a week has no more than seven."""
        for _ in range(7):
            if ends.time() != self.begins or ends.weekday() not in self.days:
                break
            ends += timedelta(days=1)
        return ends


def _minute(text: str) -> time:
    return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a time of day on this computer's clock
