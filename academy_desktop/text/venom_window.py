"""What to do next about a trouble with Venom, and how a step is undone, where the window has its own way.

Owns the English originals, marked for translation; titles and sentences stay those of `errors`. Refuses to
know where they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Description, Messages
from academy_desktop.text.templates import fill
from trainers.errors import ErrorCode, Fact

#: Error code → next step.
NEXT_STEPS: Final[dict[str, str]] = {
    ErrorCode.OFFLINE: N_("Start Academy Desktop without ACADEMY_OFFLINE and try again."),
    ErrorCode.CONNECTION_UNKNOWN: N_("It may have been removed elsewhere. Look at the list again."),
    ErrorCode.CONNECTION_EXISTS: N_("Choose another name."),
    ErrorCode.VENOM_WITHOUT_FOLDER: N_(
        "Edit the connection and choose the folder that Venom calls ACADEMY_MODELS_DIR, often data/models "
        "beside Venom. Without it you can look at the server, but send nothing."
    ),
    ErrorCode.VENOM_BASE_UNKNOWN: N_("Say which of the server’s models it is."),
    ErrorCode.VENOM_BASE_MISMATCH: N_("Choose the model that the adapter was trained on."),
    ErrorCode.VENOM_MODEL_MISSING: N_(
        "Get it there[ with “ollama pull {pull}”], or choose another model of the server."
    ),
    ErrorCode.VENOM_RUNTIME_UNSUITABLE: N_("Let Venom use Ollama, and try again."),
    ErrorCode.VENOM_METADATA_REFUSED: N_("Send the adapter again: the file is written anew."),
    ErrorCode.VENOM_NOT_SIGNED: N_("Send the adapter again: it is signed on the way."),
    ErrorCode.VENOM_DEPLOY_FAILED: N_("Look into Venom’s log for the cause, then try again."),
    ErrorCode.VENOM_NOT_VERIFIED: N_("Look at the active model in Venom, then try again."),
    ErrorCode.VENOM_REMOTE: N_(
        "Edit the connection and choose SSH as its way, or use Academy Desktop on that computer."
    ),
    ErrorCode.VENOM_ADAPTER_GONE: N_("Look at the server again to see which adapters it has."),
    ErrorCode.VENOM_SSH_HOST_UNKNOWN: N_(
        "Compare it with what “ssh-keygen -lf” prints there of the files /etc/ssh/ssh_host_*_key.pub. If it "
        "is the same, edit the connection, test it, and trust the computer."
    ),
    ErrorCode.VENOM_SSH_PASSPHRASE_WRONG: N_("Type the passphrase again, here on the Venom page."),
    ErrorCode.VENOM_SSH_SECRET_NEEDED: N_("Type it here on the Venom page."),
    ErrorCode.KEYRING_MISSING: N_(
        "Save again to go on without: it is asked for after each start. An SSH agent does without it too."
    ),
    ErrorCode.VENOM_NOT_CERTIFIED: N_(
        "Export the run again. If you know why it differs, send it all the same."
    ),
    ErrorCode.VENOM_NOT_PROVABLE: N_(
        "Import the data with a part held out and train again, or send the adapter without a proof."
    ),
    ErrorCode.VENOM_CANARY_FAILED: N_("Look into Venom’s log for the cause, then try again."),
    ErrorCode.VENOM_OTHER_ADAPTER: N_("Deactivate it in Venom’s Academy, then try again."),
    ErrorCode.VENOM_OLLAMA_REFUSED: N_("Look into Ollama’s log for the cause, then try again."),
    ErrorCode.VENOM_ROLLBACK_FAILED: N_("Roll back again, or choose the model in Venom itself."),
}

#: The same in the dialog of a connection, where it is edited already.
DIALOG_STEPS: Final[dict[str, str]] = {
    ErrorCode.VENOM_REMOTE: N_("Choose SSH as the way, or use Academy Desktop on that computer."),
    ErrorCode.VENOM_WITHOUT_FOLDER: N_(
        "Choose the folder that Venom calls ACADEMY_MODELS_DIR, often data/models beside Venom. Without it "
        "you can look at the server, but send nothing."
    ),
    ErrorCode.VENOM_SSH_HOST_UNKNOWN: N_(
        "Compare it with what “ssh-keygen -lf” prints there of the files /etc/ssh/ssh_host_*_key.pub."
    ),
    ErrorCode.VENOM_SSH_AGENT_EMPTY: N_("Give it your key with “ssh-add”, or log in by a key file."),
    ErrorCode.VENOM_SSH_PASSPHRASE_WRONG: N_("Type it again; mind capital letters."),
    ErrorCode.VENOM_SSH_SECRET_NEEDED: N_("Type it in the field beside."),
}

#: Step of a push → how what it did can be undone.
UNDO: Final[dict[str, str]] = {
    "place": N_("To undo it, remove the adapter in the list above."),
    "create": N_("To undo it, remove the adapter in the list above."),
    "activate": N_("To undo it, roll back."),
}


class VenomWindowWords:
    """Words for troubles with Venom, as the window says them."""

    def __init__(self, gettext: Callable[[str], str], messages: Messages) -> None:
        self._gettext = gettext
        self._messages = messages

    def describe(self, code: str, facts: Mapping[str, Fact]) -> Description:
        """As `Messages.describe`, with a next step that can be taken in the window."""
        return self._with_step(NEXT_STEPS.get(code), code, facts)

    def describe_here(self, code: str, facts: Mapping[str, Fact]) -> Description:
        """As `describe`, with a next step that can be taken in the dialog of the connection."""
        return self._with_step(DIALOG_STEPS.get(code) or NEXT_STEPS.get(code), code, facts)

    def _with_step(self, own: str | None, code: str, facts: Mapping[str, Fact]) -> Description:
        said = self._messages.describe(code, facts)
        if own is None:
            return said
        return replace(said, next_step=fill(self._gettext(own), self._messages.shown(facts)))
