"""The whole model, base and adapter merged, as one GGUF file for llama.cpp.

Owns the mapping from transformers' tensors to llama.cpp's. Refuses to know bytes and headers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from gguf import GGUFWriter, TensorNameMap, get_tensor_name_map

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.adapter import Adapter
from trainers.exporting.gguf_config import ModelConfig
from trainers.exporting.gguf_file import (
    FILE_TYPES,
    PlannedTensor,
    planned_bytes,
    tensor_type,
    write_gguf,
)
from trainers.exporting.gguf_vocabulary import Vocabulary
from trainers.exporting.watch import Watch
from trainers.exporting.weights import Weights


class GgufModel:
    """A plan to write one model; all that can be refused is refused here, before anything is written."""

    def __init__(self, name: str, model_dir: Path, adapter: Adapter | None, quant: str) -> None:
        self._name = name
        self._quant = quant
        self._config = ModelConfig.load(model_dir)
        weights = Weights.open(model_dir, adapter)
        self._tensors = _plan(self._config, weights, quant)
        self._vocabulary = Vocabulary.load(model_dir, self._config.vocabulary)
        self._header_bytes = 4 * (model_dir / "tokenizer.json").stat().st_size

    @property
    def size_bytes(self) -> int:
        """An upper bound of the file's size."""
        return planned_bytes(self._tensors, self._header_bytes)

    @property
    def arch_name(self) -> str:
        """llama.cpp's name of the architecture."""
        return self._config.arch_name

    @property
    def tensors(self) -> Sequence[PlannedTensor]:
        """What is written, in its order."""
        return self._tensors

    @property
    def is_converted(self) -> bool:
        """Whether llama.cpp's converter writes it."""
        return False

    def matrices_not_in_blocks_of(self, values: int) -> tuple[str, ...]:
        """Return llama.cpp's names of the matrices whose rows do not divide into blocks of so many values."""
        return tuple(one.name for one in self._tensors if len(one.shape) > 1 and one.shape[-1] % values != 0)

    def write(self, path: Path, watch: Watch) -> str:
        """Write the file at `path`; returns its SHA-256."""
        return write_gguf(path, self._config.arch_name, self.describe, self._tensors, watch)

    def describe(self, writer: GGUFWriter) -> None:
        """Write the metadata into the header."""
        writer.add_type("model")
        writer.add_name(self._vocabulary.model_name(self._name))
        writer.add_file_type(FILE_TYPES[self._quant])
        writer.add_quantization_version(2)
        self._config.describe(writer)
        self._vocabulary.describe(writer)


def llama_tensor_name(names: TensorNameMap, name: str) -> str:
    """Return llama.cpp's name of a tensor of the base model.

    Raises:
        AcademyError: `architecture_unsupported` when the family has no such tensor.
    """
    found = names.get_name(name, try_suffixes=(".weight", ".bias"))
    if found is None:
        raise AcademyError(ErrorCode.ARCHITECTURE_UNSUPPORTED, architecture=name, detail="tensor")
    return found


def interleave(rows: torch.Tensor, heads: int) -> torch.Tensor:
    """Reorder the rows of a query or key matrix for llama.cpp's rotary encoding.

    Within each head row i of the first half comes before row i of the second: (0, h, 1, h + 1, …).
    """
    width = rows.shape[0] // heads
    halves = rows.reshape(heads, 2, width // 2, *rows.shape[1:])
    return halves.transpose(1, 2).reshape(rows.shape)


def _plan(config: ModelConfig, weights: Weights, quant: str) -> list[PlannedTensor]:
    names = get_tensor_name_map(config.arch, config.layers)
    planned = [_constant(name, values) for name, values in config.rope.tensors().items()]
    for name, place in weights.places.items():
        # Left in some files: computed anew by llama.cpp, or the same as the embedding.
        if name.endswith(".rotary_emb.inv_freq") or (config.tied_embeddings and name == "lm_head.weight"):
            continue
        heads = config.permuted_heads(name)
        planned.append(
            PlannedTensor(
                name=llama_tensor_name(names, name),
                shape=place.shape,
                type=tensor_type(quant, place.shape),
                load=_loader(weights, name, config.head_width if heads else None, config.shift(name)),
                together=config.head_width if heads else 1,
            )
        )
    return planned


def _constant(name: str, values: torch.Tensor) -> PlannedTensor:
    shape = tuple(values.shape)
    return PlannedTensor(name, shape, tensor_type("f32", shape), lambda start, stop: values[start:stop])


def _loader(
    weights: Weights, name: str, head_width: int | None, shift: float
) -> Callable[[int, int], torch.Tensor]:
    def load(start: int, stop: int) -> torch.Tensor:
        rows = weights.rows(name, start, stop)
        if head_width is not None:
            rows = interleave(rows, (stop - start) // head_width)
        return rows.float() + shift if shift else rows

    return load
