"""A full disk: how the system's error is known for one, and how it is told.

One place for the app and the trainers. Refuses to know what is written.
"""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from trainers.errors import AcademyError, ErrorCode

#: No room left, no more of the user's quota, or beyond the largest file.
_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})


def is_full(error: OSError) -> bool:
    """Whether the system says that there is no room."""
    return error.errno in _FULL


def disk_full(folder: Path, needed_bytes: int | None = None) -> AcademyError:
    """Return the failure `disk_full` for the disk of `folder`, with what is free there now."""
    free = shutil.disk_usage(folder).free
    return AcademyError(ErrorCode.DISK_FULL, path=str(folder), needed_bytes=needed_bytes, free_bytes=free)
