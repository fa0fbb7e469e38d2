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

from safetensors import SafetensorError

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.digest import files_of
from trainers.exporting.record import ExportRecord, certificate_path, record_path
from trainers.layout import sync_folder, write_record

#: Kept free beyond the size of the export: records, file system tables.
SPARE_BYTES = 16 * 1024 * 1024
_PATTERN = ".export-*.tmp"
_REPLACED = "replaced"


def clear_leftovers(run_dir: Path, exports: Path) -> None:
    """Remove what an interrupted attempt left, and put back an export that it was about to replace."""
    for folder in run_dir.glob(_PATTERN):
        replaced = folder / _REPLACED
        for old in replaced.iterdir() if replaced.is_dir() else ():
            if not (exports / old.name).exists():
                old.rename(exports / old.name)
        shutil.rmtree(folder)


def require_space(folder: Path, size_bytes: int) -> None:
    """Make sure that `size_bytes` fit below `folder`.

    Raises:
        AcademyError: `disk_full`.
    """
    free = shutil.disk_usage(folder).free
    if free < size_bytes + SPARE_BYTES:
        raise _disk_full(folder, size_bytes + SPARE_BYTES)


@contextmanager
def staged(run_dir: Path, name: str, size_bytes: int) -> Iterator[Path]:
    """Give the path to write an export to; everything below it is gone afterwards, unless moved away.

    Raises:
        AcademyError: `disk_full` when the body runs out of space.
    """
    folder = run_dir / f".export-{name}.{os.getpid()}.tmp"
    folder.mkdir()
    try:
        yield folder / name
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _disk_full(run_dir, size_bytes) from error
        raise
    except SafetensorError as error:
        # The library reports the system's error as text only.
        if f"os error {errno.ENOSPC}" in str(error):
            raise _disk_full(run_dir, size_bytes) from error
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
    """Move a finished, durable export into `exports`, replacing its namesake; returns its new path."""
    exports.mkdir(parents=True, exist_ok=True)
    target = exports / staged_path.name
    certificate_path(target).unlink(missing_ok=True)  # it vouches for what is replaced now
    if target.is_dir():
        _swap_folders(staged_path, target)
    else:
        staged_path.replace(target)
    sync_folder(exports)
    write_record(record_path(target), record)
    return target


def _swap_folders(new: Path, target: Path) -> None:
    """Replace a folder, which takes two steps: `clear_leftovers` heals a crash between them."""
    replaced = new.parent / _REPLACED / target.name
    replaced.parent.mkdir()
    target.rename(replaced)
    try:
        new.replace(target)
    except OSError:
        replaced.rename(target)
        raise


def _disk_full(folder: Path, needed_bytes: int) -> AcademyError:
    free = shutil.disk_usage(folder).free
    return AcademyError(ErrorCode.DISK_FULL, path=str(folder), needed_bytes=needed_bytes, free_bytes=free)
