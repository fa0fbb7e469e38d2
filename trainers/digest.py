"""Hashes and sizes of files and of exports, which are one file or one folder.

Refuses to know what is in them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from trainers.files import open_regular


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex."""
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of an export.

    That of a folder is taken over the lines `<sha256>  <name>` of its files in the order of their names, as
    `sha256sum` prints them.
    """
    if path.is_file():
        return sha256_of_file(path)
    lines = [f"{sha256_of_file(file)}  {file.relative_to(path).as_posix()}\n" for file in files_of(path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def size_of(path: Path) -> int:
    """Return the bytes of an export's files together."""
    return sum(file.stat().st_size for file in files_of(path))


def files_of(path: Path) -> list[Path]:
    """Return the files of an export, sorted by name; a file is its own only one."""
    return [path] if path.is_file() else sorted(entry for entry in path.rglob("*") if entry.is_file())
