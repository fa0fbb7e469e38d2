"""Model folders as a hub leaves them, made in a moment: real tokenizer, real headers, zeros as weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SHAPES: Mapping[str, Sequence[int]] = {"model.embed_tokens.weight": (259, 8), "model.norm.weight": (8,)}
PARAMETERS = 259 * 8 + 8


def write_tokenizer(folder: Path) -> None:
    """A byte-level tokenizer without merges."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in SPECIALS])
    tokenizer.save(str(folder / "tokenizer.json"))


def write_weights(path: Path, shapes: Mapping[str, Sequence[int]] = SHAPES) -> Path:
    """One safetensors file of zeros, by that library's own writer."""
    save_file({name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, path)
    return path


def write_model(folder: Path, *, tokenizer: bool = True, template: str | None = CHATML) -> Path:
    """A model that is complete but for what is left out."""
    folder.mkdir(parents=True)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    write_weights(folder / "model.safetensors")
    settings = {"eos_token": "<|im_end|>", "bos_token": "<|im_start|>"}
    if template is not None:
        settings["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    if tokenizer:
        write_tokenizer(folder)
    return folder
