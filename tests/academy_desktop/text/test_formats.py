from __future__ import annotations

from datetime import UTC

import pytest

from academy_desktop.text.formats import MISSING, Formats


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1.0 KiB"), (150 * 1024**2, "150 MiB"), (5 * 1024**3, "5.0 GiB")],
)
def test_sizes(size_bytes: int, shown: str) -> None:
    assert Formats().size(size_bytes).replace("\u00a0", " ") == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 sec"), (0.34, "0.3 sec"), (40, "40 sec"), (125, "2 min, 5 sec"), (1200, "20 min"),
        (7500, "2 hr, 5 min"), (7200, "2 hr"), (90_000, "1 day, 1 hr"),
    ],
)  # fmt: skip
def test_durations(seconds: float, shown: str) -> None:
    assert Formats().duration(seconds) == shown


def test_numbers() -> None:
    formats = Formats()
    assert formats.integer(12345) == "12,345"
    assert formats.decimal(1.23456, 3) == "1.235"
    assert formats.decimal(1234.5, 0) in {"1,234", "1,235"}
    assert formats.plain(0.0002) == "0.0002"
    assert formats.percent(0.427) == "43%"


def test_other_locales_write_otherwise() -> None:
    german = Formats("de")
    assert german.decimal(1234.5, 1) == "1.234,5"
    assert german.relative(0.0, 180.0) == "vor 3 Minuten"
    assert german.duration(7500) == "2 Std., 5 Min."


def test_times() -> None:
    formats = Formats(zone=UTC)
    assert formats.relative(100.0, 100.0) == "1 second ago"
    assert formats.relative(0.0, 7200.0) == "2 hours ago"
    assert formats.moment(0.0).startswith("Jan 1, 1970")


def test_what_is_missing_is_a_dash() -> None:
    formats = Formats()
    shown = {formats.integer(None), formats.decimal(None), formats.size(None), formats.duration(None)}
    assert shown == {MISSING}


def test_a_span_of_time_that_is_no_number_is_missing() -> None:
    formats = Formats("en")
    for seconds in (float("nan"), float("inf"), None):
        assert formats.duration(seconds) == formats.brief(seconds) == "–"


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (134_515_008, "135 M"),
        (1_711_376_384, "1.7 B"),
        (8_030_261_248, "8 B"),
        (70_553_706_496, "71 B"),
        (812, "812"),
    ],
)
def test_parameters_are_told_as_models_are_called(count: int, said: str) -> None:
    assert Formats("en").parameters(count).replace("\u00a0", " ") == said
