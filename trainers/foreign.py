"""Whether a run directory leads out of itself: a link in it would have others' files read, or written over.

Owns what counts as a way out. Standard library only: the job host asks before it writes. Refuses to follow
any link, and to know whose files they are.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

#: Folders whose entries are looked at too, and how deep that goes: what is below is written by names that
#: nobody finds there.
_DEPTH = 3


def way_out(run_dir: Path) -> str | None:
    """The first link in a run directory, as a path inside it (`.` for itself); None if there is none."""
    if run_dir.is_symlink():
        return "."
    for path in _links(run_dir, _DEPTH):
        return path.relative_to(run_dir).as_posix()
    return None


def _links(folder: Path, depth: int) -> Iterator[Path]:
    inner: list[Path] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                yield Path(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                inner.append(Path(entry.path))
    if depth > 1:
        for one in inner:
            yield from _links(one, depth - 1)
