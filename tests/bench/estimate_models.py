"""Makes the models of the forecast's benchmark: random weights in four shapes, a tokenizer of our own.

    python -m tests.bench.estimate_models FOLDER

Runs in a child: what measures must not have torch in its memory.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Shape → model type, number format on the disk, and the fields of its `config.json`. Thin and deep, so that
#: a step takes seconds while weights, activations and logits each get their turn to be what takes the room.
SHAPES: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "llama": (
        "llama",
        "float32",
        {
            "hidden_size": 256,
            "intermediate_size": 768,
            "num_hidden_layers": 16,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "vocab_size": 32_000,
            "tie_word_embeddings": False,
        },
    ),
    "qwen2": (
        "qwen2",
        "bfloat16",
        {
            "hidden_size": 320,
            "intermediate_size": 960,
            "num_hidden_layers": 10,
            "num_attention_heads": 10,
            "num_key_value_heads": 2,
            "vocab_size": 100_352,
            "tie_word_embeddings": True,
        },
    ),
    "qwen3": (
        "qwen3",
        "bfloat16",
        {
            "hidden_size": 256,
            "intermediate_size": 1024,
            "num_hidden_layers": 12,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 128,
            "vocab_size": 64_000,
            "tie_word_embeddings": False,
        },
    ),
    "gemma3": (
        "gemma3_text",
        "float32",
        {
            "hidden_size": 256,
            "intermediate_size": 1024,
            "num_hidden_layers": 10,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 256,
            "vocab_size": 262_144,
            "tie_word_embeddings": True,
        },
    ),
}


def write_models(folder: Path) -> None:
    """Make one folder per shape."""
    # Here, because who only asks for the shapes must not have torch in its memory.
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from tests.trainers.tiny_model import write_tokenizer

    for name, (kind, dtype, fields) in SHAPES.items():
        torch.manual_seed(5)
        config = AutoConfig.for_model(kind, max_position_embeddings=4096, **fields)
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
        model.save_pretrained(folder / name)
        write_tokenizer(folder / name)


if __name__ == "__main__":
    write_models(Path(sys.argv[1]))
