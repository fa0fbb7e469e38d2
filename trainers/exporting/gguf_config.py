"""What a model's config.json means in GGUF: architecture, sizes, rotary position encoding.

Owns the families that the writer knows, and refuses every setting that it would get wrong: llama.cpp would
load such a file and answer differently. Refuses to know tensors' values and tokenizers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, GGUFWriter, RopeScalingType

from trainers.errors import AcademyError, ErrorCode

_LLAMA, _QWEN2, _QWEN3 = MODEL_ARCH.LLAMA, MODEL_ARCH.QWEN2, MODEL_ARCH.QWEN3

#: transformers' class → llama.cpp's architecture.
FAMILIES = {
    "LlamaForCausalLM": _LLAMA,
    "MistralForCausalLM": _LLAMA,
    "Qwen2ForCausalLM": _QWEN2,
    "Qwen3ForCausalLM": _QWEN3,
}


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a dense decoder, as far as GGUF asks for it."""

    name: str
    arch: MODEL_ARCH
    vocabulary: int
    width: int
    layers: int
    heads: int
    key_value_heads: int
    head_width: int
    feed_forward: int
    context: int
    norm_epsilon: float
    tied_embeddings: bool
    rope: Mapping[str, Any]

    @classmethod
    def load(cls, model_dir: Path) -> ModelConfig:
        """Read config.json.

        Raises:
            AcademyError: `architecture_unsupported` or `model_damaged`.
        """
        path = model_dir / "config.json"
        try:
            raw: dict[str, Any] = json.loads(path.read_text("utf-8"))
            arch = _family(raw)
            heads = int(raw["num_attention_heads"])
            return cls(
                name=model_dir.name,
                arch=arch,
                vocabulary=int(raw["vocab_size"]),
                width=int(raw["hidden_size"]),
                layers=int(raw["num_hidden_layers"]),
                heads=heads,
                key_value_heads=int(raw.get("num_key_value_heads") or heads),
                head_width=int(raw.get("head_dim") or raw["hidden_size"] // heads),
                feed_forward=int(raw["intermediate_size"]),
                context=int(raw["max_position_embeddings"]),
                norm_epsilon=float(raw["rms_norm_eps"]),
                tied_embeddings=bool(raw.get("tie_word_embeddings", False)),
                rope=_rope(raw),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(path), detail=repr(error)) from error

    @property
    def arch_name(self) -> str:
        """llama.cpp's name of the architecture."""
        return MODEL_ARCH_NAMES[self.arch]

    def permuted_heads(self, name: str) -> int | None:
        """Return the number of heads whose rows must be reordered in tensor `name`, or None.

        llama.cpp's Llama rotates neighbouring pairs of a head's rows, transformers its two halves.
        """
        if self.arch is not _LLAMA:
            return None
        if ".q_proj." in name:
            return self.heads
        return self.key_value_heads if ".k_proj." in name else None

    def describe(self, writer: GGUFWriter) -> None:
        """Write the model's sizes into the header."""
        writer.add_context_length(self.context)
        writer.add_embedding_length(self.width)
        writer.add_block_count(self.layers)
        writer.add_feed_forward_length(self.feed_forward)
        writer.add_head_count(self.heads)
        writer.add_head_count_kv(self.key_value_heads)
        writer.add_key_length(self.head_width)
        writer.add_value_length(self.head_width)
        writer.add_layer_norm_rms_eps(self.norm_epsilon)
        writer.add_vocab_size(self.vocabulary)
        writer.add_rope_dimension_count(self.head_width)
        writer.add_rope_freq_base(float(self.rope["rope_theta"]))
        if self.rope["rope_type"] == "linear":
            writer.add_rope_scaling_type(RopeScalingType.LINEAR)
            writer.add_rope_scaling_factor(float(self.rope["factor"]))

    def rope_factors(self) -> torch.Tensor | None:
        """Return Llama 3's divisors of the rotary frequencies, (head width / 2,), or None.

        As transformers' `_compute_llama3_parameters`: long wavelengths are stretched by `factor`, short ones
        kept, those between blended.
        """
        if self.rope["rope_type"] != "llama3":
            return None
        base, factor = float(self.rope["rope_theta"]), float(self.rope["factor"])
        low, high = float(self.rope["low_freq_factor"]), float(self.rope["high_freq_factor"])
        old_context = float(self.rope["original_max_position_embeddings"])
        wavelengths = 2 * math.pi * base ** (torch.arange(0, self.head_width, 2) / self.head_width)
        kept = ((old_context / wavelengths - low) / (high - low)).clamp(0.0, 1.0)
        return 1 / ((1 - kept) / factor + kept)


def _family(raw: Mapping[str, Any]) -> MODEL_ARCH:
    architecture = str((raw.get("architectures") or [raw.get("model_type", "")])[0])
    if architecture not in FAMILIES:
        raise _unsupported(architecture, "family")
    if raw.get("quantization_config"):
        raise _unsupported(architecture, "quantization_config")
    if raw.get("hidden_act", "silu") != "silu":
        raise _unsupported(architecture, f"hidden_act={raw['hidden_act']}")
    window = raw.get("sliding_window") if raw.get("use_sliding_window", True) else None
    if window is not None and window < raw["max_position_embeddings"]:
        raise _unsupported(architecture, f"sliding_window={window}")
    return FAMILIES[architecture]


def _rope(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rotary settings in the names that transformers 5 uses; older files spread them out."""
    settings = dict(raw.get("rope_parameters") or raw.get("rope_scaling") or {})
    kind = settings.get("rope_type") or settings.get("type") or "default"
    if kind not in {"default", "linear", "llama3"}:
        raise _unsupported(str(raw["architectures"][0]), f"rope_type={kind}")
    if settings.get("partial_rotary_factor", raw.get("partial_rotary_factor", 1.0)) != 1.0:
        raise _unsupported(str(raw["architectures"][0]), "partial_rotary_factor")
    return {"rope_theta": raw.get("rope_theta", 10_000.0), **settings, "rope_type": kind}


def _unsupported(architecture: str, detail: str) -> AcademyError:
    return AcademyError(ErrorCode.ARCHITECTURE_UNSUPPORTED, architecture=architecture, detail=detail)
