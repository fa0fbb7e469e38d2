"""What each error code means for a person: title, sentence with the facts, next step.

Owns the English originals, marked for translation; `templates` says how facts enter them. Refuses to know
where an error is shown and what raised it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from academy_desktop.text.marking import N_
from trainers.errors import ErrorCode


class ErrorText(NamedTuple):
    """The three texts of one error code, as templates."""

    title: str
    sentence: str
    next_step: str


#: For a code that this version does not know.
UNKNOWN_CODE: Final = ErrorText(
    N_("Something went wrong"),
    N_("The program reported “{code}”, which this version has no words for[: {detail}]."),
    N_("Look into the log for more. If a newer version wrote this data, update Academy Desktop."),
)

MACHINE: Final = {
    ErrorCode.DATA_DIR_NOT_WRITABLE: ErrorText(
        N_("The data folder cannot be written"),
        N_("Academy Desktop may not write to its data folder[ {path}][: {detail}]."),
        N_("Give your user the right to write there, or choose another folder with --data-dir."),
    ),
    ErrorCode.DATA_DIR_NEWER: ErrorText(
        N_("The data folder is from a newer version"),
        N_("The data folder[ {path}] was last used by a newer Academy Desktop[ (format {found})]."),
        N_("Update Academy Desktop, or choose another folder with --data-dir. Nothing was changed."),
    ),
    ErrorCode.DISK_FULL: ErrorText(
        N_("The disk is full"),
        N_("There is not enough room[ at {path}][: {needed_bytes} are needed][, {free_bytes} are free]."),
        N_("Free some space and try again. Nothing that was there before is lost."),
    ),
    ErrorCode.OFFLINE: ErrorText(
        N_("Working offline"),
        N_("This needs the network, and Academy Desktop was told to stay offline[: {detail}]."),
        N_("Leave out --offline (and ACADEMY_OFFLINE) and try again."),
    ),
    ErrorCode.DOWNLOAD_FAILED: ErrorText(
        N_("The download did not work"),
        N_("[“{model}” could not be downloaded|The download failed][ ({path})][: {detail}]."),
        N_("Check the network connection and try again."),
    ),
    ErrorCode.PACKAGE_MISSING: ErrorText(
        N_("A package is missing"),
        N_("The Python package[ {package}] that this needs is not installed[: {detail}]."),
        N_("Run “python3 packaging/bootstrap.py run” again: it installs what is missing."),
    ),
    ErrorCode.LLAMA_CPP_MISSING: ErrorText(
        N_("llama.cpp is not installed"),
        N_("Smaller GGUF formats and running GGUF files need llama.cpp, which is not installed[: {detail}]."),
        N_("Install a C++ compiler and CMake, then run “python3 packaging/bootstrap.py run” again."),
    ),
    ErrorCode.NO_DISPLAY: ErrorText(
        N_("There is no display"),
        N_("The window needs a graphical desktop, and this session has none[: {detail}]."),
        N_("Use the “academy” command instead: it does all that the window does."),
    ),
}

FILES: Final = {
    ErrorCode.FILE_NOT_FOUND: ErrorText(
        N_("The file is not there"),
        N_("[There is no file at {path}|The file was not found]."),
        N_("Check the spelling of the path, and whether the drive is connected."),
    ),
    ErrorCode.FILE_UNREADABLE: ErrorText(
        N_("The file cannot be read"),
        N_("The file[ {path}] could not be read[ at line {line}][: {detail}]."),
        N_("Check that you may read it, and that it is saved as UTF-8 text."),
    ),
    ErrorCode.FILE_EMPTY: ErrorText(
        N_("The file is empty"),
        N_("There is nothing in the file[ {path}]."),
        N_("Choose a file with at least one row."),
    ),
    ErrorCode.FILE_NOT_ITS_FORMAT: ErrorText(
        N_("The file is not what its name says"),
        N_(
            "[{path} should be {expected}, but its content is not"
            "|The file’s content does not fit its name]"
            "[; it looks like {found}][ (line {line})][: {detail}]."
        ),
        N_("Save it again in the format that its name says, or give it the right ending."),
    ),
    ErrorCode.FORM_UNKNOWN: ErrorText(
        N_("No questions and answers found"),
        N_("The rows[ of {path}] have fields that fit none of the known forms[: {columns}][ ({detail})]."),
        N_("Say which column is which with --map, for example --map prompt=question --map answer=reply."),
    ),
    ErrorCode.MAPPING_INVALID: ErrorText(
        N_("The column mapping does not fit"),
        N_(
            "[{path} has no column “{column}” for the field|The mapping names an unknown field][ “{field}”]"
            "[ “{key}”][: {detail}][. Known are: {known}]."
        ),
        N_("Map the known fields to columns that the file has, as in --map question=ask."),
    ),
    ErrorCode.NOTHING_LEFT: ErrorText(
        N_("No row is left"),
        N_(
            "[All {rows_in} rows were dropped|Every row was dropped][: {dropped}], "
            "so there is nothing to learn from."
        ),
        N_("Look at the reasons above and mend the rows, or check the column mapping."),
    ),
    ErrorCode.DATASET_UNKNOWN: ErrorText(
        N_("There is no such dataset"),
        N_("[{matches} datasets are|No dataset here is] called[ “{dataset}”|so][. Nearest: {near}]."),
        N_("See all datasets with “academy data list”, and name one by its id."),
    ),
    ErrorCode.DATASET_DAMAGED: ErrorText(
        N_("The dataset is damaged"),
        N_(
            "The files of the dataset[ “{dataset}”][ at {path}] are not as they were imported"
            "[ (line {line})][: {detail}]."
        ),
        N_("Import the dataset again from its source files."),
    ),
}

MODELS: Final = {
    ErrorCode.MODEL_UNKNOWN: ErrorText(
        N_("There is no such model"),
        N_("No model here is called[ “{model}”|so][. The nearest name is “{nearest}”]."),
        N_(
            "See all models with “academy models list”, or get the demo model "
            "with “academy models fetch-demo”."
        ),
    ),
    ErrorCode.MODEL_INCOMPLETE: ErrorText(
        N_("The model is not complete"),
        N_(
            "The model[ {path}] lacks something it needs[: {missing}][ ({detail})]"
            "[: as {architecture} it can be run, but not trained]."
        ),
        N_("Download the model again, with all of its files and with weights in the safetensors format."),
    ),
    ErrorCode.MODEL_WITHOUT_TOKENIZER: ErrorText(
        N_("The model has no tokenizer"),
        N_("The model folder[ {path}] has no tokenizer.json, so text cannot be turned into tokens."),
        N_("Put the tokenizer.json that belongs to this model into its folder."),
    ),
    ErrorCode.MODEL_WITHOUT_CHAT_TEMPLATE: ErrorText(
        N_("The model has no chat template"),
        N_("The model[ {path}] does not say how a conversation is written for it; it may be a base model."),
        N_("Choose the “instruct” or “chat” variant of this model."),
    ),
    ErrorCode.MODEL_DAMAGED: ErrorText(
        N_("The model is damaged"),
        N_("The model’s files[ at {path}] are not what they should be[: {detail}]."),
        N_("Download the model again."),
    ),
    ErrorCode.TEMPLATE_FAILED: ErrorText(
        N_("The chat template failed"),
        N_("The model’s chat template could not write[ row {row}|a conversation][: {detail}]."),
        N_("Check the order of the roles in that row, or choose another model."),
    ),
    ErrorCode.ARCHITECTURE_UNSUPPORTED: ErrorText(
        N_("This kind of model cannot be exported here"),
        N_(
            "Models of the architecture[ {architecture}|of this model] cannot be "
            "written as GGUF by this version[ ({detail})]."
        ),
        N_("Export the adapter or the merged model instead; both work for every model."),
    ),
}

#: For `recipe_invalid` with a problem of `text.recipes`, which enters as `said`, a sentence of its own.
RECIPE_PROBLEM: Final = ErrorText(
    N_("The recipe has a mistake"),
    N_("[{path}: ][line {line}: ]{said}"),
    N_("Mend the recipe. “academy recipe check” names every problem."),
)

RECIPES: Final = {
    ErrorCode.RECIPE_INVALID: ErrorText(
        N_("The recipe has a mistake"),
        N_("[{path}: ][line {line}: ][“{key}” |One setting ]does not fit[: {detail}][. It is {value}]."),
        N_("Mend the recipe[: perhaps “{nearest}” was meant]. “academy recipe check” names every problem."),
    ),
    ErrorCode.RECIPE_UNREADABLE: ErrorText(
        N_("The recipe cannot be read"),
        N_("The recipe[ {path}] is not valid YAML[ at line {line}][: {detail}]."),
        N_("Mend the line that is named, or make a new recipe with “academy recipe init”."),
    ),
}

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
            "{needed_bytes} wanted][, {free_bytes} free]."
        ),
        N_("Lower batch_size or max_seq_length, choose a smaller model, or close other programs."),
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

EXPORTS: Final = {
    ErrorCode.TOKENIZER_UNSUPPORTED: ErrorText(
        N_("This tokenizer cannot be exported here"),
        N_("The model’s tokenizer[ in {path}] is of a kind that cannot be written as GGUF[: {detail}]."),
        N_("Export the adapter or the merged model instead; both work for every model."),
    ),
    ErrorCode.ADAPTER_UNSUPPORTED: ErrorText(
        N_("This adapter cannot be exported so"),
        N_("The adapter[ {path}] uses something that this format cannot hold[: {detail}]."),
        N_("Export it as “adapter” or “merged” instead."),
    ),
    ErrorCode.ADAPTER_DAMAGED: ErrorText(
        N_("The adapter is damaged"),
        N_("The adapter’s files[ at {path}] are not what they should be[: {detail}]."),
        N_("Resume the training job: it writes the adapter again."),
    ),
    ErrorCode.QUANT_UNSUPPORTED: ErrorText(
        N_("This quantization cannot be made here"),
        N_(
            "[“{quant}” is not possible|The quantization is not possible]"
            "[: it cannot hold the values of {tensor}][: {detail}]."
        ),
        N_("[Choose one of these: {known}|Choose f16 or q8_0]."),
    ),
    ErrorCode.EXPORT_UNKNOWN: ErrorText(
        N_("There is no such export"),
        N_("[Job {job}|The job] has no such export[: “{export}”][. There are: {known}]."),
        N_("Make it first with “academy export”."),
    ),
    ErrorCode.EXPORT_DAMAGED: ErrorText(
        N_("The export is damaged"),
        N_("The file[ {path}] is not as it was written[: {detail}]."),
        N_("Make the export again."),
    ),
    ErrorCode.OUTPUT_EXISTS: ErrorText(
        N_("The target is already there"),
        N_("[{path} exists|The target exists] and is not overwritten."),
        N_("Choose another name or folder, or move the old one away."),
    ),
    ErrorCode.OUTPUT_NOT_WRITABLE: ErrorText(
        N_("The target cannot be written"),
        N_("Nothing can be written[ to {path}][: {detail}]."),
        N_("Choose a folder that you may write to."),
    ),
    ErrorCode.LLAMA_CPP_FAILED: ErrorText(
        N_("llama.cpp could not do it"),
        N_("llama.cpp stopped while working[ on {path}][: {detail}]."),
        N_("Run “academy doctor”, make the export again, and look into the log."),
    ),
    ErrorCode.NO_HELD_OUT_ROWS: ErrorText(
        N_("There are no held-out rows"),
        N_("The dataset[ “{dataset}”] has no rows that were kept back, so nothing can be compared."),
        N_("Import it again with --eval 0.1 and train on the new dataset."),
    ),
    ErrorCode.CERTIFICATE_FAILED: ErrorText(
        N_("The export is not proven"),
        N_("[{export} does|The export does] not behave like the model that was trained[: {detail}]."),
        N_("Make the export again, or choose a finer quantization; do not use this one."),
    ),
}

#: Every error code's texts.
ERRORS: Final[dict[ErrorCode, ErrorText]] = {**MACHINE, **FILES, **MODELS, **RECIPES, **JOBS, **EXPORTS}
