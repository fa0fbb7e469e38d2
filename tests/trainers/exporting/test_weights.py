from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.trainers.exporting.making import export, refusal
from tests.trainers.tiny_model import Tiny, train_recipe, write_run
from trainers.errors import ErrorCode
from trainers.exporting.adapter import Adapter
from trainers.exporting.base_model import fingerprint
from trainers.exporting.weights import Weights
from trainers.layout import RunDir


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_rows_are_those_of_the_file_whatever_their_numbers(tmp_path: Path, dtype: torch.dtype) -> None:
    tensors = {"a": torch.randn(7, 5).to(dtype), "b": torch.randn(9).to(dtype)}
    save_file(tensors, tmp_path / "model.safetensors")
    weights = Weights.open(tmp_path)
    for name, whole in tensors.items():
        for start, stop in ((0, whole.shape[0]), (2, 5), (6, 7)):
            assert torch.equal(weights.rows(name, start, stop), whole[start:stop])


def test_merged_rows_are_rows_of_the_merged_tensor(tiny: Tiny, parent: RunDir) -> None:
    adapter = Adapter.load(parent.adapter)
    weights = Weights.open(tiny.model, adapter)
    base = load_file(tiny.model / "model.safetensors")
    for name, pair in adapter.pairs.items():
        rows = base[name].shape[0]
        expected = base[name] + pair.delta()
        parts = [weights.rows(name, start, min(start + 50, rows)) for start in range(0, rows, 50)]
        assert torch.allclose(torch.cat(parts), expected, atol=1e-6)


def header(entries: object, length: int | None = None) -> bytes:
    text = json.dumps(entries).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + bytes(64)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        header({}, 2**62),
        header([]),
        header({"a": {}}),
        header({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 2**60]}}),
        header({"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 64]}}),
        header({"a": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 64]}}),
        header({"a": {"dtype": "F32", "shape": [16], "data_offsets": [64, 0]}}),
        header({"a": {"dtype": "X", "shape": [16], "data_offsets": [0, 64]}}),
        header({"a": {"dtype": "I8", "shape": [64], "data_offsets": [0, 64]}}),
        b"\x00" * 100,
    ],
)
def test_a_hostile_header_is_damage_and_nothing_more(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with refusal(ErrorCode.MODEL_DAMAGED) as facts:
        Weights.open(tmp_path)
    assert facts["path"] == str(tmp_path / "model.safetensors")


def test_an_index_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "secret.safetensors")
    model = tmp_path / "model"
    model.mkdir()
    index = {"weight_map": {"a": "../secret.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    with refusal(ErrorCode.MODEL_INCOMPLETE):
        Weights.open(model)


def test_a_tensor_that_the_index_names_and_no_file_holds_is_told(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "one.safetensors")
    index = {"weight_map": {"a": "one.safetensors", "b": "one.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    with refusal(ErrorCode.MODEL_INCOMPLETE) as facts:
        Weights.open(tmp_path)
    assert facts["missing"] == "b"


def test_a_file_that_was_cut_meanwhile_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(100)}, path)
    weights = Weights.open(tmp_path)
    path.write_bytes(path.read_bytes()[:-8])
    with refusal(ErrorCode.MODEL_DAMAGED):
        weights.rows("a", 0, 100)


@pytest.mark.parametrize("kind", ["adapter", "merged", "gguf", "lora-gguf"])
def test_a_base_that_changed_since_training_is_refused(
    parent: RunDir, tiny: Tiny, tmp_path: Path, kind: str
) -> None:
    model = Path(shutil.copytree(tiny.model, tmp_path / "base"))
    recipe = train_recipe(Tiny(model, tiny.dataset))
    known = recipe.model.model_copy(update={"sha256": fingerprint(model)})
    shutil.rmtree(parent.commands)
    write_run(parent.path, recipe.model_copy(update={"model": known}))
    export(parent, ("adapter", "f16"))
    tensors = load_file(model / "model.safetensors")
    save_file({name: one.half() for name, one in tensors.items()}, model / "model.safetensors")
    shutil.rmtree(parent.exports)
    with refusal(ErrorCode.BASE_CHANGED) as facts:
        export(parent, (kind, "f16"))  # type: ignore[arg-type]
    assert facts == {"path": str(model)}
    assert not parent.exports.exists()
