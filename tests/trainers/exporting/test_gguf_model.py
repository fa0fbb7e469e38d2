from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader, dequantize, quantize
from numpy.typing import NDArray
from peft import PeftModel
from transformers import AutoModelForCausalLM

from tests.trainers.exporting.families import KINDS, write_random
from tests.trainers.exporting.making import QUIET, Gguf, export, merged_by_peft, refusal
from tests.trainers.tiny_model import CHATML, HELD_OUT, VOCABULARY, Tiny, write_model
from trainers.errors import ErrorCode
from trainers.exporting.adapter import Adapter
from trainers.exporting.gguf_model import GgufModel
from trainers.exporting.gguf_subject import GgufSubject
from trainers.exporting.reference import TransformersModel
from trainers.layout import RunDir
from trainers.llama_client import LlamaClient
from trainers.recipe import Quant

LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
TYPES: dict[Quant, GGMLQuantizationType] = {
    "f32": GGMLQuantizationType.F32,
    "f16": GGMLQuantizationType.F16,
    "bf16": GGMLQuantizationType.BF16,
    "q8_0": GGMLQuantizationType.Q8_0,
}
HEADS = {"attn_q": 4, "attn_k": 2}


def names(*, tied: bool) -> dict[str, str]:
    """llama.cpp's name of each tensor → transformers'."""
    found = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"} | (
        {} if tied else {"output": "lm_head"}
    )
    for layer in range(2):
        found |= {f"blk.{layer}.{ours}": f"model.layers.{layer}.{theirs}" for ours, theirs in LAYER.items()}
    return {f"{ours}.weight": f"{theirs}.weight" for ours, theirs in found.items()}


