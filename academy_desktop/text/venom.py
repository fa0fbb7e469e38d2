"""The steps of a push to Venom, in words: their names, and what each did or would do.

Owns the English originals, marked for translation; facts enter as in `errors`. A step that failed has its
words there. Refuses to know where they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.text.templates import fill
from trainers.errors import Fact

#: Step → its name.
STEPS: Final = {
    "connect": N_("Look at the server"),
    "export": N_("Write the adapter for llama.cpp"),
    "place": N_("Place the adapter"),
    "list": N_("Let Venom find it"),
    "audit": N_("Let Venom check its base model"),
    "sign": N_("Sign it for the chat"),
    "activate": N_("Activate it"),
    "verify": N_("Make sure that the chat uses it"),
    "rollback": N_("Go back to what was active before"),
}

#: (step, state) → one sentence.
OUTCOMES: Final = {
    ("connect", "done"): N_(
        "Venom answers[ and uses {model}]. The base model goes by “{base_model}” there, "
        "and the adapter is for “{model_id}”."
    ),
    ("export", "done"): N_("{export} is made."),
    ("export", "kept"): N_("{export} was made before."),
    ("export", "planned"): N_("{export} would be made."),
    ("place", "done"): N_("{path} is in place[ ({size_bytes})]."),
    ("place", "kept"): N_("{path} was in place before."),
    ("place", "planned"): N_("{path} would be written."),
    ("list", "done"): N_("Venom lists {adapter}."),
    ("list", "planned"): N_("Venom should list {adapter}."),
    ("audit", "done"): N_("Venom takes “{base_model}” for “{model_id}”."),
    ("audit", "planned"): N_("Venom should take “{base_model}” for “{model_id}”."),
    ("sign", "done"): N_("Signed by {signer}."),
    ("sign", "kept"): N_("It was signed before."),
    ("sign", "planned"): N_("It would be signed by {signer}."),
    ("activate", "done"): N_("{runtime} has {chat_model} now."),
    ("activate", "kept"): N_("{chat_model} was active before."),
    ("activate", "planned"): N_("{runtime} would get {chat_model}; this may take minutes."),
    ("verify", "done"): N_("The chat uses {chat_model}."),
    ("verify", "planned"): N_("The chat should use {chat_model}."),
    ("rollback", "done"): N_("The chat uses {model}, as before."),
}


class VenomWords:
    """Words for the steps of a push, in one language."""

    def __init__(self, gettext: Callable[[str], str], messages: Messages) -> None:
        self._gettext = gettext
        self._messages = messages

    def step(self, name: str) -> str:
        """The name of a step: `Place the adapter`."""
        return self._gettext(STEPS[name]) if name in STEPS else name

    def outcome(self, name: str, state: str, facts: Mapping[str, Fact], code: str = "") -> str:
        """One sentence on what a step did, would do, or failed at (`code`)."""
        if code:
            return self._messages.describe(code, facts).sentence
        text = OUTCOMES.get((name, state))
        return fill(self._gettext(text), self._messages.shown(facts)) if text else ""
