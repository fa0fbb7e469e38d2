from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from academy_desktop.core.states import HOST_START_S, Facts, JobState, Verdict, derive
from tests.trainers.golden.protocol import table
from trainers.errors import ErrorCode
from trainers.layout import ExitRecord


def left(reason: str, **more: object) -> ExitRecord:
    return ExitRecord.model_validate({"reason": reason, "ended_at": 1.0, **more})


#: A job that trains, with nothing out of the ordinary.
TRAINING = Facts(host_alive=True, host_state="running", started=True, launch_age_s=1000.0)
YOUNG = Facts(launch_age_s=HOST_START_S - 0.1)

#: Each row of the table "Job states", in its words: facts, state, reason.
ROWS: list[tuple[str, Facts, JobState, str]] = [
    ("no attempt was launched", Facts(launched=False), JobState.INTERRUPTED, "not_started"),
    ("`ended` succeeded", replace(TRAINING, ended="succeeded"), JobState.SUCCEEDED, ""),
    (
        "`ended` stopped, suspended, the host lives and holds the job",
        replace(TRAINING, ended="stopped", ended_reason="suspended", held="quiet_hours"),
        JobState.QUEUED,
        "quiet_hours",
    ),
    (
        "`ended` stopped",
        replace(TRAINING, ended="stopped", ended_reason="suspended"),
        JobState.STOPPED,
        "suspended",
    ),
    (
        "`ended` failed",
        replace(TRAINING, ended="failed", ended_reason="out_of_memory"),
        JobState.FAILED,
        "out_of_memory",
    ),
    (
        "exit with `out_of_memory`",
        replace(TRAINING, exit=left("signalled", signal="SIGKILL", out_of_memory=True)),
        JobState.FAILED,
        "out_of_memory",
    ),
    (
        "exit `stopped_in_queue`",
        Facts(exit=left("stopped_in_queue"), host_state="ended"),
        JobState.STOPPED,
        "user",
    ),
    (
        "exit `not_started`",
        Facts(exit=left("not_started", message="no python"), host_state="ended"),
        JobState.FAILED,
        "host_failed",
    ),
    (
        "exit `signalled`",
        replace(TRAINING, exit=left("signalled", signal="SIGKILL")),
        JobState.INTERRUPTED,
        "SIGKILL",
    ),
    (
        "exit `exited` (without `ended`)",
        replace(TRAINING, exit=left("exited", exit_code=3)),
        JobState.FAILED,
        "crashed",
    ),
    (
        "no exit, host lock free, launch less than 10 s old and no `host.json`",
        YOUNG,
        JobState.QUEUED,
        "",
    ),
    ("no exit, host lock free", replace(TRAINING, host_alive=False), JobState.INTERRUPTED, "host_lost"),
    (
        "the heartbeat says `disk_full` or `disk_error`, or `host.json` under `stalled`",
        replace(TRAINING, waits="disk_full", stop_pending=True),
        JobState.PAUSED,
        "disk_full",
    ),
    (
        "host waits",
        Facts(host_alive=True, host_state="waiting", held="quiet_hours"),
        JobState.QUEUED,
        "quiet_hours",
    ),
    (
        "an accepted or unanswered `stop` or `suspend`",
        replace(TRAINING, stop_pending=True),
        JobState.STOPPING,
        "",
    ),
    ("no `started` yet", replace(TRAINING, started=False), JobState.STARTING, ""),
    ("`pause` done and no `unpause` after it", replace(TRAINING, paused=True), JobState.PAUSED, ""),
    ("otherwise", TRAINING, JobState.RUNNING, ""),
]

#: What a row's reason says in the table where it is not the word itself.
REASONS = {
    "its reason": "suspended",
    "its code": "out_of_memory",
    "the signal": "SIGKILL",
    "what holds it": "quiet_hours",
    "what it says": "disk_full",
}


def test_the_rows_tested_here_are_those_of_the_protocol() -> None:
    written = [(row[0], row[1], REASONS.get(row[2], row[2])) for row in table("Job states")]
    assert written == [(quote, state.value, reason) for quote, _, state, reason in ROWS]


