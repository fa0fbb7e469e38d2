"""The plain words for what the protocol names by codes: states, reasons, phases, drops, warnings.

Owns the English originals, marked for translation. Refuses to know where they are shown.
"""

from __future__ import annotations

from typing import Final

from academy_desktop.text.marking import N_

#: Job state → word for a badge.
STATES: Final = {
    "queued": N_("Waiting"),
    "starting": N_("Starting"),
    "running": N_("Running"),
    "paused": N_("Paused"),
    "stopping": N_("Stopping"),
    "succeeded": N_("Finished"),
    "stopped": N_("Stopped"),
    "failed": N_("Failed"),
    "interrupted": N_("Interrupted"),
}

#: Job state → one sentence.
STATE_SENTENCES: Final = {
    "queued": N_("This run waits for its turn; it starts by itself when the device is free."),
    "starting": N_("The run is starting; loading the model takes a moment."),
    "running": N_("The run is in progress. You may close the window; it goes on in the background."),
    "paused": N_("The run pauses and keeps its memory; it goes on where it was when you continue it."),
    "stopping": N_("The run is saving its progress and will end in a moment."),
    "succeeded": N_("The run finished and its result is saved."),
    "stopped": N_("The run was stopped. It can go on from its last checkpoint."),
    "failed": N_("The run ended with an error."),
    "interrupted": N_("The run was interrupted from outside. It can go on from its last checkpoint."),
}

#: Reason of a state that is not an error code → one sentence.
REASONS: Final = {
    "user": N_("You stopped this run. It can go on from its last checkpoint."),
    "suspended": N_("You suspended this run: its memory is free, and it can go on from its last checkpoint."),
    "not_started": N_("The run was prepared but never started. Resume it to start it now."),
    "host_lost": N_(
        "The computer went off, or the process that looks after the run was ended. "
        "Resume the run to go on from its last checkpoint."
    ),
    "process_stopped": N_(
        "The training process was halted from outside, for example by a debugger. Let it continue there, or "
        "end it at once and resume it from its last checkpoint."
    ),
    "no_progress": N_(
        "The run has not moved for far longer than usual. It may be stuck: end it at once and resume it from "
        "its last checkpoint, or wait."
    ),
    "disk_full": N_(
        "Paused: the disk is full.[ {needed_bytes} are needed on {path}.] The run goes on by itself when "
        "there is room; nothing is lost. “Stop and save” ends it at its last checkpoint."
    ),
    "disk_error": N_(
        "Paused: the disk does not take what is written[ to {path}]. The run tries again by itself and goes "
        "on once it can; nothing is lost. “Stop and save” ends it at its last checkpoint."
    ),
    "signal": N_("The run was ended from outside. Resume it to go on from its last checkpoint."),
    "SIGKILL": N_(
        "The system ended the run at once; often that means that memory ran out. "
        "Resume it to go on from its last checkpoint."
    ),
    "SIGTERM": N_(
        "The run was asked to end, for example by a shutdown. Resume it to go on from its checkpoint."
    ),
    "SIGINT": N_("The run was cancelled with Ctrl+C. Resume it to go on from its last checkpoint."),
    "SIGSEGV": N_("A library crashed in the middle of the run. Resume it to go on from its last checkpoint."),
    "SIGABRT": N_("A library gave up in the middle of the run. Resume it to go on from its last checkpoint."),
}

#: What a rule of the user's does to a run: state (`running`: any that works) and rule → one sentence.
HELD: Final = {
    "queued.quiet_hours": N_("Waits[ until {until}]: quiet hours. It goes on by itself."),
    "queued.on_battery": N_("Waits: on battery. It goes on by itself when the power is back."),
    "queued.too_hot": N_("Waits: the graphics card is too hot. It goes on by itself when it has cooled."),
    "paused.quiet_hours": N_("Paused[ until {until}]: quiet hours. It goes on by itself."),
    "paused.on_battery": N_("Paused: on battery. It goes on by itself when the power is back."),
    "paused.too_hot": N_("Paused: the graphics card is too hot. It goes on by itself when it has cooled."),
    "running.quiet_hours": N_("About to pause[ until {until}]: quiet hours. It ends the step it is at."),
    "running.on_battery": N_("About to pause: on battery. It ends the step that it is at."),
    "running.too_hot": N_("About to pause: the graphics card is too hot. It ends the step that it is at."),
    "stopping.quiet_hours": N_(
        "Saving, to give the memory back[ until {until}]: quiet hours. It goes on by itself."
    ),
    "stopping.on_battery": N_(
        "Saving, to give the memory back: on battery. It goes on by itself when the power is back."
    ),
}

#: The same in a few words, for a list.
HELD_BRIEF: Final = {
    "quiet_hours": N_("quiet hours[ until {until}]"),
    "on_battery": N_("on battery"),
    "too_hot": N_("the card is too hot"),
}

