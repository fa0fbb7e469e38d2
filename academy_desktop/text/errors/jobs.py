"""Jobs, and what ends them: what can fail there, in words.

Owns the English originals, marked for translation; `templates` says how facts enter them.
"""

from __future__ import annotations

from typing import Final

from academy_desktop.text.errors.error_text import ErrorText
from academy_desktop.text.marking import N_
from trainers.errors import ErrorCode

JOBS: Final = {
    ErrorCode.JOB_UNKNOWN: ErrorText(
        N_("There is no such job"),
        N_("No job here has the id[ “{job}”|given][ ({matches} ids begin so)]."),
        N_("See all jobs with “academy jobs list”."),
    ),
    ErrorCode.JOB_NOT_RESUMABLE: ErrorText(
        N_("This job cannot be resumed"),
        N_("[Job {job}|The job] cannot go on[: it is {state}]."),
        N_("Only stopped, failed and interrupted jobs can be resumed."),
    ),
    ErrorCode.JOB_NOT_RUNNING: ErrorText(
        N_("This job is not running"),
        N_("[Job {job}|The job] cannot do this now[: it is {state}]."),
        N_("Look at its state with “academy jobs list”."),
    ),
    ErrorCode.JOB_NOT_QUEUED: ErrorText(
        N_("This job does not wait"),
        N_("[Job {job}|The job] has no place in the queue[: it is {state}]."),
        N_("Only queued jobs can change places; “academy jobs list” shows them."),
    ),
    ErrorCode.JOB_RUNNING: ErrorText(
        N_("This job is still running"),
        N_("[Job {job}|The job] has to end first[: it is {state}]."),
        N_("Stop it with “academy jobs stop”, or wait until it has finished."),
    ),
    ErrorCode.JOB_WITHOUT_ADAPTER: ErrorText(
        N_("The job has no result yet"),
        N_("[Job {job}|The job] has no trained adapter[: it is {state}]."),
        N_("Let the training finish, or resume it, and try again."),
    ),
    ErrorCode.JOB_FOREIGN: ErrorText(
        N_("The run leads out of its folder"),
        N_(
            "In the folder of the run[ {job}], [“{name}”|something] leads elsewhere[: to {path}]. Nothing is "
            "read or written there."
        ),
        N_("If you did not make it so, move the run to the trash; if you did, put the real folder there."),
    ),
    ErrorCode.QUEUE_EMPTY: ErrorText(
        N_("Nothing runs now"),
        N_("The computer can be shut down after the last run, but no run is waiting or in progress."),
        N_("Start a run first, and then ask for it."),
    ),
    ErrorCode.SHUTDOWN_UNAVAILABLE: ErrorText(
        N_("This computer cannot be shut down from here"),
        N_("The system’s own command for it[, {program},] is not there."),
        N_("Shut it down yourself when the last run is over; the runs are not touched by this."),
    ),
    ErrorCode.HOST_FAILED: ErrorText(
        N_("The job could not be started"),
        N_("The process that looks after the job[ {job}] did not start[: {detail}]."),
        N_("Try to resume the job. If it fails again, run “academy doctor”."),
    ),
    ErrorCode.PROTOCOL_NEWER: ErrorText(
        N_("Written by a newer version"),
        N_(
            "[{path}|This job] was written by a newer Academy Desktop[ (version "
            "{found}; known here: {known})]."
        ),
        N_("Update Academy Desktop. Nothing was changed."),
    ),
    ErrorCode.TASK_FAILED: ErrorText(
        N_("A helper process failed"),
        N_("A short task[ ({task})] ended without a result[: {detail}]."),
        N_("Try again. If it happens again, run “academy doctor” and look into the log."),
    ),
    ErrorCode.NOTHING_SUPERVISED: ErrorText(
        N_("There is nothing to learn"),
        N_(
            "After rendering, no token of[ the {rows} rows| the rows] would be trained"
            "[: they are cut at {max_length} tokens]."
        ),
        N_("Raise training.max_seq_length, or look at the rows with “academy data audit”."),
    ),
    ErrorCode.NONFINITE_LOSS: ErrorText(
        N_("The training became unstable"),
        N_("The[ {what}| loss] was no longer a number[ at step {step}]; no update was made with it."),
        N_("Lower training.learning_rate to a half or less, and resume or start again."),
    ),
    ErrorCode.OUT_OF_MEMORY: ErrorText(
        N_("Memory ran out"),
        N_(
            "The run needed more memory than there is[ on {device}][: "
            "{needed_bytes} wanted][, {free_bytes} free]"
            "[, even with single rows of up to {max_length} tokens at once]."
        ),
        N_(
            "Close other programs and resume it. Or begin anew with less: shorter rows (“academy jobs resume "
            "JOB --shorter”), the model in 4 bit (“--qlora”), or a smaller model."
        ),
    ),
    ErrorCode.CHECKPOINT_DAMAGED: ErrorText(
        N_("A checkpoint is damaged"),
        N_("The checkpoint[ {path}] is not as it was written[: {file} differs], so it was not used."),
        N_("Resume the run: it goes on from the newest checkpoint that is whole."),
    ),
    ErrorCode.NO_CHECKPOINT: ErrorText(
        N_("There is no checkpoint to go on from"),
        N_("[Job {job}|The run] has no whole checkpoint[: {detail}]."),
        N_("Start the run again from the beginning with the same recipe."),
    ),
    ErrorCode.ENGINE_UNAVAILABLE: ErrorText(
        N_("The chosen engine is not available"),
        N_("The training engine[ “{engine}”] cannot be used here[: {detail}]."),
        N_("Set hardware.engine and hardware.device to auto, or run “academy doctor”."),
    ),
    ErrorCode.CRASHED: ErrorText(
        N_("The training program crashed"),
        N_("The program ended without saying why[ (exit code {exit_code})][: {detail}]."),
        N_("The end of the log tells more. Resume the run to go on from its last checkpoint."),
    ),
}
