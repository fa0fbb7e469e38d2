from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.trainers.exporting.making import refusal
from trainers.errors import ErrorCode
from trainers.exporting.gguf_config import ModelConfig

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 448,
    "hidden_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
}


def load(folder: Path, **changes: Any) -> ModelConfig:
    (folder / "config.json").write_text(json.dumps(LLAMA | changes), "utf-8")
    return ModelConfig.load(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"architectures": ["GPT2LMHeadModel"]}, "family"),
        ({"architectures": ["MixtralForCausalLM"]}, "family"),
        ({"architectures": None, "model_type": "gpt2"}, "family"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config"),
        ({"hidden_act": "gelu"}, "hidden_act=gelu"),
        (
            {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "attention_factor": 1.2}},
            "attention_factor=1.2",
        ),
        ({"rope_scaling": {"type": "dynamic", "factor": 4.0}}, "rope_type=dynamic"),
        (
            {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}},
            "partial_rotary_factor",
        ),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
    ],
)
def test_a_setting_that_would_be_written_wrongly_is_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with refusal(ErrorCode.ARCHITECTURE_UNSUPPORTED) as facts:
        load(tmp_path, **changes)
    assert said in facts["detail"]


@pytest.mark.parametrize(
    "changes",
    [
        {"sliding_window": 4096},
        {"sliding_window": 64, "use_sliding_window": False},
        {"sliding_window": None},
        {"rope_scaling": None},
        {"hidden_act": "silu"},
    ],
)
def test_a_setting_that_changes_nothing_is_taken(tmp_path: Path, changes: dict[str, Any]) -> None:
    config = load(tmp_path, **changes)
    assert (config.arch_name, config.head_width, config.key_value_heads) == ("llama", 64, 4)


@pytest.mark.parametrize("architecture", ["MistralForCausalLM", "Qwen2ForCausalLM", "Phi3ForCausalLM"])
def test_no_more_is_promised_than_the_window_of_attention(tmp_path: Path, architecture: str) -> None:
    config = load(tmp_path, architectures=[architecture], sliding_window=256)
    assert config.context == 256


GEMMA: dict[str, Any] = {
    "hidden_activation": "gelu_pytorch_tanh",
    "head_dim": 64,
    "query_pre_attn_scalar": 64,
    "sliding_window": 64,
}
GEMMA2 = GEMMA | {"architectures": ["Gemma2ForCausalLM"], "attn_logit_softcapping": 50.0}
GEMMA3 = GEMMA | {"architectures": ["Gemma3ForCausalLM"]}


@pytest.mark.parametrize("gemma", [GEMMA2, GEMMA3], ids=["gemma2", "gemma3"])
def test_a_gemma_keeps_its_whole_context(tmp_path: Path, gemma: dict[str, Any]) -> None:
    config = load(tmp_path, **gemma)
    assert (config.context, config.tied_embeddings) == (512, True)
    assert (config.shift("model.norm.weight"), config.shift("model.embed_tokens.weight")) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (GEMMA2 | {"query_pre_attn_scalar": 128}, "query_pre_attn_scalar=128"),
        (GEMMA2 | {"attn_logit_softcapping": None}, "attn_logit_softcapping=None"),
        (GEMMA2 | {"layer_types": ["full_attention", "sliding_attention"]}, "layer_types"),
        (GEMMA2 | {"hidden_activation": "silu"}, "hidden_act=silu"),
        (GEMMA3 | {"attn_logit_softcapping": 50.0}, "attn_logit_softcapping=50.0"),
        (GEMMA3 | {"sliding_window_pattern": 2}, "sliding_window_pattern=2"),
        (GEMMA3 | {"use_bidirectional_attention": True}, "use_bidirectional_attention"),
        ({"architectures": ["Phi3ForCausalLM"], "attention_bias": True}, "attention_bias"),
    ],
)
def test_a_family_s_own_setting_that_llama_cpp_would_not_see_is_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with refusal(ErrorCode.ARCHITECTURE_UNSUPPORTED) as facts:
        load(tmp_path, **changes)
    assert facts["detail"] == said


def test_older_and_newer_names_of_the_rotary_settings_mean_the_same(tmp_path: Path) -> None:
    old = load(tmp_path, rope_theta=5e5, rope_scaling={"type": "linear", "factor": 2.0})
    new = load(tmp_path, rope_parameters={"rope_theta": 5e5, "rope_type": "linear", "factor": 2.0})
    assert old.rope.settings["rope_theta"] == new.rope.settings["rope_theta"] == 5e5
    assert old.rope.kind == new.rope.kind == "linear"
    assert old.rope.settings["factor"] == new.rope.settings["factor"] == 2.0


@pytest.mark.parametrize("missing", ["vocab_size", "hidden_size", "rms_norm_eps", "num_attention_heads"])
def test_a_size_that_is_missing_is_damage(tmp_path: Path, missing: str) -> None:
    with refusal(ErrorCode.MODEL_DAMAGED) as facts:
        load(tmp_path, **{missing: None})
    assert facts["path"] == str(tmp_path / "config.json")


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"architectures": "x"}'])
def test_a_file_that_is_no_configuration_is_damage(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content, "utf-8")
    with refusal(
        ErrorCode.MODEL_DAMAGED if content != '{"architectures": "x"}' else ErrorCode.ARCHITECTURE_UNSUPPORTED
    ):
        ModelConfig.load(tmp_path)
