from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from trainers.host_gpu import GpuReading
from trainers.host_rules import Hold, Judge, Rules
from trainers.host_sensors import Reading

#: 23:00 of a Wednesday, here.
LATE = datetime(2026, 11, 25, 23).timestamp()  # noqa: DTZ001 - local hours
SEVEN = datetime(2026, 11, 26, 7).timestamp()  # noqa: DTZ001 - local hours
NIGHT = {"begins": "22:00", "ends": "07:00", "days": [0, 1, 2, 3, 4, 5, 6]}
BATTERY = Reading(on_battery=True)


class Rule:
    """A document and a clock, and who judges by them."""

    def __init__(self, path: Path) -> None:
        self.path = path / "considerate.json"
        self.now = LATE
        self.judge = Judge(self.path, lambda: self.now)

    def write(self, **rules: object) -> None:
        self.path.write_text(json.dumps({"v": 1, **rules}))

    def look(self, *, celsius: float | None = None, battery: bool = False) -> Hold:
        return self.judge.look(Reading(battery, GpuReading(celsius)))


@pytest.fixture
def rule(tmp_path: Path) -> Rule:
    return Rule(tmp_path)


def test_without_a_document_nothing_holds(rule: Rule) -> None:
    assert not rule.look(celsius=200.0, battery=True)
    assert not Judge(None).look(BATTERY)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"v": 2, "pause_on_battery": true}', "[" * 100_000])
def test_a_document_that_nobody_understands_holds_nothing(rule: Rule, text: str) -> None:
    rule.path.write_text(text)
    assert Rules.read(rule.path) == Rules()


def test_a_part_that_nobody_understands_leaves_the_others_in_force(rule: Rule) -> None:
    rule.write(quiet_hours={"begins": "late", "ends": []}, most_celsius="hot", pause_on_battery=True)
    assert Rules.read(rule.path) == Rules(pause_on_battery=True)


def test_quiet_hours_hold_until_their_end(rule: Rule) -> None:
    rule.write(quiet_hours=NIGHT, way="suspend")
    assert rule.look() == Hold("quiet_hours", SEVEN, "suspend")
    rule.now = SEVEN
    assert not rule.look()


def test_a_battery_holds_where_that_is_wanted(rule: Rule) -> None:
    rule.write(pause_on_battery=True)
    assert rule.look(battery=True) == Hold("on_battery")
    assert not rule.look()
    rule.write(pause_on_battery=False)
    assert not rule.look(battery=True)


def test_a_hot_card_holds_until_it_is_five_degrees_cooler(rule: Rule) -> None:
    rule.write(most_celsius=80, way="suspend")
    held = [bool(rule.look(celsius=heat)) for heat in (80.0, 81.0, 79.0, 76.0, 75.0, 79.0, 81.0)]
    assert held == [False, True, True, True, False, False, True]
    assert rule.look(celsius=90.0) == Hold("too_hot", None, "pause")
    assert not rule.look(celsius=None)


def test_a_waiver_is_for_what_holds_now_and_as_long_as_that_goes_on(rule: Rule) -> None:
    rule.write(quiet_hours=NIGHT, pause_on_battery=True)
    rule.judge.waive()
    assert not rule.look()
    assert rule.look(battery=True).reason == "on_battery"
    assert not rule.look()
    rule.now = SEVEN
    assert not rule.look()
    rule.now = LATE
    assert rule.look().reason == "quiet_hours"
