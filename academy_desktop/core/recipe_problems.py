"""What is wrong in a recipe file: each problem with its key, its line and its facts.

Owns the way from a validation error to problems, and where a key stands in a document. Refuses to know where
recipes lie, and sentences.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml.comments import CommentedMap

from trainers.errors import Fact
from trainers.recipe import ContradictionError, TrainRecipe

#: The kinds of problem, in pydantic's words, that have sentences of their own.
_BOUNDS = {
    "greater_than": "gt",
    "greater_than_equal": "ge",
    "less_than": "lt",
    "less_than_equal": "le",
}

#: Longest value that a problem repeats.
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a recipe file; `text.recipes` has its words.

    Attributes:
        path: the key, with dots (`training.learning_rate`).
        line: from 1; of the key where it stands, else of the section where it is missing.
        code: unknown_key, missing_key, out_of_range, wrong_value, contradiction, not_yaml, or an error code.
        facts: for the sentence.
    """

    path: str
    line: int
    code: str
    facts: dict[str, Fact] = field(default_factory=dict)


def problems_of(error: ValidationError, document: Any) -> list[Problem]:
    """Return one problem per key and kind: each form that a value may have complains for itself."""
    found: dict[tuple[str, str], Problem] = {}
    for detail in error.errors():
        problem = _problem(detail, document)
        found.setdefault((problem.path, problem.code), problem)
    return list(found.values())


def _problem(detail: ErrorDetails, document: Any) -> Problem:
    where, help_text = _declared(detail["loc"])
    path = ".".join(str(part) for part in where)
    line = line_of(document, where)
    kind = detail["type"]
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(where[-1]), _keys(where[:-1]), n=1)
        return Problem(path, line, "unknown_key", {"key": path, "nearest": near[0] if near else None})
    if kind == "missing":
        return Problem(path, line, "missing_key", {"key": path})
    if kind in _BOUNDS:
        bound = next(iter(detail["ctx"].values()))
        return Problem(
            path,
            line,
            "out_of_range",
            {"key": path, "value": _shown(detail["input"]), "bound": bound, "side": _BOUNDS[kind]},
        )
    if kind == "value_error":
        said = str(detail["ctx"]["error"])
        key, _, _ = said.partition(":")
        facts: dict[str, Fact] = {"detail": said}
        if isinstance(detail["ctx"]["error"], ContradictionError):
            facts["nearest"] = detail["ctx"]["error"].nearest
        return Problem(key, line_of(document, key.split(".")), "contradiction", facts)
    expected = None if help_text else detail.get("ctx", {}).get("expected")
    facts = {
        "key": path,
        "value": _shown(detail["input"]),
        "expected": expected,
        "detail": help_text or detail["msg"],
    }
    return Problem(path, line, "wrong_value", facts)


def _declared(where: Sequence[int | str]) -> tuple[Sequence[int | str], str]:
    """Part a place into its key and, where it goes on inside a value, the help of that key."""
    model: type[BaseModel] = TrainRecipe
    for depth, part in enumerate(where, 1):
        declared = model.model_fields.get(str(part))
        if declared is None:
            break
        if not (isinstance(declared.annotation, type) and issubclass(declared.annotation, BaseModel)):
            return where[:depth], (declared.description or "") if depth < len(where) else ""
        model = declared.annotation
    return where, ""


def _shown(value: object) -> Fact:
    """A value as a fact: what is no single value is named by its kind, a long text is cut."""
    if isinstance(value, str):
        return value if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]}…"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such number
    if isinstance(value, int | float):
        return value
    named = {"dict": "a section", "list": "a list", "NoneType": "nothing"}
    return named.get(type(value).__name__, type(value).__name__)


def _keys(where: Sequence[int | str]) -> list[str]:
    """Return the keys that are right inside the section at `where`."""
    model: type[BaseModel] = TrainRecipe
    for part in where:
        annotation = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


def line_of(document: Any, where: Sequence[int | str]) -> int:
    """Return the line (from 1) of the deepest key of `where` that stands in the document."""
    line = 1
    for part in where:
        # What an alias merges in stands in the map, but not at a line of it.
        if not isinstance(document, CommentedMap) or part not in (document.lc.data or {}):
            break
        line = document.lc.key(part)[0] + 1
        document = document[part]
    return line
