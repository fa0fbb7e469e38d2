"""Recipes as files: made from a preset, checked key by key with the line, read and written as YAML.

Owns the way between a file and a valid recipe. What a field means and may be stands in `trainers.recipe`
alone.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from academy_desktop.core.datasets.library import Library
from academy_desktop.core.datasets.rows import RowKind
from academy_desktop.core.models import Models
from academy_desktop.core.models.inspection import Model
from trainers.errors import AcademyError, ErrorCode, Fact
from trainers.exporting.base_model import fingerprint
from trainers.recipe import DatasetRef, Method, ModelRef, TrainRecipe
from trainers.recipe_file import read_recipe_text, require_plain

#: The kinds of problem, in pydantic's words, that have sentences of their own.
_BOUNDS = {
    "greater_than": "gt",
    "greater_than_equal": "ge",
    "less_than": "lt",
    "less_than_equal": "le",
}


#: Kind of rows → the methods that learn from them, the usual one first.
METHODS: Mapping[RowKind, tuple[Method, ...]] = {
    RowKind.CHAT: ("sft",),
    RowKind.TEXT: ("pretrain",),
    RowKind.PREFERENCE: ("dpo", "orpo"),
    RowKind.KTO: ("kto",),
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


class Recipes:
    """Makes, checks and reads training recipes."""

    def __init__(self, presets: Path, datasets: Library, models: Models) -> None:
        """`presets`: a folder of YAML files, each a part of a recipe."""
        self._presets = presets
        self._datasets = datasets
        self._models = models

    def presets(self) -> Sequence[str]:
        """Names of the presets."""
        return sorted(path.stem for path in self._presets.glob("*.yaml"))

    def make(
        self,
        dataset: str,
        model: str,
        preset: str = "balanced",
        name: str = "",
        method: Method | None = None,
    ) -> TrainRecipe:
        """Return a recipe with every value resolved; without a `method`, by the one that fits the rows.

        Raises:
            AcademyError: `dataset_unknown`, `model_unknown`, what keeps the model from being trained, or
                `recipe_invalid` for an unknown preset.
        """
        if preset not in self.presets():
            near = difflib.get_close_matches(preset, self.presets(), n=1)
            raise AcademyError(
                ErrorCode.RECIPE_INVALID,
                key="preset",
                value=preset,
                detail=f"there are {', '.join(self.presets())}",
                nearest=near[0] if near else None,
            )
        manifest = self._datasets.get(dataset)
        method = method or METHODS[manifest.kind][0]
        values = self._values(preset, method)
        base = self._models.get(model)
        require_trainable(base)
        return TrainRecipe(
            **values,
            name=name or manifest.name,
            method=method,
            model=ModelRef(id=base.id, path=base.path, sha256=fingerprint(Path(base.path))),
            dataset=DatasetRef(
                id=manifest.id, path=str(self._datasets.folder(manifest.id)), sha256=manifest.sha256
            ),
        )

    def _values(self, preset: str, method: Method) -> dict[str, dict[str, Any]]:
        """Sections of a preset; what a method needs otherwise goes over them."""
        values: dict[str, dict[str, Any]] = {}
        for path in (self._presets / f"{preset}.yaml", self._presets / "methods" / f"{method}.yaml"):
            if path.exists():
                for section, found in YAML(typ="safe", pure=True).load(path.read_text("utf-8")).items():
                    values[section] = values.get(section, {}) | found
        return values

    def check(self, path: Path) -> tuple[Problem, ...]:
        """Name everything that is wrong in a recipe file; an empty answer means that it can be run.

        Raises:
            AcademyError: `file_not_found`, `recipe_unreadable` when it is no text file.
        """
        return tuple(self._examine(path)[0])

    def read(self, path: Path) -> TrainRecipe:
        """Read a recipe that is to be run.

        Raises:
            AcademyError: `recipe_invalid` with the first problem's facts (its `path`, where it has one, as
                `place`); as `check`.
        """
        problems, recipe = self._examine(path)
        if recipe is None or problems:
            raise _as_error(path, problems)
        return recipe

    def _examine(self, path: Path) -> tuple[list[Problem], TrainRecipe | None]:
        """Check first the form, then that paths lie where they may and hold what the recipe says."""
        try:
            document = _load_yaml(_read_text(path))
        except MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            return [Problem("", line, "not_yaml", {"detail": error.problem or ""})], None
        except YAMLError as error:
            return [Problem("", 1, "not_yaml", {"detail": str(error).splitlines()[0]})], None
        try:
            recipe = TrainRecipe.model_validate(_plain(document))
        except ValidationError as error:
            return _problems(error, document), None
        found = [*self._model_problems(recipe, document), *self._dataset_problems(recipe, document)]
        return found, recipe

    def _model_problems(self, recipe: TrainRecipe, document: Any) -> Iterator[Problem]:
        line = _line(document, ("model", "path"))
        path = Path(recipe.model.path)
        if not path.is_absolute():
            yield Problem("model.path", line, "path_not_absolute", {"value": recipe.model.path})
            return
        try:
            model = self._models.get(recipe.model.path)
            require_trainable(model)
            found = fingerprint(path)
        except AcademyError as error:
            yield Problem("model.path", line, error.code, dict(error.facts))
            return
        if recipe.model.sha256 is not None and found != recipe.model.sha256:
            yield Problem("model.sha256", _line(document, ("model", "sha256")), "hash_differs", {})

    def _dataset_problems(self, recipe: TrainRecipe, document: Any) -> Iterator[Problem]:
        line = _line(document, ("dataset", "id"))
        try:
            manifest = self._datasets.verify(recipe.dataset.id)
        except AcademyError as error:
            yield Problem("dataset.id", line, error.code, dict(error.facts))
            return
        folder = self._datasets.folder(recipe.dataset.id)
        if not _same_place(Path(recipe.dataset.path), folder):
            where = _line(document, ("dataset", "path"))
            yield Problem(
                "dataset.path", where, "path_outside", {"value": recipe.dataset.path, "expected": str(folder)}
            )
        fitting = METHODS[manifest.kind]
        if recipe.method not in fitting:
            facts: dict[str, Fact] = {
                "dataset": manifest.name,
                "kind": str(manifest.kind),
                "method": recipe.method,
                "nearest": fitting[0],
            }
            yield Problem("method", _line(document, ("method",)), ErrorCode.DATASET_KIND, facts)
        if not manifest.eval_rows and (recipe.evaluation.keep_best or recipe.evaluation.patience):
            key = "keep_best" if recipe.evaluation.keep_best else "patience"
            yield Problem(
                f"evaluation.{key}",
                _line(document, ("evaluation", key)),
                ErrorCode.NO_HELD_OUT_ROWS,
                {"dataset": manifest.name},
            )
        if manifest.sha256 != recipe.dataset.sha256:
            yield Problem("dataset.sha256", _line(document, ("dataset", "sha256")), "hash_differs", {})


def require_trainable(model: Model) -> None:
    """Raise what keeps `model` from being trained, if anything does.

    Raises:
        AcademyError: the model's reason.
    """
    if not model.trainable:
        raise AcademyError(
            ErrorCode(model.reason), model=model.name, path=model.path, architecture=model.architecture
        )


def _read_text(path: Path) -> str:
    try:
        return read_recipe_text(path)
    except FileNotFoundError as error:
        raise AcademyError(ErrorCode.FILE_NOT_FOUND, path=str(path)) from error
    except UnicodeDecodeError as error:
        detail = "it is not UTF-8 text"
        raise AcademyError(ErrorCode.RECIPE_UNREADABLE, path=str(path), detail=detail) from error
    except ValueError as error:
        raise AcademyError(ErrorCode.RECIPE_UNREADABLE, path=str(path), detail=str(error)) from error
    except OSError as error:
        detail = error.strerror or str(error)
        raise AcademyError(ErrorCode.RECIPE_UNREADABLE, path=str(path), detail=detail) from error


def _load_yaml(text: str) -> Any:
    """Read a document that has keys.

    Raises:
        YAMLError: it is none.
    """
    require_plain(text)
    try:
        document = YAML(typ="rt", pure=True).load(text)
    except YAMLError:
        raise
    except RecursionError as error:
        raise YAMLError("it is nested too deeply") from error
    except Exception as error:  # ruamel's constructors let through whatever a strange value raises
        raise YAMLError(str(error) or type(error).__name__) from error
    if not isinstance(document, Mapping):
        raise YAMLError("the file has no keys")
    return document


def _plain(document: Any, known: dict[int, Any] | None = None) -> Any:
    """Return ruamel's round-trip values as plain ones; what is shared by aliases stays shared."""
    known = {} if known is None else known
    if id(document) in known:
        return known[id(document)]
    if isinstance(document, Mapping):
        section: dict[str, Any] = {}
        known[id(document)] = section
        section.update({str(key): _plain(value, known) for key, value in document.items()})
        return section
    if isinstance(document, list):
        items: list[Any] = []
        known[id(document)] = items
        items.extend(_plain(value, known) for value in document)
        return items
    for kind in (bool, int, float, str):
        if isinstance(document, kind):
            return kind(document)
    return document


