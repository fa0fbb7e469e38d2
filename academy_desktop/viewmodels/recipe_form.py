"""The fields of a training recipe as a form: described, filled in, and checked while somebody types.

Everything about a field (default, bounds, unit, help, choices) is read off its declaration in
`trainers.recipe`. Owns the way between what is typed and a valid recipe. Refuses to know widgets.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from trainers.errors import Fact
from trainers.recipe import DatasetRef, ModelRef, TrainRecipe

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

#: A preset → what it is called and what it is for; those of the guided demo suit nothing else.
PRESETS: Final = {
    "quick": (N_("Quick"), N_("One pass, a narrow adapter: shows soon whether the rows teach anything.")),
    "balanced": (N_("Balanced"), N_("A sound start for a few hundred to a few thousand rows.")),
    "thorough": (N_("Thorough"), N_("More passes and a wider adapter: when quality matters more than time.")),
}
DEMO: Final = "demo"

#: Longest value that a sentence repeats.
MOST_SHOWN: Final = 32

#: A bound of a declaration → how it is said.
_BOUNDS: Final = {
    "gt": N_("more than {bound}"),
    "ge": N_("at least {bound}"),
    "lt": N_("less than {bound}"),
    "le": N_("at most {bound}"),
}

#: A complaint of pydantic's about a bound → the bound.
_BOUND_ERRORS: Final = {
    "greater_than": "gt",
    "greater_than_equal": "ge",
    "less_than": "lt",
    "less_than_equal": "le",
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

#: Stand for what is chosen elsewhere while the form is checked.
_MODEL = ModelRef(id="", path="")
_DATASET = DatasetRef(id="", path="", sha256="0" * 64)


@dataclass(frozen=True)
class Choice:
    """One thing that can be chosen: its id, what it is called, and a few words on it."""

    id: str
    title: str
    detail: str = ""


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
    optional: bool
    is_essential: bool


@dataclass(frozen=True)
class FormSection:
    """Fields that belong together."""

    title: str
    fields: tuple[Field, ...]


class RecipeForm:
    """The values as they are typed, and what is wrong with them."""

    def __init__(self, messages: Messages, formats: Formats, translate: Callable[[str], str]) -> None:
        self._messages = messages
        self._formats = formats
        self._gettext = translate
        self._declared = dict(_declared())
        self._fields = {path: self._field(path, info) for path, info in self._declared.items()}
        self._values = {path: _typed(info.get_default()) for path, info in self._declared.items()}
        shown = (one.path for section in self.sections for one in section.fields)
        self._order = (NAME, *ESSENTIAL, *shown)
        self._problems: dict[str, str] = {}
        self._sections: dict[str, Any] = {}
        self._check()

    @property
    def essential(self) -> tuple[Field, ...]:
        """The fields that are always shown."""
        return tuple(self._fields[path] for path in ESSENTIAL)

    @property
    def sections(self) -> tuple[FormSection, ...]:
        """All the other fields."""
        return tuple(
            FormSection(
                self._gettext(title),
                tuple(
                    field
                    for path, field in self._fields.items()
                    if path.startswith(f"{section}.") and not field.is_essential
                ),
            )
            for section, title in SECTIONS.items()
        )

    @property
    def problems(self) -> Mapping[str, str]:
        """What is wrong, a sentence each, by the field's path; in the order of the fields."""
        return self._problems

    def field(self, path: str) -> Field:
        """The description of a field."""
        return self._fields[path]

    def value(self, path: str) -> Value:
        """What stands in a field: text, or whether a toggle is on."""
        return self._values[path]

    def set(self, path: str, value: Value) -> bool:
        """Put something into a field; returns whether that changed anything."""
        if self._values[path] == value:
            return False
        self._values[path] = value
        self._check()
        return True

    def take(self, recipe: TrainRecipe) -> None:
        """Fill in the sections of a recipe; its name stays what it is."""
        for path in self._values:
            if path != NAME:
                self._values[path] = _typed(_at(recipe, path))
        self._check()

    def holds(self, recipe: TrainRecipe) -> bool:
        """Whether the sections are those of a recipe."""
        shown = {section: getattr(recipe, section) for section in SECTIONS}
        return not self._problems and self._sections == shown

    def fill(self, recipe: TrainRecipe) -> TrainRecipe:
        """Return a recipe with the values of this form, which has no problems, in its sections."""
        return recipe.model_copy(update=self._sections)

    def filled(self) -> TrainRecipe | None:
        """A recipe with these values and neither model nor dataset, or None while there are problems."""
        return None if self._problems else self.fill(TrainRecipe(model=_MODEL, dataset=_DATASET))

    def _check(self) -> None:
        """Validate everything: a field may be wrong only beside another one."""
        raw: dict[str, Any] = {section: {} for section in SECTIONS}
        problems: dict[str, str] = {}
        for path, value in self._values.items():
            field = self._fields[path]
            parsed = _parsed(field, value)
            section, _, name = path.rpartition(".")
            if parsed is not None or field.optional:
                (raw[section] if section else raw)[name] = parsed
            elif path != NAME:
                problems[path] = self._messages.problem("missing_key", {"key": field.label})
        try:
            recipe = TrainRecipe.model_validate({"model": _MODEL, "dataset": _DATASET, **raw})
            self._sections = {section: getattr(recipe, section) for section in SECTIONS}
        except ValidationError as error:
            for detail in error.errors():
                path, said = self._problem(detail)
                problems.setdefault(path, said)
        self._problems = {path: problems[path] for path in self._order if path in problems}

    def _problem(self, detail: ErrorDetails) -> tuple[str, str]:
        """The field that a complaint of pydantic's is about, and the sentence for it."""
        kind = detail["type"]
        if kind == "value_error":
            path, _, said = str(detail["ctx"]["error"]).partition(":")
            sentence = self._messages.problem("contradiction", {"detail": said.strip() or path})
            return path if path in self._fields else NAME, sentence
        path = ".".join(str(part) for part in detail["loc"][:2])
        field = self._fields[path] if path in self._fields else self._fields[path := NAME]
        typed = str(self._values[path])
        shown = typed if len(typed) <= MOST_SHOWN else f"{typed[:MOST_SHOWN]}…"
        facts: dict[str, Fact] = {"key": field.label, "value": shown}
        if kind in _BOUND_ERRORS:
            facts |= {"bound": next(iter(detail["ctx"].values())), "side": _BOUND_ERRORS[kind]}
            return path, self._messages.problem("out_of_range", facts)
        expected = self._expected(field, kind, detail)
        return path, self._messages.problem("wrong_value", facts | {"expected": expected})

    def _expected(self, field: Field, kind: str, detail: ErrorDetails) -> str:
        if kind == "string_too_long":
            most = self._formats.integer(detail["ctx"]["max_length"])
            return self._gettext(N_("at most {count} characters long")).format(count=most)
        if field.kind == "choice":
            return ", ".join(field.choices)
        if field.kind == "text":
            return field.help.rstrip(".")
        if kind.startswith("int"):
            return self._gettext(N_("a whole number"))
        return self._gettext(N_("a number, written like 0.5"))

    def _field(self, path: str, info: FieldInfo) -> Field:
        extra = info.json_schema_extra
        unit = str(extra["unit"]) if isinstance(extra, dict) and "unit" in extra else ""
        kind, choices, optional = _form_of(info.annotation)
        return Field(
            path=path,
            label=self._gettext(info.title or _in_words(path)),
            help=self._gettext(info.description or ""),
            unit=self._gettext(unit) if unit else "",
            kind=kind,
            choices=choices,
            hint=self._hint(info) if kind == "number" else "",
            optional=optional,
            is_essential=path in ESSENTIAL,
        )

    def _hint(self, info: FieldInfo) -> str:
        """Bounds and default in words: `At least 4, at most 64. Usual: 16.`."""
        bounds = [
            self._gettext(said).format(bound=self._formats.plain(bound))
            for one in info.metadata
            for side, said in _BOUNDS.items()
            if isinstance(bound := getattr(one, side, None), int | float)
        ]
        said = ", ".join(bounds)
        sentences = [f"{said[:1].upper()}{said[1:]}."] if said else []
        if isinstance(info.default, int | float):
            usual = self._formats.plain(info.default)
            sentences.append(self._gettext(N_("Usual: {value}.")).format(value=usual))
        return " ".join(sentences)


