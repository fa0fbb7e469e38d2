from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.chaos import __main__ as command
from tests.chaos.trials import Case, Row, TooLateError, Trial, run_trials


def row(trial: Trial) -> Row:
    return Row(lambda _root: trial, trials=5, short=2)


def test_what_failed_is_told_with_its_trial(tmp_path: Path) -> None:
    def every_other(case: Case) -> str | None:
        return "a gap" if case.number % 2 else None

    came = run_trials("made", row(every_other), 4, 1, tmp_path)
    assert came.failures == ["made, trial 1: a gap", "made, trial 3: a gap"]


def test_what_never_came_is_a_failure(tmp_path: Path) -> None:
    def waits(_case: Case) -> str | None:
        raise AssertionError("waited 60 s for steps")

    assert run_trials("made", row(waits), 1, 1, tmp_path).failures == ["made, trial 0: waited 60 s for steps"]


def test_a_trial_that_came_too_late_is_drawn_again(tmp_path: Path) -> None:
    drawn: list[float] = []

    def late_twice(case: Case) -> str | None:
        drawn.append(case.random.random())
        if len(drawn) < 3:
            raise TooLateError
        return None

    assert run_trials("made", row(late_twice), 1, 1, tmp_path).failures == []
    assert len(set(drawn)) == 3


def test_what_is_always_too_late_is_a_failure(tmp_path: Path) -> None:
    def late(_case: Case) -> str | None:
        raise TooLateError

    (failure,) = run_trials("made", row(late), 1, 1, tmp_path).failures
    assert "always over" in failure


def test_a_seed_draws_the_same_again(tmp_path: Path) -> None:
    def draws(case: Case) -> str | None:
        case.note("drawn", case.random.random())
        return None

    first, again, other = (run_trials("made", row(draws), 3, seed, tmp_path).measured for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_row_prints_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def half(case: Case) -> str | None:
        case.note("live_s", float(case.number))
        return "a double" if case.number == 1 else None

    monkeypatch.setattr(command, "ROWS", {"made.up": row(half)})
    assert command.main(["made", "--trials", "3", "--seed", "7"]) == 1
    printed = capsys.readouterr()
    line = json.loads(printed.out)
    assert line.keys() >= {"name", "trials", "failures", "seed", "seconds", "sources_sha256"}
    assert (line["name"], line["trials"], line["failures"], line["seed"]) == ("made.up", 3, 1, 7)
    assert line["measured"] == {"live_s": {"median": 1.0, "most": 2.0}}
    assert printed.err == "made.up, trial 1: a double\n"
    assert command.main(["made.up", "--short"]) == 1
    assert json.loads(capsys.readouterr().out)["trials"] == 2


@pytest.mark.parametrize("arguments", [[], ["adop"], ["instance."]])
def test_without_a_name_that_there_is_all_are_listed(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert all(name in printed.err for name in command.ROWS)
