from __future__ import annotations

import math
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from trainers.recipe import (
    LINEAR_LAYERS,
    MIXED_QUANTS,
    RECIPE,
    CertifyRecipe,
    EvaluateRecipe,
    ExportFormat,
    ExportItem,
    ExportRecipe,
    Hardware,
    Lora,
    Quant,
    Training,
    TrainRecipe,
)

MINIMAL: dict[str, Any] = {
    "kind": "train",
    "model": {"id": "m", "path": "/m"},
    "dataset": {"id": "d", "path": "/d", "sha256": "0" * 64},
}

#: Venom's own bounds: what is trained here must be accepted there.
RATE = st.sampled_from([5e-324, 0.01]) | st.floats(0, 0.01, exclude_min=True)
WRONG_RATE = (
    st.sampled_from([0.0, math.nextafter(0.01, 1), math.inf, -math.inf, math.nan])
    | st.floats(max_value=0)
    | st.floats(min_value=0.01, exclude_min=True)
)


def inside(low: int, high: int) -> st.SearchStrategy[int]:
    return st.sampled_from([low, high]) | st.integers(low, high)


def outside(low: int, high: int) -> st.SearchStrategy[int]:
    at_the_edge = st.sampled_from([low - 1, high + 1])
    return at_the_edge | st.integers(max_value=low - 1) | st.integers(min_value=high + 1)


RANK = inside(4, 64)
EPOCHS = inside(1, 20)
BATCH = inside(1, 32)
LENGTH = inside(256, 8192)


@settings(deadline=None)
@given(rank=RANK, rate=RATE, epochs=EPOCHS, batch=BATCH, length=LENGTH)
def test_everything_within_venoms_ranges_is_accepted(
    rank: int, rate: float, epochs: int, batch: int, length: int
) -> None:
    training = Training(learning_rate=rate, num_epochs=epochs, batch_size=batch, max_seq_length=length)
    assert (training.learning_rate, training.num_epochs) == (rate, epochs)
    assert (training.batch_size, training.max_seq_length) == (batch, length)
    assert Lora(rank=rank).rank == rank


@settings(deadline=None)
@given(value=outside(4, 64))
def test_a_rank_outside_venoms_range_is_refused(value: int) -> None:
    with pytest.raises(ValidationError, match="rank"):
        Lora(rank=value)


@settings(deadline=None)
@given(value=WRONG_RATE)
def test_a_learning_rate_outside_venoms_range_is_refused(value: float) -> None:
    with pytest.raises(ValidationError, match="learning_rate"):
        Training(learning_rate=value)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("num_epochs", outside(1, 20)),
        ("batch_size", outside(1, 32)),
        ("max_seq_length", outside(256, 8192)),
    ],
)
@settings(deadline=None)
@given(data=st.data())
def test_whole_numbers_outside_venoms_ranges_are_refused(
    data: st.DataObject, name: str, values: st.SearchStrategy[int]
) -> None:
    with pytest.raises(ValidationError, match=name):
        Training.model_validate({name: data.draw(values)})


@pytest.mark.parametrize(
    ("part", "name", "values"),
    [
        ("lora", "alpha", (0, 257)),
        ("lora", "dropout", (-0.1, 0.51)),
        ("training", "max_steps", (0, -1)),
        ("training", "gradient_accumulation_steps", (0, 129)),
        ("training", "warmup_steps", (-1,)),
        ("training", "weight_decay", (-0.1, 1.1)),
        ("training", "max_grad_norm", (0.0, 100.5, float("inf"))),
        ("training", "seed", (-1, 2**32)),
        ("training", "lr_scheduler_type", ("warp",)),
        ("evaluation", "every_steps", (0,)),
        ("evaluation", "max_rows", (-1,)),
        ("checkpoints", "every_steps", (0,)),
        ("checkpoints", "every_minutes", (0.0, 1441.0)),
        ("checkpoints", "keep", (0, 101)),
        ("hardware", "device", ("tpu",)),
        ("hardware", "engine", ("warp",)),
        ("hardware", "precision", ("fp8",)),
        ("hardware", "quantization", ("int2",)),
        ("hardware", "threads", (0, 257)),
        ("dataset", "sha256", ("0" * 63, "0" * 65, "G" * 64, "A" * 64)),
        ("model", "sha256", ("0" * 63,)),
    ],
)
def test_every_bound_is_held(part: str, name: str, values: tuple[object, ...]) -> None:
    for value in values:
        with pytest.raises(ValidationError) as caught:
            RECIPE.validate_python({**MINIMAL, part: {**MINIMAL.get(part, {}), name: value}})
        assert caught.value.errors()[0]["loc"] == ("train", part, name)