def offered(names: Sequence[str]) -> tuple[str, ...]:
    """The presets that suit what people bring themselves: those of the guided demo do not."""
    return tuple(name for name in names if not name.startswith(DEMO))


def preset_choices(names: Sequence[str], translate: Callable[[str], str]) -> tuple[Choice, ...]:
    """The presets to choose from, the quickest first; one that has no words here shows its name."""
    known = [name for name in PRESETS if name in names]
    others = [name for name in offered(names) if name not in PRESETS]
    return (
        *(Choice(name, translate(PRESETS[name][0]), translate(PRESETS[name][1])) for name in known),
        *(Choice(name, name.replace("-", " ").capitalize()) for name in others),
    )


def _declared() -> Iterator[tuple[str, FieldInfo]]:
    """Yield every field that the form has, by its path."""
    yield NAME, TrainRecipe.model_fields[NAME]
    for section in SECTIONS:
        model = TrainRecipe.model_fields[section].annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        for name, info in model.model_fields.items():
            yield f"{section}.{name}", info


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


def _at(recipe: TrainRecipe, path: str) -> object:
    section, _, name = path.partition(".")
    return getattr(getattr(recipe, section), name)


def _typed(value: object) -> Value:
    """A value as somebody would type it."""
    match value:
        case bool():
            return value
        case None:
            return ""
        case float():
            return f"{value:.10g}"
        case tuple():
            return ", ".join(str(part) for part in value)
    return str(value)


def _parsed(field: Field, value: Value) -> Any:
    """What was typed, for pydantic to judge; None for nothing."""
    if isinstance(value, bool):
        return value
    text = value.strip()
    if field.kind == "text" and field.path != NAME and text not in field.choices:
        return [part.strip() for part in text.split(",") if part.strip()] or None
    return text or None


def _in_words(path: str) -> str:
    """`training.lr_scheduler_type` → `Learning rate scheduler`: the label of a field that has no title."""
    parts = path.rpartition(".")[2].split("_")
    if parts[0] == "every":  # the unit stands behind the value
        parts = parts[:1]
    said = " ".join(" ".join(_PARTS.get(part, part) for part in parts).split())
    return f"{said[:1].upper()}{said[1:]}"
