"""Reads a base model's tensors from its safetensors files, one at a time, so that no second copy is made."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from safetensors import safe_open
from torch import Tensor

from trainers.engines.cpu.architecture import weight_files

#: The files are mapped, and what was read of a map counts as used until it is gone: it is made anew whenever
#: so much was read. SmolLM2 in fp32 is 538 MB, which were on top of all else, for 5 ms of work.
MAPPED_BYTES = 2**26


class Weights:
    """The open files of a model's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._files: dict[str, Any] = {}
        self._read_bytes = 0

    def __enter__(self) -> Self:
        for path in weight_files(self._folder):
            file = self._open.enter_context(safe_open(path, framework="pt"))
            self._files.update(dict.fromkeys(file.keys(), file))
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def read(self, name: str) -> Tensor:
        """Return a tensor as it is stored."""
        if self._read_bytes > MAPPED_BYTES:
            self._open.close()
            self._read_bytes = 0
            self.__enter__()
        tensor: Tensor = self._files[name].get_tensor(name)
        self._read_bytes += tensor.nbytes
        return tensor

    def find(self, name: str) -> Tensor | None:
        """Return a tensor, or None where the model has none of that name."""
        return self.read(name) if name in self._files else None
