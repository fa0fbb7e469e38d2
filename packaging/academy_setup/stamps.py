"""The memory of the set-up: one small file for each step that is done, written last.

Owns the files. A step without a stamp, or with the stamp of other inputs, was not done: that is all that
mends an interrupted set-up. Refuses to know what the steps do.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Result = Mapping[str, str]


@dataclass(frozen=True)
class Stamp:
    """What a finished step left: the digest of its inputs, and what it found out."""

    inputs: str
    result: Result


class Stamps:
    """The stamps in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, step: str) -> Stamp | None:
        """The step's stamp; None where there is none, or what is there is no stamp."""
        try:
            fields = json.loads(self._path(step).read_text(encoding="utf-8"))
            result = {str(key): str(value) for key, value in fields["result"].items()}
            return Stamp(inputs=str(fields["inputs"]), result=result)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, step: str, stamp: Stamp) -> None:
        """Leaves the stamp, whole or not at all."""
        aside = self._path(step).with_suffix(f".{os.getpid()}.tmp")
        with aside.open("w", encoding="utf-8") as file:
            json.dump({"inputs": stamp.inputs, "result": dict(stamp.result)}, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path(step))

    def forget(self, step: str) -> None:
        """Takes the step's stamp away, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self._path(step).unlink()

    def _path(self, step: str) -> Path:
        return self._folder / f"{step}.json"


def digest(*inputs: str | bytes) -> str:
    """One short name for a step's inputs; their order and their borders count."""
    total = hashlib.sha256()
    for item in inputs:
        data = item.encode() if isinstance(item, str) else item
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()
