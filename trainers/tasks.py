"""Short tasks with torch, as plain children of the app: `python -P -m trainers.tasks NAME`.

One JSON object with the request on the first line of stdin; JSON lines on stdout; the task ends at end of
file on stdin, so none outlives the app. Owns the wire; a task's work stands elsewhere.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from trainers.errors import AcademyError, ErrorCode

Progress = Callable[[int, int, str], None]
Task = Callable[[dict[str, Any], Progress], dict[str, Any]]


def convert_demo_model(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """`gguf_file`, `folder` → the demo model in Hugging Face layout."""
    from trainers.demo_model import convert

    convert(Path(request["gguf_file"]), Path(request["folder"]), progress)
    return {"folder": request["folder"]}


def trial_steps(_request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Really take one bf16 and one 4-bit step where torch is; says what worked."""
    from trainers.trial import run_trials

    return run_trials(progress)


def look_at_rows(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """`model`, `files`, `max_length`, `out` → every row rendered and checked; needs no torch."""
    from trainers.xray import scan

    return scan(request, progress)


def make_small_sibling(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """`model`, `folder` → a miniature of the model, as `trainers.miniature` makes it."""
    from trainers.miniature import make_miniature

    return make_miniature(Path(request["model"]), Path(request["folder"]), progress)


TASKS: dict[str, Task] = {
    "demo-model": convert_demo_model,
    "miniature": make_small_sibling,
    "trial-steps": trial_steps,
    "xray": look_at_rows,
}


def main(arguments: list[str]) -> int:
    """Run the task named on the command line; returns the exit code."""
    # Libraries print what they like: only this descriptor reaches the app, stdout itself becomes stderr.
    wire = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    request = json.loads(_first_line())
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        result = TASKS[arguments[0]](request, lambda *done: _say(wire, "progress", _as_progress(*done)))
    except AcademyError as error:
        _say(wire, "error", {"code": error.code, "facts": error.facts})
        return 1
    except OSError as error:
        _say(wire, "error", {"code": ErrorCode.TASK_FAILED, "facts": {"detail": str(error)}})
        return 1
    _say(wire, "result", result)
    return 0


def _as_progress(done: int, total: int, detail: str) -> dict[str, Any]:
    return {"done": done, "total": total, "detail": detail}


def _say(wire: BinaryIO, kind: str, fields: dict[str, Any]) -> None:
    wire.write(json.dumps({"type": kind, **fields}).encode() + b"\n")


def _first_line() -> bytes:
    """Read one line byte by byte: a buffer would swallow what the watching thread waits for."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            break
        line += byte
    return line


def _end_with_stdin() -> None:
    while os.read(0, 4096):
        pass
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
