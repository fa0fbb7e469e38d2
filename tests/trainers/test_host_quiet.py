from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.host_quiet import QuietHours

NIGHT = QuietHours(time(22), time(7))
#: A Monday.
MONDAY = datetime(2026, 11, 23)  # noqa: DTZ001 - local hours


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        (at(0, 21, 59), None),
        (at(0, 22), at(1, 7)),
        (at(1, 0), at(1, 7)),
        (at(1, 6, 59), at(1, 7)),
        (at(1, 7), None),
        (at(1, 12), None),
    ],
)
def test_a_night_goes_over_midnight(now: datetime, end: datetime | None) -> None:
    assert NIGHT.end(now) == end


def test_hours_of_one_day_stay_in_it() -> None:
    noon = QuietHours(time(9), time(17, 30))
    assert noon.end(at(2, 8, 59)) is None
    assert noon.end(at(2, 9)) == at(2, 17, 30)
    assert noon.end(at(2, 17, 30)) is None


def test_a_day_counts_by_the_beginning_of_its_night() -> None:
    friday = QuietHours(time(22), time(7), frozenset({4}))
    assert friday.end(at(4, 23)) == at(5, 7)
    assert friday.end(at(5, 3)) == at(5, 7)
    assert friday.end(at(5, 23)) is None
    assert friday.end(at(4, 3)) is None


def test_whole_days_that_follow_each_other_end_together() -> None:
    weekend = QuietHours(time(8), time(8), frozenset({5, 6}))
    assert weekend.end(at(5, 7, 59)) is None
    assert weekend.end(at(5, 8)) == at(7, 8)
    assert weekend.end(at(6, 12)) == at(7, 8)
    assert weekend.end(at(7, 8)) is None


def test_the_document_is_read_and_nonsense_refused() -> None:
    read = QuietHours.read({"begins": "22:00", "ends": "07:30", "days": [0, 6]})
    assert read == QuietHours(time(22), time(7, 30), frozenset({0, 6}))
    for wrong in ({"begins": "25:00", "ends": "07:00"}, {"ends": "07:00"}, {"begins": 22, "ends": "07:00"}):
        with pytest.raises((ValueError, KeyError, TypeError)):
            QuietHours.read(wrong)


TIMES: st.SearchStrategy[Any] = st.times().map(lambda one: one.replace(second=0, microsecond=0))


@given(TIMES, TIMES, st.frozensets(st.integers(0, 6)), st.integers(0, 7 * 24 * 60 - 1))
def test_quiet_hours_hold_until_their_end_and_not_after(
    begins: time, ends: time, days: frozenset[int], minutes: int
) -> None:
    quiet = QuietHours(begins, ends, days)
    now = MONDAY + timedelta(minutes=minutes)
    over = quiet.end(now)
    if over is None:
        return
    assert now < over <= now + timedelta(days=8)
    assert over.time() == ends
    if len(days) < 7 or begins != ends:  # else they never end
        assert quiet.end(over - timedelta(minutes=1)) == over
        assert quiet.end(over) is None
