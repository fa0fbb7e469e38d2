"""Puts an adapter into a server's models folder: whole, or not at all.

Owns the folder's shape there and the rename. The server lists whatever folder has an `adapter` inside, and
takes any other for a base model unless a known marker lies in it or its name is of a known kind. So
everything is made one level further down, in a folder of such a name that never has an `adapter`, and renamed
from there. Refuses to know HTTP.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from academy_desktop.core.venom.folders import ModelsFolder
from trainers.digest import sha256_of_file
from trainers.errors import AcademyError, ErrorCode
from trainers.layout import FileEntry, Record
from trainers.space import is_full

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
#: What an upload that broke off may be gone on with: all others leave nothing.
_GOES_ON: Final = frozenset({ErrorCode.VENOM_SSH_LOST, ErrorCode.VENOM_SSH_UNREACHABLE})

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

    def __init__(self, folder: ModelsFolder, owner: str) -> None:
        self._folder = folder
        self._owner = owner

    def path(self, adapter_id: str) -> str:
        """Where an adapter lies once it is placed."""
        return self._folder.where(adapter_id)

    def holds(self, parcel: Parcel) -> bool:
        """Whether the adapter lies there whole.

        Raises:
            AcademyError: `venom_adapter_exists` when something else lies there; as the folder.
        """
        with self._system_errors(parcel.size_bytes):
            return self._found(parcel) == "whole"

    def place(self, parcel: Parcel, told: Told = lambda done, total: None) -> Outcome:
        """Make the adapter lie there whole; whatever interrupts this leaves it there as before, or not.

        What was written before an interruption is gone on with.

        Raises:
            AcademyError: `venom_folder_missing`, `venom_folder_not_writable`, `disk_full`,
                `export_damaged` when a file to copy is not what it was, `venom_adapter_exists`,
                `venom_upload_damaged`; as the folder.
        """
        self._require_folder()
        with self._system_errors(parcel.size_bytes):
            found = self._found(parcel)
            made = self._mine(parcel.adapter_id)
            self._clear_leftovers(but="" if found == "whole" else made)
            if found == "whole":
                return self._described(parcel)
            try:
                self._make(made, parcel, told)
                self._move_in(made, parcel)
            except AcademyError as error:
                if error.code not in _GOES_ON:
                    self._clear_leftovers()
                raise
            except OSError:
                self._clear_leftovers()
                raise
            self._clear_leftovers()
            return "placed" if found == "nothing" else "mended"

    def remove(self, adapter_id: str) -> None:
        """Take an adapter away, whoever placed it: out of the server's sight at once, then for good.

        Raises:
            AcademyError: `venom_folder_missing`, `venom_folder_not_writable`, `venom_adapter_gone` when
                there is none; as the folder.
        """
        self._require_folder()
        with self._system_errors(0):
            if self._folder.kind(f"{adapter_id}/{ADAPTER}") != "folder":
                raise AcademyError(ErrorCode.VENOM_ADAPTER_GONE, path=self.path(adapter_id))
            self._folder.make(STAGING)
            aside = self._mine(f"{adapter_id}.old")
            self._folder.remove(aside)
            self._folder.rename(adapter_id, aside)
            self._clear_leftovers()

    # what is there

    def _found(self, parcel: Parcel) -> Literal["nothing", "whole", "damaged"]:
        target = parcel.adapter_id
        if self._folder.kind(target) == "nothing":
            return "nothing"
        manifest = self._manifest(target)
        if manifest is None or not _is_about(manifest, parcel):
            raise AcademyError(ErrorCode.VENOM_ADAPTER_EXISTS, path=self.path(target))
        whole = manifest == _manifest_of(parcel)
        whole = whole and all(
            self._agrees(f"{target}/{ADAPTER}/{entry.name}", entry) for entry in manifest.files
        )
        return "whole" if whole and self._folder.size(f"{target}/{MARKER}") is not None else "damaged"

    def _manifest(self, folder: str) -> _Manifest | None:
        try:
            return _Manifest.model_validate_json(self._folder.read(f"{folder}/{MANIFEST}"))
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            return None

    def _agrees(self, name: str, entry: FileEntry) -> bool:
        return self._folder.size(name) == entry.size_bytes and self._folder.sha256(name) == entry.sha256

    def _described(self, parcel: Parcel) -> Outcome:
        """Renew the description of an adapter that is there, if it says anything else."""
        name = f"{parcel.adapter_id}/{METADATA}"
        try:
            known = json.loads(self._folder.read(name))
        except (FileNotFoundError, ValueError, RecursionError):
            known = None
        if isinstance(known, dict) and parcel.metadata.items() <= known.items():
            return "kept"
        there = known if isinstance(known, dict) else {}  # the server's own words among it: its signature
        self._folder.replace(name, _as_json({**there, **parcel.metadata}))
        return "mended"

    # making

    def _make(self, made: str, parcel: Parcel, told: Told) -> None:
        """Write the adapter's folder aside, durably; what is there of the same parcel is gone on with."""
        wanted = _manifest_of(parcel)
        if self._manifest(made) != wanted:
            self._folder.remove(made)
            self._require_room(parcel.size_bytes)
            self._folder.make(made)
            self._folder.write(f"{made}/{MANIFEST}", wanted.model_dump_json(indent=1).encode() + b"\n")
        else:
            self._require_room(parcel.size_bytes - self._there(made, parcel))
        self._folder.make(f"{made}/{ADAPTER}")
        count = _Count(parcel.size_bytes, told)
        for part in parcel.parts:
            self._write_part(part, f"{made}/{ADAPTER}/{part.name}", count)
        self._folder.write(f"{made}/{MARKER}", parcel.log.encode())
        self._folder.write(f"{made}/{METADATA}", _as_json(parcel.metadata))
        self._folder.sync(f"{made}/{ADAPTER}")
        self._folder.sync(made)

    def _there(self, made: str, parcel: Parcel) -> int:
        sizes = (self._folder.size(f"{made}/{ADAPTER}/{part.name}") for part in parcel.parts)
        return sum(size or 0 for size in sizes)

    def _write_part(self, part: Part, name: str, count: _Count) -> None:
        """Write one file; what is copied must be what it was when it was chosen, and arrive as that."""
        if part.source is None:
            self._folder.write(name, part.content)
            return
        begun = self._folder.size(name) or 0
        if begun > part.size_bytes:
            self._folder.remove(name)
            begun = 0
        self._copy(part, part.source, name, count)
        if self._folder.sha256(name) == part.digest:
            return
        if sha256_of_file(part.source) != part.digest:
            raise AcademyError(ErrorCode.EXPORT_DAMAGED, path=str(part.source), detail="sha256")
        if begun:  # what lay there was no beginning of it
            self._folder.remove(name)
            count.take_back(part.size_bytes)
            self._copy(part, part.source, name, count)
            if self._folder.sha256(name) == part.digest:
                return
        raise AcademyError(ErrorCode.VENOM_UPLOAD_DAMAGED, path=self._folder.where(name))

    def _copy(self, part: Part, path: Path, name: str, count: _Count) -> None:
        try:
            source = path.open("rb")
        except OSError as error:
            detail = error.strerror or str(error)
            raise AcademyError(ErrorCode.FILE_UNREADABLE, path=str(part.source), detail=detail) from error
        with source:
            self._folder.append(name, source, count.add)

    def _move_in(self, made: str, parcel: Parcel) -> None:
        """Give the finished folder its name; a damaged one of our own goes out of the way first."""
        target = parcel.adapter_id
        if self._folder.kind(target) != "nothing":
            self._folder.rename(target, self._mine(f"{target}.old"))
        try:
            self._folder.rename(made, target)
        except OSError as error:
            if error.errno in {errno.EEXIST, errno.ENOTEMPTY}:
                raise AcademyError(ErrorCode.VENOM_ADAPTER_EXISTS, path=self.path(target)) from error
            raise
        self._folder.sync("")

    def _mine(self, name: str) -> str:
        return f"{STAGING}/{name}.{self._owner}"

    def _clear_leftovers(self, but: str = "") -> None:
        """Remove what an interrupted push left; the folder itself goes when nobody else uses it."""
        for left in self._folder.names(STAGING):
            name = f"{STAGING}/{left}"
            if left.endswith(f".{self._owner}") and name != but:
                self._folder.remove(name)
        self._folder.remove_empty(STAGING)

    # trouble

    def _require_folder(self) -> None:
        if self._folder.kind("") != "folder":
            raise AcademyError(ErrorCode.VENOM_FOLDER_MISSING, path=self._folder.where())

    def _require_room(self, size_bytes: int) -> None:
        free = self._folder.free_bytes()
        if free is not None and free < size_bytes + SPARE_BYTES:
            raise self._disk_full(size_bytes)

    @contextmanager
    def _system_errors(self, size_bytes: int) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if is_full(error):
                raise self._disk_full(size_bytes) from error
            detail = error.strerror or str(error)
            raise AcademyError(
                ErrorCode.VENOM_FOLDER_NOT_WRITABLE, path=self._folder.where(), detail=detail
            ) from error

    def _disk_full(self, size_bytes: int) -> AcademyError:
        return AcademyError(
            ErrorCode.DISK_FULL,
            path=self._folder.where(),
            needed_bytes=size_bytes + SPARE_BYTES,
            free_bytes=self._folder.free_bytes(),
        )


def _manifest_of(parcel: Parcel) -> _Manifest:
    files = (
        FileEntry(name=part.name, size_bytes=part.size_bytes, sha256=part.digest) for part in parcel.parts
    )
    return _Manifest(adapter_id=parcel.adapter_id, files=tuple(files))


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

    def take_back(self, size_bytes: int) -> None:
        self._done -= size_bytes


def _as_json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
