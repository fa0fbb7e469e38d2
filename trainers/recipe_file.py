"""Reads the resolved recipe of a run directory; the app alone writes it."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from trainers.errors import AcademyError, ErrorCode
from trainers.recipe import (
    RECIPE,
    RECIPE_VERSION,
    CertifyRecipe,
    EvaluateRecipe,
    ExportRecipe,
    TrainRecipe,
)


def read_recipe(path: Path) -> TrainRecipe | ExportRecipe | CertifyRecipe | EvaluateRecipe:
    """Read and validate `recipe.yaml`.

    Raises:
        AcademyError: `file_not_found`, `recipe_unreadable`, `recipe_invalid`, or `protocol_newer` for another
            major version.
    """
    try:
        raw = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise AcademyError(ErrorCode.FILE_NOT_FOUND, path=str(path)) from error
    except (OSError, ValueError, RecursionError, YAMLError) as error:  # ruamel lets some ValueErrors through
        raise AcademyError(ErrorCode.RECIPE_UNREADABLE, path=str(path), detail=str(error)) from error
    found = raw.get("version", RECIPE_VERSION) if isinstance(raw, dict) else RECIPE_VERSION
    if isinstance(found, int) and found != RECIPE_VERSION:
        raise AcademyError(ErrorCode.PROTOCOL_NEWER, path=str(path), found=found, known=RECIPE_VERSION)
    try:
        return RECIPE.validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])  # the first part is the kind, no key
        raise AcademyError(
            ErrorCode.RECIPE_INVALID, path=str(path), key=where, detail=first["msg"]
        ) from error


def read_train_recipe(run_dir: Path) -> TrainRecipe:
    """Read the recipe of a training job's run directory.

    Raises:
        AcademyError: as `read_recipe`, and `recipe_invalid` for another kind of job.
    """
    recipe = read_recipe(run_dir / "recipe.yaml")
    if not isinstance(recipe, TrainRecipe):
        raise AcademyError(ErrorCode.RECIPE_INVALID, path=str(run_dir), key="kind", detail=recipe.kind)
    return recipe
