"""Models of a real size with random weights, and a finished run upon them, for the figures of exports.

Owns making them a block at a time. Refuses to know what is measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.trainers.exporting.tokenizers_made import write_byte_level
from tests.trainers.tiny_model import Tiny, train_recipe, write_dataset, write_run
from trainers.layout import RunDir
from trainers.recipe import LINEAR_LAYERS

RANK = 16
_BLOCK_VALUES = 1 << 24
_SHARD_BYTES = 4_000_000_000


@dataclass(frozen=True)
class Shape:
    """The shape of a Llama."""

    width: int
    feed_forward: int
    layers: int
    heads: int
    key_value_heads: int
    vocabulary: int
    tied: bool

    def matrices(self) -> dict[str, tuple[int, int]]:
        """The linear layers of one block, by their names below it: (out, in)."""
        small = self.width // self.heads * self.key_value_heads
        return {
            "self_attn.q_proj": (self.width, self.width),
            "self_attn.k_proj": (small, self.width),
            "self_attn.v_proj": (small, self.width),
            "self_attn.o_proj": (self.width, self.width),
            "mlp.gate_proj": (self.feed_forward, self.width),
            "mlp.up_proj": (self.feed_forward, self.width),
            "mlp.down_proj": (self.width, self.feed_forward),
        }

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Every tensor with its shape."""
        yield "model.embed_tokens.weight", (self.vocabulary, self.width)
        for layer in range(self.layers):
            at = f"model.layers.{layer}"
            yield f"{at}.input_layernorm.weight", (self.width,)
            yield f"{at}.post_attention_layernorm.weight", (self.width,)
            for name, shape in self.matrices().items():
                yield f"{at}.{name}.weight", shape
        yield "model.norm.weight", (self.width,)
        if not self.tied:
            yield "lm_head.weight", (self.vocabulary, self.width)

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(prod(shape) for _, shape in self.tensors())


#: Llama 3.2 1B, Llama 2 13B, and one that only shows that the way is whole.
ONE_BILLION = Shape(2048, 8192, 16, 32, 8, 128_256, tied=True)
THIRTEEN_BILLION = Shape(5120, 13_824, 40, 40, 40, 32_000, tied=False)
SMALL = Shape(512, 1024, 4, 8, 4, 4096, tied=True)


def write_base(folder: Path, shape: Shape) -> Path:
    """Write a model's folder with random bf16 weights; no more than a block is in memory."""
    folder.mkdir(parents=True)
    write_byte_level(folder, "smollm")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_value_heads,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": shape.tied,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "dtype": "bfloat16",
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    shards = _shards(shape)
    weight_map: dict[str, str] = {}
    generator = torch.Generator().manual_seed(11)
    for number, shard in enumerate(shards, start=1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        weight_map |= dict.fromkeys(shard, file)
        _write_shard(folder / file, shard, generator)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    return folder


def write_finished_run(folder: Path, base: Path, shape: Shape) -> RunDir:
    """Write a run with a random adapter for every linear layer."""
    tiny = Tiny(base, write_dataset(folder.with_name("rows-00000000")))
    run = write_run(folder, train_recipe(tiny, lora={"rank": RANK, "alpha": 2 * RANK}))
    run.adapter.mkdir()
    generator = torch.Generator().manual_seed(12)
    tensors: dict[str, torch.Tensor] = {}
    for layer in range(shape.layers):
        for name, (rows, columns) in shape.matrices().items():
            at = f"base_model.model.model.layers.{layer}.{name}"
            tensors[f"{at}.lora_A.weight"] = torch.randn(RANK, columns, generator=generator) * 0.02
            tensors[f"{at}.lora_B.weight"] = torch.randn(rows, RANK, generator=generator) * 0.02
    save_file(tensors, run.adapter / "adapter_model.safetensors", metadata={"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(base),
        "r": RANK,
        "lora_alpha": 2 * RANK,
        "target_modules": list(LINEAR_LAYERS),
        "bias": "none",
    }
    (run.adapter / "adapter_config.json").write_text(json.dumps(config), "utf-8")
    return run


def _shards(shape: Shape) -> list[dict[str, tuple[int, ...]]]:
    shards: list[dict[str, tuple[int, ...]]] = [{}]
    filled = 0
    for name, size in shape.tensors():
        if filled > _SHARD_BYTES:
            shards.append({})
            filled = 0
        shards[-1][name] = size
        filled += 2 * prod(size)
    return shards


def _write_shard(path: Path, shard: dict[str, tuple[int, ...]], generator: torch.Generator) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shard.items():
        start, end = end, end + 2 * prod(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for shape in shard.values():
            left = prod(shape)
            mean = 1.0 if len(shape) == 1 else 0.0
            while left:
                count = min(left, _BLOCK_VALUES)
                values = torch.empty(count).normal_(mean, 0.02, generator=generator)
                stream.write(values.to(torch.bfloat16).view(torch.uint8).numpy().data)
                left -= count
