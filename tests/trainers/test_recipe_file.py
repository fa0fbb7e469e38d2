from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainers.golden.protocol import GOLDEN
from trainers.errors import AcademyError, ErrorCode
from trainers.recipe_file import read_recipe, read_train_recipe

TRAIN = (GOLDEN / "recipe.train.yaml").read_text("utf-8")


def refusal(path: Path) -> AcademyError:
    with pytest.raises(AcademyError) as caught:
        read_recipe(path)
    return caught.value


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    error = refusal(tmp_path / "recipe.yaml")
    assert (error.code, error.facts) == (
        ErrorCode.FILE_NOT_FOUND,
        {"path": str(tmp_path / "recipe.yaml")},
    )


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00",
        b"a: [1",
        b"a: b: c",
        b"a: 1\na: 2\n",
        b"\tx: 1",
        b"x: \x07",
        b"? {a: b}\n: c",
        b"!!python/object/apply:os.system ['true']",
        b"name: 2026-13-45",
        b"name: !!int x",
        b"[" * 5000,
    ],
    ids=lambda content: repr(content[:24]),
)
def test_what_is_not_yaml_is_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    assert refusal(path).code is ErrorCode.RECIPE_UNREADABLE


def test_a_folder_in_the_recipes_place_is_unreadable(tmp_path: Path) -> None:
    assert refusal(tmp_path).code is ErrorCode.RECIPE_UNREADABLE


@pytest.mark.parametrize("content", ["", "null", "- 1", "train", "version: 1", "{kind: dance}"])
def test_yaml_that_is_no_recipe_is_invalid(tmp_path: Path, content: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(content)
    assert refusal(path).code is ErrorCode.RECIPE_INVALID


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("  rank: 8", "  rank: 2", "lora.rank"),
        ("  rank: 8", "  rnak: 8", "lora.rnak"),
        ("learning_rate: 1.5e-05", "learning_rate: fast", "training.learning_rate"),
        ("model:\n", "modell:\n", "model"),
        ("method: sft", "method: rlhf", "method"),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    path = tmp_path / "recipe.yaml"
    assert old in TRAIN
    path.write_text(TRAIN.replace(old, new, 1), "utf-8")
    error = refusal(path)
    assert (error.code, error.facts["key"]) == (ErrorCode.RECIPE_INVALID, key)
    assert error.facts["detail"]


def test_a_version_that_is_no_number_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(TRAIN.replace("version: 1", "version: one"), "utf-8")
    assert refusal(path).facts["key"] == "version"


@settings(deadline=None)
@given(content=st.binary(max_size=60) | st.text("[]{}:,-?!&*#|>'\" \nab1.", max_size=60).map(str.encode))
def test_whatever_is_in_the_file_the_answer_is_a_refusal(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "anything.yaml"
    path.write_bytes(content)
    assert refusal(path).code in {ErrorCode.RECIPE_UNREADABLE, ErrorCode.RECIPE_INVALID}


def test_a_training_recipe_is_asked_for_by_the_run_directory(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "recipe.train.yaml", tmp_path / "recipe.yaml")
    assert read_train_recipe(tmp_path).lora.rank == 8
    shutil.copy(GOLDEN / "recipe.export.yaml", tmp_path / "recipe.yaml")
    with pytest.raises(AcademyError) as caught:
        read_train_recipe(tmp_path)
    assert caught.value.code is ErrorCode.RECIPE_INVALID
    assert caught.value.facts["detail"] == "export"
