"""A file that a child process makes, because what makes it may abort: asked for, waited for, ended on demand.

The child is a module that reads one JSON object from stdin and answers with one: {} or {"error": {"code",
"detail"}}. Owns the wait. Refuses to know what is made.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.watch import Watch
from trainers.llama_client import child_environment, telling_line

_POLL_S = 0.2


def make_file(
    module: str,
    request: Mapping[str, Any],
    target: Path,
    expected_bytes: int,
    watch: Watch,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Let the child `module` do what `request` asks for; its answer is awaited while `target` grows.

    Args:
        module: its full name.
        request: handed over as JSON.
        target: the file that it writes.
        expected_bytes: about how large that will be, for the progress.
        watch: told how much is written; ends the child when asked to.
        environment: of the child; None: as for llama.cpp.

    Raises:
        AcademyError: what the child answers; `llama_cpp_failed` when it dies without an answer.
    """
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env=child_environment() if environment is None else environment,
        )
        try:
            answer = _wait(child, json.dumps(request).encode() + b"\n", target, expected_bytes, watch)
        except BaseException:
            child.kill()
            child.communicate()
            raise
        if not answer.strip():
            said.seek(0)
            detail = f"exit code {child.returncode}: {telling_line(said.read())}"
            raise AcademyError(ErrorCode.LLAMA_CPP_FAILED, path=str(target), detail=detail)
    problem = json.loads(answer).get("error")
    if problem is not None:
        raise AcademyError(ErrorCode(problem["code"]), path=target.name, detail=problem["detail"])


def _wait(
    child: subprocess.Popen[bytes], request: bytes, target: Path, expected_bytes: int, watch: Watch
) -> bytes:
    asked: bytes | None = request
    while True:
        try:
            answer, _ = child.communicate(asked, timeout=_POLL_S)
        except subprocess.TimeoutExpired:
            asked = None
            written = target.stat().st_size if target.exists() else 0
            watch.progress(min(written, expected_bytes - 1), expected_bytes, "bytes")
        else:
            watch.progress(expected_bytes, expected_bytes, "bytes")
            return answer
