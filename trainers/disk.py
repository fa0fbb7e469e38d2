"""The operating system's errors where safetensors reports them as text only: a full disk must be told as one.

Refuses to know what is written.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

_NUMBER = re.compile(r"\(os error (\d+)\)")


@contextmanager
def system_errors() -> Iterator[None]:
    """Raise an `OSError` with its number for a `SafetensorError` that is one."""
    try:
        yield
    except SafetensorError as error:
        found = _NUMBER.search(str(error))
        if found is None:
            raise
        raise _os_error(int(found[1])) from error


def _os_error(number: int) -> OSError:
    if sys.platform == "win32":
        return OSError(0, "safetensors", None, number)  # Windows' own numbers: Python translates them
    return OSError(number, os.strerror(number))
