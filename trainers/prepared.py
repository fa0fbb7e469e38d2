"""A trainer that has its libraries in memory before there is anything to train.

    python -P -m trainers.prepared ENGINE

Started by `trainers.host_ahead`, which sends one line of JSON when a job is there: the trainer's arguments,
its folder and its environment. From then on this is an ordinary trainer. It ends when its pipe is closed.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from typing import Any

_ENGINES = {
    "cpu": ("trainers.engines.cpu.engine", "trainers.engines.cpu.compiled.kernels"),
    "peft": ("trainers.engines.peft",),
}


def main(arguments: list[str]) -> int:
    """Load what an engine needs, wait, and train; returns the process's exit code."""
    _load(arguments[0])
    order = _wait()
    if order is None:
        return 0
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    tempfile.tempdir = None  # a library may have asked for it already
    trainer = importlib.import_module("trainers.__main__")
    code: int = trainer.main(order["arguments"])
    return code


def _load(engine: str) -> None:
    """Import what a training job with an engine imports; what is not there the job itself reports."""
    for name in ("trainers.train", *_ENGINES.get(engine, ())):
        try:
            importlib.import_module(name)
        except Exception:  # also a library of torch's that is missing: the job itself reports it
            return


def _wait() -> dict[str, Any] | None:
    """Return the order, or None when the host closed the pipe without one."""
    line = b""
    # Not sys.stdin: what comes after the line is for the watch over the host.
    while not line.endswith(b"\n"):
        read = os.read(0, 1)
        if not read:
            return None
        line += read
    order: dict[str, Any] = json.loads(line)
    return order


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
