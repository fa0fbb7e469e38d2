from __future__ import annotations

import pytest

from academy_desktop.core.states import JobState
from academy_desktop.viewmodels.run_actions import WORDS, RunAction, actions_in

ALWAYS = {RunAction.RENAME, RunAction.SHOW_FILES}
ALIVE = ALWAYS | {RunAction.KILL}


@pytest.mark.parametrize("state", list(JobState))
def test_only_what_is_over_can_be_deleted(state: JobState) -> None:
    offered = actions_in(state, trains=True)
    assert (RunAction.DELETE in offered) == state.is_over
    assert (RunAction.KILL in offered) != state.is_over
    assert set(offered) >= ALWAYS


def test_a_running_training_can_save_wait_and_make_room() -> None:
    assert set(actions_in(JobState.RUNNING, trains=True)) - ALIVE == {
        RunAction.SAVE,
        RunAction.SAMPLE,
        RunAction.PAUSE,
        RunAction.SUSPEND,
    }
    assert set(actions_in(JobState.PAUSED, trains=True)) - ALIVE == {
        RunAction.UNPAUSE,
        RunAction.SAMPLE,
        RunAction.SUSPEND,
    }


def test_an_export_has_no_checkpoints_and_does_not_wait() -> None:
    assert set(actions_in(JobState.RUNNING, trains=False)) == ALIVE


def test_only_what_was_trained_can_be_sent() -> None:
    for state in JobState:
        for trains in (True, False):
            offered = RunAction.SEND in actions_in(state, trains=trains)
            assert offered == (trains and state is JobState.SUCCEEDED)


def test_what_waits_can_go_first() -> None:
    assert set(actions_in(JobState.QUEUED, trains=True)) - ALIVE == {RunAction.START_NEXT}


def test_every_action_has_its_words() -> None:
    assert set(WORDS) == set(RunAction)
