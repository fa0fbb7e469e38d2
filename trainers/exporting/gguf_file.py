"""Writes GGUF files block by block, in the number format asked for, at offsets that follow from the shapes.

Owns encoding and the order on disk. Refuses to know what the tensors mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGUF_DEFAULT_ALIGNMENT, GGMLQuantizationType, GGUFWriter, LlamaFileType
from gguf.quants import quant_shape_to_byte_shape
from numpy.typing import NDArray

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.gguf_q8_0 import q8_0
from trainers.exporting.pipeline import HashedFile, blocks, in_order
from trainers.exporting.watch import Watch

_F32, _F16, _BF16 = GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16
_PLAIN = {_F32: torch.float32, _F16: torch.float16, _BF16: torch.bfloat16}

#: Number formats that are written here.
TENSOR_TYPES = {"f32": _F32, "f16": _F16, "bf16": _BF16, "q8_0": GGMLQuantizationType.Q8_0}
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
    """A tensor to be written.

    `load(start, stop)` gives rows of it (the values of a vector), in any floating-point format, and is called
    once for each row, from several threads; `together` rows are never torn apart.
    """

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    load: Callable[[int, int], torch.Tensor]
    together: int = 1

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

    def encode(self, start: int, stop: int) -> memoryview:
        """Return the bytes of some rows.

        Raises:
            AcademyError: `quant_unsupported` when a value does not fit into f16.
        """
        values = self.load(start, stop)
        plain = _PLAIN.get(self.type)
        if plain is None:
            return q8_0(values)
        cast = values.to(plain).contiguous()
        if self.type is _F16 and values.dtype != plain and not torch.isfinite(cast).all():
            known = "bf16, f32"
            raise AcademyError(ErrorCode.QUANT_UNSUPPORTED, quant="f16", known=known, tensor=self.name)
        return _bytes(cast.flatten().view(torch.uint8).numpy())


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
) -> str:
    """Write a file; no more than a few blocks of rows are in memory.

    Args:
        path: the new file.
        arch: llama.cpp's name of the architecture.
        describe: adds the metadata.
        tensors: what follows, in this order.
        watch: told about the bytes written.

    Returns:
        The file's SHA-256 in hex.

    Raises:
        AcademyError: `quant_unsupported` when a value does not fit into f16.
    """
    write_header(path, arch, describe, tensors)
    total, done = sum(tensor.size_bytes for tensor in tensors), 0
    header = path.read_bytes()
    with path.open("wb") as stream, HashedFile(stream) as file:
        file.append(header)
        file.pad(GGUF_DEFAULT_ALIGNMENT)
        watch.progress(0, total, "bytes")
        for is_last, block in in_order(_steps(tensors)):
            file.append(block)
            done += len(block)
            if is_last:
                file.pad(GGUF_DEFAULT_ALIGNMENT)
            watch.progress(done, total, "bytes")
        return file.sha256()


def write_header(
    path: Path, arch: str, describe: Callable[[GGUFWriter], None], tensors: Sequence[PlannedTensor]
) -> None:
    """Write what comes before the tensors: metadata, and where each tensor will lie."""
    writer = GGUFWriter(path, arch)
    try:
        describe(writer)
        for tensor in tensors:
            shape, dtype = tensor.stored_shape, tensor.stored_dtype
            writer.add_tensor_info(tensor.name, shape, dtype, tensor.size_bytes, raw_dtype=tensor.type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
    finally:
        writer.close()


def _steps(tensors: Sequence[PlannedTensor]) -> Iterator[Callable[[], tuple[bool, memoryview]]]:
    for tensor in tensors:
        for start, stop in blocks(tensor.shape[0], prod(tensor.shape[1:]), tensor.together):
            yield partial(_step, tensor, start, stop)


def _step(tensor: PlannedTensor, start: int, stop: int) -> tuple[bool, memoryview]:
    return stop == tensor.shape[0], tensor.encode(start, stop)


def _bytes(values: NDArray[np.generic]) -> memoryview:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
