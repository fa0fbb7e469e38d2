from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from academy_desktop.core.estimate.model_shape import read_shape
from tests.academy_desktop.core.estimate.made_shapes import SMOLLM2, SMOLLM2_PARAMETERS, write_full_model
from trainers.errors import AcademyError, ErrorCode


def test_a_models_parts_are_counted_from_its_headers(tmp_path: Path) -> None:
    shape = read_shape(write_full_model(tmp_path / "model"))
    assert shape.parameters == SMOLLM2_PARAMETERS
    assert (shape.embedding, shape.head) == (49_152 * 576, 0)
    assert shape.in_linears == 30 * (2 * 576 * 576 + 2 * 192 * 576 + 3 * 1536 * 576)
    assert (shape.stored_bytes, shape.norms, shape.query_norm) == (2, 2, False)
    assert (shape.query_width, shape.key_width) == (576, 192)


def test_an_untied_head_counts_for_itself(tmp_path: Path) -> None:
    shape = read_shape(write_full_model(tmp_path / "model", "F32", tie_word_embeddings=False))
    assert shape.head == shape.embedding == shape.largest
    assert shape.stored_bytes == 4


def test_a_model_that_also_sees_is_judged_by_its_language_part(tmp_path: Path) -> None:
    folder = write_full_model(tmp_path / "model")
    (folder / "config.json").write_text(json.dumps({"model_type": "sees", "text_config": SMOLLM2}), "utf-8")
    assert read_shape(folder).layers == 30


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": None},
        {"num_hidden_layers": 10**9},
        {"hidden_size": 0},
        {"hidden_size": -576},
        {"vocab_size": "many"},
        {"num_attention_heads": [9]},
        {"text_config": {"hidden_size": 10**30}},
    ],
)
def test_numbers_that_cannot_be_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = write_full_model(tmp_path / "model")
    (folder / "config.json").write_text(json.dumps(SMOLLM2 | changes), "utf-8")
    with pytest.raises(AcademyError) as refused:
        read_shape(folder)
    assert refused.value.code == ErrorCode.MODEL_INCOMPLETE
    assert str(refused.value.facts["detail"]).startswith("config.json: ")


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    folder = write_full_model(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    with pytest.raises(AcademyError) as refused:
        read_shape(folder)
    assert refused.value.code == ErrorCode.MODEL_INCOMPLETE