def as_llama(name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of queries and keys in the order of llama.cpp's converter (`permute` in convert_hf_to_gguf.py)."""
    heads = HEADS.get(name.split(".")[-2])
    if heads is None:
        return values
    parts = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return parts.swapaxes(1, 2).reshape(values.shape)


@pytest.mark.parametrize("quant", list(TYPES))
def test_the_tensors_are_the_merged_model_in_the_format_asked_for(
    tiny: Tiny, parent: RunDir, quant: Quant
) -> None:
    [path] = export(parent, ("gguf", quant))
    merged = merged_by_peft(tiny.model, parent.adapter)
    tensors = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
    wanted = names(tied=True)
    assert tensors.keys() == wanted.keys()
    for name, tensor in tensors.items():
        values = as_llama(name, merged[wanted[name]].numpy())
        kind = TYPES[quant] if values.ndim == 2 else GGMLQuantizationType.F32
        assert tensor.tensor_type == kind
        assert tuple(reversed(tensor.shape.tolist())) == values.shape
        found = dequantize(tensor.data, tensor.tensor_type)
        expected = dequantize(quantize(values, kind), kind)
        # PEFT adds in another order: a value may fall to the next number of the format.
        step = {"f32": 1e-6, "f16": 1e-3, "bf16": 8e-3, "q8_0": 0.02}[quant] * np.abs(values).max()
        assert np.abs(found - expected).max() <= step
        assert np.mean(found != expected) < 0.05 or quant == "f32"


def test_the_metadata_says_what_the_model_s_folder_says(tiny: Tiny, parent: RunDir) -> None:
    [path] = export(parent, ("gguf", "f16"))
    file = Gguf.read(path)
    sizes = {
        "context_length": 512, "embedding_length": 256, "block_count": 2, "feed_forward_length": 256,
        "attention.head_count": 4, "attention.head_count_kv": 2, "attention.key_length": 64,
        "attention.value_length": 64, "rope.dimension_count": 64, "vocab_size": VOCABULARY,
    }  # fmt: skip
    assert {name: file.value(f"llama.{name}") for name in sizes} == sizes
    assert file.value("llama.attention.layer_norm_rms_epsilon") == pytest.approx(1e-5)
    assert file.value("llama.rope.freq_base") == 10_000.0
    assert file.value("general.architecture") == "llama"
    assert file.value("general.file_type") == 1
    assert file.value("tokenizer.chat_template") == CHATML
    assert file.value("tokenizer.ggml.eos_token_id") == 2
    assert file.value("tokenizer.ggml.bos_token_id") == 1
    assert file.value("tokenizer.ggml.padding_token_id") == 0
    assert file.value("tokenizer.ggml.add_bos_token") is False
    assert str(tiny.model.parent) not in repr(file.metadata)  # nothing of this machine


@pytest.mark.parametrize("quant", list(TYPES))
def test_llama_cpp_answers_like_the_trained_model(tiny: Tiny, parent: RunDir, quant: Quant) -> None:
    [path] = export(parent, ("gguf", quant))
    trained = TransformersModel.load(tiny.model, parent.adapter)
    prompts = [trained.prompt_ids(row["messages"][:1]) for row in HELD_OUT]
    with LlamaClient(path) as client:
        subject = GgufSubject(client)
        assert [subject.prompt_ids(row["messages"][:1]) for row in HELD_OUT] == prompts
        for limit in (12, 5, 3):
            assert subject.generate(prompts, limit) == trained.generate(prompts, limit)
        ids = prompts[0]
        positions = list(range(len(ids)))
        difference = np.abs(subject.logits(ids, positions) - trained.logits(ids, positions)).max()
        assert difference < {"f32": 0.05, "f16": 0.05, "bf16": 0.5, "q8_0": 0.5}[quant]


def test_an_answer_ends_by_itself_only_within_its_limit(tiny: Tiny, parent: RunDir) -> None:
    # The end token counts, for both sides: an answer that fills the limit was cut.
    [path] = export(parent, ("gguf", "f32"))
    trained = TransformersModel.load(tiny.model, parent.adapter)
    prompt = trained.prompt_ids(HELD_OUT[0]["messages"][:1])
    whole = trained.generate([prompt], 20)[0]
    assert whole.ended
    with LlamaClient(path) as client:
        for limit in range(1, len(whole.ids) + 3):
            [found] = client.generate([prompt], limit)
            assert (found.ids, found.ended) == (whole.ids[:limit], limit > len(whole.ids))
            assert [found] == trained.generate([prompt], limit)


def test_more_prompts_than_fit_side_by_side_are_answered_in_their_order(tiny: Tiny, parent: RunDir) -> None:
    [path] = export(parent, ("gguf", "f32"))
    trained = TransformersModel.load(tiny.model, parent.adapter)
    prompts = [trained.prompt_ids(row["messages"][:1]) for row in HELD_OUT * 2][:19]
    with LlamaClient(path) as client:
        alone = [client.generate([prompt], 12)[0] for prompt in prompts]
        assert client.generate(prompts, 12) == alone == trained.generate(prompts, 12)
        assert len(set(alone)) > 8


def test_an_untied_head_is_a_tensor_of_its_own(untied: Tiny, parent: RunDir, tmp_path: Path) -> None:
    path = tmp_path / "untied.gguf"
    GgufModel("untied", untied.model, Adapter.load(parent.adapter), "f32").write(path, QUIET)
    tensors = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
    assert tensors.keys() == names(tied=False).keys()
    merged = merged_by_peft(untied.model, parent.adapter)
    assert np.array_equal(tensors["output.weight"].data, merged["lm_head.weight"].numpy())
    base = AutoModelForCausalLM.from_pretrained(untied.model, dtype=torch.float32)
    assert agree(PeftModel.from_pretrained(base, parent.adapter), path)


def agree(model: torch.nn.Module, path: Path, tokens: int = 60) -> bool:
    """Whether llama.cpp computes what transformers does, at every position."""
    ids = [1, *(3 + (7 * n) % 390 for n in range(tokens - 1))]
    with torch.no_grad():
        expected = model.eval()(input_ids=torch.tensor([ids])).logits[0].numpy()
    with LlamaClient(path) as client:
        found = client.logits(ids, range(tokens))
    spread = float(expected.std())
    return bool(np.abs(found - expected).max() < 0.03 * spread) and spread > 0.01


@pytest.mark.parametrize("name", KINDS)
def test_llama_cpp_computes_each_family_as_transformers_does(name: str, tmp_path: Path) -> None:
    write_random(tmp_path / "model", KINDS[name])
    # The faster ways to compute attention leave out Gemma 2's cap on its scores.
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model", attn_implementation="eager")
    path = tmp_path / "model.gguf"
    GgufModel("random", tmp_path / "model", None, "f32").write(path, QUIET)
    assert agree(model, path)


def test_rows_that_do_not_divide_into_blocks_stay_in_half_precision(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "odd", lessons=0, hidden_size=256, intermediate_size=200)
    path = tmp_path / "odd.gguf"
    plan = GgufModel("odd", folder, None, "q8_0")
    plan.write(path, QUIET)
    kinds = {tensor.name: tensor.tensor_type for tensor in GGUFReader(path).tensors}
    assert kinds["blk.0.ffn_down.weight"] is GGMLQuantizationType.F16
    assert kinds["blk.0.ffn_up.weight"] is GGMLQuantizationType.Q8_0
    assert path.stat().st_size <= plan.size_bytes
    with LlamaClient(path) as client:
        assert np.isfinite(client.logits([1, 5, 6], [2])).all()


@pytest.mark.parametrize("quant", ["q4_k_m", "q5_k_m", "q6_k"])
def test_a_quantization_that_a_folder_cannot_have_is_refused_before_anything_is_written(
    parent: RunDir, quant: Quant
) -> None:
    with refusal(ErrorCode.QUANT_UNSUPPORTED) as facts:
        export(parent, ("gguf", "f16"), ("merged", quant))
    assert facts == {"quant": quant, "known": "f32, f16, bf16"}
    assert not parent.exports.exists()


def test_a_number_too_large_for_half_precision_is_refused(parent: RunDir, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "large", lessons=0)
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight[0, 0] = 1e6
    model.save_pretrained(folder)
    with refusal(ErrorCode.QUANT_UNSUPPORTED) as facts:
        GgufModel("large", folder, Adapter.load(parent.adapter), "f16").write(tmp_path / "x.gguf", QUIET)
    assert facts["tensor"] == "blk.1.ffn_down.weight"


@pytest.mark.parametrize("quant", list(TYPES))
def test_the_size_is_foreseen(tiny: Tiny, parent: RunDir, quant: Quant) -> None:
    [path] = export(parent, ("gguf", quant))
    planned = GgufModel("tied parent", tiny.model, Adapter.load(parent.adapter), quant).size_bytes
    assert 0.8 * planned < path.stat().st_size <= planned
