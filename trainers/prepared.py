"""A trainer that has its libraries in memory before there is anything to train.

    python -P -m trainers.prepared ENGINE

Started by `trainers.host_ahead`, which sends one line of JSON when a job is there: the trainer's arguments,
its folder and its environment. From then on this is an ordinary trainer. It ends when its pipe is closed.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile

from trainers.host_prepared import read_line

_ENGINES = {
    "cpu": ("trainers.engines.cpu.engine", "trainers.engines.cpu.compiled.kernels"),
    "peft": ("trainers.engines.peft",),
}


def main(arguments: list[str]) -> int:
    """Load what an engine needs, wait, and train; returns the process's exit code."""
    _load(arguments[0])
    order = read_line()
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
