"""The adapter alone as a GGUF file, for llama.cpp to add to its base model.

Owns llama.cpp's layout of a LoRA. Refuses to know bytes and headers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from gguf import GGUFType, GGUFWriter, Keys, get_tensor_name_map

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.adapter import Adapter
from trainers.exporting.gguf_config import ModelConfig
from trainers.exporting.gguf_file import FILE_TYPES, TENSOR_TYPES, PlannedTensor, planned_bytes, write_gguf
from trainers.exporting.gguf_model import interleave, llama_tensor_name
from trainers.exporting.watch import Watch
from trainers.exporting.weights import Weights

#: Matrices of a few rows gain nothing from blocks.
QUANTS = ("f32", "f16")


class GgufLora:
    """A plan to write one adapter."""

    def __init__(self, name: str, model_dir: Path, adapter: Adapter, quant: str) -> None:
        if quant not in QUANTS:
            raise AcademyError(ErrorCode.QUANT_UNSUPPORTED, quant=quant, known=", ".join(QUANTS))
        self._name = name
        self._quant = quant
        self._adapter = adapter
        self._config = ModelConfig.load(model_dir)
        Weights.open(model_dir, adapter)  # refuses an adapter that does not fit
        self._tensors = _plan(self._config, adapter, quant)

    @property
    def size_bytes(self) -> int:
        """An upper bound of the file's size."""
        return planned_bytes(self._tensors, header_bytes=4096)

    @property
    def arch_name(self) -> str:
        """llama.cpp's name of the architecture."""
        return self._config.arch_name

    @property
    def tensors(self) -> Sequence[PlannedTensor]:
        """What is written, in its order."""
        return self._tensors

    def write(self, path: Path, watch: Watch) -> str:
        """Write the file at `path`; returns its SHA-256."""
        return write_gguf(path, self._config.arch_name, self.describe, self._tensors, watch)

    def describe(self, writer: GGUFWriter) -> None:
        """Write the metadata into the header."""
        writer.add_type(GGUFType.ADAPTER)
        writer.add_name(self._name)
        writer.add_file_type(FILE_TYPES[self._quant])
        writer.add_string(Keys.Adapter.TYPE, "lora")
        # llama.cpp scales by alpha / rank, whatever way the scale was meant.
        writer.add_float32(Keys.Adapter.LORA_ALPHA, self._adapter.scale * self._adapter.rank)


def _plan(config: ModelConfig, adapter: Adapter, quant: str) -> list[PlannedTensor]:
    names = get_tensor_name_map(config.arch, config.layers)
    kind = TENSOR_TYPES[quant]
    planned: list[PlannedTensor] = []
    for name, pair in adapter.pairs.items():
        target = llama_tensor_name(names, name)
        planned.append(PlannedTensor(f"{target}.lora_a", tuple(pair.a.shape), kind, _constant(pair.a)))
        heads = config.permuted_heads(name)
        # The reordered rows of B·A are the reordered rows of B, times A.
        b = pair.b if heads is None else interleave(pair.b, heads)
        planned.append(PlannedTensor(f"{target}.lora_b", tuple(b.shape), kind, _constant(b)))
    return planned


def _constant(values: torch.Tensor) -> Callable[[int, int], torch.Tensor]:
    return lambda start, stop: values[start:stop]