def _same_place(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve()
    except (OSError, ValueError):  # longer than the system allows, or no path at all
        return False


def _as_error(path: Path, problems: Sequence[Problem]) -> AcademyError:
    first = problems[0]
    facts: dict[str, Fact] = {
        **first.facts,
        "place": first.facts.get("path"),
        "path": str(path),
        "line": first.line,
        "key": first.path,
        "problem": first.code,
        "problems": len(problems),
    }
    return AcademyError(ErrorCode.RECIPE_INVALID, **facts)


def _problems(error: ValidationError, document: Any) -> list[Problem]:
    """Return one problem per key and kind: each form that a value may have complains for itself."""
    found: dict[tuple[str, str], Problem] = {}
    for detail in error.errors():
        problem = _problem(detail, document)
        found.setdefault((problem.path, problem.code), problem)
    return list(found.values())


def _problem(detail: ErrorDetails, document: Any) -> Problem:
    where, help_text = _declared(detail["loc"])
    path = ".".join(str(part) for part in where)
    line = _line(document, where)
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
        return Problem(key, _line(document, key.split(".")), "contradiction", {"detail": said})
    expected = None if help_text else detail.get("ctx", {}).get("expected")
    facts: dict[str, Fact] = {
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


def _line(document: Any, where: Sequence[int | str]) -> int:
    """Return the line (from 1) of the deepest key of `where` that stands in the document."""
    line = 1
    for part in where:
        # What an alias merges in stands in the map, but not at a line of it.
        if not isinstance(document, CommentedMap) or part not in (document.lc.data or {}):
            break
        line = document.lc.key(part)[0] + 1
        document = document[part]
    return line
