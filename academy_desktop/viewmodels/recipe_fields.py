"""The fields of a training recipe, described: what each is called, edited with, and may be.

Everything is read off the declarations in `trainers.recipe`. Owns the way between a value and what is typed.
Refuses to know widgets, and whether a value is right.
"""

from __future__ import annotations

import csv
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from trainers.recipe import Method, TrainRecipe

Kind = Literal["number", "choice", "toggle", "text"]
Value = str | bool

#: The name of the run stands above the sections.
NAME: Final = "name"

#: Section of a recipe → its heading; only these are in the form.
SECTIONS: Final = {
    "training": N_("Training"),
    "preference": N_("Preferences"),
    "lora": N_("Adapter (LoRA)"),
    "evaluation": N_("Evaluation"),
    "samples": N_("Answers in between"),
    "checkpoints": N_("Checkpoints"),
    "hardware": N_("Hardware"),
}

#: What most people want to change; the rest waits behind “All settings”.
ESSENTIAL: Final = (
    "training.learning_rate",
    "training.num_epochs",
    "training.batch_size",
    "training.max_seq_length",
    "lora.rank",
)

#: Fields that only some methods look at; all others belong to every method.
_OF_METHODS: Final[Mapping[str, frozenset[Method]]] = {
    "preference.beta": frozenset({"dpo", "orpo", "kto"}),
    "preference.loss_type": frozenset({"dpo"}),
    "preference.desirable_weight": frozenset({"kto"}),
    "preference.undesirable_weight": frozenset({"kto"}),
}

#: A bound of a declaration → how it is said.
_BOUNDS: Final = {
    "gt": N_("more than {bound}"),
    "ge": N_("at least {bound}"),
    "lt": N_("less than {bound}"),
    "le": N_("at most {bound}"),
}

#: Parts of field names that are written in full, or not at all.
_PARTS: Final = {
    "num": "",
    "use": "",
    "type": "",
    "lr": "learning rate",
    "seq": "sequence",
    "max": "max.",
    "grad": "gradient",
    "rslora": "rank-stabilized LoRA",
}


@dataclass(frozen=True)
class Field:
    """One field of the form.

    Attributes:
        path: its key in a recipe (`training.learning_rate`).
        label: what it is called.
        help: what it does, in a sentence.
        unit: stands behind the value; may be empty.
        kind: what it is edited with.
        choices: the values of a choice, as they stand in a recipe; words that a text may be.
        hint: bounds and default, in words.
        separator: stands between the parts of a list that may be empty; of other lists it is a comma.
        optional: whether it may stay empty.
        is_essential: whether it is always shown.
    """

    path: str
    label: str
    help: str
    unit: str
    kind: Kind
    choices: tuple[str, ...]
    hint: str
    separator: str
    optional: bool
    is_essential: bool


def declared() -> Iterator[tuple[str, FieldInfo]]:
    """Yield every field that the form has, by its path."""
    yield NAME, TrainRecipe.model_fields[NAME]
    for section in SECTIONS:
        model = TrainRecipe.model_fields[section].annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        for name, info in model.model_fields.items():
            yield f"{section}.{name}", info


def describe(path: str, info: FieldInfo, translate: Callable[[str], str], formats: Formats) -> Field:
    """Describe a field by its declaration."""
    unit = _extra(info, "unit")
    kind, choices, optional = _form_of(info.annotation)
    return Field(
        path=path,
        label=translate(info.title or _in_words(path)),
        help=translate(info.description or ""),
        unit=translate(unit) if unit else "",
        kind=kind,
        choices=choices,
        hint=_hint(info, translate, formats) if kind == "number" else "",
        separator=_extra(info, "separator"),
        optional=optional,
        is_essential=path in ESSENTIAL,
    )


def belongs_to(path: str, method: Method) -> bool:
    """Whether a method looks at a field."""
    return method in _OF_METHODS.get(path, {method})


def value_at(recipe: TrainRecipe, path: str) -> Value:
    """What stands in a recipe's field, as somebody would type it."""
    section, _, name = path.partition(".")
    part = getattr(recipe, section)
    return typed(getattr(part, name), _extra(type(part).model_fields[name], "separator"))


def typed(value: object, separator: str = "") -> Value:
    """A value as somebody would type it."""
    match value:
        case bool():
            return value
        case None:
            return ""
        case float():
            return format(Decimal(f"{value:.10g}"), "f")
        case tuple():
            between = f" {separator} " if separator else ", "
            return between.join(_quoted(str(part), separator) for part in value)
    return str(value)


def parsed(field: Field, value: Value) -> Any:
    """What was typed, for pydantic to judge; None for nothing."""
    if isinstance(value, bool):
        return value
    text = value.strip()
    if field.kind == "text" and field.path != NAME and text not in field.choices:
        parts = [part.strip() for part in _split(text, field.separator or ",") if part.strip()]
        return parts if field.separator else parts or None
    return text or None


def _quoted(part: str, separator: str) -> str:
    """A part of a list; between quotes where the separator stands in it."""
    if separator and (separator in part or part.startswith('"')):
        return '"' + part.replace('"', '""') + '"'
    return part


def _split(text: str, separator: str) -> list[str]:
    return next(csv.reader([text], delimiter=separator, skipinitialspace=True), [])


def _extra(info: FieldInfo, name: str) -> str:
    """What a declaration says beside pydantic's own words."""
    extra = info.json_schema_extra
    return str(extra[name]) if isinstance(extra, dict) and name in extra else ""


def _hint(info: FieldInfo, translate: Callable[[str], str], formats: Formats) -> str:
    """Bounds and default in words: `At least 4, at most 64. Usual: 16.`."""
    bounds = [
        translate(said).format(bound=formats.plain(bound))
        for one in info.metadata
        for side, said in _BOUNDS.items()
        if isinstance(bound := getattr(one, side, None), int | float)
    ]
    said = ", ".join(bounds)
    sentences = [f"{said[:1].upper()}{said[1:]}."] if said else []
    if isinstance(info.default, int | float):
        usual = formats.plain(info.default)
        sentences.append(translate(N_("Usual: {value}.")).format(value=usual))
    return " ".join(sentences)


def _form_of(annotation: Any) -> tuple[Kind, tuple[str, ...], bool]:
    """What a value of a type is edited with, the values of a choice, and whether there may be none."""
    options = get_args(annotation) if get_origin(annotation) in {Union, types.UnionType} else (annotation,)
    optional = type(None) in options
    (first, *others) = [option for option in options if option is not type(None)]
    if first is bool:
        return "toggle", (), optional
    if first in {int, float}:
        return "number", (), optional
    values = tuple(str(value) for value in get_args(first)) if get_origin(first) is Literal else ()
    return "text" if others or not values else "choice", values, optional


def _in_words(path: str) -> str:
    """`training.lr_scheduler_type` → `Learning rate scheduler`: the label of a field that has no title."""
    parts = path.rpartition(".")[2].split("_")
    if parts[0] == "every":  # the unit stands behind the value
        parts = parts[:1]
    said = " ".join(" ".join(_PARTS.get(part, part) for part in parts).split())
    return f"{said[:1].upper()}{said[1:]}"
