"""Recipes as files: made from a preset, checked key by key with the line, read and written as YAML.

Owns the way between a file and a valid recipe. What a field means and may be stands in `trainers.recipe`
alone.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from academy_desktop.core.datasets.library import Library
from academy_desktop.core.datasets.rows import RowKind
from academy_desktop.core.estimate.budget import SHORTEST, Fitted, fit_budget
from academy_desktop.core.judge import Judge, Misfit
from academy_desktop.core.models import Models
from academy_desktop.core.models.inspection import Model
from academy_desktop.core.recipe_problems import Problem, line_of, problems_of
from trainers.errors import AcademyError, ErrorCode, Fact
from trainers.exporting.base_model import fingerprint
from trainers.recipe import DatasetRef, Method, ModelRef, TrainRecipe
from trainers.recipe_file import read_recipe_text, require_plain

#: Kind of rows → the methods that learn from them, the usual one first.
METHODS: Mapping[RowKind, tuple[Method, ...]] = {
    RowKind.CHAT: ("sft",),
    RowKind.TEXT: ("pretrain",),
    RowKind.PREFERENCE: ("dpo", "orpo"),
    RowKind.KTO: ("kto",),
}

#: What a recipe of a preset alone is about.
_NO_MODEL = ModelRef(id="", path="")
_NO_DATASET = DatasetRef(id="", path="", sha256="0" * 64)


class Recipes:
    """Makes, checks and reads training recipes."""

    def __init__(self, presets: Path, datasets: Library, models: Models, judge: Judge | None = None) -> None:
        """`presets`: a folder of YAML files, each a part of a recipe; without a judge nothing is judged."""
        self._presets = presets
        self._datasets = datasets
        self._models = models
        self._judge = judge

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
        self._require_preset(preset)
        manifest = self._datasets.get(dataset)
        method = method or METHODS[manifest.kind][0]
        base = self._models.get(model)
        require_trainable(base)
        return self.preset(preset, method, base.max_seq_length).model_copy(
            update={
                "name": name or manifest.name,
                "model": ModelRef(id=base.id, path=base.path, sha256=fingerprint(Path(base.path))),
                "dataset": DatasetRef(
                    id=manifest.id, path=str(self._datasets.folder(manifest.id)), sha256=manifest.sha256
                ),
            }
        )

    def preset(self, preset: str, method: Method, longest: int | None = None) -> TrainRecipe:
        """Return the values of a preset for a method, as a recipe without a model and a dataset.

        Args:
            preset: its name.
            method: what is learned.
            longest: most tokens that the model reads, where that is known: no limit is above it.

        Raises:
            AcademyError: `recipe_invalid` for an unknown preset.
        """
        self._require_preset(preset)
        made = TrainRecipe(
            **self._values(preset, method), method=method, model=_NO_MODEL, dataset=_NO_DATASET
        )
        if longest is None or made.training.max_seq_length <= longest:
            return made
        training = made.training.model_copy(update={"max_seq_length": max(longest, SHORTEST)})
        return made.model_copy(update={"training": training})

    def misfits(self, recipe: TrainRecipe) -> Sequence[Misfit]:
        """What keeps a recipe from being run with its model, its rows and this computer; see `Judge`."""
        return self._judge.judge(recipe) if self._judge is not None else ()

    def fit(self, recipe: TrainRecipe, budget_s: float, pinned: Collection[str] = ()) -> Fitted | None:
        """Fit a recipe into a time and the memory, but for `pinned` fields; None where nobody can tell.

        Raises:
            AcademyError: what keeps a forecast from being made.
        """
        if self._judge is None:
            return None
        estimates = self._judge.estimates
        return fit_budget(recipe, budget_s, estimates.estimate, estimates.subject(recipe), pinned)

    def _require_preset(self, preset: str) -> None:
        if preset not in self.presets():
            near = difflib.get_close_matches(preset, self.presets(), n=1)
            raise AcademyError(
                ErrorCode.RECIPE_INVALID,
                key="preset",
                value=preset,
                detail=f"there are {', '.join(self.presets())}",
                nearest=near[0] if near else None,
            )

    def _values(self, preset: str, method: Method) -> dict[str, dict[str, Any]]:
        """Sections of a preset; what a method needs otherwise, always or with this preset, goes over them."""
        values: dict[str, dict[str, Any]] = {}
        for name in (preset, f"methods/{method}", f"methods/{preset}-{method}"):
            path = self._presets / f"{name}.yaml"
            if path.exists():
                for section, found in YAML(typ="safe", pure=True).load(path.read_text("utf-8")).items():
                    values[section] = values.get(section, {}) | found
        return values

    def check(self, path: Path) -> tuple[Problem, ...]:
        """Name everything that is wrong in a recipe file; an empty answer means that it can be run.

        Raises:
            AcademyError: `file_not_found`, `recipe_unreadable` when it is no text file.
        """
        return tuple(self._examine(path, here=True)[0])

    def read(self, path: Path, *, here: bool = True) -> TrainRecipe:
        """Read a recipe that is to be run; one that is not to be run `here` may ask for what is not there.

        Raises:
            AcademyError: `recipe_invalid` with the first problem's facts (its `path`, where it has one, as
                `place`); as `check`.
        """
        problems, recipe = self._examine(path, here=here)
        if recipe is None or problems:
            raise _as_error(path, problems)
        return recipe

    def _examine(self, path: Path, *, here: bool) -> tuple[list[Problem], TrainRecipe | None]:
        """Check the form, that paths lie where they may and hold what the recipe says, and what is here."""
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
            return problems_of(error, document), None
        found = [*self._model_problems(recipe, document), *self._dataset_problems(recipe, document)]
        if here and not found:  # what is judged are the files that the recipe means
            found = [
                Problem(one.path, line_of(document, one.path.split(".")), one.code, one.facts)
                for one in self.misfits(recipe)
            ]
        return found, recipe

    def _model_problems(self, recipe: TrainRecipe, document: Any) -> Iterator[Problem]:
        line = line_of(document, ("model", "path"))
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
            yield Problem("model.sha256", line_of(document, ("model", "sha256")), "hash_differs", {})

    def _dataset_problems(self, recipe: TrainRecipe, document: Any) -> Iterator[Problem]:
        line = line_of(document, ("dataset", "id"))
        try:
            manifest = self._datasets.verify(recipe.dataset.id)
        except AcademyError as error:
            yield Problem("dataset.id", line, error.code, dict(error.facts))
            return
        folder = self._datasets.folder(recipe.dataset.id)
        if not _same_place(Path(recipe.dataset.path), folder):
            where = line_of(document, ("dataset", "path"))
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
            yield Problem("method", line_of(document, ("method",)), ErrorCode.DATASET_KIND, facts)
        if not manifest.eval_rows and (recipe.evaluation.keep_best or recipe.evaluation.patience):
            key = "keep_best" if recipe.evaluation.keep_best else "patience"
            yield Problem(
                f"evaluation.{key}",
                line_of(document, ("evaluation", key)),
                ErrorCode.NO_HELD_OUT_ROWS,
                {"dataset": manifest.name},
            )
        if manifest.sha256 != recipe.dataset.sha256:
            yield Problem("dataset.sha256", line_of(document, ("dataset", "sha256")), "hash_differs", {})


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
