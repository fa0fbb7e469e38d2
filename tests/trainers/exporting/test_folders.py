from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from tests.trainers.exporting.making import QUIET, export, merged_by_peft, refusal
from tests.trainers.tiny_model import Tiny
from trainers.errors import ErrorCode
from trainers.exporting import folders
from trainers.exporting.adapter import Adapter
from trainers.exporting.folders import AdapterFolder, MergedFolder
from trainers.layout import RunDir
from trainers.recipe import Quant

DTYPES: dict[Quant, torch.dtype] = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def scores(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=torch.tensor([[1, 40, 50, 60, 70]])).logits
    return logits


def loaded_whole(folder: Path) -> Any:
    """The model of a folder in which no tensor is missing and none is left over."""
    loaded: Any = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    model, problems = loaded
    assert not any(problems.values())
    return model


def shard(model: Path, folder: Path) -> Path:
    """The same model in three files and an index."""
    shutil.copytree(model, folder)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {}
    for number in range(3):
        file = f"model-{number + 1:05d}-of-00003.safetensors"
        part = {name: tensor for place, (name, tensor) in enumerate(tensors.items()) if place % 3 == number}
        save_file(part, folder / file, metadata={"format": "pt"})
        places.update(dict.fromkeys(part, file))
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    return folder


def test_an_adapter_folder_is_the_adapter_without_this_machine(tiny: Tiny, parent: RunDir) -> None:
    [path] = export(parent, ("adapter", "f16"))
    assert {file.name for file in path.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    weights = "adapter_model.safetensors"
    assert (path / weights).read_bytes() == (parent.adapter / weights).read_bytes()
    assert str(tiny.model) not in (path / "adapter_config.json").read_text("utf-8")
    base = AutoModelForCausalLM.from_pretrained(tiny.model, dtype=torch.float32)
    exported = scores(PeftModel.from_pretrained(base, path))
    base = AutoModelForCausalLM.from_pretrained(tiny.model, dtype=torch.float32)
    assert torch.equal(exported, scores(PeftModel.from_pretrained(base, parent.adapter)))


@pytest.mark.parametrize("quant", list(DTYPES))
def test_a_merged_model_is_what_peft_merges(tiny: Tiny, parent: RunDir, quant: Quant) -> None:
    [path] = export(parent, ("merged", quant))
    expected = merged_by_peft(tiny.model, parent.adapter)
    found = load_file(path / "model.safetensors")
    assert found.keys() == expected.keys() - {"lm_head.weight"}  # tied to the embedding
    for name, tensor in found.items():
        assert tensor.dtype == DTYPES[quant]
        # A sum that is rounded in another order may fall to the next number of the format.
        rounding = {"f32": 1e-5, "f16": 1e-3, "bf16": 8e-3}[quant]
        torch.testing.assert_close(tensor, expected[name].to(DTYPES[quant]), rtol=rounding, atol=1e-6)
    model = loaded_whole(path)
    assert model.dtype == DTYPES[quant]
    base = AutoModelForCausalLM.from_pretrained(tiny.model, dtype=torch.float32)
    trained = scores(PeftModel.from_pretrained(base, parent.adapter))
    assert torch.allclose(scores(model.float()), trained, atol={"f32": 1e-3, "f16": 0.05, "bf16": 0.5}[quant])


def test_everything_that_speaks_goes_along(tiny: Tiny, parent: RunDir) -> None:
    [path] = export(parent, ("merged", "f16"))
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        assert (path / name).read_bytes() == (tiny.model / name).read_bytes()
    assert all(file.suffix in {".json", ".safetensors"} for file in path.iterdir())


def test_an_untied_head_is_kept(untied: Tiny, parent: RunDir, tmp_path: Path) -> None:
    MergedFolder(untied.model, Adapter.load(parent.adapter), "f32").write(tmp_path / "merged", QUIET)
    found = load_file(tmp_path / "merged" / "model.safetensors")
    expected = merged_by_peft(untied.model, parent.adapter)
    assert found.keys() == expected.keys()
    assert torch.equal(found["lm_head.weight"], expected["lm_head.weight"])
    assert not torch.equal(found["lm_head.weight"], found["model.embed_tokens.weight"])


def test_a_model_in_shards_is_merged_like_one_in_a_piece(
    tiny: Tiny, parent: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "SHARD_BYTES", 600_000)
    plan = MergedFolder(shard(tiny.model, tmp_path / "shards"), Adapter.load(parent.adapter), "f32")
    plan.write(tmp_path / "merged", QUIET)
    files = sorted(file.name for file in (tmp_path / "merged").glob("*.safetensors"))
    assert files == [f"model-{n:05d}-of-{len(files):05d}.safetensors" for n in range(1, len(files) + 1)]
    assert len(files) > 2
    assert sum(file.stat().st_size for file in (tmp_path / "merged").iterdir()) < plan.size_bytes * 1.05
    index = json.loads((tmp_path / "merged" / "model.safetensors.index.json").read_text("utf-8"))
    assert index["metadata"]["total_size"] == sum(
        4 * t.numel() for t in load_all(tmp_path / "merged").values()
    )
    expected = merged_by_peft(tiny.model, parent.adapter)
    for name, tensor in load_all(tmp_path / "merged").items():
        assert torch.allclose(tensor, expected[name], atol=1e-6)
    loaded_whole(tmp_path / "merged")


def load_all(folder: Path) -> dict[str, torch.Tensor]:
    return {name: t for file in folder.glob("*.safetensors") for name, t in load_file(file).items()}


def test_a_missing_shard_is_named(tiny: Tiny, parent: RunDir, tmp_path: Path) -> None:
    folder = shard(tiny.model, tmp_path / "shards")
    (folder / "model-00002-of-00003.safetensors").unlink()
    with refusal(ErrorCode.MODEL_INCOMPLETE) as facts:
        MergedFolder(folder, Adapter.load(parent.adapter), "f32")
    assert facts["missing"] == "model-00002-of-00003.safetensors"


def test_a_model_without_weights_is_incomplete(tiny: Tiny, parent: RunDir, tmp_path: Path) -> None:
    shutil.copytree(tiny.model, tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))
    with refusal(ErrorCode.MODEL_INCOMPLETE):
        MergedFolder(tmp_path / "bare", Adapter.load(parent.adapter), "f32")


