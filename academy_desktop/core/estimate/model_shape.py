"""The shape of a model: what its files say about layers, widths and weights.

Owns the reading of `config.json` and of the weights' headers for this purpose; reads no weights. Refuses to
know engines, recipes and memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from academy_desktop.core.models.inspection import read_config
from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.base_model import read_header, weight_files

#: Bytes of one number in a safetensors file.
NUMBER_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1}
#: What the tables of token vectors are called, at the beginning of a model or at its end.
_EMBEDDINGS = ("embed_tokens", "wte", "word_embeddings", "tok_embeddings")
_HEADS = ("lm_head", "embed_out", "output")


@dataclass(frozen=True)
class Linear:
    """All linear layers of one name: how many there are, and the numbers of each."""

    name: str
    outputs: int
    inputs: int
    count: int

    @property
    def parameters(self) -> int:
        """Numbers of all of them together."""
        return self.outputs * self.inputs * self.count


@dataclass(frozen=True)
class ModelShape:
    """What memory and time of a run depend on; counts of parameters unless said otherwise.

    Attributes:
        family: `model_type` of the configuration.
        layers, hidden, intermediate, heads, kv_heads, head_dim, vocabulary: as in `config.json`.
        longest: tokens that the model was made for.
        linears: the layers that are quantized and can get an adapter.
        embedding, head: tables of token vectors; a tied head is 0, the embedding then is both.
        other: norms and biases.
        stored_bytes: of one number in the files.
        largest: the largest single tensor.
        query_norm: whether queries and keys are normed (Qwen 3, Gemma 3).
        norms: norms per layer as wide as the hidden state.
    """

    family: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    longest: int
    linears: tuple[Linear, ...]
    embedding: int
    head: int
    other: int
    stored_bytes: int = 2
    largest: int = 0
    query_norm: bool = False
    norms: int = 2

    @property
    def in_linears(self) -> int:
        """Parameters of the linear layers."""
        return sum(linear.parameters for linear in self.linears)

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.in_linears + self.embedding + self.head + self.other

    @property
    def query_width(self) -> int:
        """Numbers of all queries of one token."""
        return self.heads * self.head_dim

    @property
    def key_width(self) -> int:
        """Numbers of all keys of one token."""
        return self.kv_heads * self.head_dim


class _Config(BaseModel):
    """What `config.json` says, in sane bounds: it may come from anywhere."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())
    model_type: str = Field("", max_length=100)
    num_hidden_layers: int = Field(gt=0, le=1000)
    hidden_size: int = Field(gt=0, le=2**17)
    intermediate_size: int = Field(gt=0, le=2**20)
    num_attention_heads: int = Field(gt=0, le=2**12)
    num_key_value_heads: int | None = Field(None, gt=0, le=2**12)
    head_dim: int | None = Field(None, gt=0, le=2**14)
    vocab_size: int = Field(gt=0, le=2**24)
    max_position_embeddings: int = Field(2**17, gt=0, le=2**30)

    @model_validator(mode="before")
    @classmethod
    def _of_the_text(cls, raw: Any) -> Any:
        """A model that also sees has the numbers of its language part in a section of its own."""
        text = raw.get("text_config") if isinstance(raw, dict) else None
        return {**raw, **text} if isinstance(text, dict) else raw


def read_shape(folder: Path) -> ModelShape:
    """Read the shape of the model in `folder`.

    Raises:
        AcademyError: `model_incomplete` when a number is missing or cannot be; `model_damaged`.
    """
    config = _config(folder)
    files = weight_files(folder)
    if not files:
        raise AcademyError(ErrorCode.MODEL_INCOMPLETE, path=str(folder), detail="no .safetensors files")
    tensors = {name: entry for file in files for name, entry in read_header(file).items()}
    return _shape(config, tensors)


def _config(folder: Path) -> _Config:
    try:
        return _Config.model_validate(read_config(folder))
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise AcademyError(
            ErrorCode.MODEL_INCOMPLETE, path=str(folder), detail=f"config.json: {field}"
        ) from error


def _shape(config: _Config, tensors: Mapping[str, Mapping[str, Any]]) -> ModelShape:
    counts = {name: math.prod(entry["shape"]) for name, entry in tensors.items()}
    embedding = sum(counts[name] for name in tensors if _is_table(name, _EMBEDDINGS))
    head = sum(counts[name] for name in tensors if _is_table(name, _HEADS))
    linears = tuple(_linears(tensors))
    rest = sum(counts.values()) - embedding - head - sum(one.parameters for one in linears)
    head_dim = config.head_dim or max(config.hidden_size // config.num_attention_heads, 1)
    return ModelShape(
        family=config.model_type,
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        intermediate=config.intermediate_size,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads or config.num_attention_heads,
        head_dim=head_dim,
        vocabulary=config.vocab_size,
        longest=config.max_position_embeddings,
        linears=linears,
        embedding=embedding,
        head=head,
        other=rest,
        stored_bytes=_stored_bytes(tensors, counts),
        largest=max(counts.values(), default=0),
        query_norm=any(name.endswith(".q_norm.weight") for name in tensors),
        norms=4 if any("pre_feedforward_layernorm" in name for name in tensors) else 2,
    )


def _linears(tensors: Mapping[str, Mapping[str, Any]]) -> Iterator[Linear]:
    """Yield the matrices that are no tables, those of one name and shape together."""
    found: dict[tuple[str, int, int], int] = {}
    for name, entry in tensors.items():
        shape = entry["shape"]
        if len(shape) != 2 or not name.endswith(".weight"):
            continue
        if not _is_table(name, (*_EMBEDDINGS, *_HEADS)):
            key = (name.split(".")[-2], int(shape[0]), int(shape[1]))
            found[key] = found.get(key, 0) + 1
    for (layer, outputs, inputs), count in found.items():
        yield Linear(layer, outputs, inputs, count)


def _is_table(name: str, known: Iterable[str]) -> bool:
    parts = name.split(".")
    return len(parts) > 1 and parts[-1] == "weight" and parts[-2] in known


def _stored_bytes(tensors: Mapping[str, Mapping[str, Any]], counts: Mapping[str, int]) -> int:
    """Bytes of a number in the files: that of most numbers."""
    sizes: dict[int, int] = {}
    for name, entry in tensors.items():
        size = NUMBER_BYTES.get(str(entry["dtype"]), 4)
        sizes[size] = sizes.get(size, 0) + counts[name]
    return max(sizes, key=lambda size: sizes[size], default=4)
