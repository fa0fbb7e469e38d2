"""Reads the resolved recipe of a run directory; the app alone writes it."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from trainers.errors import AcademyError, ErrorCode
from trainers.files import read_regular
from trainers.recipe import (
    RECIPE,
    RECIPE_VERSION,
    CertifyRecipe,
    EvaluateRecipe,
    ExportRecipe,
    TrainRecipe,
)

#: A recipe has some dozen lines; one of a thousand, of merges or of brackets would keep the reader busy.
MOST_RECIPE_BYTES = 32 * 1024
MOST_MERGES = 50
MOST_BRACKETS = 64


def read_recipe_text(path: Path) -> str:
    """Read a recipe's text, if it is one that a YAML reader can be given.

    Raises:
        OSError, ValueError: there is none, it is no text, or too long.
    """
    text = read_regular(path, MOST_RECIPE_BYTES).decode("utf-8")
    return text.replace("\r\n", "\n").removeprefix("\ufeff")


def require_plain(text: str) -> None:
    """Make sure that a YAML reader will not be kept busy.

    Raises:
        YAMLError: it merges (`<<`) or opens brackets too often.
    """
    if text.count("<<") > MOST_MERGES:
        raise YAMLError("it merges too often")
    if text.count("[") + text.count("{") > MOST_BRACKETS:
        raise YAMLError("it has too many brackets")


def read_recipe(path: Path) -> TrainRecipe | ExportRecipe | CertifyRecipe | EvaluateRecipe:
    """Read and validate `recipe.yaml`.

    Raises:
        AcademyError: `file_not_found`, `recipe_unreadable`, `recipe_invalid`, or `protocol_newer` for another
            major version.
    """
    try:
        text = read_recipe_text(path)
        require_plain(text)
        raw = YAML(typ="safe", pure=True).load(text)
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
