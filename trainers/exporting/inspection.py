"""Looks into a finished export: does it hold what base and adapter make, tensor by tensor, key by key?

Owns the comparison of stored with expected values: byte for byte where the format allows it, within a bound
on the error where llama.cpp chose the format. Refuses to know how a model behaves.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod, sqrt
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from gguf import GGUFReader, GGUFWriter, ReaderTensor, dequantize
from numpy.typing import NDArray

from trainers.exporting.folders import MergedFolder
from trainers.exporting.gguf_file import PlannedTensor, write_header
from trainers.exporting.pipeline import blocks, in_order
from trainers.exporting.thresholds import TENSOR_ERROR
from trainers.exporting.watch import Watch
from trainers.exporting.weights import Weights
from trainers.files import open_regular

#: Keys that may differ: names, some of which the converter makes of the folder's, and what llama.cpp writes
#: when it quantizes.
_FREE_KEYS = (
    "general.name", "general.basename", "general.finetune", "general.version", "general.file_type",
    "general.quantization_version", "quantize.",
)  # fmt: skip


class GgufPlan(Protocol):
    """What a GGUF file should hold."""

    @property
    def arch_name(self) -> str:
        """llama.cpp's name of the architecture."""

    @property
    def tensors(self) -> Sequence[PlannedTensor]:
        """Its tensors."""

    def describe(self, writer: GGUFWriter) -> None:
        """Add the metadata."""


@dataclass(frozen=True)
class Findings:
    """What differs; empty texts where nothing does. `types` counts the tensors of each number format."""

    tensors: str
    metadata: str
    types: dict[str, int]


@dataclass(frozen=True)
class StoredTensor(PlannedTensor):
    """A tensor of another file."""

    stored: NDArray[np.generic] = field(kw_only=True)

    def encode(self, start: int, stop: int) -> memoryview:
        """Return the bytes of some rows as they are stored."""
        return memoryview(self.stored[start:stop].tobytes())


def inspect_gguf(path: Path, plan: GgufPlan, watch: Watch) -> Findings:
    """Compare a GGUF file with its plan; tensors of the plan's own type must be equal byte for byte."""
    with tempfile.TemporaryDirectory() as folder:
        header = Path(folder) / "header.gguf"
        write_header(header, plan.arch_name, plan.describe, ())
        keys = _keys(GGUFReader(header))
    return _compared(path, plan.tensors, keys, watch)


def compare_gguf(path: Path, expected: Path, watch: Watch) -> Findings:
    """As `inspect_gguf`, with another file in place of the plan."""
    reader = GGUFReader(expected)
    return _compared(path, [_stored(tensor) for tensor in reader.tensors], _keys(reader), watch)


def _compared(
    path: Path, planned: Sequence[PlannedTensor], keys: Mapping[str, Any], watch: Watch
) -> Findings:
    open_regular(path).close()  # a pipe would be waited for without end
    reader = GGUFReader(path)
    found = {tensor.name: tensor for tensor in reader.tensors}
    names = {tensor.name for tensor in planned}
    difference = ", ".join(sorted(names ^ found.keys())[:3]) or _differing(found, planned, watch)
    types = dict(Counter(tensor.tensor_type.name for tensor in reader.tensors))
    return Findings(difference, _differing_key(_keys(reader), keys), types)


def _stored(tensor: ReaderTensor) -> StoredTensor:
    data, kind = tensor.data, tensor.tensor_type

    def load(start: int, stop: int) -> torch.Tensor:
        return torch.from_numpy(dequantize(np.array(data[start:stop]), kind))

    return StoredTensor(tensor.name, tuple(reversed(tensor.shape.tolist())), kind, load, stored=data)


def inspect_merged(path: Path, plan: MergedFolder, watch: Watch) -> str:
    """Return the name of a tensor of a merged model's folder that is not as planned, or nothing."""
    weights = Weights.open(path)
    names = sorted(plan.places.keys() ^ weights.places.keys())
    if names:
        return ", ".join(names[:3])

    def check(name: str, start: int, stop: int) -> str:
        watch.check()
        stored = weights.rows(name, start, stop).flatten().view(torch.uint8).numpy()
        return "" if stored.tobytes() == bytes(plan.encode(name, start, stop)) else name

    steps = (
        partial(check, name, start, stop)
        for name, place in plan.places.items()
        for start, stop in blocks(place.shape[0], place.row_elements)
    )
    return next((name for name in in_order(steps) if name), "")


def _differing(found: dict[str, ReaderTensor], planned: Sequence[PlannedTensor], watch: Watch) -> str:
    """Return the first tensor that is not as planned, with its error where there is a bound for it."""
    errors: dict[str, list[float]] = {}
    for name, wrong, size in in_order(_steps(found, planned)):
        watch.check()
        sums = errors.setdefault(name, [0.0, 0.0])
        sums[0] += wrong
        sums[1] += size
    for one in planned:
        wrong, size = errors[one.name]
        kind = found[one.name].tensor_type
        error = sqrt(wrong / size) if size else sqrt(wrong)
        # Not `error > bound`: a NaN must not pass.
        if not error <= (0.0 if kind is one.type else TENSOR_ERROR.get(kind, 0.0)):
            return f"{one.name} ({kind.name}, error {error:.2g})"
    return ""


def _steps(
    found: dict[str, ReaderTensor], planned: Sequence[PlannedTensor]
) -> Iterator[Callable[[], tuple[str, float, float]]]:
    for one in planned:
        for start, stop in blocks(one.shape[0], prod(one.shape[1:]), one.together):
            yield partial(_compare, found[one.name], one, start, stop)


def _compare(tensor: ReaderTensor, plan: PlannedTensor, start: int, stop: int) -> tuple[str, float, float]:
    """Return the sums of squares of the error and of the expected values of some rows.

    For the plan's own type the first is 0 or infinite: the bytes are the same or not.
    """
    if tuple(reversed(tensor.shape.tolist())) != plan.shape:
        return plan.name, float("inf"), 1.0
    stored = tensor.data[start:stop]
    if tensor.tensor_type is plan.type:
        same = np.ascontiguousarray(stored).tobytes() == bytes(plan.encode(start, stop))
        return plan.name, 0.0 if same else float("inf"), 1.0
    expected = plan.load(start, stop).float().numpy().astype(np.float64)
    values = dequantize(np.ascontiguousarray(stored), tensor.tensor_type).astype(np.float64)
    return plan.name, float(np.square(values - expected).sum()), float(np.square(expected).sum())


def _differing_key(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """Return a key whose value is not as planned, or that is too many or too few; or nothing."""
    for key in sorted(expected.keys() | found.keys()):
        if key not in expected or key not in found or expected[key] != found[key]:
            return key
    return ""


def _keys(reader: GGUFReader) -> dict[str, Any]:
    return {
        name: field.contents()
        for name, field in reader.fields.items()
        if not name.startswith(("GGUF.", *_FREE_KEYS))
    }
