"""One step of an export in a process of its own, and what it took: seconds, memory, bytes written.

Linux only: it reads `/proc`. Refuses to know what the step is for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

#: Printed last by every step: its highest resident memory, and the bytes that it handed to `write`.
_REPORT = """
import json as _json
_status = dict(line.split(":", 1) for line in open("/proc/self/status"))
_io = dict(line.split(": ") for line in open("/proc/self/io"))
print("\\n" + _json.dumps([int(_status["VmHWM"].split()[0]) * 1024, int(_io["wchar"])]))
"""


@dataclass(frozen=True)
class Cost:
    """What a step, or several one after the other, took."""

    seconds: float
    peak_bytes: int
    written_bytes: int

    def __add__(self, later: Cost) -> Cost:
        return Cost(
            self.seconds + later.seconds,
            max(self.peak_bytes, later.peak_bytes),
            self.written_bytes + later.written_bytes,
        )


def run_step(code: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Cost:
    """Run Python code that finds `arguments` in `sys.argv[1:]`.

    Raises:
        RuntimeError: it failed.
    """
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code + _REPORT, *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - begun
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    peak, written = json.loads(done.stdout.rstrip().splitlines()[-1])
    return Cost(seconds, peak, written)


#: Our whole export job: from a finished run to files in place, hashed and recorded.
EXPORT = """
import sys
from pathlib import Path
from trainers.exporting.job import run_export
from trainers.recipe import ExportItem, ExportRecipe

parent, job, quant = sys.argv[1:]
items = (ExportItem(format="gguf", quant=quant),)
Path(job).mkdir(exist_ok=True)
recipe = ExportRecipe(parent="run", parent_dir=parent, items=items)
run_export(recipe, Path(job), lambda _: None, lambda: False)
"""
