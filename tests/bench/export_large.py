"""A finished run of a 13B model to one GGUF file: memory, bytes written, and time beside a plain copy.

On a disk without room for it the model has fewer layers; the figure's details say how large it was.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.bench.export_child import EXPORT, run_step
from tests.bench.export_shapes import SMALL, THIRTEEN_BILLION, Shape, write_base, write_finished_run
from tests.bench.figure import Figure, Setting, alone
from trainers.layout import RunDir

MOST_PEAK_BYTES = 2 * 1024**3
MOST_WRITTEN = 1.02
#: Number format → most times the seconds of copying the result and waiting for the disk.
MOST_COPIES = {"q8_0": 5.0, "bf16": 1.5}
#: Of the base's bytes: itself, the result, and room to spare.
_DISK_SHARE = 2.15

_COPY = ["cp", "--reflink=never"]


def measure(setting: Setting) -> Iterator[Figure]:
    """Export once to each format; the smaller first, for the disk's sake."""
    shape = SMALL if setting.short else fitting(THIRTEEN_BILLION, setting.folder)
    base = write_base(setting.folder / "base", shape)
    run = write_finished_run(setting.folder / "run", base, shape)
    _settle()
    for quant in MOST_COPIES:
        yield from _measure(setting, run, base, shape, quant)


def fitting(shape: Shape, folder: Path) -> Shape:
    """Return the shape with as many layers as the disk has room for."""
    free = shutil.disk_usage(folder).free
    while shape.layers > 1 and 2 * shape.parameters * _DISK_SHARE > free:
        shape = replace(shape, layers=shape.layers - 1)
    return shape


def _measure(setting: Setting, run: RunDir, base: Path, shape: Shape, quant: str) -> Iterator[Figure]:
    cost = run_step(EXPORT, str(run.path), str(setting.folder / "job"), quant)
    [path] = run.exports.glob("*.gguf")
    size = path.stat().st_size
    about: dict[str, Any] = {"parameters": shape.parameters, "layers": shape.layers, "output_bytes": size}
    name = f"export.large.{quant}"
    yield alone(f"{name}.peak", cost.peak_bytes, "bytes", at_most=MOST_PEAK_BYTES, **about)
    # The texts beside a small file weigh more than the file's own rounding.
    most_written = None if setting.short else MOST_WRITTEN
    yield alone(f"{name}.written", cost.written_bytes / size, "of output", at_most=most_written, **about)
    if quant == list(MOST_COPIES)[-1]:
        shutil.rmtree(base)  # room for the copy
    seconds = copy_seconds(path, setting.folder / "copy.gguf")
    most = None if setting.short else MOST_COPIES[quant]
    yield alone(
        f"{name}.time", cost.seconds / seconds, "copies", at_most=most,
        seconds=round(cost.seconds, 2), copy_s=round(seconds, 2), **about,
    )  # fmt: skip
    shutil.rmtree(run.exports)
    _settle()


def copy_seconds(source: Path, target: Path) -> float:
    """Copy a file as a person would and wait until it is on the disk."""
    _settle()
    begun = time.perf_counter()
    subprocess.run([*_COPY, str(source), str(target)], check=True)
    subprocess.run(["sync", str(target)], check=True)
    seconds = time.perf_counter() - begun
    target.unlink()
    return seconds


def _settle() -> None:
    """Wait until nothing of what was written before is left to do."""
    subprocess.run(["sync"], check=True)
