"""Runs short tasks with torch in a child process of the app (PROTOCOL.md, "Short tasks").

Owns the child's life: it ends with the task, with the caller's exception, and with the app. Refuses to know
what a task does.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from academy_desktop.core.processes import trainer_environment
from academy_desktop.core.runtimes import Runtimes
from trainers.errors import AcademyError, ErrorCode

Progress = Callable[[int, int, str], None]


def no_progress(_done: int, _total: int, _detail: str) -> None:
    """Tell nobody."""


class Tasks:
    """Starts tasks with the interpreter of the trainer environment."""

    def __init__(self, python: Path, runtimes: Runtimes) -> None:
        self._python = python
        self._runtimes = runtimes

    def run(self, name: str, request: Mapping[str, Any], progress: Progress = no_progress) -> dict[str, Any]:
        """Run one task to its end and return its result; blocks.

        Raises:
            AcademyError: the task's own, or `task_failed` with the last words of a child that died.
        """
        try:
            child = self._start(name)
        except OSError as error:
            raise AcademyError(ErrorCode.TASK_FAILED, task=name, exit_code=None, detail=str(error)) from error
        with child:
            try:
                return _converse(child, name, request, progress)
            finally:
                child.kill()

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        runtime = self._runtimes.current()
        return subprocess.Popen(
            [str(self._python), "-P", "-m", "trainers.tasks", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=trainer_environment(os.environ, runtime),
            cwd=runtime,
        )


def _converse(
    child: subprocess.Popen[bytes], name: str, request: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    assert child.stdin is not None
    assert child.stdout is not None
    stderr = child.stderr
    assert stderr is not None
    last_words: list[bytes] = []
    # Read aside: a child that fills its stderr must not wait for us for ever.
    reader = threading.Thread(target=lambda: last_words.append(stderr.read()[-4000:]), daemon=True)
    reader.start()
    try:
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
    except BrokenPipeError:  # it died at once; its last words say why
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
    for line in child.stdout:
        if not line.endswith(b"\n"):
            break  # it died in the middle of a line
        message = json.loads(line)
        kind = message.pop("type")
        if kind == "progress":
            progress(message["done"], message["total"], message["detail"])
        elif kind == "error":
            raise AcademyError(ErrorCode(message["code"]), **message["facts"])
        else:
            return dict(message)
    child.wait()
    reader.join(timeout=5)
    said = b"".join(last_words).decode("utf-8", "replace").strip().splitlines()
    # of a crash in native code Python tells the cause first and the frames after it
    fatal = [line for line in said if line.startswith("Fatal Python error")]
    detail = [*said, *fatal][-1] if said else f"exit code {child.returncode}"
    raise AcademyError(ErrorCode.TASK_FAILED, task=name, exit_code=child.returncode, detail=detail)
