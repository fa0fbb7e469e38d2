"""Checkpoints that are whole or not there: written aside, hashed, renamed; the manifest is the last file.

Owns the folder `checkpoints/`. Refuses to know what the files mean: an engine writes and reads them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from trainers.digest import sha256_of_file
from trainers.errors import AcademyError, ErrorCode
from trainers.events import CheckpointSaved, CheckpointSkipped
from trainers.files import read_regular, sync_folder
from trainers.layout import PROTOCOL_VERSION, FileEntry, Manifest, whole_number, write_record

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Search:
    """The newest checkpoint that can be trusted, and those newer ones that cannot."""

    found: Path | None
    step: int
    skipped: tuple[CheckpointSkipped, ...]


def save(
    checkpoints: Path, step: int, write: Callable[[Path], None], before_manifest: Callable[[], None]
) -> CheckpointSaved:
    """Write one checkpoint; it appears whole, under its name, or not at all.

    Args:
        checkpoints: the run's `checkpoints/`.
        step: optimizer updates done so far.
        write: puts the files into the folder that it is given.
        before_manifest: called when the files are safe, before the manifest makes them count.

    Raises:
        OSError: the disk is full or broken; what was there before is untouched.
    """
    begun = time.monotonic()
    checkpoints.mkdir(parents=True, exist_ok=True)
    aside = checkpoints / f".step-{step}.{os.getpid()}.tmp"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        write(aside)
        entries = tuple(_seal(path, path.relative_to(aside).as_posix()) for path in _files(aside))
        before_manifest()
        write_record(aside / MANIFEST, Manifest(step=step, files=entries))
        put_in_place(aside, checkpoints / f"step-{step}")
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    sync_folder(checkpoints)
    return CheckpointSaved(
        step=step,
        path=f"checkpoints/step-{step}",
        size_bytes=sum(entry.size_bytes for entry in entries),
        seconds=time.monotonic() - begun,
    )


def verify(checkpoint: Path) -> Manifest:
    """Compare every file with the manifest.

    Raises:
        AcademyError: `checkpoint_damaged` with the file that is missing, unreadable or different;
            `protocol_newer` when another major version wrote it.
    """
    manifest_file = checkpoint / MANIFEST
    try:
        manifest = Manifest.model_validate_json(read_regular(manifest_file))
    except (OSError, ValidationError) as error:
        _refuse_newer(error, checkpoint)
        raise AcademyError(ErrorCode.CHECKPOINT_DAMAGED, path=str(checkpoint), file=MANIFEST) from error
    for entry in manifest.files:
        if not _is_inside(entry.name) or not _agrees(checkpoint / entry.name, entry):
            raise AcademyError(ErrorCode.CHECKPOINT_DAMAGED, path=str(checkpoint), file=entry.name)
    return manifest


def newest_good(checkpoints: Path) -> Search:
    """Find the newest checkpoint whose files agree with its manifest."""
    skipped: list[CheckpointSkipped] = []
    for step, path in _by_age(checkpoints):
        try:
            manifest = verify(path)
        except AcademyError as error:
            skipped.append(
                CheckpointSkipped(path=f"checkpoints/{path.name}", code=error.code, facts=error.facts)
            )
            continue
        if manifest.step == step:
            return Search(path, step, tuple(skipped))
        skipped.append(
            CheckpointSkipped(path=f"checkpoints/{path.name}", code=ErrorCode.CHECKPOINT_DAMAGED, facts={})
        )
    return Search(None, 0, tuple(skipped))


def prune(checkpoints: Path, keep: int, spare: int | None = None) -> None:
    """Remove all but the newest `keep` checkpoints, and what interrupted saves left behind.

    The one of step `spare` stays whatever its age.
    """
    if checkpoints.is_symlink() or not checkpoints.is_dir():
        return
    for leftover in checkpoints.glob(".step-*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    for step, path in list(_by_age(checkpoints))[keep:]:
        if step == spare:
            continue
        # Renamed first: a folder that is half removed must not look like a checkpoint.
        doomed = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def _by_age(checkpoints: Path) -> Iterator[tuple[int, Path]]:
    """Yield (step, folder), the newest first."""
    if checkpoints.is_symlink() or not checkpoints.is_dir():  # a link leads out of the run directory
        return
    steps = [
        (step, path)
        for path in checkpoints.glob("step-*")
        if not path.is_symlink() and (step := whole_number(path.name.removeprefix("step-"))) is not None
    ]
    yield from sorted(steps, reverse=True)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _seal(path: Path, name: str) -> FileEntry:
    with path.open("r+b") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        os.fsync(stream.fileno())
        size = os.fstat(stream.fileno()).st_size
    return FileEntry(name=name, size_bytes=size, sha256=digest)


def put_in_place(aside: Path, final: Path) -> None:
    """Rename a finished folder to its name; a damaged or superseded one of that name goes.

    That one is moved away, not removed first: the name is without a checkpoint for moments only, and the old
    one comes back when the new one cannot take its place.
    """
    if not final.exists():
        aside.rename(final)
        return
    doomed = final.with_name(f".{final.name}.{os.getpid()}.old.tmp")
    shutil.rmtree(doomed, ignore_errors=True)
    final.rename(doomed)
    try:
        aside.rename(final)
    except OSError:
        doomed.rename(final)
        raise
    shutil.rmtree(doomed, ignore_errors=True)


def _refuse_newer(error: OSError | ValidationError, checkpoint: Path) -> None:
    if not isinstance(error, ValidationError):
        return
    for problem in error.errors():
        if problem["loc"] == ("v",) and isinstance(found := problem["input"], int):
            raise AcademyError(
                ErrorCode.PROTOCOL_NEWER, path=str(checkpoint), found=found, known=PROTOCOL_VERSION
            ) from error


def _is_inside(name: str) -> bool:
    """Whether a manifest names a file of its own folder: it could name any file of this computer."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not PurePosixPath(name).is_absolute() and ".." not in parts and "\\" not in name


def _agrees(path: Path, entry: FileEntry) -> bool:
    """Whether a file is what the manifest says; one that the disk does not give back is not."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size != entry.size_bytes:
            return False
        return sha256_of_file(path) == entry.sha256
    except OSError:
        return False
