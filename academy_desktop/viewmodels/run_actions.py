"""What the user may do with a run besides stopping and resuming it, state by state.

Owns that choice and its words. Refuses to know how anything is carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from academy_desktop.core.states import JobState
from academy_desktop.text.marking import N_


class RunAction(StrEnum):
    """One thing to do."""

    START_NEXT = "start_next"
    SAVE = "save"
    SAMPLE = "sample"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    SUSPEND = "suspend"
    SEND = "send"
    RENAME = "rename"
    SHOW_FILES = "show_files"
    KILL = "kill"
    DELETE = "delete"


@dataclass(frozen=True)
class ActionWords:
    """How an action is offered; both marked for translation."""

    title: str
    hint: str


WORDS: Mapping[RunAction, ActionWords] = {
    RunAction.START_NEXT: ActionWords(
        N_("Start this one next"), N_("It goes before all others that wait for the device.")
    ),
    RunAction.SAVE: ActionWords(
        N_("Save a checkpoint now"), N_("The run goes on; it could be resumed from this moment.")
    ),
    RunAction.SAMPLE: ActionWords(
        N_("Ask the model now"), N_("It answers the questions of this run as it is by now, and goes on.")
    ),
    RunAction.PAUSE: ActionWords(N_("Pause"), N_("The run waits and keeps its memory.")),
    RunAction.UNPAUSE: ActionWords(N_("Go on"), N_("The run goes on where it waits.")),
    RunAction.SUSPEND: ActionWords(
        N_("Save and free the memory"), N_("The run ends for now, and is resumed from where it was.")
    ),
    RunAction.SEND: ActionWords(
        N_("Send to Venom …"), N_("Lets the chat of a Venom server use the adapter.")
    ),
    RunAction.RENAME: ActionWords(N_("Rename …"), N_("What this run is called in all lists.")),
    RunAction.SHOW_FILES: ActionWords(N_("Show the files"), N_("Opens the folder of this run.")),
    RunAction.KILL: ActionWords(
        N_("End it at once"),
        N_("For a run that does not react: what came after its last checkpoint is lost."),
    ),
    RunAction.DELETE: ActionWords(N_("Move to the trash"), N_("It can be brought back.")),
}


def actions_in(state: JobState, *, trains: bool) -> tuple[RunAction, ...]:
    """What can be done in a state; only what `trains` can save and wait."""
    always = (RunAction.RENAME, RunAction.SHOW_FILES)
    if state.is_over:
        sent = (RunAction.SEND,) if trains and state is JobState.SUCCEEDED else ()
        return (*sent, *always, RunAction.DELETE)
    match state:
        case JobState.RUNNING if trains:
            now: tuple[RunAction, ...] = (
                RunAction.SAVE,
                RunAction.SAMPLE,
                RunAction.PAUSE,
                RunAction.SUSPEND,
            )
        case JobState.PAUSED if trains:
            now = (RunAction.UNPAUSE, RunAction.SAMPLE, RunAction.SUSPEND)
        case JobState.QUEUED:
            now = (RunAction.START_NEXT,)
        case _:
            now = ()
    return (*now, *always, RunAction.KILL)
