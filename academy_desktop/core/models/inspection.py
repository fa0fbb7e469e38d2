"""Judges a model by its files: architecture, size, tokenizer, chat template, and whether it can be trained.

Owns that judgement. Reads headers only, never weights; unpickles nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from trainers.errors import AcademyError, ErrorCode
from trainers.rendering import Renderer

#: A safetensors header longer than this is not one (the format's own limit).
_MAX_HEADER_BYTES = 100_000_000
#: No layer has a tensor of more dimensions.
_MAX_DIMENSIONS = 16


class Model(BaseModel):
    """One base model. `reason` is an error code when it cannot be trained, else empty."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())
    id: str
    name: str
    path: str
    source: str
    architecture: str
    parameters: int
    bytes: int
    chat_template: bool
    trainable: bool
    reason: str = ""


def model_id(path: Path) -> str:
    """Return the id of a model at `path`: slug of its name, six hex digits of its resolved path."""
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:6]
    return f"{slug(path.name)}-{digest}"


def slug(text: str) -> str:
    """Return `text` as lower-case words with hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "model"


def inspect(path: Path, identity: str, name: str, source: str) -> Model:
    """Judge the folder or GGUF file at `path`.

    Raises:
        AcademyError: `file_not_found`, `model_incomplete` when it is no model at all, `model_damaged`,
            `file_not_its_format`, `file_unreadable`.
    """
    try:
        if not path.exists():
            raise AcademyError(ErrorCode.FILE_NOT_FOUND, path=str(path))
        if path.is_file():
            return _gguf(path, identity, name, source)
        return _folder(path, identity, name, source)
    except OSError as error:
        detail = error.strerror or str(error)
        raise AcademyError(ErrorCode.FILE_UNREADABLE, path=str(path), detail=detail) from error


def _folder(path: Path, identity: str, name: str, source: str) -> Model:
    config = read_config(path)
    weights = weight_files(path)
    if not weights:
        raise AcademyError(ErrorCode.MODEL_INCOMPLETE, path=str(path), detail="no .safetensors files")
    _require_shards(path)
    reason = _why_not(path)
    return Model(
        id=identity,
        name=name,
        path=str(path),
        source=source,
        architecture=_architecture(config),
        parameters=sum(_parameters(read_header(file)) for file in weights),
        bytes=sum(file.stat().st_size for file in weights),
        chat_template=reason != ErrorCode.MODEL_WITHOUT_CHAT_TEMPLATE
        and reason != ErrorCode.MODEL_WITHOUT_TOKENIZER,
        trainable=not reason,
        reason=reason,
    )


def fingerprint(path: Path) -> str:
    """Return the hash of the weights' names, sizes and headers: fast, and another model never has the same.

    Raises:
        AcademyError: `model_damaged` when a header cannot be read.
    """
    digest = hashlib.sha256()
    for file in weight_files(path):
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        digest.update(json.dumps(read_header(file), sort_keys=True).encode())
    return digest.hexdigest()


def weight_files(path: Path) -> list[Path]:
    """Return the safetensors files of a model folder, in order."""
    return sorted(file for file in path.glob("*.safetensors") if file.is_file())


def read_config(path: Path) -> dict[str, Any]:
    """Read `config.json`.

    Raises:
        AcademyError: `model_incomplete`.
    """
    try:
        config = json.loads((path / "config.json").read_text("utf-8"))
    except FileNotFoundError as error:
        raise AcademyError(ErrorCode.MODEL_INCOMPLETE, path=str(path), detail="no config.json") from error
    except (OSError, ValueError, RecursionError) as error:
        raise AcademyError(ErrorCode.MODEL_INCOMPLETE, path=str(path), detail="config.json") from error
    if not isinstance(config, dict):
        raise AcademyError(ErrorCode.MODEL_INCOMPLETE, path=str(path), detail="config.json")
    return config


def read_header(file: Path) -> dict[str, Any]:
    """Read the header of a safetensors file: tensor name to dtype, shape and offsets.

    Raises:
        AcademyError: `model_damaged`.
    """
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > _MAX_HEADER_BYTES:
                raise ValueError("header too long")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        ends = [_end(name, entry) for name, entry in header.items()]
        if file.stat().st_size != 8 + length + max(ends, default=0):
            raise ValueError("the file's length does not fit its header")
    except struct.error as error:
        raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(file), detail="too short") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(file), detail="a strange header") from error
    except (OSError, ValueError, RecursionError) as error:
        raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(file), detail=str(error)) from error
    return dict(header)


def _end(name: str, entry: dict[str, Any]) -> int:
    """Return where a tensor's bytes end, once its entry is known to be one."""
    begin, end = entry["data_offsets"]
    numbers = (begin, end, *entry["shape"])
    if any(type(number) is not int or not 0 <= number < 2**63 for number in numbers) or begin > end:
        raise ValueError(f"the place or shape of {name[:80]!r} is none")
    if not isinstance(entry["dtype"], str) or len(entry["shape"]) > _MAX_DIMENSIONS:
        raise ValueError(f"the type or shape of {name[:80]!r} is none")
    return int(end)


def _require_shards(path: Path) -> None:
    """Raise `model_incomplete` when a file is missing that the index of the weights names."""
    try:
        index = json.loads((path / "model.safetensors.index.json").read_text("utf-8"))
        named = {str(name) for name in index["weight_map"].values()}
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        detail = "model.safetensors.index.json"
        raise AcademyError(ErrorCode.MODEL_INCOMPLETE, path=str(path), detail=detail) from error
    missing = sorted(named - {file.name for file in weight_files(path)})
    if missing:
        raise AcademyError(ErrorCode.MODEL_INCOMPLETE, path=str(path), detail=f"no {missing[0][:80]}")


def _architecture(config: dict[str, Any]) -> str:
    named = config.get("architectures")
    first = named[0] if isinstance(named, list) and named else config.get("model_type")
    return first if isinstance(first, str) else ""


def _parameters(header: dict[str, Any]) -> int:
    return sum(math.prod(entry["shape"]) for entry in header.values())


def _why_not(path: Path) -> str:
    try:
        Renderer.load(path)
    except AcademyError as error:
        return error.code.value
    return ""


def _gguf(path: Path, identity: str, name: str, source: str) -> Model:
    with path.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise AcademyError(ErrorCode.FILE_NOT_ITS_FORMAT, path=str(path), expected="GGUF")
    return Model(
        id=identity,
        name=name,
        path=str(path),
        source=source,
        architecture="gguf",
        parameters=0,
        bytes=path.stat().st_size,
        chat_template=False,
        trainable=False,
        reason=ErrorCode.MODEL_INCOMPLETE,  # made to be run: what is trained are a folder's weights
    )
