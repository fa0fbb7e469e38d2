"""A disk that takes nothing: how the system's error is known for one, and how it is told.

One place for the app, the job host and the trainers. Standard library only. Refuses to know what is written.
"""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Literal

from trainers.errors import AcademyError, ErrorCode

#: No room left, no more of the user's quota, or beyond the largest file.
_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})

#: Why a disk takes nothing: it has no room, or it answers with an error.
Trouble = Literal["disk_full", "disk_error"]


def is_full(error: OSError) -> bool:
    """Whether the system says that there is no room."""
    return error.errno in _FULL


def trouble_of(error: OSError) -> Trouble | None:
    """Return what is wrong with the disk; None when it is something else that a wait does not mend."""
    if is_full(error):
        return "disk_full"
    return "disk_error" if error.errno == errno.EIO else None


def disk_of(path: Path) -> Path:
    """Return where the disk that `path` lies on begins: `/home`, say; `path` itself where nobody can say."""
    try:
        device, place = path.stat().st_dev, path.resolve()
        while place != place.parent and place.parent.stat().st_dev == device:
            place = place.parent
    except OSError:
        return path
    return place


def disk_full(folder: Path, needed_bytes: int | None = None) -> AcademyError:
    """Return the failure `disk_full` for the disk of `folder`, with what is free there now."""
    free = shutil.disk_usage(folder).free
    return AcademyError(ErrorCode.DISK_FULL, path=str(folder), needed_bytes=needed_bytes, free_bytes=free)
