"""The folder in which a server looks for adapters, as used from here: whatever a placement does with it.

Owns the interface, and the folder that this computer sees itself: on its own disk, or a shared drive. Names
are relative, with slashes. Trouble leaves as the system's `OSError`, whichever system it was. Refuses to
know adapters.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Final, Literal, Protocol

from trainers.digest import sha256_of_file
from trainers.errors import AcademyError, ErrorCode
from trainers.files import replace_whole, sync_folder

CHUNK: Final = 1024 * 1024

Kind = Literal["nothing", "file", "folder"]
Counted = Callable[[int], None]


class ModelsFolder(Protocol):
    """One models folder; every method blocks."""

    def where(self, name: str = "") -> str:
        """The path of a name, for people."""

    def require(self) -> None:
        """Make sure that the folder is there and can be written.

        Raises:
            AcademyError: `venom_folder_missing`, `venom_folder_not_writable`.
        """

    def kind(self, name: str) -> Kind:
        """What lies there; a link to nowhere is a file."""

    def size(self, name: str) -> int | None:
        """Bytes of a file; None where there is none."""

    def names(self, folder: str) -> Sequence[str]:
        """What lies in a folder; nothing where there is none."""

    def read(self, name: str) -> bytes:
        """A small file."""

    def sha256(self, name: str) -> str:
        """SHA-256 of a file as it lies there."""

    def free_bytes(self) -> int | None:
        """What fits in; None where nobody says it."""

    def make(self, folder: str) -> None:
        """Make a folder, and those above it; one that is there is kept."""

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, durably; whatever interrupts this may leave a part."""

    def replace(self, name: str, content: bytes) -> None:
        """Write a small file so that its reader sees the old content or the new."""

    def append(self, name: str, source: BinaryIO, counted: Counted) -> None:
        """Write the rest of a file, durably: what is there already is taken for the beginning of `source`."""

    def rename(self, old: str, new: str) -> None:
        """Give a folder another name, which must be free."""

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that it holds; nothing there is fine."""

    def remove_empty(self, folder: str) -> None:
        """Remove a folder unless something is in it."""

    def sync(self, folder: str) -> None:
        """Make the names in a folder durable, where the system can."""


class LocalFolder:
    """A models folder that this computer sees."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def where(self, name: str = "") -> str:
        """As `ModelsFolder`; so are the others."""
        return str(self._at(name))

    def require(self) -> None:
        """As `ModelsFolder`."""
        if not self._root.is_dir():
            raise AcademyError(ErrorCode.VENOM_FOLDER_MISSING, path=str(self._root))
        if not os.access(self._root, os.W_OK | os.X_OK):
            raise AcademyError(ErrorCode.VENOM_FOLDER_NOT_WRITABLE, path=str(self._root))

    def kind(self, name: str) -> Kind:
        """As `ModelsFolder`."""
        path = self._at(name)
        if path.is_dir():
            return "folder"
        return "file" if os.path.lexists(path) else "nothing"

    def size(self, name: str) -> int | None:
        """As `ModelsFolder`."""
        path = self._at(name)
        return path.stat().st_size if path.is_file() else None

    def names(self, folder: str) -> Sequence[str]:
        """As `ModelsFolder`."""
        try:
            return sorted(path.name for path in self._at(folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def read(self, name: str) -> bytes:
        """As `ModelsFolder`."""
        return self._at(name).read_bytes()

    def sha256(self, name: str) -> str:
        """As `ModelsFolder`."""
        return sha256_of_file(self._at(name))

    def free_bytes(self) -> int | None:
        """As `ModelsFolder`."""
        return shutil.disk_usage(self._root).free

    def make(self, folder: str) -> None:
        """As `ModelsFolder`."""
        self._at(folder).mkdir(parents=True, exist_ok=True)

    def write(self, name: str, content: bytes) -> None:
        """As `ModelsFolder`."""
        with self._at(name).open("wb") as stream:
            stream.write(content)
            _sync(stream)

    def replace(self, name: str, content: bytes) -> None:
        """As `ModelsFolder`."""
        replace_whole(self._at(name), content)

    def append(self, name: str, source: BinaryIO, counted: Counted) -> None:
        """As `ModelsFolder`."""
        with self._at(name).open("ab") as target:
            there = target.tell()
            source.seek(there)
            counted(there)
            while chunk := source.read(CHUNK):
                target.write(chunk)
                counted(len(chunk))
            _sync(target)

    def rename(self, old: str, new: str) -> None:
        """As `ModelsFolder`."""
        self._at(old).rename(self._at(new))

    def remove(self, name: str) -> None:
        """As `ModelsFolder`."""
        path = self._at(name)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def remove_empty(self, folder: str) -> None:
        """As `ModelsFolder`."""
        with contextlib.suppress(OSError):  # somebody else's work is in it, or it is not there
            self._at(folder).rmdir()

    def sync(self, folder: str) -> None:
        """As `ModelsFolder`."""
        sync_folder(self._at(folder))

    def _at(self, name: str) -> Path:
        return self._root / name if name else self._root


def _sync(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())