@pytest.mark.parametrize(("facts", "state", "reason"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_each_row_of_the_table(facts: Facts, state: JobState, reason: str) -> None:
    assert derive(facts) == Verdict(state, reason)


@pytest.mark.parametrize("stalled", ["process_stopped", "no_progress"])
def test_a_trainer_that_gets_nowhere_is_still_in_progress_with_that_reason(stalled: str) -> None:
    for changed, state in (
        (TRAINING, JobState.RUNNING),
        (replace(TRAINING, started=False), JobState.STARTING),
        (replace(TRAINING, stop_pending=True), JobState.STOPPING),
    ):
        assert derive(replace(changed, stalled=stalled)) == Verdict(state, stalled)
        assert derive(replace(changed, stalled=stalled, held="too_hot")) == Verdict(state, stalled)
        assert derive(replace(changed, held="too_hot")) == Verdict(state, "too_hot")
    over = replace(TRAINING, stalled=stalled, exit=left("signalled", signal="SIGKILL"))
    assert derive(over) == Verdict(JobState.INTERRUPTED, "SIGKILL")


def differences(facts: Facts) -> dict[str, Any]:
    """What makes these facts those of their row."""
    base = Facts()
    return {
        one.name: getattr(facts, one.name)
        for one in fields(Facts)
        if getattr(facts, one.name) != getattr(base, one.name)
    }


#: Rows that may fit at once: one job ends once, and in one way.
PAIRS = [
    (ROWS[first], ROWS[second])
    for first in range(9)  # the rows up to the exits are told by facts that lower rows leave alone
    for second in range(first + 1, len(ROWS))
    if ROWS[first][1].ended is None or ROWS[second][1].ended is None
    if ROWS[first][1].exit is None or ROWS[second][1].exit is None
    # what was suspended and is held is the row of its own
    if ROWS[first][1].ended_reason != "suspended" or not ROWS[second][1].held
]


@pytest.mark.parametrize(
    ("upper", "lower"), [pytest.param(*pair, id=f"{pair[0][0]} > {pair[1][0]}") for pair in PAIRS]
)
def test_the_first_row_that_fits_wins(
    upper: tuple[str, Facts, JobState, str], lower: tuple[str, Facts, JobState, str]
) -> None:
    both = replace(lower[1], **{**differences(lower[1]), **differences(upper[1])})
    assert derive(both) == Verdict(upper[2], upper[3])


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({"host_alive": False, "stop_pending": True, "paused": True, "started": False}, JobState.INTERRUPTED),
        ({"host_state": "waiting", "stop_pending": True, "paused": True}, JobState.QUEUED),
        ({"stop_pending": True, "started": False, "paused": True}, JobState.STOPPING),
        ({"started": False, "paused": True}, JobState.STARTING),
    ],
)
def test_the_first_row_that_fits_wins_for_a_living_job(changed: dict[str, Any], state: JobState) -> None:
    assert derive(replace(TRAINING, **changed)).state is state


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (replace(YOUNG, launch_age_s=HOST_START_S), JobState.INTERRUPTED),
        (replace(YOUNG, host_state="waiting"), JobState.INTERRUPTED),
        (replace(YOUNG, launch_age_s=-3600.0), JobState.QUEUED),
        (replace(YOUNG, launch_age_s=HOST_START_S, host_alive=True), JobState.QUEUED),
    ],
    ids=["ten seconds old", "its host has spoken", "the clock was set back", "its host has just come alive"],
)
def test_the_youth_of_a_launch(facts: Facts, state: JobState) -> None:
    assert derive(facts).state is state


def test_a_signal_without_a_name_is_a_signal() -> None:
    assert derive(Facts(exit=left("signalled"))) == Verdict(JobState.INTERRUPTED, "signal")


def test_a_host_that_cleans_up_behind_a_trainer_changes_nothing() -> None:
    assert derive(replace(TRAINING, host_state="ended")).state is JobState.RUNNING


FACTS = st.builds(
    Facts,
    launched=st.booleans(),
    ended=st.sampled_from([None, "succeeded", "stopped", "failed"]),
    ended_reason=st.sampled_from(["", "user", "crashed"]),
    exit=st.sampled_from(
        [None, *(left(one) for one in ("exited", "signalled", "stopped_in_queue", "not_started"))]
    ),
    host_alive=st.booleans(),
    host_state=st.sampled_from([None, "waiting", "running", "ended"]),
    launch_age_s=st.floats(-10, 100),
    stop_pending=st.booleans(),
    started=st.booleans(),
    paused=st.booleans(),
)


@settings(deadline=None)
@given(facts=FACTS)
def test_whatever_the_facts_a_job_has_a_state_and_one_that_is_over_says_why(facts: Facts) -> None:
    verdict = derive(facts)
    if verdict.state is JobState.INTERRUPTED or (facts.exit is not None and facts.ended is None):
        assert verdict.reason
    if not verdict.state.is_over:
        assert facts.launched
        assert facts.exit is None
        assert facts.ended is None
        assert facts.host_alive or facts.host_state is None


@settings(deadline=None)
@given(facts=FACTS)
def test_only_a_living_host_makes_a_job_run(facts: Facts) -> None:
    alive = {JobState.STARTING, JobState.RUNNING, JobState.PAUSED, JobState.STOPPING}
    assert derive(facts).state not in alive or facts.host_alive


def test_what_is_over_and_what_can_be_resumed() -> None:
    over = {state.value for state in JobState if state.is_over}
    resumable = {state.value for state in JobState if state.can_resume}
    assert over == {"succeeded", "stopped", "failed", "interrupted"}
    assert resumable == over - {"succeeded"}


def test_codes_that_the_table_gives_have_sentences() -> None:
    assert {"host_failed", "crashed"} <= {code.value for code in ErrorCode}
