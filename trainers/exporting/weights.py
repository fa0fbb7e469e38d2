"""The weights of a base model with an adapter merged in, a few rows at a time.

Owns lazy reading: rows are read from the file, merged in float32 and handed over, and nothing is kept, so
that memory stays at a few blocks whatever the size of the model. Not mapped: every page that a mapping
touches counts as this process's memory. Refuses to know output formats.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.adapter import Adapter
from trainers.exporting.base_model import read_header
from trainers.files import read_regular

#: The number formats of weights; all others stand for a quantized model, or for none.
_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}
_LENGTH_BYTES = 8


@dataclass(frozen=True)
class Place:
    """Where a tensor lies, its shape and its numbers; `start` counts bytes from the beginning of the file."""

    file: Path
    shape: tuple[int, ...]
    dtype: torch.dtype
    start: int

    @property
    def elements(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @property
    def row_elements(self) -> int:
        """Number of values of a row; those of a vector have one."""
        return prod(self.shape[1:])


class Weights:
    """A base model's tensors by name, merged with an adapter if there is one.

    Attributes:
        places: where each tensor lies, by name.
    """

    def __init__(self, places: Mapping[str, Place], adapter: Adapter | None) -> None:
        self.places = places
        self._adapter = adapter

    @classmethod
    def open(cls, model_dir: Path, adapter: Adapter | None = None) -> Weights:
        """Read the headers of a model's safetensors files and check that the adapter fits.

        Raises:
            AcademyError: `model_incomplete`, `model_damaged` or `adapter_unsupported`.
        """
        files, wanted = _files(model_dir)
        places: dict[str, Place] = {}
        for file in files:
            places |= _places(file)
        missing = sorted(wanted - places.keys())
        if missing:
            raise AcademyError(ErrorCode.MODEL_INCOMPLETE, path=str(model_dir), missing=missing[0])
        for name, pair in (adapter.pairs if adapter else {}).items():
            if name not in places or places[name].shape != pair.shape:
                raise AcademyError(ErrorCode.ADAPTER_UNSUPPORTED, detail=f"{name} {pair.shape}")
        return cls(places, adapter)

    def rows(self, name: str, start: int, stop: int) -> torch.Tensor:
        """Return rows of a tensor, owned by the caller: as they are stored, or merged in float32.

        Raises:
            AcademyError: `model_damaged` when the file ends before them.
        """
        place = self.places[name]
        values = _read(place, start, stop)
        pair = self._adapter.pairs.get(name) if self._adapter else None
        if pair is None:
            return values
        return values.float().add_(pair.rows(start, stop))


def _read(place: Place, start: int, stop: int) -> torch.Tensor:
    row_bytes = place.row_elements * place.dtype.itemsize
    buffer = bytearray((stop - start) * row_bytes)
    with place.file.open("rb", buffering=0) as stream:
        stream.seek(place.start + start * row_bytes)
        view, filled = memoryview(buffer), 0
        while filled < len(buffer):
            count = stream.readinto(view[filled:])
            if not count:
                raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(place.file), detail="ends too early")
            filled += count
    values = torch.frombuffer(buffer, dtype=place.dtype) if buffer else torch.empty(0, dtype=place.dtype)
    return values.reshape(stop - start, *place.shape[1:])


def _places(file: Path) -> dict[str, Place]:
    """Read one file's header; the library has the last word on whether it is sound."""
    try:
        header = read_header(file)
        with safe_open(file, "pt") as tensors:
            names = set(tensors.keys())
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        begin = _LENGTH_BYTES + length
        return {name: _place(file, begin, name, header[name]) for name in sorted(names)}
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(file), detail=str(error)) from error


def _place(file: Path, begin: int, name: str, entry: Mapping[str, Any]) -> Place:
    dtype = _DTYPES.get(entry["dtype"])
    if dtype is None:
        raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(file), detail=f"{name}: {entry['dtype']}")
    return Place(file, tuple(entry["shape"]), dtype, begin + int(entry["data_offsets"][0]))


def _files(model_dir: Path) -> tuple[list[Path], set[str]]:
    """Return the files that hold the weights, those of the index where there is one, and what it names."""
    index = model_dir / "model.safetensors.index.json"
    names: set[str] = set()
    if index.is_file():
        try:
            weight_map = json.loads(read_regular(index))["weight_map"]
            names = {str(name) for name in weight_map}
            # No more than a name: an index must not lead out of the folder.
            files = [model_dir / Path(str(file)).name for file in sorted(set(weight_map.values()))]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(index), detail=str(error)) from error
    else:
        files = sorted(model_dir.glob("*.safetensors"))
    missing = [file for file in files if not file.is_file()]
    if missing or not files:
        missing_name = missing[0].name if missing else "*.safetensors"
        raise AcademyError(ErrorCode.MODEL_INCOMPLETE, path=str(model_dir), missing=missing_name)
    return files, names
