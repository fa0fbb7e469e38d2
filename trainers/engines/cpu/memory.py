"""How the allocator treats large pieces of memory: kept for the next step, not given back."""

from __future__ import annotations

import ctypes
import sys

# Of <malloc.h>: pieces above this size would be mapped one by one, and free memory above that be given back.
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
_LARGE = 2**25  # the most that glibc takes; larger pieces are mapped one by one all the same


def keep_freed_memory() -> None:
    """Let glibc reuse what a step frees: mapping it anew costs a page fault for every 4 KiB.

    Does nothing where there is another C library.
    """
    if sys.platform != "linux":
        return
    try:
        tune = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    tune(_MMAP_THRESHOLD, _LARGE)
    tune(_TRIM_THRESHOLD, 2**30)
