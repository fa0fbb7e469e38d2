"""Exports and their proofs: what can fail there, in words.

Owns the English originals, marked for translation; `templates` says how facts enter them.
"""

from __future__ import annotations

from typing import Final

from academy_desktop.text.errors.error_text import ErrorText
from academy_desktop.text.marking import N_
from trainers.errors import ErrorCode

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
    ErrorCode.REHEARSAL_FAILED: ErrorText(
        N_("The rehearsal found something to mend"),
        N_("The real run, or its export, would not come to a good end[: {detail}]."),
        N_("Mend what is named, and rehearse again; it takes about a minute."),
    ),
    ErrorCode.CERTIFICATE_FAILED: ErrorText(
        N_("The export is not proven"),
        N_("[{export} does|The export does] not behave like the model that was trained[: {detail}]."),
        N_("Make the export again, or choose a finer quantization; do not use this one."),
    ),
}
