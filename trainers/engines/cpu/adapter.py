"""The adapter: fp32 masters and gradients on flat buffers, and PEFT's files of it.

Owns names, order and file layout, which are PEFT's, so that either engine reads what the other wrote. Refuses
to know the forward pass.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainers.engines.cpu.architecture import Architecture, linear_shapes
from trainers.recipe import Lora

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class Pair:
    """The adapter of one linear layer: the update is scale * up @ down; views into the flat buffers.

    Attributes:
        down, up: lora_A (rank, in) and lora_B (out, rank), fp32.
        down_grad, up_grad: their gradients, of the same shapes.
    """

    down: Tensor
    up: Tensor
    down_grad: Tensor
    up_grad: Tensor


class Adapter:
    """All pairs of a model. `values` and `gradients` hold everything end to end, in PEFT's order."""

    def __init__(self, architecture: Architecture, lora: Lora, seed: int) -> None:
        """Make a new adapter, number for number the one that PEFT makes of the same seed."""
        self._lora = lora
        self.scale = lora.alpha / (math.sqrt(lora.rank) if lora.use_rslora else lora.rank)
        shapes = list(_shapes(architecture, lora))
        size = sum(lora.rank * (out + wide) for _, out, wide in shapes)
        self.values, self.gradients = torch.zeros(size), torch.zeros(size)
        self.pairs: dict[str, Pair] = {}
        chance = torch.Generator().manual_seed(seed)
        start = 0
        for name, out, wide in shapes:
            middle, end = start + lora.rank * wide, start + lora.rank * (wide + out)
            down, down_grad = (
                flat[start:middle].view(lora.rank, wide) for flat in (self.values, self.gradients)
            )
            up, up_grad = (flat[middle:end].view(out, lora.rank) for flat in (self.values, self.gradients))
            _fill_as_peft(down, up, chance)
            self.pairs[name] = Pair(down, up, down_grad, up_grad)
            start = end

    def parameters(self) -> list[torch.nn.Parameter]:
        """Return the pairs as parameters with gradients, over the same memory, in PEFT's order."""
        found = []
        for pair in self.pairs.values():
            for value, gradient in ((pair.down, pair.down_grad), (pair.up, pair.up_grad)):
                parameter = torch.nn.Parameter(value)
                parameter.grad = gradient
                found.append(parameter)
        return found

    def load(self, folder: Path) -> None:
        """Read `adapter_model.safetensors`."""
        saved = load_file(folder / WEIGHTS)
        for name, value in self._named():
            value.copy_(saved[name])

    def save(self, folder: Path, base_model: str) -> None:
        """Write `adapter_model.safetensors` and `adapter_config.json`."""
        save_file(
            {name: value.contiguous() for name, value in self._named()},
            folder / WEIGHTS,
            metadata={"format": "pt"},
        )
        lora = self._lora
        config = {
            "base_model_name_or_path": base_model,
            "bias": "none",
            "fan_in_fan_out": False,
            "inference_mode": True,
            "init_lora_weights": True,
            "lora_alpha": lora.alpha,
            "lora_dropout": lora.dropout,
            "peft_type": "LORA",
            "r": lora.rank,
            "target_modules": sorted(lora.layers()),
            "task_type": "CAUSAL_LM",
            "use_dora": False,
            "use_rslora": lora.use_rslora,
        }
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", "utf-8")

    def _named(self) -> Iterator[tuple[str, Tensor]]:
        for name, pair in self.pairs.items():
            yield f"base_model.model.{name}.lora_A.weight", pair.down
            yield f"base_model.model.{name}.lora_B.weight", pair.up


def _fill_as_peft(down: Tensor, up: Tensor, chance: torch.Generator) -> None:
    """Make lora_A uniform (Kaiming, a = sqrt 5) and lora_B zero.

    PEFT makes two linear layers, which torch fills with random numbers, and then fills lora_A again.
    """
    for one in (down, up, down):
        torch.nn.init.kaiming_uniform_(one, a=math.sqrt(5), generator=chance)
    up.zero_()


def _shapes(architecture: Architecture, lora: Lora) -> Iterator[tuple[str, int, int]]:
    """Yield (name, out, in) of each adapted layer."""
    wanted = set(lora.layers())
    for number in range(len(architecture.layers)):
        for layer, (out, wide) in linear_shapes(architecture).items():
            if layer.rpartition(".")[2] in wanted:
                yield f"model.layers.{number}.{layer}", out, wide
