"""The values of a training recipe as a form: filled in, changed by hand, and checked while somebody types.

Owns what was filled in and what was changed since, and the way between what is typed and a valid recipe.
Refuses to know widgets; what a field is stands in `recipe_fields`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.viewmodels.recipe_fields import (
    ESSENTIAL,
    NAME,
    SECTIONS,
    Field,
    Value,
    belongs_to,
    declared,
    describe,
    parsed,
    typed,
    value_at,
)
from trainers.errors import Fact
from trainers.recipe import ContradictionError, DatasetRef, Method, ModelRef, TrainRecipe

#: A preset → what it is called and what it is for; those of the guided demo suit nothing else.
PRESETS: Final = {
    "quick": (N_("Speed"), N_("One pass, a narrow adapter: shows soon whether the rows teach anything.")),
    "balanced": (N_("Balance"), N_("A sound start for a few hundred to a few thousand rows.")),
    "thorough": (N_("Quality"), N_("More passes and a wider adapter: takes longer, and learns more.")),
    "memory": (
        N_("Little memory"),
        N_("One row at a time and a narrow adapter: for a large model on a small computer."),
    ),
}
DEMO: Final = "demo"

#: Longest value that a sentence repeats.
MOST_SHOWN: Final = 32

#: A complaint of pydantic's about a bound → the bound.
_BOUND_ERRORS: Final = {
    "greater_than": "gt",
    "greater_than_equal": "ge",
    "less_than": "lt",
    "less_than_equal": "le",
}

#: What stands elsewhere on the page, and may be wrong as well.
MODEL, DATASET = "model.path", "dataset.id"

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
class FormSection:
    """Fields that belong together."""

    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a field: a sentence, and what would do (paths and values), if anything is near."""

    sentence: str
    nearest: tuple[tuple[str, Value], ...] = ()


class MisfitFacts(Protocol):
    """Something that keeps a recipe from being run here, though its values go together."""

    @property
    def path(self) -> str:
        """The field to change."""
        ...

    @property
    def code(self) -> str:
        """What is wrong, in a word."""
        ...

    @property
    def facts(self) -> Mapping[str, Fact]:
        """What the sentence needs."""
        ...

    @property
    def nearest(self) -> Sequence[tuple[str, int | str]]:
        """What would do: paths and values."""
        ...


