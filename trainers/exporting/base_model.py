"""Whether the base model in a folder is still the one that a run was trained on.

Owns the fingerprint of its weights: names, sizes and headers of the files, as the recipe holds it. Refuses to
know what is in them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from trainers.errors import AcademyError, ErrorCode

_LENGTH_BYTES = 8
_MOST_HEADER_BYTES = 100_000_000


def require_same_base(model_dir: Path, expected: str | None) -> None:
    """Make sure that the weights in `model_dir` have the fingerprint `expected`, if a recipe holds one.

    Raises:
        AcademyError: `base_changed`, or `model_damaged` for a header that cannot be read.
    """
    if expected is not None and fingerprint(model_dir) != expected:
        raise AcademyError(ErrorCode.BASE_CHANGED, path=str(model_dir))


def fingerprint(model_dir: Path) -> str:
    """Return the hash of the weights' names, sizes and headers: fast, and another model never has the same.

    Raises:
        AcademyError: `model_damaged`.
    """
    digest = hashlib.sha256()
    for file in sorted(model_dir.glob("*.safetensors")):
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        digest.update(json.dumps(_header(file), sort_keys=True).encode())
    return digest.hexdigest()


def _header(file: Path) -> dict[str, object]:
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
            if length > _MOST_HEADER_BYTES:
                raise ValueError("header too long")
            header: dict[str, object] = json.loads(stream.read(length))
        header.pop("__metadata__", None)
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(file), detail=str(error)) from error
    return header
