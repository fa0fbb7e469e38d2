"""Judges a model by its files: architecture, size, tokenizer, chat template, and whether it can be trained.

Owns that judgement. Reads headers only, never weights; unpickles nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.base_model import read_header, weight_files
from trainers.files import open_regular, read_regular
from trainers.rendering import Renderer


class Model(BaseModel):
    """One base model.

    `reason` is an error code when it cannot be trained, else empty; `max_seq_length` is how many tokens of a
    text it reads at most, where its configuration says so.
    """

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
    max_seq_length: int | None = None


def model_id(path: Path) -> str:
    """Return the id of a model at `path`: slug of its name, six hex digits of its resolved path."""
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError):  # a link to itself
        resolved = path.absolute()
    digest = hashlib.sha256(os.fsencode(resolved)).hexdigest()[:6]
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
        max_seq_length=_longest(config),
    )


def read_config(path: Path) -> dict[str, Any]:
    """Read `config.json`.

    Raises:
        AcademyError: `model_incomplete`.
    """
    try:
        config = json.loads(read_regular(path / "config.json"))
    except FileNotFoundError as error:
        raise AcademyError(ErrorCode.MODEL_INCOMPLETE, path=str(path), detail="no config.json") from error
    except (OSError, ValueError, RecursionError) as error:
        raise AcademyError(ErrorCode.MODEL_INCOMPLETE, path=str(path), detail="config.json") from error
    if not isinstance(config, dict):
        raise AcademyError(ErrorCode.MODEL_INCOMPLETE, path=str(path), detail="config.json")
    return config


def _require_shards(path: Path) -> None:
    """Raise `model_incomplete` when a file is missing that the index of the weights names."""
    try:
        index = json.loads(read_regular(path / "model.safetensors.index.json"))
        named = {str(name) for name in index["weight_map"].values()}
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        detail = "model.safetensors.index.json"
        raise AcademyError(ErrorCode.MODEL_INCOMPLETE, path=str(path), detail=detail) from error
    missing = sorted(named - {file.name for file in weight_files(path)})
    if missing:
        raise AcademyError(ErrorCode.MODEL_INCOMPLETE, path=str(path), detail=f"no {missing[0][:80]}")


def _architecture(config: dict[str, Any]) -> str:
    named = config.get("architectures")
    first = named[0] if isinstance(named, list) and named else config.get("model_type")
    return first if isinstance(first, str) else ""


def _longest(config: dict[str, Any]) -> int | None:
    """What the configuration says of the longest text; of a model that also sees, in its language part."""
    text = config.get("text_config")
    said = (text if isinstance(text, dict) else config).get("max_position_embeddings")
    return said if isinstance(said, int) and 0 < said < 2**31 else None


def _parameters(header: dict[str, Any]) -> int:
    return sum(math.prod(entry["shape"]) for entry in header.values())


def _why_not(path: Path) -> str:
    try:
        Renderer.load(path)
    except AcademyError as error:
        return error.code.value
    return ""


def _gguf(path: Path, identity: str, name: str, source: str) -> Model:
    with open_regular(path) as stream:
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
