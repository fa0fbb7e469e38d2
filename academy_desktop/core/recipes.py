"""Recipes as files: made from a preset, checked key by key with the line, read and written as YAML.

Owns the way between a file and a valid recipe. What a field means and may be stands in `trainers.recipe`
alone.
"""

from __future__ import annotations

import difflib
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
from academy_desktop.core.models import Models
from academy_desktop.core.models.inspection import Model, fingerprint
from trainers.errors import AcademyError, ErrorCode, Fact
from trainers.recipe import DatasetRef, ModelRef, TrainRecipe

#: The kinds of problem, in pydantic's words, that have sentences of their own.
_BOUNDS = {
    "greater_than": "gt",
    "greater_than_equal": "ge",
    "less_than": "lt",
    "less_than_equal": "le",
}


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

    def make(self, dataset: str, model: str, preset: str = "balanced", name: str = "") -> TrainRecipe:
        """Return a recipe with every value resolved.

        Raises:
            AcademyError: `dataset_unknown`, `model_unknown`, what keeps the model from being trained, or
                `recipe_invalid` for an unknown preset.
        """
        if preset not in self.presets():
            near = difflib.get_close_matches(preset, self.presets(), n=1)
            raise AcademyError(
                ErrorCode.RECIPE_INVALID, key="preset", value=preset, nearest=near[0] if near else None
            )
        values = YAML(typ="safe", pure=True).load((self._presets / f"{preset}.yaml").read_text("utf-8"))
        manifest = self._datasets.get(dataset)
        base = self._models.get(model)
        require_trainable(base)
        return TrainRecipe(
            **values,
            name=name or manifest.name,
            model=ModelRef(id=base.id, path=base.path, sha256=fingerprint(Path(base.path))),
            dataset=DatasetRef(
                id=manifest.id, path=str(self._datasets.folder(manifest.id)), sha256=manifest.sha256
            ),
        )

    def check(self, path: Path) -> tuple[Problem, ...]:
        """Name everything that is wrong in a recipe file; an empty answer means that it can be run.

        Raises:
            AcademyError: `file_not_found`, `recipe_unreadable` when it is no text file.
        """
        problems, recipe = self._validate(path)
        if recipe is not None:
            problems += self._places(recipe, _load_yaml(_read_text(path)))
        return tuple(problems)

    def read(self, path: Path) -> TrainRecipe:
        """Read a recipe that is to be run.

        Raises:
            AcademyError: `recipe_invalid` with the first problem's facts; as `check`.
        """
        problems, recipe = self._validate(path)
        if recipe is not None:
            problems += self._places(recipe, _load_yaml(_read_text(path)))
        if problems or recipe is None:
            first = problems[0]
            raise AcademyError(
                ErrorCode.RECIPE_INVALID,
                path=str(path),
                line=first.line,
                key=first.path,
                problem=first.code,
                problems=len(problems),
                **first.facts,
            )
        return recipe

    def _validate(self, path: Path) -> tuple[list[Problem], TrainRecipe | None]:
        try:
            document = _load_yaml(_read_text(path))
        except MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            return [Problem("", line, "not_yaml", {"detail": error.problem or ""})], None
        except YAMLError as error:
            return [Problem("", 1, "not_yaml", {"detail": str(error)})], None
        if not isinstance(document, Mapping):
            return [Problem("", 1, "not_yaml", {"detail": "no keys"})], None
        try:
            return [], TrainRecipe.model_validate(_plain(document))
        except ValidationError as error:
            return [_problem(detail, document) for detail in error.errors()], None

    def _places(self, recipe: TrainRecipe, document: Any) -> list[Problem]:  # noqa: ANN401 - ruamel's own map
        """Check that the paths lie where they may and hold what the recipe says."""
        return [
            *self._model_problems(recipe, document),
            *self._dataset_problems(recipe, document),
        ]

    def _model_problems(self, recipe: TrainRecipe, document: Any) -> Iterator[Problem]:  # noqa: ANN401
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

    def _dataset_problems(self, recipe: TrainRecipe, document: Any) -> Iterator[Problem]:  # noqa: ANN401
        line = _line(document, ("dataset", "id"))
        try:
            manifest = self._datasets.verify(recipe.dataset.id)
        except AcademyError as error:
            yield Problem("dataset.id", line, error.code, dict(error.facts))
            return
        folder = self._datasets.folder(recipe.dataset.id)
        if Path(recipe.dataset.path).resolve() != folder.resolve():
            where = _line(document, ("dataset", "path"))
            yield Problem(
                "dataset.path", where, "path_outside", {"value": recipe.dataset.path, "expected": str(folder)}
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
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        raise AcademyError(ErrorCode.FILE_NOT_FOUND, path=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise AcademyError(ErrorCode.RECIPE_UNREADABLE, path=str(path), detail=str(error)) from error


def _load_yaml(text: str) -> Any:  # noqa: ANN401 - a YAML document may be anything
    return YAML(typ="rt", pure=True).load(text)


def _plain(document: Any) -> Any:  # noqa: ANN401
    """Return ruamel's round-trip values as plain ones."""
    if isinstance(document, Mapping):
        return {str(key): _plain(value) for key, value in document.items()}
    if isinstance(document, list):
        return [_plain(value) for value in document]
    for kind in (bool, int, float, str):
        if isinstance(document, kind):
            return kind(document)
    return document


def _problem(detail: ErrorDetails, document: Any) -> Problem:  # noqa: ANN401
    where = detail["loc"]
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
            {"key": path, "value": detail["input"], "bound": bound, "side": _BOUNDS[kind]},
        )
    if kind == "value_error":
        return Problem(path, line, "contradiction", {"detail": str(detail["ctx"]["error"])})
    value = detail["input"]
    shown = value if isinstance(value, str | int | float | bool) else type(value).__name__
    expected = detail.get("ctx", {}).get("expected")
    return Problem(
        path,
        line,
        "wrong_value",
        {"key": path, "value": shown, "expected": expected, "detail": detail["msg"]},
    )


def _keys(where: Sequence[int | str]) -> list[str]:
    """Return the keys that are right inside the section at `where`."""
    model: type[BaseModel] = TrainRecipe
    for part in where:
        annotation = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


def _line(document: Any, where: Sequence[int | str]) -> int:  # noqa: ANN401
    """Return the line (from 1) of the deepest key of `where` that stands in the document."""
    line = 1
    for part in where:
        if not isinstance(document, CommentedMap) or part not in document:
            break
        line = document.lc.key(part)[0] + 1
        document = document[part]
    return line
