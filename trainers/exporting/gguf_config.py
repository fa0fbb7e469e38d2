"""What a model's config.json means in GGUF: architecture, sizes, and which tensors are changed on the way.

Owns the shape of a dense decoder. What is particular about a family, and what is refused, stands in
`gguf_family`; positions in `gguf_rope`. Refuses to know tensors' values and tokenizers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, GGUFWriter

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.gguf_family import Family, family_of, window_of
from trainers.exporting.gguf_rope import Rope


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a dense decoder, as far as GGUF asks for it."""

    name: str
    family: Family
    raw: Mapping[str, Any]
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
    rope: Rope

    @classmethod
    def load(cls, model_dir: Path) -> ModelConfig:
        """Read config.json.

        Raises:
            AcademyError: `architecture_unsupported` or `model_damaged`.
        """
        path = model_dir / "config.json"
        try:
            raw: dict[str, Any] = json.loads(path.read_text("utf-8"))
            family = family_of(raw)
            heads = int(raw["num_attention_heads"])
            head_width = int(raw.get("head_dim") or raw["hidden_size"] // heads)
            return cls(
                name=model_dir.name,
                family=family,
                raw=raw,
                vocabulary=int(raw["vocab_size"]),
                width=int(raw["hidden_size"]),
                layers=int(raw["num_hidden_layers"]),
                heads=heads,
                key_value_heads=int(raw.get("num_key_value_heads") or heads),
                head_width=head_width,
                feed_forward=int(raw["intermediate_size"]),
                context=_context(family, raw),
                norm_epsilon=float(raw["rms_norm_eps"]),
                tied_embeddings=family.head_is_embedding or _is_tied(family, raw),
                rope=Rope.read(raw, head_width),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
            raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(path), detail=repr(error)) from error

    @property
    def arch(self) -> MODEL_ARCH:
        """llama.cpp's architecture."""
        return self.family.arch

    @property
    def arch_name(self) -> str:
        """llama.cpp's name of the architecture."""
        return MODEL_ARCH_NAMES[self.arch]

    def permuted_heads(self, name: str) -> int | None:
        """Return the number of heads whose rows must be reordered in tensor `name`, or None."""
        if not self.family.pairs_rotated:
            return None
        if ".q_proj." in name:
            return self.heads
        return self.key_value_heads if ".k_proj." in name else None

    def shift(self, name: str) -> float:
        """Return what is added to every value of tensor `name`."""
        return self.family.norm_shift if name.endswith("norm.weight") else 0.0

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
        self.rope.describe(writer)
        self.family.describe(self.raw, writer)


def _context(family: Family, raw: Mapping[str, Any]) -> int:
    """Return how many tokens the file is good for: beyond a window llama.cpp sees more than was trained."""
    longest = int(raw["max_position_embeddings"])
    has_pattern = family.arch in {MODEL_ARCH.GEMMA2, MODEL_ARCH.GEMMA3}
    return longest if has_pattern else min(longest, window_of(raw) or longest)


def _is_tied(family: Family, raw: Mapping[str, Any]) -> bool:
    """Whether the head is the embedding; transformers leaves the setting out where it is its default."""
    return bool(raw.get("tie_word_embeddings", family.arch is MODEL_ARCH.GEMMA3))
