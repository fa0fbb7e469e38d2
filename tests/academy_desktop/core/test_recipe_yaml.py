from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from academy_desktop.core.recipe_yaml import AnyRecipe, dump_recipe
from tests.chaos.driving import export_recipe, train_recipe
from trainers.recipe import (
    CertifyRecipe,
    Checkpoints,
    DatasetRef,
    EvaluateRecipe,
    Evaluation,
    ExportItem,
    ExportRecipe,
    Hardware,
    Lora,
    ModelRef,
    Training,
    TrainRecipe,
)
from trainers.recipe_file import read_recipe

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
#: What YAML might take for something else than text.
TRICKY = st.sampled_from(
    ["", " ", "no", "null", "~", "1e3", "0o17", "12:30", "2026-11-24", "- a", "a: b", "# c", "'", '"', "|",
     "é\r\nb", "\t", "%x", "@x", "x\x85y", "\u2028", "\ufeff", "\x07", "...", "---", "!!int 3", "*a", "&b"]
)  # fmt: skip
NAMES = TRICKY | TEXT
HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)

TRAIN = st.builds(
    TrainRecipe,
    name=NAMES,
    model=st.builds(ModelRef, id=NAMES, path=NAMES, sha256=st.none() | HASHES),
    dataset=st.builds(DatasetRef, id=NAMES, path=NAMES, sha256=HASHES),
    lora=st.builds(
        Lora,
        rank=st.integers(4, 64),
        dropout=st.floats(0, 0.5),
        target_modules=st.just("all-linear") | st.lists(NAMES, max_size=3).map(tuple),
        use_rslora=st.booleans(),
    ),
    training=st.builds(
        Training,
        learning_rate=st.floats(0, 0.01, exclude_min=True),
        num_epochs=st.integers(1, 20),
        max_steps=st.none() | st.integers(6, 10**9),
        weight_decay=st.floats(0, 1),
        max_grad_norm=st.floats(0, 100, exclude_min=True),
        seed=st.integers(0, 2**32 - 1),
    ),
    evaluation=st.builds(Evaluation, every_steps=st.none() | st.integers(1, 10**9)),
    checkpoints=st.builds(Checkpoints, every_minutes=st.floats(0, 1440, exclude_min=True)),
    hardware=st.builds(Hardware, device=st.sampled_from(["auto", "cuda"]), threads=st.none() | st.just(3)),
)
ITEM = st.builds(
    ExportItem, format=st.sampled_from(["gguf", "merged"]), quant=st.sampled_from(["f16", "q8_0"])
)
PARENT = {"name": NAMES, "parent": NAMES, "parent_dir": NAMES}
RECIPES: st.SearchStrategy[AnyRecipe] = st.one_of(
    TRAIN,
    st.builds(ExportRecipe, items=st.lists(ITEM, min_size=1, max_size=3).map(tuple), **PARENT),
    st.builds(CertifyRecipe, exports=st.lists(NAMES, max_size=3).map(tuple), **PARENT),
    st.builds(EvaluateRecipe, targets=st.lists(NAMES, max_size=3).map(tuple), **PARENT),
)


@settings(deadline=None)
@given(recipe=RECIPES)
def test_every_recipe_comes_back_as_it_was_written(
    recipe: AnyRecipe, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "recipe.yaml"
    path.write_bytes(dump_recipe(recipe))
    assert read_recipe(path) == recipe


@pytest.mark.parametrize("name", ["x\x85y", "\x85", "a\u2028b\u2029c", "é\r\nb", " \n ", "\x07", "\ufeff"])
def test_unusual_characters_come_back(name: str, tmp_path: Path) -> None:
    recipe = export_recipe(name, tmp_path / name).model_copy(update={"name": name})
    path = tmp_path / "recipe.yaml"
    path.write_bytes(dump_recipe(recipe))
    assert read_recipe(path) == recipe


def test_every_value_stands_in_the_file_in_the_order_of_its_declaration() -> None:
    lines = dump_recipe(train_recipe()).decode().splitlines()
    assert lines[:4] == ["version: 1", "kind: train", "name: scripted", "method: sft"]
    top = [line.partition(":")[0] for line in lines if not line.startswith(" ")]
    assert top == list(TrainRecipe.model_fields)
    for section in (Lora, Training, Evaluation, Checkpoints, Hardware):
        for name in section.model_fields:
            assert any(line.startswith(f"  {name}:") for line in lines), name


def test_no_path_is_folded(tmp_path: Path) -> None:
    folder = tmp_path / ("deep " * 60)
    text = dump_recipe(export_recipe("parent", folder)).decode()
    assert f"parent_dir: {folder}" in [line.replace("'", "") for line in text.splitlines()]
