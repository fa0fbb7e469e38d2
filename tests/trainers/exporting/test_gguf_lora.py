from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader
from safetensors.torch import load_file

from tests.trainers.exporting.making import QUIET, Gguf, export, refusal
from tests.trainers.tiny_model import HELD_OUT, Tiny
from trainers.errors import ErrorCode
from trainers.exporting.adapter import Adapter
from trainers.exporting.gguf_lora import GgufLora
from trainers.exporting.gguf_model import GgufModel
from trainers.exporting.reference import TransformersModel
from trainers.layout import RunDir
from trainers.llama_client import LlamaClient
from trainers.recipe import Quant


@pytest.fixture
def base(tiny: Tiny, tmp_path: Path) -> Path:
    path = tmp_path / "base.gguf"
    GgufModel("base", tiny.model, None, "f32").write(path, QUIET)
    return path


@pytest.mark.parametrize("quant", ["f32", "f16"])
def test_every_pair_is_there_in_llama_cpp_s_layout(parent: RunDir, quant: Quant) -> None:
    [path] = export(parent, ("lora-gguf", quant))
    found = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
    assert len(found) == 2 * 7 * 2
    kind = {"f32": GGMLQuantizationType.F32, "f16": GGMLQuantizationType.F16}[quant]
    assert {tensor.tensor_type for tensor in found.values()} == {kind}
    trained = load_file(parent.adapter / "adapter_model.safetensors")
    prefix = "base_model.model.model.layers.1"
    rounding = {"f32": 0.0, "f16": 1e-3}[quant]
    for name, half in (("lora_a", "lora_A"), ("lora_b", "lora_B")):
        expected = trained[f"{prefix}.mlp.down_proj.{half}.weight"].numpy()
        assert np.allclose(found[f"blk.1.ffn_down.weight.{name}"].data, expected, rtol=rounding, atol=1e-7)
    query = trained[f"{prefix}.self_attn.q_proj.lora_B.weight"].numpy()
    # Row 1 of a head becomes row 2, because row 0 of its second half comes between.
    assert np.allclose(found["blk.1.attn_q.weight.lora_b"].data[2], query[1], rtol=rounding, atol=1e-7)
    assert np.allclose(found["blk.1.attn_q.weight.lora_b"].data[1], query[32], rtol=rounding, atol=1e-7)


@pytest.mark.parametrize(("rank_stabilised", "alpha"), [(False, 16.0), (True, 16 * 8**0.5)])
def test_the_scale_is_the_one_that_llama_cpp_will_compute(
    parent: RunDir, rank_stabilised: bool, alpha: float
) -> None:
    config = parent.adapter / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | {"use_rslora": rank_stabilised}))
    [path] = export(parent, ("lora-gguf", "f32"))
    file = Gguf.read(path)
    assert file.value("adapter.lora.alpha") == pytest.approx(alpha)
    assert file.value("general.type") == "adapter"
    assert file.value("adapter.type") == "lora"
    assert file.value("general.architecture") == "llama"


@pytest.mark.parametrize("quant", ["f32", "f16"])
def test_llama_cpp_with_the_adapter_answers_like_the_trained_model(
    tiny: Tiny, parent: RunDir, base: Path, quant: Quant
) -> None:
    [path] = export(parent, ("lora-gguf", quant))
    trained = TransformersModel.load(tiny.model, parent.adapter)
    prompts = [trained.prompt_ids(row["messages"][:1]) for row in HELD_OUT]
    positions = list(range(len(prompts[0])))
    expected = trained.logits(prompts[0], positions)
    with LlamaClient(base, lora=path) as client:
        assert client.generate(prompts, 12) == trained.generate(prompts, 12)
        assert np.abs(client.logits(prompts[0], positions) - expected).max() < 0.05
    with LlamaClient(base) as client:
        assert client.generate(prompts, 12) != trained.generate(prompts, 12)
        assert np.abs(client.logits(prompts[0], positions) - expected).max() > 1


@pytest.mark.parametrize("quant", ["bf16", "q8_0", "q4_k_m"])
def test_small_matrices_are_not_quantized(parent: RunDir, quant: Quant) -> None:
    with refusal(ErrorCode.QUANT_UNSUPPORTED) as facts:
        export(parent, ("lora-gguf", quant))
    assert facts == {"quant": quant, "known": "f32, f16"}


def test_an_adapter_that_does_not_fit_is_refused(tiny: Tiny, parent: RunDir) -> None:
    adapter = Adapter.load(parent.adapter)
    name = "model.layers.0.self_attn.q_proj.weight"
    pair = adapter.pairs[name]
    wide = type(pair)(torch.cat([pair.a, pair.a], dim=1), pair.b, pair.scale)
    with refusal(ErrorCode.ADAPTER_UNSUPPORTED) as facts:
        GgufLora("x", tiny.model, Adapter({**adapter.pairs, name: wide}, adapter.rank, adapter.scale), "f16")
    assert name in facts["detail"]


def test_a_damaged_adapter_is_refused(parent: RunDir) -> None:
    path = parent.adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with refusal(ErrorCode.ADAPTER_DAMAGED):
        export(parent, ("lora-gguf", "f16"))
    assert not parent.exports.exists()
