"""A base model's files: which hold its weights, what their headers say, and whether they are still the same.

Owns the fingerprint of the weights (names, sizes and headers of the files), as the recipe holds it. No torch:
the app looks as well. Refuses to know what the weights are.
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from trainers.errors import AcademyError, ErrorCode
from trainers.files import open_regular

#: No model's file has a longer header; the format's own limit is 100 MB, which take long to read.
_MAX_HEADER_BYTES = 8 * 1024 * 1024
#: No layer has a tensor of more dimensions.
_MAX_DIMENSIONS = 16


def require_same_base(model_dir: Path, expected: str | None) -> None:
    """Make sure that the weights in `model_dir` have the fingerprint `expected`, if a recipe holds one.

    Raises:
        AcademyError: `base_changed`, or `model_damaged` for a header that cannot be read.
    """
    if expected is not None and fingerprint(model_dir) != expected:
        raise AcademyError(ErrorCode.BASE_CHANGED, path=str(model_dir))


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


def read_header(file: Path) -> dict[str, Any]:
    """Read the header of a safetensors file: tensor name to dtype, shape and offsets.

    Raises:
        AcademyError: `model_damaged`.
    """
    try:
        with open_regular(file) as stream:
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
