"""Puts an adapter into a server's models folder: whole, or not at all.

Owns the folder's shape there and the rename. The server lists whatever folder has an `adapter` inside, and
takes any other for a base model unless a known marker lies in it or its name is of a known kind. So
everything is made one level further down, in a folder of such a name that never has an `adapter`, and renamed
from there. Refuses to know HTTP.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from pydantic import ValidationError

from trainers.digest import sha256_of_file
from trainers.errors import AcademyError, ErrorCode
from trainers.files import sync_folder
from trainers.layout import FileEntry, Record, write_atomically
from trainers.space import disk_full, is_full

#: The folder inside an adapter's that the server looks for.
ADAPTER: Final = "adapter"
METADATA: Final = "metadata.json"
#: Tells the server that this is no base model.
MARKER: Final = "training.log"
#: Ours: what was placed. The server writes into `metadata.json`, so that one proves nothing.
MANIFEST: Final = "academy-desktop.json"
#: The name that the server looks for first among GGUF files.
GGUF: Final = "Adapter-F16-LoRA.gguf"
#: By the beginning of its name the server knows that this is no base model, even while it is empty.
STAGING: Final = "checkpoint-academy-desktop"
#: Kept free beyond the adapter itself: small files, file system tables.
SPARE_BYTES: Final = 1024 * 1024
_CHUNK = 1024 * 1024

Told = Callable[[int, int], None]
#: `placed`: it is new. `kept`: it was there. `mended`: it was there, but not whole, or described otherwise.
Outcome = Literal["placed", "kept", "mended"]


@dataclass(frozen=True)
class Part:
    """One file below `adapter/`: its bytes, or a file to copy and the hash that the copy must have."""

    name: str
    content: bytes = b""
    source: Path | None = None
    sha256: str = ""

    @property
    def size_bytes(self) -> int:
        """Bytes of the file."""
        return len(self.content) if self.source is None else self.source.stat().st_size

    @property
    def digest(self) -> str:
        """SHA-256 that the file must have."""
        return self.sha256 or hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Parcel:
    """An adapter, ready to be placed. `log`: content of the marker, for people."""

    adapter_id: str
    metadata: Mapping[str, Any]
    parts: tuple[Part, ...]
    log: str

    @property
    def size_bytes(self) -> int:
        """Bytes of all parts."""
        return sum(part.size_bytes for part in self.parts)


class _Manifest(Record):
    adapter_id: str
    files: tuple[FileEntry, ...]


class Placement:
    """One models folder, as used from one data directory.

    Args:
        folder: the server's models folder.
        owner: names this data directory among others that place adapters in the same folder; leftovers
            under this name are its own and nobody works on them.
    """

    def __init__(self, folder: Path, owner: str) -> None:
        self._folder = folder
        self._staging = folder / STAGING
        self._owner = owner

    def path(self, adapter_id: str) -> Path:
        """Where an adapter lies once it is placed."""
        return self._folder / adapter_id

    def holds(self, parcel: Parcel) -> bool:
        """Whether the adapter lies there whole.

        Raises:
            AcademyError: `venom_adapter_exists` when something else lies there.
        """
        with self._system_errors(parcel):
            return self._found(parcel) == "whole"

    def place(self, parcel: Parcel, told: Told = lambda done, total: None) -> Outcome:
        """Make the adapter lie there whole; whatever interrupts this leaves it there as before, or not.

        Raises:
            AcademyError: `venom_folder_missing`, `venom_folder_not_writable`, `disk_full`,
                `export_damaged` when a file to copy is not what it was, `venom_adapter_exists`.
        """
        if not self._folder.is_dir():
            raise AcademyError(ErrorCode.VENOM_FOLDER_MISSING, path=str(self._folder))
        with self._system_errors(parcel):
            self._clear_leftovers()
            found = self._found(parcel)
            if found == "whole":
                return self._described(parcel)
            free = shutil.disk_usage(self._folder).free
            if free < parcel.size_bytes + SPARE_BYTES:
                raise self._disk_full(parcel)
            try:
                self._move_in(self._make(parcel, told), parcel)
            finally:
                self._clear_leftovers()
            return "placed" if found == "nothing" else "mended"

    # what is there

    def _found(self, parcel: Parcel) -> Literal["nothing", "whole", "damaged"]:
        target = self.path(parcel.adapter_id)
        if not os.path.lexists(target):
            return "nothing"
        try:
            manifest = _Manifest.model_validate_json((target / MANIFEST).read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            manifest = None
        if manifest is None or not _is_about(manifest, parcel):
            raise AcademyError(ErrorCode.VENOM_ADAPTER_EXISTS, path=str(target))
        placed = {entry.name: entry.sha256 for entry in manifest.files}
        whole = placed == {part.name: part.digest for part in parcel.parts}
        whole = whole and all(_agrees(target / ADAPTER / entry.name, entry) for entry in manifest.files)
        return "whole" if whole and (target / MARKER).is_file() else "damaged"

    def _described(self, parcel: Parcel) -> Outcome:
        """Renew the description of an adapter that is there, if it says anything else."""
        path = self.path(parcel.adapter_id) / METADATA
        try:
            known = json.loads(path.read_bytes())
        except (FileNotFoundError, ValueError, RecursionError):
            known = None
        if isinstance(known, dict) and parcel.metadata.items() <= known.items():
            return "kept"
        write_atomically(path, _as_json(parcel.metadata))
        return "mended"

    # making

    def _make(self, parcel: Parcel, told: Told) -> Path:
        """Write the adapter's folder aside, durably; returns where it lies."""
        made = self._mine(parcel.adapter_id)
        (made / ADAPTER).mkdir(parents=True)
        count = _Count(parcel.size_bytes, told)
        entries = [_write_part(part, made / ADAPTER / part.name, count) for part in parcel.parts]
        _write(made / MARKER, parcel.log.encode())
        _write(made / METADATA, _as_json(parcel.metadata))
        manifest = _Manifest(adapter_id=parcel.adapter_id, files=tuple(entries))
        _write(made / MANIFEST, manifest.model_dump_json(indent=1).encode() + b"\n")
        sync_folder(made / ADAPTER)
        sync_folder(made)
        return made

    def _move_in(self, made: Path, parcel: Parcel) -> None:
        """Give the finished folder its name; a damaged one of our own goes out of the way first."""
        target = self.path(parcel.adapter_id)
        if target.exists():
            target.rename(self._mine(f"{parcel.adapter_id}.old"))
        try:
            made.rename(target)
        except OSError as error:
            if error.errno in {errno.EEXIST, errno.ENOTEMPTY}:
                raise AcademyError(ErrorCode.VENOM_ADAPTER_EXISTS, path=str(target)) from error
            raise
        sync_folder(self._folder)

    def _mine(self, name: str) -> Path:
        return self._staging / f"{name}.{self._owner}"

    def _clear_leftovers(self) -> None:
        """Remove what an interrupted push left; the folder itself goes when nobody else uses it."""
        for left in self._staging.glob(f"*.{self._owner}"):
            shutil.rmtree(left)
        with contextlib.suppress(OSError):  # somebody else's work is in it, or it is not there
            self._staging.rmdir()

    # trouble

    @contextmanager
    def _system_errors(self, parcel: Parcel) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if is_full(error):
                raise self._disk_full(parcel) from error
            detail = error.strerror or str(error)
            raise AcademyError(
                ErrorCode.VENOM_FOLDER_NOT_WRITABLE, path=str(self._folder), detail=detail
            ) from error

    def _disk_full(self, parcel: Parcel) -> AcademyError:
        return disk_full(self._folder, parcel.size_bytes + SPARE_BYTES)