class RecipeForm:
    """The values as they are typed, and what is wrong with them."""

    def __init__(self, messages: Messages, formats: Formats, translate: Callable[[str], str]) -> None:
        self._messages = messages
        self._formats = formats
        self._gettext = translate
        declarations = dict(declared())
        self._fields = {path: describe(path, info, translate, formats) for path, info in declarations.items()}
        self._values = {path: typed(info.get_default()) for path, info in declarations.items()}
        self._filled_in = dict(self._values)
        self._by_hand: set[str] = set()
        self._method: Method = "sft"
        shown = (one.path for section in self.sections for one in section.fields)
        self._order = (DATASET, MODEL, NAME, *ESSENTIAL, *shown)
        self._wrong: dict[str, Wrong] = {}
        self._unfit: dict[str, Wrong] = {}
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
    def method(self) -> Method:
        """What is learned."""
        return self._method

    @property
    def problems(self) -> Mapping[str, str]:
        """What is wrong, a sentence each, by the field's path; in the order of the fields."""
        found = self._unfit | self._wrong
        return {path: found[path].sentence for path in self._order if path in found}

    @property
    def is_valid(self) -> bool:
        """Whether the values go together, wherever they are to be used."""
        return not self._wrong

    def nearest(self, path: str) -> tuple[tuple[str, Value], ...]:
        """What would do in place of what is wrong with a field: paths and values, or nothing."""
        found = self._wrong.get(path) or self._unfit.get(path)
        return found.nearest if found else ()

    def in_words(self, values: Iterable[tuple[str, Value]]) -> str:
        """Fields and values as they are called: `Batch size 2, Batches per step 4`."""
        said = [
            f"{self._fields[path].label} {value or self._gettext(N_('empty'))}"
            for path, value in values
            if path in self._fields
        ]
        return ", ".join(said)

    def field(self, path: str) -> Field:
        """The description of a field."""
        return self._fields[path]

    def has(self, path: str) -> bool:
        """Whether there is such a field, and the method looks at it."""
        return path in self._fields and belongs_to(path, self._method)

    def value(self, path: str) -> Value:
        """What stands in a field: text, or whether a toggle is on."""
        return self._values[path]

    def is_changed(self, path: str) -> bool:
        """Whether somebody put something into a field that was not filled in."""
        return path in self._by_hand

    @property
    def all_filled_in(self) -> Mapping[str, Value]:
        """What was filled into all fields, as it is now."""
        return dict(self._filled_in)

    def filled_in(self, path: str) -> Value:
        """What was filled into a field."""
        return self._filled_in[path]

    def set(self, path: str, value: Value) -> bool:
        """Put something into a field; returns whether that changed anything."""
        if self._values[path] == value:
            return False
        self._values[path] = value
        self._unfit.pop(path, None)
        if path != NAME and value != self._filled_in[path]:
            self._by_hand.add(path)
        else:
            self._by_hand.discard(path)
        self._check()
        return True

    @property
    def changed(self) -> tuple[str, ...]:
        """The fields that somebody changed, of those that are looked at."""
        return tuple(path for path in self._values if path in self._by_hand and self.has(path))

    def reset(self, path: str) -> bool:
        """Put back what was filled in; returns whether that changed anything."""
        touched = path in self._by_hand
        self._by_hand.discard(path)
        return self.set(path, self._filled_in[path]) or touched

    def take(self, recipe: TrainRecipe) -> None:
        """Fill in the sections and the method of a recipe; its name stays what it is."""
        self._method = recipe.method
        for path in self._values:
            if path != NAME:
                self._values[path] = self._filled_in[path] = value_at(recipe, path)
        self._by_hand.clear()
        self._unfit.clear()
        self._check()

    def refill(self, recipe: TrainRecipe, others: Iterable[tuple[str, object]] = ()) -> None:
        """Fill in what was not changed by hand, and the method, from a recipe.

        Args:
            recipe: whose values are filled in.
            others: fields and values that stand in place of the recipe's.
        """
        self._method = recipe.method
        fields = {path: value_at(recipe, path) for path in self._values if path != NAME}
        fields |= {path: typed(value) for path, value in others}
        for path, value in fields.items():
            if not belongs_to(path, self._method):  # nobody sees it: what was typed there must not matter
                self._by_hand.discard(path)
            if path not in self._by_hand:
                self._values[path] = value
            self._filled_in[path] = value
        self._check()

    def holds(self, recipe: TrainRecipe) -> bool:
        """Whether the sections are those of a recipe."""
        shown = {section: getattr(recipe, section) for section in SECTIONS}
        return self.is_valid and self._sections == shown

    def fill(self, recipe: TrainRecipe) -> TrainRecipe:
        """Return a recipe with the values of this form, which is valid, in its sections."""
        return recipe.model_copy(update={**self._sections, "method": self._method})

    def filled(self) -> TrainRecipe | None:
        """A recipe with these values and neither model nor dataset, or None where they do not go together."""
        return self.fill(TrainRecipe(model=_MODEL, dataset=_DATASET)) if self.is_valid else None

    def blame(self, misfits: Iterable[MisfitFacts]) -> None:
        """Say of these fields, and no others, that they do not fit what they are used with."""
        self._unfit = {}
        for misfit in misfits:
            near = tuple((path, typed(value)) for path, value in misfit.nearest)
            facts = dict(misfit.facts)
            if "key" in facts and misfit.path in self._fields:
                facts["key"] = self._fields[misfit.path].label
            if near and facts.get("nearest"):
                alone = len(near) == 1 and near[0][0] == misfit.path
                facts["nearest"] = str(near[0][1]) if alone else self.in_words(near)
            path = misfit.path if misfit.path in self._order else NAME
            self._unfit.setdefault(path, Wrong(self._messages.problem(misfit.code, facts), near))

    def with_changes(self, recipe: TrainRecipe) -> TrainRecipe | None:
        """A recipe with the values that were changed by hand, or None where they do not go together."""
        values = {
            path: value if path == NAME or self.is_changed(path) else value_at(recipe, path)
            for path, value in self._values.items()
        }
        made, _ = self._validated(values)
        return made and made.model_copy(update={"model": recipe.model, "dataset": recipe.dataset})

    def _check(self) -> None:
        """Validate everything: a field may be wrong only beside another one."""
        recipe, self._wrong = self._validated(self._values)
        if recipe is not None:
            self._sections = {section: getattr(recipe, section) for section in SECTIONS}

    def _validated(self, values: Mapping[str, Value]) -> tuple[TrainRecipe | None, dict[str, Wrong]]:
        """The recipe that values make, or None and what is wrong with them."""
        raw: dict[str, Any] = {section: {} for section in SECTIONS}
        wrong: dict[str, Wrong] = {}
        for path, value in values.items():
            field = self._fields[path]
            found = parsed(field, value)
            section, _, name = path.rpartition(".")
            if found is not None or field.optional:
                (raw[section] if section else raw)[name] = found
            elif path != NAME:
                said = self._messages.problem("missing_key", {"key": field.label})
                wrong[path] = Wrong(said, ((path, self._filled_in[path]),))
        try:
            whole = {"model": _MODEL, "dataset": _DATASET, "method": self._method, **raw}
            recipe = TrainRecipe.model_validate(whole)
        except ValidationError as error:
            for detail in error.errors():
                path, said_of_it = self._problem(detail)
                wrong.setdefault(path, said_of_it)
        return (None if wrong else recipe), wrong

    def _problem(self, detail: ErrorDetails) -> tuple[str, Wrong]:
        """The field that a complaint of pydantic's is about, and what to say of it."""
        kind = detail["type"]
        if kind == "value_error":
            return self._contradiction(detail["ctx"]["error"])
        path = ".".join(str(part) for part in detail["loc"][:2])
        field = self._fields[path] if path in self._fields else self._fields[path := NAME]
        text = str(self._values[path])
        shown = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
        facts: dict[str, Fact] = {"key": field.label, "value": shown}
        if kind in _BOUND_ERRORS:
            side, bound = _BOUND_ERRORS[kind], next(iter(detail["ctx"].values()))
            said = self._messages.problem("out_of_range", facts | {"bound": bound, "side": side})
            return path, Wrong(said, ((path, typed(bound)),) if side in {"ge", "le"} else ())
        expected = self._expected(field, kind, detail)
        return path, Wrong(self._messages.problem("wrong_value", facts | {"expected": expected}))

    def _contradiction(self, error: Exception) -> tuple[str, Wrong]:
        path, _, said = str(error).partition(":")
        if path not in self._fields:
            return NAME, Wrong(self._messages.problem("contradiction", {"detail": said.strip() or path}))
        detail = f"{self._fields[path].label} – {said.strip()}"  # it is also read far from its field
        sentence = self._messages.problem("contradiction", {"detail": detail})
        if not isinstance(error, ContradictionError):
            return path, Wrong(sentence)
        return path, Wrong(sentence, ((path, typed(error.nearest)),))

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
