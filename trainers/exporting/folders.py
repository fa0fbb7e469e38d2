"""Exports that are folders in Hugging Face layout: the adapter as it is, and the merged model.

Owns which files go along. Refuses to know GGUF.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.adapter import CONFIG_NAME, WEIGHTS_NAME, Adapter
from trainers.exporting.pipeline import blocks, in_order
from trainers.exporting.watch import Watch
from trainers.exporting.weights import Place, Weights

#: Largest file of a merged model: what every file system takes; a single larger tensor has a file of its own.
SHARD_BYTES = 4_000_000_000

_DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
#: Their names in a safetensors header, which is filled up to a multiple of so many bytes.
_DTYPE_NAMES = {"f32": "F32", "f16": "F16", "bf16": "BF16"}
_HEADER_ALIGNMENT = 8

#: What goes along with weights; nothing that could hold a pickle or code.
_COMPANIONS = (
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "chat_template.jinja", "vocab.json", "merges.txt", "tokenizer.model",
    "LICENSE", "LICENSE.txt",
)  # fmt: skip


class AdapterFolder:
    """A plan to copy the adapter so that it can be loaded anywhere."""

    def __init__(self, adapter_dir: Path, base_id: str) -> None:
        Adapter.load(adapter_dir)  # refuses a damaged one
        self._source = adapter_dir
        self._base_id = base_id

    @property
    def size_bytes(self) -> int:
        """Bytes of the weights; the rest is small."""
        return (self._source / WEIGHTS_NAME).stat().st_size

    def write(self, path: Path, watch: Watch) -> None:
        """Write the folder at `path`."""
        path.mkdir()
        watch.progress(0, 1, "tensors")
        shutil.copyfile(self._source / WEIGHTS_NAME, path / WEIGHTS_NAME)
        config = json.loads((self._source / CONFIG_NAME).read_text("utf-8"))
        # The path of the base model on this machine means nothing on another.
        config["base_model_name_or_path"] = self._base_id
        _write_json(path / CONFIG_NAME, config)
        watch.progress(1, 1, "tensors")


class MergedFolder:
    """A plan to write base and adapter as one model, file by file."""

    def __init__(self, model_dir: Path, adapter: Adapter | None, quant: str) -> None:
        if quant not in _DTYPES:
            raise AcademyError(ErrorCode.QUANT_UNSUPPORTED, quant=quant, known=", ".join(_DTYPES))
        self._source = model_dir
        self._quant = quant
        self._dtype = _DTYPES[quant]
        self._weights = Weights.open(model_dir, adapter)
        self._shards = self._plan_shards()

    @property
    def size_bytes(self) -> int:
        """Bytes of the weights and their companions."""
        weights = sum(self._tensor_bytes(name) for name in self._weights.places)
        companions = (self._source / name for name in _COMPANIONS)
        return weights + sum(file.stat().st_size for file in companions if file.is_file())

    def write(self, path: Path, watch: Watch) -> None:
        """Write the folder at `path`; no more than a few blocks of rows are in memory."""
        path.mkdir()
        total, done = sum(self._tensor_bytes(name) for name in self._weights.places), 0
        watch.progress(0, total, "bytes")
        for file, names in self._shards.items():
            with (path / file).open("wb") as stream:
                stream.write(self._header(names))
                for block in in_order(self._steps(names)):
                    stream.write(block)
                    done += len(block)
                    watch.progress(done, total, "bytes")
        if len(self._shards) > 1:
            self._write_index(path)
        self._write_config(path)
        for companion in _COMPANIONS:
            if (self._source / companion).is_file():
                shutil.copyfile(self._source / companion, path / companion)

    def _header(self, names: Sequence[str]) -> bytes:
        """Return a safetensors header: its length in 8 bytes, then where each tensor lies, as JSON."""
        header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        end = 0
        for name in names:
            start, end = end, end + self._tensor_bytes(name)
            shape = list(self._weights.places[name].shape)
            header[name] = {
                "dtype": _DTYPE_NAMES[self._quant], "shape": shape, "data_offsets": [start, end],
            }  # fmt: skip
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        text += b" " * (-len(text) % _HEADER_ALIGNMENT)
        return len(text).to_bytes(8, "little") + text

    def _steps(self, names: Sequence[str]) -> Iterator[Callable[[], memoryview]]:
        for name in names:
            place = self._weights.places[name]
            for start, stop in blocks(place.shape[0], place.row_elements):
                yield partial(self.encode, name, start, stop)

    def _tensor_bytes(self, name: str) -> int:
        return self._weights.places[name].elements * self._dtype.itemsize

    def _plan_shards(self) -> dict[str, list[str]]:
        shards: list[list[str]] = [[]]
        filled = 0
        for name in self._weights.places:
            size = self._tensor_bytes(name)
            if shards[-1] and filled + size > SHARD_BYTES:
                shards.append([])
                filled = 0
            shards[-1].append(name)
            filled += size
        if len(shards) == 1:
            return {"model.safetensors": shards[0]}
        count = len(shards)
        return {f"model-{i:05d}-of-{count:05d}.safetensors": names for i, names in enumerate(shards, start=1)}

    @property
    def places(self) -> Mapping[str, Place]:
        """Every tensor that is written."""
        return self._weights.places

    def encode(self, name: str, start: int, stop: int) -> memoryview:
        """Return the bytes of some rows of a merged tensor.

        Raises:
            AcademyError: `quant_unsupported` for a value that does not fit.
        """
        rows = self._weights.rows(name, start, stop)
        cast = rows.to(self._dtype)
        if not torch.isfinite(cast).all():
            raise AcademyError(ErrorCode.QUANT_UNSUPPORTED, quant=self._quant, known="bf16, f32", tensor=name)
        values: NDArray[np.uint8] = cast.flatten().view(torch.uint8).numpy()
        return values.data

    def _write_index(self, path: Path) -> None:
        places = {name: file for file, names in self._shards.items() for name in names}
        total_size = sum(self._tensor_bytes(name) for name in places)
        index = {"metadata": {"total_size": total_size}, "weight_map": dict(sorted(places.items()))}
        _write_json(path / "model.safetensors.index.json", index)

    def _write_config(self, path: Path) -> None:
        config = json.loads((self._source / "config.json").read_text("utf-8"))
        config.pop("torch_dtype", None)  # the older name of the same setting
        config["dtype"] = str(self._dtype).removeprefix("torch.")
        _write_json(path / "config.json", config)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
