"""Proof, chat and Ollama of a push to Venom: what can fail there, in words.

Owns the English originals, marked for translation; `templates` says how facts enter them.
"""

from __future__ import annotations

from typing import Final

from academy_desktop.text.errors.error_text import ErrorText
from academy_desktop.text.marking import N_
from trainers.errors import ErrorCode

VENOM_PUSH: Final = {
    ErrorCode.VENOM_NOT_CERTIFIED: ErrorText(
        N_("The adapter did not pass its proof"),
        N_(
            "[{export} does|The adapter does] not behave like the model that was trained"
            "[; it failed at: {detail}]. Nothing was sent."
        ),
        N_("Export it again. If you know why it differs, send it all the same with --uncertified."),
    ),
    ErrorCode.VENOM_NOT_PROVABLE: ErrorText(
        N_("The adapter cannot be proven"),
        N_(
            "There are no held-out rows to show that[ {export}| the adapter] behaves like the model that "
            "was trained. Nothing was sent."
        ),
        N_(
            "Import the data with --eval 0.1 and train again, or send the adapter without a proof with "
            "--uncertified."
        ),
    ),
    ErrorCode.VENOM_CANARY_FAILED: ErrorText(
        N_("The chat gives no answer"),
        N_("Venom’s chat was asked something with[ {model}| the adapter], and gave no answer[: {detail}]."),
        N_("Look into Venom’s log for the cause, then push again."),
    ),
    ErrorCode.VENOM_OTHER_ADAPTER: ErrorText(
        N_("Another adapter is in the way"),
        N_(
            "Venom’s Academy has[ {adapter}| another adapter] active, which its chat would prefer, and "
            "only Venom’s own computer can change that."
        ),
        N_("Deactivate it in Venom’s Academy, then push again."),
    ),
    ErrorCode.VENOM_OLLAMA_UNREACHABLE: ErrorText(
        N_("Ollama does not answer"),
        N_("No Ollama answers[ at {url}][: {detail}]."),
        N_(
            "Check that Ollama runs there and listens for other computers (OLLAMA_HOST=0.0.0.0), and that "
            "the port is right: 11434 unless somebody changed it."
        ),
    ),
    ErrorCode.VENOM_OLLAMA_INVALID: ErrorText(
        N_("This is not Ollama"),
        N_("Something answers[ at {url}], but not as Ollama does[: {detail}]."),
        N_("Check address and port: Ollama’s own port is 11434 unless somebody changed it."),
    ),
    ErrorCode.VENOM_OLLAMA_REFUSED: ErrorText(
        N_("Ollama refused"),
        N_("Ollama[ at {url}] could not do what was asked[: HTTP status {status}][: {detail}]."),
        N_("Look into Ollama’s log for the cause, then push again."),
    ),
    ErrorCode.VENOM_OLLAMA_NO_ADAPTERS: ErrorText(
        N_("This Ollama takes no adapters"),
        N_("The Ollama[ at {url}] is of a version that takes no adapters any more."),
        N_("Use the version there that Venom comes with, or export a whole model as GGUF and load that."),
    ),
    ErrorCode.VENOM_OLLAMA_OTHER: ErrorText(
        N_("Venom uses another Ollama"),
        N_("[{model}|The model] is made[ at {url}], but Venom does not list it."),
        N_("Give the connection the address of the Ollama that Venom uses (LLM_LOCAL_ENDPOINT in Venom)."),
    ),
}
