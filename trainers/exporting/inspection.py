"""Looks into a finished export: does it hold what base and adapter make, tensor by tensor, key by key?

Owns the comparison of stored with expected values: byte for byte where the format allows it, within a bound
on the error where llama.cpp chose the format. Refuses to know how a model behaves.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod, sqrt
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from gguf import GGUFReader, GGUFWriter, ReaderTensor, dequantize

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.folders import MergedFolder
from trainers.exporting.gguf_file import PlannedTensor, write_header
from trainers.exporting.pipeline import blocks, in_order
from trainers.exporting.thresholds import TENSOR_ERROR
from trainers.exporting.watch import Watch
from trainers.exporting.weights import Weights
from trainers.files import open_regular

#: Keys that may differ: names, and what llama.cpp writes when it quantizes.
_FREE_KEYS = ("general.name", "general.file_type", "general.quantization_version", "quantize.")


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


def inspect_gguf(path: Path, plan: GgufPlan, watch: Watch) -> Findings:
    """Compare a GGUF file with its plan; tensors of the plan's own type must be equal byte for byte."""
    open_regular(path).close()  # a pipe would be waited for without end
    reader = GGUFReader(path)
    found = {tensor.name: tensor for tensor in reader.tensors}
    names = {tensor.name for tensor in plan.tensors}
    difference = ", ".join(sorted(names ^ found.keys())[:3]) or _differing(found, plan.tensors, watch)
    return Findings(difference, _differing_key(reader, plan), _types(reader))


def count_types(path: Path) -> dict[str, int]:
    """Return the number of tensors of each number format in a GGUF file.

    Raises:
        AcademyError: `export_damaged`.
    """
    try:
        return _types(GGUFReader(path))
    except (OSError, ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise AcademyError(ErrorCode.EXPORT_DAMAGED, path=str(path), detail=str(error)) from error


def _types(reader: GGUFReader) -> dict[str, int]:
    return dict(Counter(tensor.tensor_type.name for tensor in reader.tensors))


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


def _differing_key(reader: GGUFReader, plan: GgufPlan) -> str:
    """Return a key whose value is not as planned, or that is too many or too few; or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "header.gguf"
        write_header(path, plan.arch_name, plan.describe, ())
        expected = _keys(GGUFReader(path))
    found = _keys(reader)
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
