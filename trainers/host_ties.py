"""Ties a trainer to its host: when the host is gone, whatever killed it, the trainer ends too.

Owns the ways: end of file on the pipe that the host holds (everywhere), the kernel's parent-death signal
(Linux), which also ends a process that is stuck in native code, and for a trainer's own children a look at
whose they are (on Windows a wait for that process). Refuses to know more of the host.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

#: Set by the host in the trainer's environment: stdin is the host's pipe, and this is the host's process id.
HOST_PID_VARIABLE = "ACADEMY_HOST_PID"
#: Set for the children of a trainer: its process id.
PARENT_PID_VARIABLE = "ACADEMY_PARENT_PID"
#: Seconds between two looks of a child at whether its parent still lives.
_LOOK_S = 0.5
_PR_SET_PDEATHSIG = 1
#: What the process returns when its host is gone; nobody is left to read it but a debugger.
HOST_GONE_EXIT_CODE = 70


def die_with_host(before_end: Callable[[], None]) -> None:
    """End this process when its host ends, after a call of `before_end`, from a thread; it must be short.

    A trainer that was started by hand has no host and lives on its own.
    """
    host = os.environ.get(HOST_PID_VARIABLE, "")
    if not host.isdigit():
        return
    if sys.platform == "linux" and int(host) == os.getppid():
        # sound only for the host's own child: the signal comes when the thread that forked us ends,
        # and the host forks from its main thread
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    threading.Thread(target=_watch, args=(before_end,), name="host watch", daemon=True).start()


def die_with_parent() -> None:
    """End this process soon after the one that started it, even in the middle of a long native call."""
    parent = os.environ.get(PARENT_PID_VARIABLE, "")
    if parent.isdigit():
        threading.Thread(target=_watch_parent, args=(int(parent),), name="parent watch", daemon=True).start()


def _watch_parent(parent: int) -> None:
    _wait_for_end(parent)
    os._exit(HOST_GONE_EXIT_CODE)


if sys.platform == "win32":
    _SYNCHRONIZE = 0x00100000
    _FOR_EVER = 0xFFFFFFFF

    def _wait_for_end(parent: int) -> None:
        """Wait on the process itself: its number may be another's one day; one that is gone cannot be had."""
        kernel = ctypes.WinDLL("kernel32")
        kernel.OpenProcess.restype = ctypes.c_void_p
        handle = ctypes.c_void_p(kernel.OpenProcess(_SYNCHRONIZE, False, parent))
        if handle:
            kernel.WaitForSingleObject(handle, _FOR_EVER)

else:

    def _wait_for_end(parent: int) -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)


def _watch(before_end: Callable[[], None]) -> None:
    while _read_stdin():
        pass
    before_end()
    os._exit(HOST_GONE_EXIT_CODE)


def _read_stdin() -> bytes:
    # not sys.stdin: its buffer's lock would abort the interpreter when it ends while this thread reads
    try:
        return os.read(0, 1024)
    except OSError:
        return b""
