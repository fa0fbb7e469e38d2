"""Writes GGUF files tensor by tensor, in the number format asked for.

Owns encoding and the order on disk. Refuses to know what the tensors mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, LlamaFileType
from gguf.quants import quant_shape_to_byte_shape, quantize
from numpy.typing import NDArray

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.watch import Watch

_F32, _F16 = GGMLQuantizationType.F32, GGMLQuantizationType.F16

#: Quantizations that the `gguf` library computes itself.
TENSOR_TYPES = {
    "f32": _F32,
    "f16": _F16,
    "bf16": GGMLQuantizationType.BF16,
    "q8_0": GGMLQuantizationType.Q8_0,
}
FILE_TYPES = {
    "f32": LlamaFileType.ALL_F32,
    "f16": LlamaFileType.MOSTLY_F16,
    "bf16": LlamaFileType.MOSTLY_BF16,
    "q8_0": LlamaFileType.MOSTLY_Q8_0,
}
#: Names, sizes and offsets of tensors, with room to spare.
_BYTES_PER_TENSOR_INFO = 128


@dataclass(frozen=True)
class PlannedTensor:
    """A tensor to be written: its values are asked for once, in float32, when its turn comes."""

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    load: Callable[[], torch.Tensor]

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Shape of the stored array: quantized rows are rows of bytes."""
        return self.shape if self.type in {_F32, _F16} else quant_shape_to_byte_shape(self.shape, self.type)

    @property
    def stored_dtype(self) -> np.dtype[np.float32] | np.dtype[np.float16] | np.dtype[np.uint8]:
        """Type of the stored array."""
        if self.type is _F32:
            return np.dtype(np.float32)
        return np.dtype(np.float16) if self.type is _F16 else np.dtype(np.uint8)

    @property
    def size_bytes(self) -> int:
        """Bytes of the stored array."""
        return prod(self.stored_shape) * self.stored_dtype.itemsize


def tensor_type(quant: str, shape: Sequence[int]) -> GGMLQuantizationType:
    """Return the type for a tensor of `shape`: vectors stay float32, as llama.cpp wants them.

    Rows that do not divide into blocks are stored as f16, as by llama.cpp's own converter.

    Raises:
        AcademyError: `quant_unsupported`.
    """
    wanted = TENSOR_TYPES.get(quant)
    if wanted is None:
        raise AcademyError(ErrorCode.QUANT_UNSUPPORTED, quant=quant, known=", ".join(TENSOR_TYPES))
    if len(shape) < 2:
        return _F32
    block, _ = GGML_QUANT_SIZES[wanted]
    return wanted if shape[-1] % block == 0 else _F16


def planned_bytes(tensors: Sequence[PlannedTensor], header_bytes: int = 0) -> int:
    """Return an upper bound of the file's size."""
    return header_bytes + sum(tensor.size_bytes + _BYTES_PER_TENSOR_INFO for tensor in tensors)


def write_gguf(
    path: Path,
    arch: str,
    describe: Callable[[GGUFWriter], None],
    tensors: Sequence[PlannedTensor],
    watch: Watch,
) -> None:
    """Write a file; no more than one tensor is in memory.

    Args:
        path: the new file.
        arch: llama.cpp's name of the architecture.
        describe: adds the metadata.
        tensors: what follows, in this order.
        watch: told about each tensor.

    Raises:
        AcademyError: `quant_unsupported` when a value does not fit into f16.
    """
    writer = GGUFWriter(path, arch)
    try:
        describe(writer)
        for tensor in tensors:
            shape, dtype = tensor.stored_shape, tensor.stored_dtype
            writer.add_tensor_info(tensor.name, shape, dtype, tensor.size_bytes, raw_dtype=tensor.type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for done, tensor in enumerate(tensors):
            watch.progress(done, len(tensors), "tensors")
            _append(writer, _encode(tensor))
        watch.progress(len(tensors), len(tensors), "tensors")
    finally:
        writer.close()


def _append(writer: GGUFWriter, values: NDArray[np.generic]) -> None:
    """Write one tensor's bytes; the library's own way, numpy's `tofile`, loses errors of a full disk."""
    assert writer.fout is not None
    [file] = writer.fout
    writer.write_padding(file, file.tell())
    file.write(np.ascontiguousarray(values).view(np.uint8).data)
    writer.write_padding(file, values.nbytes)


def _encode(tensor: PlannedTensor) -> NDArray[np.generic]:
    values = tensor.load()
    if tensor.type is _F16:
        halves = values.to(torch.float16)
        if not torch.isfinite(halves).all():
            known = "bf16, f32"
            raise AcademyError(ErrorCode.QUANT_UNSUPPORTED, quant="f16", known=known, tensor=tensor.name)
        return halves.numpy()
    return quantize(values.numpy(), tensor.type)
