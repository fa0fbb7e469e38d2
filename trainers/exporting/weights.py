"""The weights of a base model with an adapter merged in, one tensor at a time.

Owns lazy reading: a tensor is mapped, merged in float32 and handed over, and nothing is kept, so that memory
stays at a few tensors whatever the size of the model. Refuses to know output formats.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.adapter import Adapter


@dataclass(frozen=True)
class Place:
    """Where a tensor lies, and its shape."""

    file: Path
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Number of values."""
        count = 1
        for size in self.shape:
            count *= size
        return count


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
        places: dict[str, Place] = {}
        for file in _files(model_dir):
            try:
                with safe_open(file, "pt") as tensors:
                    for name in sorted(tensors.keys()):
                        places[name] = Place(file, tuple(tensors.get_slice(name).get_shape()))
            except (OSError, SafetensorError) as error:
                raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(file), detail=str(error)) from error
        for name, pair in (adapter.pairs if adapter else {}).items():
            if name not in places or places[name].shape != pair.shape:
                raise AcademyError(ErrorCode.ADAPTER_UNSUPPORTED, detail=f"{name} {pair.shape}")
        return cls(places, adapter)

    def tensor(self, name: str) -> torch.Tensor:
        """Return one tensor in float32, merged; a copy, owned by the caller."""
        place = self.places[name]
        # Opened anew for each tensor: a mapping that stays open keeps every page it ever touched.
        with safe_open(place.file, "pt") as tensors:
            merged: torch.Tensor = tensors.get_tensor(name).to(torch.float32, copy=True)
        pair = self._adapter.pairs.get(name) if self._adapter else None
        if pair is not None:
            merged += pair.delta()
        return merged


def _files(model_dir: Path) -> list[Path]:
    """Return the files that hold the weights: those of the index where there is one."""
    index = model_dir / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(index), detail=str(error)) from error
        files = [model_dir / Path(str(name)).name for name in names]
    else:
        files = sorted(model_dir.glob("*.safetensors"))
    missing = [file for file in files if not file.is_file()]
    if missing or not files:
        missing_name = missing[0].name if missing else "*.safetensors"
        raise AcademyError(ErrorCode.MODEL_INCOMPLETE, path=str(model_dir), missing=missing_name)
    return files
