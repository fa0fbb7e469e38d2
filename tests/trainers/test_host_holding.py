from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainers.host_holding import Holding, was_suspended
from trainers.host_rules import Hold
from trainers.inbox import Inbox, Order

QUIET = Hold("quiet_hours", 1.0)
AWAY = Hold("on_battery", None, "suspend")


class Run:
    """A run's commands, as its trainer sees them."""

    def __init__(self, path: Path) -> None:
        (path / "commands").mkdir()
        self.holding = Holding(path, 1)
        self._inbox = Inbox(path / "commands", 1)

    def keep(self, hold: Hold) -> list[tuple[str, str, str]]:
        self.holding.keep(hold)
        return [(order.name, order.by, order.reason) for order in self._inbox.new()]

    def says(self, *names: str) -> bool:
        return self.holding.hear([Order(name, name, 0.0) for name in names])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_a_trainer_is_paused_once_and_goes_on_once(run: Run) -> None:
    assert run.keep(Hold()) == []
    assert run.keep(QUIET) == [("pause", "host", "quiet_hours")]
    assert run.keep(AWAY) == [("suspend", "host", "on_battery")]
    assert run.keep(Hold()) == []
    assert run.holding.goes_on_later


def test_after_the_hold_it_goes_on(run: Run) -> None:
    run.keep(QUIET)
    assert run.keep(QUIET) == []
    assert run.keep(Hold()) == [("unpause", "host", "")]
    assert run.keep(Hold()) == []


def test_the_users_own_pause_is_never_ended_by_a_rule(run: Run) -> None:
    assert not run.says("pause")
    assert run.keep(AWAY) == []
    assert run.keep(Hold()) == []
    assert run.says("unpause")
    run.keep(QUIET)
    run.says("pause")
    assert run.keep(Hold()) == []


def test_going_on_by_hand_is_a_waiver_and_needs_no_second_word(run: Run) -> None:
    run.keep(QUIET)
    assert run.says("unpause")
    assert run.keep(Hold()) == []
    assert run.says("anyway")


@pytest.mark.parametrize("name", ["stop", "suspend", "kill"])
def test_whom_the_user_ends_no_rule_brings_back(run: Run, name: str) -> None:
    run.keep(AWAY)
    run.says(name)
    assert not run.holding.goes_on_later
    assert run.keep(QUIET) == []


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ({"attempt": 1, "type": "ended", "payload": {"state": "stopped", "reason": "suspended"}}, True),
        ({"attempt": 1, "type": "ended", "payload": {"state": "succeeded", "reason": ""}}, False),
        ({"attempt": 2, "type": "ended", "payload": {"state": "stopped", "reason": "suspended"}}, False),
        ({"attempt": 1, "type": "step", "payload": {}}, False),
        ([], False),
    ],
)
def test_a_run_says_itself_whether_it_was_suspended(tmp_path: Path, last: object, expected: bool) -> None:
    assert not was_suspended(tmp_path, 1)
    (tmp_path / "events.jsonl").write_text('{"torn\n' + json.dumps(last) + "\n")
    assert was_suspended(tmp_path, 1) is expected
