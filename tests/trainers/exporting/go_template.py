"""A small reading of Go's text/template, for what a Modelfile's TEMPLATE says: Ollama's side of a talk.

The part of the language that is written here, from its specification (https://pkg.go.dev/text/template):
text, `{{ range .Field }}`, `{{ if eq .Field "text" }}`, `{{ else if … }}`, `{{ else }}`, `{{ end }}` and
`{{ .Field }}`, with `{{-` and `-}}` trimming the text beside them. Anything else is an error. Knows nothing
of how the product writes templates.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ACTION = re.compile(r"\{\{(- )?\s*(.*?)\s*( -)?\}\}", re.DOTALL)
_FIELD = re.compile(r"\.([A-Z]\w*)")
_RANGE = re.compile(r"range \.([A-Z]\w*)")
_CONDITION = re.compile(r'if eq \.([A-Z]\w*) "((?:[^"\\]|\\.)*)"')
_SPACE = " \t\r\n"  # what Go trims


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Field:
    name: str


@dataclass(frozen=True)
class Range:
    field: str
    body: tuple[Node, ...]


@dataclass(frozen=True)
class If:
    field: str
    value: str
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


Node = Text | Field | Range | If


def render(template: str, data: Mapping[str, Any]) -> str:
    """Execute a template.

    Raises:
        ValueError: for what Go would refuse, or what is not read here.
    """
    parts = list(_lex(template))
    nodes, rest = _parse(parts)
    if rest:
        raise ValueError(f"unexpected {rest[0][1]}")
    return "".join(_execute(nodes, data))


def _lex(template: str) -> Iterator[tuple[bool, str]]:
    """Yield (whether it is an action, its text)."""
    place, trims = 0, False
    for found in _ACTION.finditer(template):
        text = template[place : found.start()]
        text = text.lstrip(_SPACE) if trims else text
        yield False, text.rstrip(_SPACE) if found[1] else text
        yield True, found[2]
        place, trims = found.end(), bool(found[3])
    text = template[place:]
    if "{{" in text or "}}" in text:
        raise ValueError("an action that does not end")
    yield False, text.lstrip(_SPACE) if trims else text


def _parse(parts: Sequence[tuple[bool, str]]) -> tuple[tuple[Node, ...], Sequence[tuple[bool, str]]]:
    """Read nodes up to an `else` or `end` that belongs to what is around them."""
    nodes: list[Node] = []
    while parts:
        (is_action, text), rest = parts[0], parts[1:]
        if not is_action:
            nodes.append(Text(text))
        elif text == "end" or text.startswith("else"):
            return tuple(nodes), parts
        elif found := _FIELD.fullmatch(text):
            nodes.append(Field(found[1]))
        elif found := _RANGE.fullmatch(text):
            body, rest = _parse(rest)
            rest = _ended(rest)
            nodes.append(Range(found[1], body))
        else:
            node, rest = _parse_if(text, rest)
            nodes.append(node)
        parts = rest
    return tuple(nodes), parts


def _parse_if(condition: str, rest: Sequence[tuple[bool, str]]) -> tuple[If, Sequence[tuple[bool, str]]]:
    found = _CONDITION.fullmatch(condition)
    if not found:
        raise ValueError(f"not read here: {condition}")
    body, rest = _parse(rest)
    otherwise: tuple[Node, ...] = ()
    if rest and rest[0][1].startswith("else if"):
        # `{{ else if X }}…{{ end }}` is `{{ else }}{{ if X }}…{{ end }}{{ end }}`.
        node, rest = _parse_if(rest[0][1].removeprefix("else "), rest[1:])
        return If(found[1], found[2], body, (node,)), rest
    if rest and rest[0] == (True, "else"):
        otherwise, rest = _parse(rest[1:])
    return If(found[1], found[2], body, otherwise), _ended(rest)


def _ended(parts: Sequence[tuple[bool, str]]) -> Sequence[tuple[bool, str]]:
    if not parts or parts[0] != (True, "end"):
        raise ValueError("an end is missing")
    return parts[1:]


def _execute(nodes: Sequence[Node], data: Mapping[str, Any]) -> Iterator[str]:
    for node in nodes:
        match node:
            case Text(text):
                yield text
            case Field(name):
                yield str(data[name])
            case Range(field, body):
                for item in data[field]:
                    yield from _execute(body, item)
            case If(field, value, body, otherwise):
                yield from _execute(body if data[field] == value else otherwise, data)


_PROGRAM = """
package main

import (
	"encoding/json"
	"os"
	"strings"
	"text/template"
)

type Message struct{ Role, Content string }
type Case struct {
	Template string
	Messages []*Message
}

func main() {
	var cases []Case
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	said := []string{}
	for _, one := range cases {
		var text strings.Builder
		made := template.Must(template.New("").Option("missingkey=zero").Parse(one.Template))
		if err := made.Execute(&text, map[string]any{"Messages": one.Messages}); err != nil {
			panic(err)
		}
		said = append(said, text.String())
	}
	json.NewEncoder(os.Stdout).Encode(said)
}
"""


def render_by_go(folder: Path, cases: Sequence[tuple[str, Sequence[Mapping[str, str]]]]) -> list[str]:
    """Execute templates over messages by Go itself, which has to be installed."""
    source = folder / "main.go"
    source.write_text(_PROGRAM, "utf-8")
    asked = [
        {"Template": template, "Messages": [{"Role": one["role"], "Content": one["content"]} for one in talk]}
        for template, talk in cases
    ]
    environment = {"PATH": "/usr/local/go/bin:/usr/bin:/bin", "HOME": str(folder), "GOFLAGS": "-mod=mod"}
    done = subprocess.run(
        ["go", "run", str(source)],
        input=json.dumps(asked), env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said: list[str] = json.loads(done.stdout)
    return said
