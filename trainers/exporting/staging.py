"""Exports in the making: written aside in the job's own folder, made durable, moved into place in one step.

Owns disk space, leftovers and the rename; a partial export never stands under a finished name, and what it
replaces stays until it is whole. Refuses to know formats.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainers.digest import files_of
from trainers.disk import system_errors
from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.record import ExportRecord, certificate_path, companions, record_path
from trainers.files import sync_folder
from trainers.layout import write_record
from trainers.space import disk_full, is_full

#: Kept free beyond the size of the export: records, file system tables.
SPARE_BYTES = 16 * 1024 * 1024
_PATTERN = ".export-*.tmp"
_REPLACED = "replaced"
#: What systems say of a file that another program holds: Windows does not move an open one.
_IN_USE = (errno.EBUSY, errno.EACCES, errno.EPERM, errno.ETXTBSY)


def clear_leftovers(run_dir: Path, exports: Path) -> None:
    """Remove what an interrupted attempt left, and finish or undo a move that it had begun."""
    for folder in run_dir.glob(_PATTERN):
        _settle(folder, exports)
        shutil.rmtree(folder)


def require_space(folder: Path, size_bytes: int) -> None:
    """Make sure that `size_bytes` fit below `folder`.

    Raises:
        AcademyError: `disk_full`.
    """
    if shutil.disk_usage(folder).free < size_bytes + SPARE_BYTES:
        raise disk_full(folder, size_bytes + SPARE_BYTES)


@contextmanager
def staged(run_dir: Path, name: str, size_bytes: int) -> Iterator[Path]:
    """Give the path to write an export to; everything below it is gone afterwards, unless moved away.

    Raises:
        AcademyError: `disk_full` when the body runs out of space.
    """
    folder = run_dir / f".export-{name}.{os.getpid()}.tmp"
    try:
        folder.mkdir()
        with system_errors():
            yield folder / name
    except OSError as error:
        if is_full(error):
            raise disk_full(run_dir, size_bytes) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_durable(path: Path) -> None:
    """Wait until an export's bytes are on the disk."""
    for file in files_of(path):
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())
    if path.is_dir():
        sync_folder(path)


def put_in_place(staged_path: Path, exports: Path, record: ExportRecord) -> Path:
    """Move a finished, durable export, its companions and its record into `exports`, replacing its namesake.

    Returns:
        Its new path.

    Raises:
        AcademyError: `output_not_writable` when its namesake is in use; what was there stays whole.
    """
    exports.mkdir(parents=True, exist_ok=True)
    target, replaced = exports / staged_path.name, staged_path.parent / _REPLACED
    # From here on names change and nothing else: a full disk cannot stop it half way.
    write_record(record_path(staged_path), record)
    replaced.mkdir()
    try:
        # The certificate vouches for what is replaced; without its record an export does not count.
        for old in _parts(target):
            if old.exists():
                old.rename(replaced / old.name)
        staged_path.rename(target)
        _follow(staged_path, target)
    except OSError as error:
        _settle(staged_path.parent, exports)
        if error.errno in _IN_USE:
            detail = error.strerror or str(error)
            raise AcademyError(ErrorCode.OUTPUT_NOT_WRITABLE, path=str(target), detail=detail) from error
        raise
    sync_folder(exports)
    return target


def _parts(target: Path) -> tuple[Path, ...]:
    """Return all that belongs to an export, in the order in which it is taken away."""
    return certificate_path(target), record_path(target), *companions(target), target


def _follow(staged_path: Path, target: Path) -> None:
    """Move what belongs to an export that is in place already; the record last."""
    for part, place in zip(companions(staged_path), companions(target), strict=True):
        if part.exists():
            part.rename(place)
    record_path(staged_path).rename(record_path(target))


def _settle(folder: Path, exports: Path) -> None:
    """Finish the move of an export that is in place but for its record; undo one that is not."""
    for record in folder.glob("*.json"):
        target = exports / record.name.removesuffix(".json")
        if not (folder / target.name).exists():
            _follow(folder / target.name, target)
            continue
        for old in _parts(target):
            kept = folder / _REPLACED / old.name
            if kept.exists():
                kept.rename(old)
