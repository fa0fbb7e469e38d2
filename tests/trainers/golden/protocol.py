"""PROTOCOL.md as data, and where the golden files lie: for tests that hold the code to what is written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import trainers
from trainers.events import KnownEvent, Payload

GOLDEN = Path(__file__).parent
TEXT = (Path(next(iter(trainers.__path__))) / "PROTOCOL.md").read_text("utf-8")


def section(title: str) -> str:
    """The text under a heading, up to the next heading."""
    found = re.search(rf"^#+ {re.escape(title)}$\n(.*?)(?=^#|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title!r}"
    return found.group(1)


def table(title: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def quoted(text: str) -> list[str]:
    """What stands in backticks, in order."""
    return re.findall(r"`([^`]+)`", text)


def event_types() -> dict[str, type[Payload]]:
    """The payload of each event type that the code knows."""
    found = {}
    for event in get_args(KnownEvent):
        (name,) = get_args(event.model_fields["type"].annotation)
        found[name] = event.model_fields["payload"].annotation
    return found


def load(name: str) -> Any:
    """A golden JSON file."""
    return json.loads((GOLDEN / name).read_bytes())


def lines(name: str) -> list[Any]:
    """The objects of a golden file with one per line."""
    return [json.loads(line) for line in (GOLDEN / name).read_bytes().splitlines()]


def with_newer_fields(value: Any) -> Any:
    """The same document as a newer minor version might write it: every record in it has a field more."""
    if isinstance(value, list):
        return [with_newer_fields(one) for one in value]
    if not isinstance(value, dict):
        return value
    inside = {name: with_newer_fields(one) for name, one in value.items()}
    return inside | {"newer_field": {"n": [1, None]}} if "v" in value else inside
