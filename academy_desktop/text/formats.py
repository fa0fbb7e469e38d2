"""Numbers, sizes, durations and times as people of a language write them.

Owns the formats; the locale is handed in. Refuses to know where a value comes from.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, tzinfo
from typing import Literal

from babel import Locale
from babel.dates import format_datetime, format_time, format_timedelta
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

#: Shown where a value is not known.
MISSING = "–"

_BINARY = ("KiB", "MiB", "GiB", "TiB")
_NO_BREAK = "\u00a0"


class Formats:
    """Formats of one locale; `zone` is the time zone of dates (default: the machine's own)."""

    def __init__(self, locale: Locale | str = "en", zone: tzinfo | None = None) -> None:
        self._locale = Locale.parse(locale) if isinstance(locale, str) else locale
        self._zone = zone

    @property
    def locale(self) -> Locale:
        """The locale of these formats."""
        return self._locale

    def integer(self, value: int | None) -> str:
        """A whole number with its thousands set apart."""
        return MISSING if value is None else format_decimal(value, locale=self._locale)

    def decimal(self, value: float | None, digits: int = 2) -> str:
        """A number with exactly `digits` decimals."""
        if value is None:
            return MISSING
        pattern = "#,##0." + "0" * digits if digits else "#,##0"
        return format_decimal(value, format=pattern, locale=self._locale)

    def plain(self, value: float) -> str:
        """A number as short as it can be said: 0.0002 stays 0.0002."""
        if value != 0 and not 1e-6 <= abs(value) < 1e15:
            return f"{value:.3g}"
        return format_decimal(value, format="#,##0.########", locale=self._locale)

    def percent(self, share: float | None) -> str:
        """A share between 0 and 1 as a whole percentage."""
        return MISSING if share is None else format_percent(share, locale=self._locale)

    def size(self, size_bytes: float | None) -> str:
        """An amount of bytes in KiB, MiB, GiB or TiB."""
        if size_bytes is None:
            return MISSING
        if abs(size_bytes) < 1024:
            return f"{self.integer(int(size_bytes))}{_NO_BREAK}B"
        power = 1
        while power < len(_BINARY) and abs(size_bytes) >= 999.5 * 1024**power:
            power += 1
        amount, unit = size_bytes / 1024**power, _BINARY[power - 1]
        return f"{self.decimal(amount, 0 if abs(amount) >= 99.95 else 1)}{_NO_BREAK}{unit}"

    def parameters(self, count: int) -> str:
        """A number of parameters as models are called: `135 M`, `1.7 B`."""
        for unit, size in (("B", 10**9), ("M", 10**6)):
            if count >= size * 0.95:
                amount = count / size
                shown = self.decimal(amount, 0) if amount >= 9.95 else self.plain(round(amount, 1))
                return f"{shown}{_NO_BREAK}{unit}"
        return self.integer(count)

    def duration(self, seconds: float | None) -> str:
        """A span of time by its two largest units: `2 hr, 5 min`, `40 sec`, `0.3 sec`."""
        if seconds is None or not math.isfinite(seconds):
            return MISSING
        if 0 < seconds < 1:
            return self._unit(round(seconds, 1), "second")
        shown = [self._unit(value, unit) for value, unit in _largest(seconds)]
        return format_list(shown, style="unit-short", locale=self._locale) if len(shown) > 1 else shown[0]

    def brief(self, seconds: float | None) -> str:
        """A span of time for a narrow place: `2h 5m`, `40s`."""
        if seconds is None or not math.isfinite(seconds):
            return MISSING
        if 0 < seconds < 10:
            return self._unit(round(seconds, 1), "second", "narrow")
        return " ".join(self._unit(value, unit, "narrow") for value, unit in _largest(seconds))

    def relative(self, then: float, now: float) -> str:
        """When something was or will be, seen from `now` (both in seconds since 1970): `3 minutes ago`."""
        delta = then - now
        if -1 < delta < 1:
            delta = -1.0
        return format_timedelta(round(delta), add_direction=True, threshold=0.95, locale=self._locale)

    def clock(self, then: float) -> str:
        """A time of day in the machine's time zone (seconds since 1970): `07:00`, `7:00 AM`."""
        try:
            local = datetime.fromtimestamp(then, UTC).astimezone(self._zone)
        except (ValueError, OverflowError, OSError):  # no such time
            return MISSING
        return format_time(local, format="short", tzinfo=local.tzinfo, locale=self._locale)

    def moment(self, then: float, form: Literal["short", "medium", "long"] = "medium") -> str:
        """Date and time of day in the machine's time zone (seconds since 1970)."""
        local = datetime.fromtimestamp(then, UTC).astimezone(self._zone)
        return format_datetime(local, format=form, tzinfo=local.tzinfo, locale=self._locale)

    def _unit(self, value: float, unit: str, length: Literal["short", "narrow"] = "short") -> str:
        return format_unit(value, f"duration-{unit}", length=length, locale=self._locale)


def _largest(seconds: float) -> list[tuple[int, str]]:
    """A span of time by its two largest units that are not zero; seconds only below ten minutes."""
    minutes, rest_s = divmod(round(max(seconds, 0.0)), 60)
    hours, rest_min = divmod(minutes, 60)
    days, rest_h = divmod(hours, 24)
    if days:
        parts = [(days, "day"), (rest_h, "hour")]
    elif hours:
        parts = [(hours, "hour"), (rest_min, "minute")]
    elif minutes >= 10:
        parts = [(minutes, "minute")]
    else:
        parts = [(minutes, "minute"), (rest_s, "second")]
    return [part for part in parts if part[0]] or parts[-1:]
