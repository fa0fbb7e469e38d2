"""A trainer made ready while the user still looks at the form: libraries are loaded before there is a job.

Owns the one that there may be, the memory that it holds, and its end. Refuses to know jobs. What goes wrong
here costs a few seconds at the start of a job, and nothing else; on Windows there is none.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

#: How long a host that is there may take to hold a job's lock.
_ANSWER_S = 10.0
#: Program arguments of a trainer that come before the run and the attempt.
_MODULE = "trainers.prepared"
#: With less memory than that free, none is held for a job that may never come.
_SPARE_BYTES = 2 * 1024**3


class Ahead:
    """Keeps at most one trainer ready. Safe to use from several threads.

    Args:
        python: the interpreter of the trainer environment.
        folder: where it waits.
        environment: makes that of a trainer.
    """

    def __init__(self, python: Path, folder: Path, environment: Callable[[], dict[str, str]]) -> None:
        self._python = python
        self._folder = folder
        self._environment = environment
        self._lock = threading.Lock()
        self._host: subprocess.Popen[bytes] | None = None
        self._engine = ""
        self._died: set[str] = set()
        self._pid = 0

    def prepare(self, engine: str) -> None:
        """Start one for an engine, unless it is there already or memory is scarce; it loads by itself."""
        if sys.platform == "win32":
            return
        with self._lock:
            if self._host is not None and self._engine == engine:
                if self._is_there():
                    return
                self._died.add(engine)  # what ended while it waited would end again
            self._end()
            if engine in self._died or psutil.virtual_memory().available < _SPARE_BYTES:
                return
            # whatever is the matter, a job says it in its own words
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                self._start(engine, self._environment())
                self._engine = engine

    @property
    def memory_bytes(self) -> int:
        """What the trainer that waits holds; 0 without one."""
        with self._lock:
            if self._host is None or not self._is_there():
                return 0
            with contextlib.suppress(psutil.Error):
                held: int = psutil.Process(self._pid).memory_info().rss
                return held
            return 0

    def give_back(self) -> None:
        """End it and free its memory."""
        with self._lock:
            self._end()

    def host(self, run_dir: Path, attempt: int) -> bool:
        """Have it take a job over: True once it holds the lock, False where the job needs another host."""
        with self._lock:
            host, self._host = self._host, None
            if host is None:
                return False
            assert host.stdin is not None
            assert host.stdout is not None
            told = {"run_dir": str(run_dir), "attempt": attempt}
            try:
                host.stdin.write(json.dumps(told).encode() + b"\n")
                return bool((_answer(host) or {}).get("holds"))
            except OSError:
                return False
            finally:
                host.stdin.close()
                host.stdout.close()

    def _start(self, engine: str, environment: dict[str, str]) -> None:
        order = {
            "argv": [str(self._python), "-P", "-m", _MODULE, engine],
            "serves": [str(self._python), "-P", "-m", "trainers"],
            "cwd": str(self._folder),
            "environment": environment,
        }
        host = subprocess.Popen(
            [str(self._python), "-P", "-S", "-m", "trainers.host_ahead"],
            cwd=self._folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        assert host.stdin is not None
        host.stdin.write(json.dumps(order).encode() + b"\n")
        self._host = host
        self._pid = int((_answer(host) or {}).get("pid", 0))
        host.wait(_ANSWER_S)  # it has left its first process: the system's child, not ours
        if not self._pid:
            self._end()

    def _is_there(self) -> bool:
        return psutil.pid_exists(self._pid)

    def _end(self) -> None:
        host, self._host, self._pid = self._host, None, 0
        if host is not None:
            for pipe in (host.stdin, host.stdout):
                if pipe is not None:
                    pipe.close()


def _answer(host: subprocess.Popen[bytes]) -> dict[str, Any] | None:
    """Return the next line's object; None when none comes."""
    assert host.stdout is not None
    line, end = b"", time.monotonic() + _ANSWER_S
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([host.stdout], [], [], max(end - time.monotonic(), 0.0))
        read = os.read(host.stdout.fileno(), 4096) if ready else b""
        if not read:
            return None
        line += read
    value: dict[str, Any] = json.loads(line)
    return value