def _is_about(manifest: _Manifest, parcel: Parcel) -> bool:
    """Whether this adapter was placed there: the weights say so, whatever else changed since."""
    placed = {entry.name: entry.sha256 for entry in manifest.files}
    weights = [part for part in parcel.parts if part.name.endswith(".safetensors")]
    return manifest.adapter_id == parcel.adapter_id and all(placed.get(p.name) == p.digest for p in weights)


class _Count:
    """Counts the bytes of all parts together."""

    def __init__(self, total: int, told: Told) -> None:
        self._done, self._total, self._told = 0, total, told

    def add(self, size_bytes: int) -> None:
        self._done += size_bytes
        self._told(self._done, self._total)


def _agrees(path: Path, entry: FileEntry) -> bool:
    return path.is_file() and path.stat().st_size == entry.size_bytes and sha256_of_file(path) == entry.sha256


def _write_part(part: Part, path: Path, count: _Count) -> FileEntry:
    """Write one file; what is copied must be what it was when it was chosen."""
    if part.source is None:
        _write(path, part.content)
        return FileEntry(name=part.name, size_bytes=len(part.content), sha256=part.digest)
    try:
        source = part.source.open("rb")
    except OSError as error:
        detail = error.strerror or str(error)
        raise AcademyError(ErrorCode.FILE_UNREADABLE, path=str(part.source), detail=detail) from error
    with source, path.open("xb") as target:
        size, digest = _copy(source, target, count)
        _sync(target)
    if digest != part.digest:
        raise AcademyError(ErrorCode.EXPORT_DAMAGED, path=str(part.source), detail="sha256")
    return FileEntry(name=part.name, size_bytes=size, sha256=digest)


def _copy(source: BinaryIO, target: BinaryIO, count: _Count) -> tuple[int, str]:
    """Copy a stream; returns its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK):
        target.write(chunk)
        digest.update(chunk)
        size += len(chunk)
        count.add(len(chunk))
    return size, digest.hexdigest()


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(content)
        _sync(stream)


def _sync(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _as_json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
