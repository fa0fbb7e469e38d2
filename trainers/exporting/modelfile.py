"""The Modelfile beside a GGUF file: Ollama's template, stop tokens and system prompt.

Ollama reads the weights from the file and the conversation from here, in a template language of its own
(Go's). Owns the families of templates that are known, and the check that makes a Modelfile true: what Ollama
will make of a conversation is, token by token, what the model was trained on. What fails it gets no
Modelfile. White space around a message is another matter: templates that drop it (Llama 3, Gemma) cannot be
told to in Ollama's language. Refuses to know weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainers.errors import AcademyError, ErrorCode
from trainers.rendering import Message, Renderer

_OPEN, _CLOSE = "{{ range .Messages }}", "{{ end }}"
_PART = re.compile(r"(\{\{.*?\}\})", re.DOTALL)
_ROLE = re.compile(r'\{\{ (else )?if eq \.Role "(\w+)" \}\}')
_EARLY_END = re.compile(r'"""\s*[\r\n]')
_PROBE_SYSTEM = "Be brief."


@dataclass(frozen=True)
class Turns:
    """A family of chat templates: what stands before and after the content of each role's turns.

    Attributes:
        name: what the family is called.
        roles: role → (before, after).
        answer: what stands where the answer begins.
    """

    name: str
    roles: Mapping[str, tuple[str, str]]
    answer: str

    def template(self, begin: str) -> str:
        """Return it in Ollama's language; `begin` stands before the first turn."""
        branches = [
            f'{{{{ {"else " if at else ""}if eq .Role "{role}" }}}}{before}{{{{ .Content }}}}{after}'
            for at, (role, (before, after)) in enumerate(self.roles.items())
        ]
        return f"{begin}{_OPEN}{''.join(branches)}{_CLOSE}{_CLOSE}{self.answer}"


def _uniform(name: str, before: str, after: str, *, model: str = "assistant", system: bool = True) -> Turns:
    names = ({"system": "system"} if system else {}) | {"user": "user", "assistant": model}
    roles = {role: (before.format(role=said), after) for role, said in names.items()}
    return Turns(name, roles, before.format(role=model))


FAMILIES: tuple[Turns, ...] = (
    _uniform("ChatML", "<|im_start|>{role}\n", "<|im_end|>\n"),
    _uniform("Llama 3", "<|start_header_id|>{role}<|end_header_id|>\n\n", "<|eot_id|>"),
    _uniform("Gemma", "<start_of_turn>{role}\n", "<end_of_turn>\n", model="model", system=False),
    _uniform("Phi-3", "<|{role}|>\n", "<|end|>\n"),
    # Mistral's versions differ in the spaces around the marks.
    Turns("Mistral", {"user": ("[INST] ", " [/INST]"), "assistant": (" ", "</s>")}, ""),
    Turns("Mistral", {"user": ("[INST] ", " [/INST]"), "assistant": ("", "</s>")}, ""),
    Turns("Mistral", {"user": ("[INST] ", "[/INST]"), "assistant": (" ", "</s>")}, ""),
    Turns("Mistral", {"user": ("[INST]", "[/INST]"), "assistant": ("", "</s>")}, ""),
)


@dataclass(frozen=True)
class Modelfile:
    """All that a Modelfile says besides the file's name."""

    family: str
    template: str
    stops: tuple[str, ...]
    system: str

    def text(self, file_name: str) -> str:
        """Return the Modelfile of a GGUF file that lies beside it."""
        lines = [f"FROM ./{file_name}", f"TEMPLATE {_quoted(self.template)}"]
        lines += [f"PARAMETER stop {_short_quoted(stop)}" for stop in self.stops]
        if self.system:
            lines.append(f"SYSTEM {_quoted(self.system)}")
        return "\n".join(lines) + "\n"


