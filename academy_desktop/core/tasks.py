"""Runs short tasks with torch in a child process of the app (PROTOCOL.md, "Short tasks").

Owns the child's life: it ends with the task, with the caller's exception, and with the app. Refuses to know
what a task does.
"""

from __future__ import annotations

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
        environment = trainer_environment(os.environ, self._runtimes.current())
        command = [str(self._python), "-P", "-m", "trainers.tasks", name]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=self._runtimes.current(),
        ) as child:
            try:
                return _converse(child, name, request, progress)
            finally:
                child.kill()


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
    child.stdin.write(json.dumps(request).encode() + b"\n")
    child.stdin.flush()
    for line in child.stdout:
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
    detail = said[-1] if said else f"exit code {child.returncode}"
    raise AcademyError(ErrorCode.TASK_FAILED, task=name, exit_code=child.returncode, detail=detail)