@pytest.mark.parametrize("damage", ["shard", "index"])
def test_a_torn_file_of_the_model_is_told(tiny: Tiny, parent: RunDir, tmp_path: Path, damage: str) -> None:
    folder = shard(tiny.model, tmp_path / "shards")
    names = {"shard": "model-00002-of-00003.safetensors", "index": "model.safetensors.index.json"}
    path = folder / names[damage]
    path.write_bytes(path.read_bytes()[:-50])
    with refusal(ErrorCode.MODEL_DAMAGED) as facts:
        MergedFolder(folder, Adapter.load(parent.adapter), "f32")
    assert facts["path"] == str(path)


def test_numbers_too_large_for_the_format_are_refused(tiny: Tiny, parent: RunDir, tmp_path: Path) -> None:
    shutil.copytree(tiny.model, tmp_path / "large")
    weights = load_file(tmp_path / "large" / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"][0, 0] = 1e6
    save_file(weights, tmp_path / "large" / "model.safetensors", metadata={"format": "pt"})
    adapter = Adapter.load(parent.adapter)
    with refusal(ErrorCode.QUANT_UNSUPPORTED) as facts:
        MergedFolder(tmp_path / "large", adapter, "f16").write(tmp_path / "half", QUIET)
    assert facts == {"quant": "f16", "known": "bf16, f32", "tensor": "model.layers.0.mlp.up_proj.weight"}
    MergedFolder(tmp_path / "large", adapter, "bf16").write(tmp_path / "brain", QUIET)


def test_a_folder_is_not_quantized(tiny: Tiny, parent: RunDir) -> None:
    with refusal(ErrorCode.QUANT_UNSUPPORTED) as facts:
        MergedFolder(tiny.model, Adapter.load(parent.adapter), "q8_0")
    assert facts["known"] == "f32, f16, bf16"


def test_a_damaged_adapter_is_not_copied(parent: RunDir) -> None:
    (parent.adapter / "adapter_model.safetensors").write_bytes(b"x")
    with refusal(ErrorCode.ADAPTER_DAMAGED):
        AdapterFolder(parent.adapter, "tied")
