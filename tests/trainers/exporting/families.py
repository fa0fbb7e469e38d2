"""Random models of each family that the GGUF writer knows, with the kind of tokenizer that the family has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tests.trainers.exporting.tokenizers_made import SPECIALS, write_tokenizer_of
from tests.trainers.tiny_model import VOCABULARY

SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 128,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "initializer_range": 0.2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
GEMMA: dict[str, Any] = SMALL | {"head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 16}
LLAMA3: dict[str, Any] = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN: dict[str, Any] = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
LONG: dict[str, Any] = {
    "rope_type": "longrope",
    "short_factor": [1.0 + at / 50 for at in range(16)],
    "long_factor": [1.0 + at / 4 for at in range(16)],
}


#: llama.cpp takes the long factors for every context that is longer than the old one, and makes at least 256.
LONG_SHAPE: dict[str, Any] = SMALL | {
    "max_position_embeddings": 1024, "original_max_position_embeddings": 256
}  # fmt: skip


def rope(**settings: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_theta": 50_000.0, **settings}}


def _gemma3_rope(factor: float) -> dict[str, Any]:
    whole = {"rope_type": "linear", "rope_theta": 1e6, "factor": factor}
    return {
        "rope_parameters": {
            "full_attention": whole if factor != 1.0 else {"rope_type": "default", "rope_theta": 1e6},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        }
    }


@dataclass(frozen=True)
class Kind:
    """A family with settings: a model, its tokenizer, and where we mean to differ from the converter."""

    make: Callable[[], PreTrainedModel]
    tokenizer: str = "smollm"
    differs: frozenset[str] = frozenset()


KINDS: dict[str, Kind] = {
    "llama": Kind(lambda: LlamaForCausalLM(LlamaConfig(**SMALL))),
    "llama-wide-heads": Kind(lambda: LlamaForCausalLM(LlamaConfig(**SMALL, head_dim=48))),
    "llama-tied": Kind(lambda: LlamaForCausalLM(LlamaConfig(**SMALL, tie_word_embeddings=True))),
    "llama-theta": Kind(lambda: LlamaForCausalLM(LlamaConfig(**SMALL, **rope(rope_type="default")))),
    "llama-linear": Kind(
        lambda: LlamaForCausalLM(LlamaConfig(**SMALL, **rope(rope_type="linear", factor=4.0)))
    ),
    "llama3": Kind(lambda: LlamaForCausalLM(LlamaConfig(**SMALL, **rope(**LLAMA3))), "llama-bpe"),
    "llama-bias": Kind(lambda: LlamaForCausalLM(LlamaConfig(**SMALL, attention_bias=True))),
    "llama-mlp-bias": Kind(lambda: LlamaForCausalLM(LlamaConfig(**SMALL, mlp_bias=True))),
    "llama-sentencepiece": Kind(lambda: LlamaForCausalLM(LlamaConfig(**SMALL)), "prepend"),
    "smollm2": Kind(lambda: LlamaForCausalLM(LlamaConfig(**SMALL, tie_word_embeddings=True)), "smollm"),
    "mistral": Kind(lambda: MistralForCausalLM(MistralConfig(**SMALL, sliding_window=None)), "first"),
    "mistral-window": Kind(
        lambda: MistralForCausalLM(MistralConfig(**SMALL, sliding_window=128)),
        "prepend",
        frozenset({"llama.context_length"}),
    ),
    "qwen2": Kind(lambda: Qwen2ForCausalLM(Qwen2Config(**SMALL)), "qwen2"),
    "qwen2-tied": Kind(lambda: Qwen2ForCausalLM(Qwen2Config(**SMALL, tie_word_embeddings=True)), "qwen2"),
    "qwen2-yarn": Kind(lambda: Qwen2ForCausalLM(Qwen2Config(**SMALL, **rope(**YARN))), "qwen2"),
    "qwen3": Kind(lambda: Qwen3ForCausalLM(Qwen3Config(**SMALL, head_dim=32)), "qwen2"),
    "qwen3-wide-heads": Kind(
        lambda: Qwen3ForCausalLM(Qwen3Config(**SMALL, head_dim=64, tie_word_embeddings=True)), "qwen2"
    ),
    "gemma2": Kind(lambda: Gemma2ForCausalLM(Gemma2Config(**(GEMMA | {"num_hidden_layers": 4}))), "none"),
    "gemma3": Kind(
        lambda: Gemma3ForCausalLM(
            Gemma3TextConfig(**(GEMMA | {"num_hidden_layers": 7}), **_gemma3_rope(1.0))
        ),
        "none",
    ),
    "gemma3-linear": Kind(
        lambda: Gemma3ForCausalLM(
            Gemma3TextConfig(**(GEMMA | {"num_hidden_layers": 7}), **_gemma3_rope(8.0))
        ),
        "none",
    ),
    "phi3": Kind(lambda: Phi3ForCausalLM(Phi3Config(**SMALL, sliding_window=None)), "phi3"),
    "phi3-long": Kind(
        lambda: Phi3ForCausalLM(Phi3Config(**LONG_SHAPE, **rope(**LONG), sliding_window=None)),
        "phi3",
    ),
}


def is_sentencepiece(kind: Kind) -> bool:
    return kind.tokenizer in SPECIALS


def write_random(folder: Path, kind: Kind, *, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Write a model with random weights and its tokenizer; returns the model."""
    torch.manual_seed(5)
    model = kind.make()
    folder.mkdir(parents=True)
    with torch.no_grad():
        for name, values in model.named_parameters():
            if "norm" in name or name.endswith(".bias"):  # ones and zeros would hide a tensor left out
                values.add_(torch.randn_like(values) * 0.3)
    write_tokenizer_of(folder, kind.tokenizer)
    for values in model.parameters():
        values.data = values.data.to(dtype)
    model.config.dtype = dtype
    model.save_pretrained(folder)
    return model
