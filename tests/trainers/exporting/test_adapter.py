from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from peft.tuners.lora import Linear
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from tests.trainers.exporting.making import refusal
from tests.trainers.tiny_model import Tiny
from trainers.errors import ErrorCode
from trainers.exporting.adapter import Adapter
from trainers.exporting.weights import Weights
from trainers.layout import RunDir


def change_config(folder: Path, **settings: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | settings), "utf-8")


def change_tensors(folder: Path, changed: dict[str, torch.Tensor]) -> None:
    path = folder / "adapter_model.safetensors"
    save_file(load_file(path) | changed, path)


def some_tensor(folder: Path, half: str = "lora_A") -> tuple[str, torch.Tensor]:
    tensors = load_file(folder / "adapter_model.safetensors")
    name = next(name for name in sorted(tensors) if half in name)
    return name, tensors[name]


@pytest.mark.parametrize("use_rslora", [False, True])
def test_the_updates_are_those_of_peft(tiny: Tiny, parent: RunDir, use_rslora: bool) -> None:
    change_config(parent.adapter, use_rslora=use_rslora, lora_alpha=20)
    base = AutoModelForCausalLM.from_pretrained(tiny.model, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, parent.adapter).get_base_model()
    expected = {
        f"{name}.weight": layer.get_delta_weight("default")
        for name, layer in model.named_modules()
        if isinstance(layer, Linear)
    }
    adapter = Adapter.load(parent.adapter)
    assert adapter.pairs.keys() == expected.keys()
    assert len(expected) == 14
    for name, pair in adapter.pairs.items():
        assert pair.shape == tuple(expected[name].shape)
        assert torch.allclose(pair.delta(), expected[name], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "settings",
    [
        {"peft_type": "LOHA"},
        {"use_dora": True},
        {"bias": "lora_only"},
        {"lora_bias": True},
        {"fan_in_fan_out": True},
        {"rank_pattern": {"q_proj": 4}},
        {"alpha_pattern": {"q_proj": 4}},
        {"modules_to_save": ["lm_head"]},
        {"init_lora_weights": "pissa"},
        {"layer_replication": [[0, 1]]},
        {"a_switch_of_tomorrow": True},
    ],
)
def test_what_is_not_plain_lora_is_refused(parent: RunDir, settings: dict[str, Any]) -> None:
    change_config(parent.adapter, **settings)
    with refusal(ErrorCode.ADAPTER_UNSUPPORTED) as facts:
        Adapter.load(parent.adapter)
    assert next(iter(settings)) in facts["detail"]


@pytest.mark.parametrize("settings", [{"r": 0}, {"r": None}, {"lora_alpha": "16"}, {"r": 4}])
def test_numbers_that_cannot_be_are_damage(parent: RunDir, settings: dict[str, Any]) -> None:
    change_config(parent.adapter, **settings)
    with refusal(ErrorCode.ADAPTER_DAMAGED):
        Adapter.load(parent.adapter)


def test_a_tensor_that_is_no_lora_is_refused(parent: RunDir) -> None:
    change_tensors(parent.adapter, {"base_model.model.lm_head.weight": torch.zeros(2, 2)})
    with refusal(ErrorCode.ADAPTER_UNSUPPORTED) as facts:
        Adapter.load(parent.adapter)
    assert "lm_head" in facts["detail"]


def test_half_a_pair_is_damage(parent: RunDir) -> None:
    name, _ = some_tensor(parent.adapter)
    path = parent.adapter / "adapter_model.safetensors"
    save_file({key: tensor for key, tensor in load_file(path).items() if key != name}, path)
    with refusal(ErrorCode.ADAPTER_DAMAGED) as facts:
        Adapter.load(parent.adapter)
    assert "half is missing" in facts["detail"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_damage(parent: RunDir, value: float) -> None:
    name, tensor = some_tensor(parent.adapter)
    tensor[0, 0] = value
    change_tensors(parent.adapter, {name: tensor})
    with refusal(ErrorCode.ADAPTER_DAMAGED) as facts:
        Adapter.load(parent.adapter)
    assert name in facts["detail"]


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff"])
def test_a_configuration_that_cannot_be_read_is_damage(parent: RunDir, content: bytes | None) -> None:
    path = parent.adapter / "adapter_config.json"
    path.unlink() if content is None else path.write_bytes(content)
    with refusal(ErrorCode.ADAPTER_DAMAGED) as facts:
        Adapter.load(parent.adapter)
    assert facts["path"] == str(path)


@pytest.mark.parametrize("kept", [None, 0, 100, -100])
def test_weights_that_cannot_be_read_are_damage(parent: RunDir, kept: int | None) -> None:
    path = parent.adapter / "adapter_model.safetensors"
    path.unlink() if kept is None else path.write_bytes(path.read_bytes()[:kept])
    with refusal(ErrorCode.ADAPTER_DAMAGED) as facts:
        Adapter.load(parent.adapter)
    assert facts["path"] == str(path)


def test_no_weights_at_all_are_damage(parent: RunDir) -> None:
    save_file({}, parent.adapter / "adapter_model.safetensors")
    with refusal(ErrorCode.ADAPTER_DAMAGED):
        Adapter.load(parent.adapter)


def test_an_adapter_of_another_model_is_refused(tiny: Tiny, parent: RunDir) -> None:
    name, tensor = some_tensor(parent.adapter)
    change_tensors(parent.adapter, {name: torch.cat([tensor, tensor], dim=1)})
    adapter = Adapter.load(parent.adapter)
    with refusal(ErrorCode.ADAPTER_UNSUPPORTED) as facts:
        Weights.open(tiny.model, adapter)
    assert name.removeprefix("base_model.model.").partition(".lora_")[0] in facts["detail"]