#: Phase of a trainer → what it does now.
PHASES: Final = {
    "loading": N_("Loading the model"),
    "rendering": N_("Preparing the rows"),
    "training": N_("Training"),
    "evaluating": N_("Checking on held-out rows"),
    "saving": N_("Saving"),
    "merging": N_("Merging the adapter into the model"),
    "writing": N_("Writing the export"),
    "proving": N_("Proving that the export behaves like the trained model"),
}

#: Kind of a job → its name.
KINDS: Final = {
    "train": N_("Training"),
    "export": N_("Export"),
    "certify": N_("Certificate"),
    "evaluate": N_("Evaluation"),
    "rehearsal": N_("Rehearsal"),
    "trial": N_("Trial"),
}

#: Why a row of a dataset was dropped.
DROPS: Final = {
    "not_an_object": N_("The row is not a record with named fields."),
    "missing_field": N_("A field that the row needs is missing."),
    "wrong_type": N_("A field holds something other than text."),
    "empty_prompt": N_("The question is empty."),
    "empty_answer": N_("The answer is empty, so there is nothing to learn."),
    "too_short": N_("The question or the answer is shorter than the profile asks for."),
    "too_long": N_("The row is longer than any model can read."),
    "duplicate": N_("The same row was there before."),
    "near_duplicate": N_("Nearly the same row was there before."),
    "same_answers": N_("The better and the worse answer are the same."),
    "not_successful": N_("The lesson does not tell of a success."),
    "bad_roles": N_("The speakers of the conversation are missing or in an order that cannot be trained."),
    "unparsable": N_("The line could not be read."),
}

#: The same in a few words, to be counted in a list.
DROPS_BRIEF: Final = {
    "not_an_object": N_("no record"),
    "missing_field": N_("a field is missing"),
    "wrong_type": N_("a field is not text"),
    "empty_prompt": N_("the question is empty"),
    "empty_answer": N_("the answer is empty"),
    "too_short": N_("too short"),
    "too_long": N_("too long"),
    "duplicate": N_("there before"),
    "near_duplicate": N_("nearly there before"),
    "same_answers": N_("both answers are the same"),
    "not_successful": N_("not a success"),
    "bad_roles": N_("the order of the speakers"),
    "unparsable": N_("not readable"),
}

#: Code of a warning event → one sentence; a code of `ErrorCode` is described there.
WARNINGS: Final = {
    "rows_truncated": N_(
        "[{rows} rows|Some rows] were longer than the limit[ of {max_length} tokens] and were cut."
    ),
    "rows_unsupervised": N_("[{rows} rows|Some rows] held nothing to learn after cutting and were left out."),
    "no_held_out_rows": N_(
        "The dataset has no held-out rows, so the run is not checked on rows it has not seen."
    ),
    "stopped_early": N_(
        "The loss on the held-out rows had not fallen for {patience} evaluations, so the run ended early."
    ),
    "best_kept": N_("The adapter is the one of step {step}, where the loss on the held-out rows was lowest."),
    "best_lost": N_(
        "The checkpoint of the best step[, {step},] cannot be read any more; the adapter is the last one."
    ),
    "slow_device": N_("This run uses the processor; it will take longer than on a graphics card."),
    "memory_low": N_("Memory is getting tight[: {free_bytes} are left]."),
    "rate_lowered": N_(
        "The numbers broke[ in step {step}] before anything was learned from them. The run goes on from its "
        "last checkpoint with half the learning rate[: {rate}][ (try {tries} of {most})]."
    ),
    "fewer_rows_at_once": N_(
        "Memory ran out. The run goes on with[ {rows} rows| fewer rows] at once[ and {batches} batches per "
        "step][ (try {tries} of {most})]: slower, and it learns the same rows in the same order."
    ),
    "disk_full_over": N_(
        "The disk was full[; the run waited {waited_s} for room] and went on. Nothing is lost."
    ),
    "disk_error_over": N_(
        "The disk did not take what was written[; the run tried again for {waited_s}] and went on. "
        "Nothing is lost."
    ),
    "loss_diverging": N_(
        "The loss runs away[: {loss}, after {lowest} at its best]. If it stays so, stop the run and lower "
        "the learning rate."
    ),
    "loss_plateau": N_(
        "The loss has hardly fallen[ for {steps} steps][: {loss}]. The run may have learned what it can."
    ),
    "forgotten": N_(
        "The model forgets[ (step {step})]: its loss on everyday questions is[ {percent} %] higher than "
        "before training[: {loss} instead of {base}]. A lower learning rate, fewer epochs, or some general "
        "rows mixed into the dataset help."
    ),
    "samples_failed": N_(
        "The model could not be asked in between[: {detail}]. The run goes on without its answers."
    ),
    "disk_low": N_("The disk is getting full[: {free_bytes} are left]."),
    "checkpoint_failed": N_("A checkpoint could not be saved[: {detail}]. The run goes on."),
    "command_refused": N_("A command could not be carried out now."),
}