def test_only_model_and_dataset_must_be_named() -> None:
    recipe = RECIPE.validate_python(MINIMAL)
    assert isinstance(recipe, TrainRecipe)
    assert (recipe.version, recipe.method, recipe.hardware) == (1, "sft", Hardware())
    for missing in ("model", "dataset"):
        with pytest.raises(ValidationError, match=missing):
            RECIPE.validate_python({name: value for name, value in MINIMAL.items() if name != missing})


def test_the_kind_decides_what_a_recipe_is() -> None:
    parent = {"parent": "p", "parent_dir": "/p"}
    items = [{"format": "gguf"}]
    assert isinstance(RECIPE.validate_python({"kind": "certify", **parent}), CertifyRecipe)
    assert isinstance(RECIPE.validate_python({"kind": "evaluate", **parent}), EvaluateRecipe)
    export = RECIPE.validate_python({"kind": "export", **parent, "items": items})
    assert isinstance(export, ExportRecipe)
    assert export.items == (ExportItem(format="gguf", quant="f16"),)
    for wrong in ({"kind": "dance", **parent}, parent, {"kind": "export", **parent, "items": []}):
        with pytest.raises(ValidationError):
            RECIPE.validate_python(wrong)


def test_a_recipe_never_changes() -> None:
    recipe = TrainRecipe.model_validate(MINIMAL)
    for part, name in ((recipe, "name"), (recipe, "lora"), (recipe.lora, "rank")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, name, 8)


def test_fp16_needs_a_gpu() -> None:
    for device in ("auto", "cuda"):
        TrainRecipe.model_validate({**MINIMAL, "hardware": {"precision": "fp16", "device": device}})
    with pytest.raises(ValidationError, match=r"hardware\.precision"):
        TrainRecipe.model_validate({**MINIMAL, "hardware": {"precision": "fp16", "device": "cpu"}})


@settings(deadline=None)
@given(max_steps=st.integers(1, 50), warmup=st.integers(0, 60))
def test_a_warm_up_is_shorter_than_the_run(max_steps: int, warmup: int) -> None:
    raw = {**MINIMAL, "training": {"max_steps": max_steps, "warmup_steps": warmup}}
    if warmup < max_steps:
        TrainRecipe.model_validate(raw)
    else:
        with pytest.raises(ValidationError, match="warmup_steps"):
            TrainRecipe.model_validate(raw)


def test_all_linear_stands_for_the_seven_layers() -> None:
    assert Lora().layers() == LINEAR_LAYERS
    assert Lora(target_modules=("q_proj", "up_proj")).layers() == ("q_proj", "up_proj")


def test_no_two_exports_have_one_name() -> None:
    names = {
        ExportItem(format=form, quant=quant).name
        for form in get_args(ExportFormat)
        for quant in get_args(Quant)
    }
    assert len(names) == 1 + 3 * len(get_args(Quant))
    assert {"adapter", "merged-bf16", "gguf-q4_k_m.gguf", "lora-gguf-f16.gguf"} <= names


def test_only_k_quants_of_a_whole_model_can_be_weighed_by_the_rows() -> None:
    item = ExportItem(format="gguf", quant="q4_k_m", importance=True)
    assert item.name == "gguf-q4_k_m-imatrix.gguf"
    assert [q for q in get_args(Quant) if ExportItem(format="gguf", quant=q).can_weigh] == [*MIXED_QUANTS]
    for form, quant in (("gguf", "q8_0"), ("lora-gguf", "f16"), ("merged", "q4_k_m"), ("adapter", "f16")):
        with pytest.raises(ValidationError, match="importance"):
            ExportItem.model_validate({"format": form, "quant": quant, "importance": True})


def options(model: Any) -> list[tuple[str, Any]]:
    found = []
    for name, field in model.model_fields.items():
        inside = field.annotation
        if hasattr(inside, "model_fields"):
            found += options(inside)
        else:
            found.append((f"{model.__name__}.{name}", field))
    return found


@pytest.mark.parametrize(
    ("name", "field"),
    [one for one in options(TrainRecipe) if one[0].split(".")[1] not in {"version", "kind"}],
)
def test_every_option_of_a_training_recipe_explains_itself(name: str, field: Any) -> None:
    assert field.description, name
    assert field.description.endswith("."), name
