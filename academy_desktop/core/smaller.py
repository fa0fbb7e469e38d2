"""A recipe that takes less memory than another, where the user allows that other numbers are learned.

Owns what is made smaller. Refuses to do so by itself: shorter rows are other data, and 4 bit another base, so
that a run cannot go on with them; it begins anew.
"""

from __future__ import annotations

from pydantic import ValidationError

from academy_desktop.core.recipe_yaml import AnyRecipe
from trainers.errors import AcademyError, ErrorCode
from trainers.recipe import Training, TrainRecipe

_LENGTH = "training.max_seq_length"


def smaller(recipe: AnyRecipe, *, shorter: bool, qlora: bool) -> TrainRecipe:
    """Return the recipe with rows cut at half the length, the model in 4 bit, or both.

    Raises:
        AcademyError: `recipe_invalid` when it is so small already, or when that does not go with the rest.
    """
    if not isinstance(recipe, TrainRecipe):
        raise AcademyError(ErrorCode.RECIPE_INVALID, key="kind", detail=recipe.kind)
    changed = recipe.model_dump()
    if shorter:
        least = Training.model_json_schema()["properties"]["max_seq_length"]["minimum"]
        length = recipe.training.max_seq_length
        if length == least:
            raise AcademyError(ErrorCode.RECIPE_INVALID, key=_LENGTH, detail="the least", value=length)
        changed["training"]["max_seq_length"] = max(length // 2, least)
    if qlora:
        if recipe.hardware.quantization == "nf4":
            key = "hardware.quantization"
            raise AcademyError(ErrorCode.RECIPE_INVALID, key=key, detail="the least", value="nf4")
        changed["hardware"].update(quantization="nf4", engine="auto")
    try:
        return TrainRecipe.model_validate(changed)
    except ValidationError as error:
        problem = error.errors()[0]
        detail = problem["msg"].removeprefix("Value error, ")
        raise AcademyError(ErrorCode.RECIPE_INVALID, detail=detail) from error
