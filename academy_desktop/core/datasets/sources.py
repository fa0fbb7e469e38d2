"""Which files an import reads: those that were named, and those that lie in folders.

Owns looking into folders. Refuses to read files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from academy_desktop.core.datasets.sniffing import ENDINGS, ending
from trainers.errors import AcademyError, ErrorCode


@dataclass(frozen=True)
class Source:
    """A file to read and the name that its rows say they are from."""

    path: Path
    name: str


def find_sources(paths: Iterable[Path]) -> Iterator[Source]:
    """Yield the files, those of a folder by their names; hidden and other files of a folder are passed over.

    Raises:
        AcademyError: `file_unreadable` for a link that leads out of its folder; `file_empty` for a folder
            without a file that can be read.
    """
    for path in paths:
        if not path.is_dir():
            yield Source(path, path.name)
            continue
        found = [file for file in sorted(path.rglob("*")) if _is_wanted(file, path)]
        if not found:
            raise AcademyError(ErrorCode.FILE_EMPTY, path=str(path))
        root = path.resolve()
        for file in found:
            if not file.resolve().is_relative_to(root):
                detail = "it is a link that leads out of the folder"
                raise AcademyError(ErrorCode.FILE_UNREADABLE, path=str(file), detail=detail)
            yield Source(file, file.relative_to(path).as_posix())


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write rows that come from elsewhere into a file that can be imported; return it."""
    with path.open("wb") as out:
        for row in rows:
            out.write(to_json(row) + b"\n")
    return path


def _is_wanted(file: Path, folder: Path) -> bool:
    is_hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not is_hidden and ending(file) in ENDINGS and (file.is_file() or file.is_symlink())
