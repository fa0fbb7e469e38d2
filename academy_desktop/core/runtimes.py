"""Copies of the `trainers` package, one per content: an upgrade never swaps code under a run.

Owns `runtimes/`. Refuses to know what the package does.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import trainers

_HASH_DIGITS = 16


class Runtimes:
    """Gives the folder from which attempts started now import `trainers`.

    Args:
        folder: the data directory's `runtimes/`.
        source: the package to copy; by default the one that this process runs.
    """

    def __init__(self, folder: Path, source: Path | None = None) -> None:
        self._folder = folder
        self._source = source or Path(next(iter(trainers.__path__)))

    @cached_property
    def hash(self) -> str:
        """What names the copy: over names and contents of all files. Read once."""
        digest = hashlib.sha256()
        for path in _files(self._source):
            name = path.relative_to(self._source).as_posix()
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()[:_HASH_DIGITS]

    def current(self) -> Path:
        """The folder to put on PYTHONPATH; copied on first use, whole or not at all, by however many at once.

        Raises:
            OSError: the disk is full or not writable.
        """
        final = self._folder / self.hash
        if not final.is_dir():
            aside = Path(tempfile.mkdtemp(prefix=f".{self.hash}.", dir=self._folder))
            try:
                self._copy(aside / "trainers")
                aside.chmod(0o755)
                aside.rename(final)
            except OSError:
                if not final.is_dir():  # otherwise another process was first, with the same content
                    raise
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        return final

    def _copy(self, target: Path) -> None:
        for path in _files(self._source):
            copy = target / path.relative_to(self._source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            with copy.open("wb") as stream:
                stream.write(path.read_bytes())
                stream.flush()
                os.fsync(stream.fileno())


def _files(package: Path) -> Iterator[Path]:
    """The package's files in a fixed order, without what Python makes of them."""
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
            yield path
