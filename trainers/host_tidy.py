"""Removes what a killed trainer, or its host, could not: files in the making, reserves, scratch folders.

Owns which names are half-made: those that begin with a dot and end in the writer's process id, and a folder
for temporary files that every trainer gets. Standard library only. Refuses to touch what is finished, and an
export whose move into place has begun: the next attempt knows how to end that.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from trainers.host_records import read_json

#: Where a trainer's libraries put temporary files, below the run directory.
TEMPORARY = ".temporary"
#: What libraries and systems ask where such files belong.
TEMPORARY_VARIABLES = ("TMPDIR", "TMP", "TEMP")
_RESERVE = ".reserve"
#: Below the folder of an export whose namesake has been moved aside already.
_REPLACED = "replaced"


def make_temporary(run_dir: Path) -> dict[str, str]:
    """Make the folder for temporary files, empty; returns what the trainer's environment has to say of it."""
    folder = run_dir / TEMPORARY
    _remove(folder)
    try:
        folder.mkdir()
    except OSError:  # a full disk: the trainer will say so in its own words
        return {}
    return dict.fromkeys(TEMPORARY_VARIABLES, str(folder))


def tidy_before(run_dir: Path, attempt: int) -> None:
    """Remove what earlier attempts left whose hosts were killed; the caller holds `host.lock`."""
    for folder in run_dir.glob("attempts/*/"):
        if folder.name == str(attempt):
            continue
        _remove(folder / _RESERVE)
        with contextlib.suppress(OSError, ValueError, RecursionError):
            record = read_json(folder / "host.json")
            for name in ("pid", "trainer_pid"):
                if isinstance(record.get(name), int):
                    _remove_all(run_dir, record[name])


def tidy_behind(run_dir: Path, trainer_pid: int) -> None:
    """Remove what a trainer left that is dead for certain."""
    _remove(run_dir / _RESERVE)
    _remove(run_dir / TEMPORARY)
    _remove_all(run_dir, trainer_pid)


def _remove_all(run_dir: Path, pid: int) -> None:
    for path in list(_half_made(run_dir, pid)):
        if not (path / _REPLACED).exists():
            _remove(path)


def _half_made(run_dir: Path, pid: int) -> Iterator[Path]:
    """Yield what only this process can have begun (PROTOCOL.md: written aside, then renamed)."""
    folders = (run_dir, run_dir / "checkpoints", *run_dir.glob("attempts/*/"))
    for folder in folders:
        if not folder.is_symlink():
            yield from folder.glob(f".*.{pid}.tmp")
            yield from folder.glob(f".*.{pid}.old.tmp")
    yield from run_dir.glob(f".scratch-{pid}")


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
