"""Models: what can fail there, in words.

Owns the English originals, marked for translation; `templates` says how facts enter them.
"""

from __future__ import annotations

from typing import Final

from academy_desktop.text.errors.error_text import ErrorText
from academy_desktop.text.marking import N_
from trainers.errors import ErrorCode

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
    ErrorCode.MINIATURE_FAILED: ErrorText(
        N_("No small copy of this model can be made"),
        N_("A rehearsal needs a small copy of the model[ at {path}], which cannot be made[: {detail}]."),
        N_("Try a few real steps instead: “academy estimate RECIPE --trial”."),
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
