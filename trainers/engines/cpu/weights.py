"""Reads a base model's tensors from its safetensors files, one at a time, so that no second copy is made."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from safetensors import safe_open
from torch import Tensor

from trainers.engines.cpu.architecture import weight_files


class Weights:
    """The open files of a model's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._files: dict[str, Any] = {}

    def __enter__(self) -> Self:
        for path in weight_files(self._folder):
            file = self._open.enter_context(safe_open(path, framework="pt"))
            self._files.update(dict.fromkeys(file.keys(), file))
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def read(self, name: str) -> Tensor:
        """Return a tensor as it is stored."""
        tensor: Tensor = self._files[name].get_tensor(name)
        return tensor

    def find(self, name: str) -> Tensor | None:
        """Return a tensor, or None where the model has none of that name."""
        return self.read(name) if name in self._files else None
