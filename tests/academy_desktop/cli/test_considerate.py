from __future__ import annotations

from pathlib import Path

import pytest

from tests.academy_desktop.cli.conftest import Academy
from tests.academy_desktop.core.test_considerate import quiet_now
from tests.chaos.driving import fake_jobs, train_recipe, until

RULES = ("settings", "considerate")


def test_the_rules_are_shown_and_changed_one_by_one(academy: Academy, tmp_path: Path) -> None:
    off = academy(*RULES, "--json").json
    assert (off["quiet_hours"], off["pause_on_battery"], off["most_celsius"]) == (None, False, None)
    assert academy(*RULES).out == "Runs go on at any hour, on battery too.\n"
    assert not (tmp_path / "data" / "considerate.json").exists()
    night = academy(*RULES, "--hours", "22:30-07:00", "--days", "sun-thu", "--json").json["quiet_hours"]
    assert (night["begins"], night["ends"], night["days"]) == ("22:30", "07:00", [0, 1, 2, 3, 6])
    more = academy(*RULES, "--battery", "--hottest", "80", "--way", "suspend", "--json").json
    assert more["quiet_hours"] == night
    assert (more["pause_on_battery"], more["most_celsius"], more["way"]) == (True, 80, "suspend")
    less = academy(*RULES, "--hours", "off", "--no-battery", "--hottest", "off", "--json").json
    assert (less["quiet_hours"], less["pause_on_battery"], less["most_celsius"]) == (None, False, None)


@pytest.mark.parametrize(
    "wrong",
    [("--hours", "22:00"), ("--hours", "25:00-07:00"), ("--days", "mon-someday"), ("--hottest", "200")],
)
def test_what_is_no_rule_is_refused_and_changes_nothing(
    academy: Academy, tmp_path: Path, wrong: tuple[str, str]
) -> None:
    said = academy(*RULES, *wrong)
    assert said.code == 2
    assert wrong[1].partition("-")[0] in said.err
    assert not (tmp_path / "data" / "considerate.json").exists()


def test_a_job_that_waits_says_why_and_runs_anyway(academy: Academy, tmp_path: Path) -> None:
    quiet = quiet_now()
    academy(*RULES, "--hours", f"{quiet.begins}-{quiet.ends}")
    jobs = fake_jobs(tmp_path / "data", steps=20)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).reason == "quiet_hours", "the wait")
    shown = academy("jobs", "show", job)
    assert "Waits until" in shown.err
    assert "quiet hours" in shown.err
    assert academy("jobs", "anyway", job, "--json").json["job"] == job
    assert jobs.wait(job, 60.0).state == "succeeded"


def test_shutting_down_is_asked_for_and_cancelled(
    academy: Academy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = academy("jobs", "shut-down", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (1, "queue_empty")
    tool = tmp_path / "bin" / "systemctl"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    jobs = fake_jobs(tmp_path / "data", steps=100_000)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step, "a step")
    assert academy("jobs", "shut-down", "--json").json == {"shutdown": "waiting", "at": None}
    assert jobs.shutdown.status().is_on
    assert academy("jobs", "shut-down", "--cancel", "--json").json["shutdown"] == "off"
    assert not jobs.shutdown.status().is_on
    jobs.kill(job)
    jobs.wait(job)
