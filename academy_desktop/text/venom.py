"""A push to Venom in words: the names of its steps, what each did or would do, and the ways that lead there.

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
    "certify": N_("Prove that it behaves like the trained model"),
    "place": N_("Place the adapter"),
    "upload": N_("Send the adapter to Ollama"),
    "create": N_("Let Ollama make a model of it"),
    "list": N_("Let Venom find it"),
    "audit": N_("Let Venom check its base model"),
    "sign": N_("Sign it for the chat"),
    "activate": N_("Activate it"),
    "verify": N_("Make sure that the chat uses it"),
    "canary": N_("Ask the chat something"),
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
    ("certify", "done"): N_("{export} behaves like the trained model; its certificate is new."),
    ("certify", "kept"): N_("{export} has a certificate that it behaves like the trained model."),
    ("certify", "planned"): N_("{export} would be compared with the trained model; this may take minutes."),
    ("place", "done"): N_("{path} is in place[ ({size_bytes})]."),
    ("place", "kept"): N_("{path} was in place before."),
    ("place", "planned"): N_("{path} would be written."),
    ("upload", "done"): N_("Ollama at {url} has the adapter[ ({size_bytes})]; the hash is right."),
    ("upload", "kept"): N_("Ollama at {url} had the adapter before."),
    ("upload", "planned"): N_("The adapter would be sent to Ollama at {url}."),
    ("create", "done"): N_("Ollama has made {model} of “{base_model}” and the adapter."),
    ("create", "kept"): N_("{model} was made before."),
    ("create", "planned"): N_("Ollama would make {model} of “{base_model}” and the adapter."),
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
    ("canary", "done"): N_("The chat answers with {chat_model}[: “{answer}”]."),
    ("canary", "planned"): N_("The chat would be asked a short question."),
    ("rollback", "done"): N_("The chat uses {model}, as before."),
}

#: (step, reason) → why it was left out, one sentence.
SKIPPED: Final = {
    ("certify", "overridden"): N_("{export} is sent without a proof, as you said."),
    ("audit", "not_in_academy"): N_(
        "Left out: Venom’s Academy cannot judge an adapter that lies in Ollama. Ollama itself put it onto "
        "its base model."
    ),
    ("sign", "not_in_academy"): N_("Left out: Venom’s Academy cannot sign an adapter that lies in Ollama."),
    ("canary", "no_chat"): N_("Left out: this Venom has no chat that can be asked from here."),
    ("canary", "unheard"): N_("Left out: the connection broke off when the chat was asked."),
    ("canary", "slow"): N_("Left out: the chat took too long to answer. Try it yourself in Venom."),
}

#: Way to a server → its name.
WAYS: Final = {
    "folder": N_("This computer or a shared folder"),
    "ssh": N_("SSH"),
    "ollama": N_("Venom’s Ollama"),
}

#: (way, what was found) → what works, or why not, in a sentence.
FOUND: Final = {
    ("folder", "here"): N_("Venom runs on this computer, and its models folder {path} can be written."),
    ("folder", "not_writable"): N_(
        "Venom runs on this computer, but its models folder {path} cannot be written by you."
    ),
    ("folder", "untold"): N_("Venom takes changes from here. Say where its models folder lies."),
    ("folder", "elsewhere"): N_("Venom takes changes from its own computer only, and that is another one."),
    ("folder", "not_now"): N_("Venom answers, but its Academy takes no changes at this moment."),
    ("folder", "no_answer"): N_("Venom does not answer from here."),
    ("ssh", "answers"): N_("The computer {host} lets users log in over SSH (port {port})."),
    ("ssh", "here"): N_("Venom runs on this computer, so it takes no login."),
    ("ssh", "no_answer"): N_("No SSH server answers at {host}, port {port}."),
    ("ollama", "shared"): N_(
        "Venom’s Ollama (version {version}) can be reached at {url}. Venom’s Academy is not asked on this "
        "way."
    ),
    ("ollama", "unsure"): N_(
        "An Ollama (version {version}) answers at {url}; whether it is the one that Venom uses is not sure."
    ),
    ("ollama", "no_venom"): N_("An Ollama answers at {url}, but Venom does not answer from here."),
    ("ollama", "no_answer"): N_("No Ollama answers at {url}."),
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
        reason = str(facts.get("reason"))
        return self._say(
            SKIPPED.get((name, reason)) if state == "skipped" else OUTCOMES.get((name, state)), facts
        )

    def way_title(self, route: str) -> str:
        """The name of a way to a server."""
        return self._gettext(WAYS[route]) if route in WAYS else route

    def way(self, route: str, found: str, facts: Mapping[str, Fact]) -> str:
        """One sentence on a way to a server: what works, or why it does not."""
        return self._say(FOUND.get((route, found)), facts)

    # inside

    def _say(self, text: str | None, facts: Mapping[str, Fact]) -> str:
        return fill(self._gettext(text), self._messages.shown(facts)) if text else ""
