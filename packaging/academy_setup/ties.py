"""Ties a child to this process: when the set-up is gone, whatever ended it, so is the child with its own.

Owns the ways: on POSIX a small process between the two, which watches whose child it is and ends the child's
whole group; on Windows a job object. Refuses to know what the child does.

    python -I -S ties.py PARENT COMMAND …
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

#: Seconds between two looks at whether the set-up still lives.
_LOOK_S = 0.3
#: How long a child has to end when it is asked to.
_GRACE_S = 5.0


def tied(command: Sequence[str]) -> list[str]:
    """What to start instead of `command`, so that it ends with this process."""
    if sys.platform == "win32":
        return list(command)
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _KILL_ON_CLOSE = 0x2000
    _EXTENDED_LIMITS = 9
    _MAY_BE_ENDED = 0x0101

    class _BasicLimits(ctypes.Structure):
        _fields_ = (
            ("per_process_time", ctypes.c_int64),
            ("per_job_time", ctypes.c_int64),
            ("flags", wintypes.DWORD),
            ("least_working_set", ctypes.c_size_t),
            ("most_working_set", ctypes.c_size_t),
            ("most_processes", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("priority", wintypes.DWORD),
            ("scheduling", wintypes.DWORD),
        )

    class _Limits(ctypes.Structure):
        _fields_ = (
            ("basic", _BasicLimits),
            ("counters", ctypes.c_uint64 * 6),
            ("process_memory", ctypes.c_size_t),
            ("job_memory", ctypes.c_size_t),
            ("peak_process_memory", ctypes.c_size_t),
            ("peak_job_memory", ctypes.c_size_t),
        )

    def hold(child: subprocess.Popen[str]) -> object:
        """Put a child into a job object that ends with this process; keep what is returned meanwhile."""
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateJobObjectW.restype = wintypes.HANDLE
        job = wintypes.HANDLE(kernel.CreateJobObjectW(None, None))
        limits = _Limits()
        limits.basic.flags = _KILL_ON_CLOSE
        kernel.SetInformationJobObject(job, _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits))
        kernel.OpenProcess.restype = wintypes.HANDLE
        process = wintypes.HANDLE(kernel.OpenProcess(_MAY_BE_ENDED, False, child.pid))
        kernel.AssignProcessToJobObject(job, process)
        kernel.CloseHandle(process)
        return job

else:

    def hold(_child: subprocess.Popen[str]) -> object:
        """Elsewhere the child was tied when it was started."""
        return None

    def watch(parent: int, command: Sequence[str]) -> int:
        """Run `command` to its end, or to that of process `parent`; returns the exit code."""
        told: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, _frame: told.append(number))
        # not closed: a descriptor that holds a lock is the child's too
        child = subprocess.Popen(command, start_new_session=True, close_fds=False)
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = child.wait(_LOOK_S)
                return code if code >= 0 else 128 - code
            if told or os.getppid() != parent:
                _end_group(child)

    def _end_group(child: subprocess.Popen[bytes]) -> None:
        """Ask all of a child's group to end, and then do not ask any more."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_GRACE_S)

    if __name__ == "__main__":
        sys.exit(watch(int(sys.argv[1]), sys.argv[2:]))
