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
    ErrorCode.SYSTEM_LIBRARY_MISSING: ErrorText(
        N_("A system library is missing"),
        N_("The window needs [{library}|a system library], which is not on this computer or damaged."),
        N_(
            "On Debian or Ubuntu run “sudo apt install libqt6gui6 libqt6network6 libgl1 libxcb-cursor0”; "
            "then open the window again. The “academy” command works without them."
        ),
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
            "[{path} has no column “{column}”|The mapping does not fit][ (field “{field}”)]"
            "[: “{key}” is not {detail}][. Known are: {known}]."
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
    ErrorCode.DATASET_KIND: ErrorText(
        N_("This dataset is of another kind"),
        N_(
            "Training learns from conversations[, and “{dataset}” holds rows of the kind “{kind}”]"
            "[; row {line} of {path} is none]."
        ),
        N_("Choose a dataset of questions and answers or of conversations."),
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
        N_("The model’s chat template could not write[ row {row}| a conversation][: {detail}]."),
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
        N_("The recipe[ {path}] cannot be read as YAML[ at line {line}][: {detail}]."),
        N_("Mend what is named, or make a new recipe with “academy recipe init”."),
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
    ErrorCode.TEMPLATE_UNKNOWN: ErrorText(
        N_("There is no Modelfile for this chat template"),
        N_(
            "The model’s chat template is none of those that can be written for Ollama[: {known}]. "
            "The template inside the GGUF file works all the same."
        ),
        N_("Load the GGUF file with llama.cpp or LM Studio, which read its own template."),
    ),
    ErrorCode.BASE_CHANGED: ErrorText(
        N_("The base model has changed"),
        N_("The files[ at {path}] are not those that the run was trained on; its adapter belongs to those."),
        N_("Put the model back that was there, or train on the new one."),
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

VENOM: Final = {
    ErrorCode.CONNECTION_UNKNOWN: ErrorText(
        N_("There is no such connection"),
        N_("No connection here is called[ “{connection}”|so][. Known are: {known}]."),
        N_("See all connections with “academy venom list”, or make one with “academy venom add”."),
    ),
    ErrorCode.CONNECTION_EXISTS: ErrorText(
        N_("This name is taken"),
        N_("There is a connection[ “{connection}”| of this name] already[: it leads to {url}]."),
        N_("Choose another name, or take the old one away first with “academy venom remove”."),
    ),
    ErrorCode.CONNECTION_NAME_INVALID: ErrorText(
        N_("The name cannot be used"),
        N_("[“{connection}”|This] cannot be the name of a connection."),
        N_("Use up to 64 letters, digits, dots, hyphens and underscores; begin with a letter or a digit."),
    ),
    ErrorCode.VENOM_URL_INVALID: ErrorText(
        N_("The address cannot be used"),
        N_("[“{url}”|This] is not an address at which a Venom server can be reached."),
        N_("Give one like http://127.0.0.1:8000, without a user name, a password or a question mark."),
    ),
    ErrorCode.VENOM_WITHOUT_FOLDER: ErrorText(
        N_("The connection has no models folder"),
        N_("The connection[ “{connection}”] does not say where Venom’s models folder lies."),
        N_(
            "Add it again with --models-dir and the folder that Venom calls ACADEMY_MODELS_DIR, "
            "often data/models beside Venom."
        ),
    ),
    ErrorCode.VENOM_FOLDER_MISSING: ErrorText(
        N_("Venom’s models folder is not there"),
        N_("[There is no folder at {path}|The models folder was not found]."),
        N_("Check the path, and whether the shared drive is connected."),
    ),
    ErrorCode.VENOM_FOLDER_NOT_WRITABLE: ErrorText(
        N_("Venom’s models folder cannot be written"),
        N_("Nothing can be written[ to {path}| to the models folder][: {detail}]."),
        N_("Give your user the right to write there and try again."),
    ),
    ErrorCode.VENOM_ADAPTER_EXISTS: ErrorText(
        N_("Another adapter has this name"),
        N_("[What lies at {path}|What lies there] is not this adapter, and is left as it is."),
        N_("Move that folder away and try again."),
    ),
    ErrorCode.VENOM_BASE_UNKNOWN: ErrorText(
        N_("Venom’s name for the base model is not known"),
        N_("It is not known what Venom calls the base model[ “{model}”][. It has: {known}]."),
        N_("Say which of the server’s models it is, for example with --model-id qwen3:0.6b."),
    ),
    ErrorCode.PUSH_RUNNING: ErrorText(
        N_("Something is being sent to Venom already"),
        N_("Another window or command is sending an adapter or rolling one back at this moment."),
        N_("Wait until it has finished and try again."),
    ),
    ErrorCode.VENOM_UNREACHABLE: ErrorText(
        N_("Venom does not answer"),
        N_("Nothing answers[ at {url}][: {detail}]."),
        N_(
            "Check that Venom runs there, and that address and port are right. "
            "If a tunnel leads to it, check that the tunnel is open."
        ),
    ),
    ErrorCode.VENOM_TIMEOUT: ErrorText(
        N_("Venom takes too long"),
        N_("The server[ at {url}] did not answer in time[ ({patience} seconds)]."),
        N_("Look whether the server is busy and the network is up, and try again."),
    ),
    ErrorCode.VENOM_NOT_VENOM: ErrorText(
        N_("This is not a Venom server"),
        N_("Something answers[ at {url}], but it is not Venom[: {detail}]."),
        N_("Check address and port: Venom’s own port is 8000 unless somebody changed it."),
    ),
    ErrorCode.VENOM_REDIRECTED: ErrorText(
        N_("The server sends us elsewhere"),
        N_("The server[ at {url}] sends requests elsewhere[, to {location}], which are not followed."),
        N_("If that is the right place, make a connection with its address."),
    ),
    ErrorCode.VENOM_TLS: ErrorText(
        N_("The secure connection failed"),
        N_("The server[ at {url}] could not prove who it is[: {detail}]."),
        N_("If it speaks plain HTTP, use http:// instead; if not, let this computer trust its certificate."),
    ),
    ErrorCode.VENOM_DISABLED: ErrorText(
        N_("Venom’s Academy is switched off"),
        N_("Venom[ at {url}] answers, but its Academy is switched off."),
        N_("Set ENABLE_ACADEMY=true on the server and start Venom again."),
    ),
    ErrorCode.VENOM_NOT_READY: ErrorText(
        N_("Venom’s Academy is not ready"),
        N_("Venom[ at {url}] answers, but its Academy did not start[: {detail}]."),
        N_("Look into Venom’s log. In a container, Venom may lack what its Academy needs."),
    ),
    ErrorCode.VENOM_OLDER: ErrorText(
        N_("This Venom is too old"),
        N_("Venom[ at {url}] lacks something that is needed here[: {missing}]."),
        N_("Update Venom on the server; versions from the middle of March 2026 on have it."),
    ),
    ErrorCode.VENOM_REMOTE: ErrorText(
        N_("Venom takes changes from its own computer only"),
        N_("Venom[ at {url}] can be looked at, but refuses changes from another computer."),
        N_(
            "Use Academy Desktop on that computer, or open a tunnel (ssh -L 18000:127.0.0.1:8000 HOST) "
            "and make a connection to http://127.0.0.1:18000."
        ),
    ),
    ErrorCode.VENOM_REFUSED: ErrorText(
        N_("Venom refused"),
        N_("Venom refused the request[ with HTTP status {status}][ ({reason})][: {detail}]."),
        N_("Look into Venom’s log for the cause, then try again."),
    ),
    ErrorCode.VENOM_REQUEST_INVALID: ErrorText(
        N_("Venom did not accept the request"),
        N_("Venom found a mistake in the request[ at “{field}”][: {detail}]."),
        N_("Check what you gave. If it is right, update Academy Desktop or Venom: they may not fit."),
    ),
    ErrorCode.VENOM_BUSY: ErrorText(
        N_("Venom wants a pause"),
        N_("Venom was asked too often and wants to be left alone[ for {pause} seconds]."),
        N_("Wait a little and try again."),
    ),
    ErrorCode.VENOM_FAILED: ErrorText(
        N_("Venom failed"),
        N_("Venom could not do what was asked[: HTTP status {status}][ ({reason})][: {detail}]."),
        N_("Look into Venom’s log for the cause, then try again."),
    ),
    ErrorCode.VENOM_ANSWER_INVALID: ErrorText(
        N_("Venom’s answer cannot be read"),
        N_("The server’s answer[ to {path}] is not what it should be[: {detail}]."),
        N_("Check that the address leads to Venom itself, and update Academy Desktop or Venom."),
    ),
    ErrorCode.VENOM_BASE_MISMATCH: ErrorText(
        N_("The base models do not fit"),
        N_(
            "Venom does not take[ {base}| the adapter’s base model] for[ {model}| the chosen model]"
            "[ ({reason})]."
        ),
        N_("Name the model that the adapter was trained on with --model-id."),
    ),
    ErrorCode.VENOM_MODEL_MISSING: ErrorText(
        N_("The server does not have the base model"),
        N_("[{runtime} on the server|The server] has no model[ “{model}”| of this name][. It has: {known}]."),
        N_("Get it there[ with “ollama pull {pull}”], or name another one with --model-id."),
    ),
    ErrorCode.VENOM_RUNTIME_UNSUITABLE: ErrorText(
        N_("This runtime takes no adapters"),
        N_(
            "[“{runtime}”|The runtime] on the server cannot be given an adapter[: {detail}]"
            "[. There are: {known}]."
        ),
        N_("Choose a local one with --runtime, such as ollama."),
    ),
    ErrorCode.VENOM_RUNTIME_DOWN: ErrorText(
        N_("The runtime on the server does not run"),
        N_("[“{runtime}”|The runtime] on the server does not answer Venom."),
        N_("Start it on the server and try again."),
    ),
    ErrorCode.VENOM_METADATA_REFUSED: ErrorText(
        N_("Venom does not trust the adapter’s description"),
        N_("Venom does not accept the file metadata.json[ of {adapter}][ ({reason})]."),
        N_("Push the adapter again: the file is written anew."),
    ),
    ErrorCode.VENOM_NOT_SIGNED: ErrorText(
        N_("The adapter is not signed for this"),
        N_("Venom misses the signature[ of {adapter}] for this runtime and model[ ({reason})]."),
        N_("Push the adapter again: it is signed on the way."),
    ),
    ErrorCode.VENOM_DEPLOY_FAILED: ErrorText(
        N_("Venom could not put the adapter to use"),
        N_(
            "The server failed while it gave[ {adapter}| the adapter] to[ {runtime}| the runtime]"
            "[ ({reason})]."
        ),
        N_("Look into Venom’s log for the cause, then push again."),
    ),
    ErrorCode.VENOM_NOT_LISTED: ErrorText(
        N_("Venom does not see the adapter"),
        N_(
            "[{path} is in place|The adapter is in place], but Venom does not list it"
            "[. It looks in {server_path}]."
        ),
        N_("Check that the models folder of the connection is the one that Venom uses (ACADEMY_MODELS_DIR)."),
    ),
    ErrorCode.VENOM_NOT_VERIFIED: ErrorText(
        N_("The adapter is not in use"),
        N_(
            "Venom said that it was done, but its chat uses[ {found}| another model], "
            "not[ {expected}| the adapter]."
        ),
        N_("Look at the active model in Venom, then push again."),
    ),
    ErrorCode.VENOM_ROLLBACK_FAILED: ErrorText(
        N_("The way back failed"),
        N_("Venom could not be brought back[ to {expected}][; it uses {found} now][: {detail}]."),
        N_("Try “academy venom rollback” again, or choose the model in Venom itself."),
    ),
    ErrorCode.VENOM_NOTHING_TO_ROLL_BACK: ErrorText(
        N_("There is nothing to roll back"),
        N_("Venom uses no adapter[ of the connection “{connection}”][: its model is {model}]."),
        N_("Nothing needs to be done."),
    ),
}

#: Every error code's texts.
ERRORS: Final[dict[ErrorCode, ErrorText]] = {
    **MACHINE,
    **FILES,
    **MODELS,
    **RECIPES,
    **JOBS,
    **EXPORTS,
    **VENOM,
}