def make_modelfile(model_dir: Path, adds_bos: bool, system: str = "") -> Modelfile:
    """Return the Modelfile of a model whose GGUF file has llama.cpp add the begin token or not.

    Args:
        model_dir: the base model's folder.
        adds_bos: whether the begin token is put before every prompt anyway.
        system: the system prompt that the model was trained with; empty: the template's own, if it has one.

    Raises:
        AcademyError: `template_unknown` when no family says what the chat template says, or when a Modelfile
            cannot hold the system prompt; as `Renderer.load`.
    """
    renderer = Renderer.load(model_dir)
    begin = renderer.special_tokens.get("bos_token", "") if adds_bos else ""
    for turns in FAMILIES:
        for first in ("", renderer.special_tokens.get("bos_token", "")):
            template = turns.template(first)
            own = _own_system(renderer, turns, begin + first)
            prompt = system or own
            if _can_be_quoted(prompt) and _says_the_same(renderer, turns, template, begin, own):
                return Modelfile(turns.name, template, _stops(renderer), prompt)
    raise AcademyError(
        ErrorCode.TEMPLATE_UNKNOWN, known=", ".join(dict.fromkeys(one.name for one in FAMILIES))
    )


def render(template: str, messages: Sequence[Message]) -> str:
    """Render a template in the part of Ollama's language that is written here."""
    head, _, rest = template.partition(_OPEN)
    body, _, answer = rest.partition(f"{_CLOSE}{_CLOSE}")
    return head + "".join(_turn(body, message) for message in messages) + answer


def _turn(body: str, message: Message) -> str:
    said: list[str] = []
    is_chosen = False
    for part in _PART.split(body):
        choice = _ROLE.fullmatch(part)
        if choice:
            is_chosen = choice[2] == message["role"]
        elif is_chosen:
            said.append(message["content"] if part == "{{ .Content }}" else part)
    return "".join(said)


def _says_the_same(renderer: Renderer, turns: Turns, template: str, begin: str, own_system: str) -> bool:
    """Whether both make the same tokens of conversations of every shape that the family can hold."""
    for messages in _probes("system" in turns.roles):
        given = messages
        if own_system and messages[0]["role"] != "system":
            given = [{"role": "system", "content": own_system}, *messages]
        try:
            if renderer.encode(begin + render(template, given)) != renderer.prompt(messages).ids:
                return False
        except AcademyError:
            return False
    return True


def _probes(has_system: bool) -> Iterator[list[Message]]:
    talk = [("user", "What is 2 + 2?"), ("assistant", "It is\n\n4."), ("user", "Thanks — naïve 漢字  ?")]
    turns: list[Message] = [{"role": role, "content": content} for role, content in talk]
    yield turns[:1]
    yield turns
    if has_system:
        yield [{"role": "system", "content": _PROBE_SYSTEM}, *turns[:1]]
        yield [{"role": "system", "content": _PROBE_SYSTEM}, *turns]


def _own_system(renderer: Renderer, turns: Turns, begin: str) -> str:
    """Return the system prompt that the chat template writes by itself, or nothing."""
    if "system" not in turns.roles:
        return ""
    before, after = turns.roles["system"]
    try:
        text = renderer.prompt([{"role": "user", "content": "ask"}]).text
    except AcademyError:
        return ""
    said = text.removeprefix(begin).removeprefix(before)
    own, mark, _ = said.partition(after)
    return own if said != text.removeprefix(begin) and mark else ""


def _stops(renderer: Renderer) -> tuple[str, ...]:
    ends = (renderer.decode([token], skip_special=False) for token in sorted(renderer.end_of_turn_ids))
    return tuple(text for text in ends if text)


def _can_be_quoted(text: str) -> bool:
    """Whether Ollama reads a quoted text to its end: three quotes that end a line end it, without escape."""
    return not _EARLY_END.search(text)


def _quoted(text: str) -> str:
    return f'"""{text}"""'


def _short_quoted(text: str) -> str:
    return f'"{text}"'
