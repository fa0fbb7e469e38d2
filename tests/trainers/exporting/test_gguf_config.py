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
        ({"sliding_window": 256}, "sliding_window=256"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "rope_type=yarn"),
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


def test_older_and_newer_names_of_the_rotary_settings_mean_the_same(tmp_path: Path) -> None:
    old = load(tmp_path, rope_theta=5e5, rope_scaling={"type": "linear", "factor": 2.0})
    new = load(tmp_path, rope_parameters={"rope_theta": 5e5, "rope_type": "linear", "factor": 2.0})
    assert old.rope["rope_theta"] == new.rope["rope_theta"] == 5e5
    assert old.rope["rope_type"] == new.rope["rope_type"] == "linear"
    assert old.rope["factor"] == new.rope["factor"] == 2.0


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
