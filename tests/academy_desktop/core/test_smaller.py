from __future__ import annotations

from pathlib import Path

import pytest

from academy_desktop.core.smaller import smaller
from tests.chaos.driving import export_recipe, train_recipe
from trainers.errors import AcademyError, ErrorCode
from trainers.recipe import Lora, Training


def test_rows_are_cut_at_half_the_length_down_to_the_least() -> None:
    recipe = train_recipe().model_copy(update={"training": Training(max_seq_length=700)})
    lengths = []
    for _ in range(2):
        recipe = smaller(recipe, shorter=True, qlora=False)
        lengths.append(recipe.training.max_seq_length)
    assert lengths == [350, 256]
    with pytest.raises(AcademyError) as caught:
        smaller(recipe, shorter=True, qlora=False)
    assert caught.value.facts["key"] == "training.max_seq_length"


def test_the_model_is_kept_in_4_bit_by_an_engine_that_can() -> None:
    recipe = smaller(train_recipe(), shorter=False, qlora=True)
    assert (recipe.hardware.quantization, recipe.hardware.engine) == ("nf4", "auto")
    with pytest.raises(AcademyError):
        smaller(recipe, shorter=False, qlora=True)


def test_what_does_not_go_together_is_refused() -> None:
    pissa = train_recipe().model_copy(update={"lora": Lora(init="pissa")})
    with pytest.raises(AcademyError) as caught:
        smaller(pissa, shorter=False, qlora=True)
    assert caught.value.code is ErrorCode.RECIPE_INVALID
    assert "pissa" in str(caught.value.facts["detail"])


def test_an_export_has_no_rows_to_cut() -> None:
    with pytest.raises(AcademyError):
        smaller(export_recipe("a", Path("/runs/a")), shorter=True, qlora=False)
