"""A finished run of a 13B model to one GGUF file: memory, bytes written, and time beside a plain copy.

On a disk without room for it the model has fewer layers; the figure's details say how large it was. Only the
folder of the bench is written to, and it goes away, but for the base model where `ACADEMY_BENCH_DIR` names a
folder to keep it in: made once, 26 GB, and used again. Where there is no room for base, result and copy at
once, the base goes before the copy is made. `ACADEMY_BENCH_LAYERS` asks for a smaller model.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.bench.export_child import EXPORT, Cost, run_step
from tests.bench.export_shapes import SMALL, THIRTEEN_BILLION, Shape, write_base, write_finished_run
from tests.bench.figure import Figure, Setting, alone
from trainers.layout import RunDir

MOST_PEAK_BYTES = 2 * 1024**3
MOST_WRITTEN = 1.02
#: Number format → most times the seconds of copying the result and waiting for the disk.
MOST_COPIES = {"q8_0": 5.0, "bf16": 1.5}
#: Of the base's bytes: the result and room to spare beside it.
_RESULT_SHARE = 1.1
_FOLDER_VARIABLE, _LAYERS_VARIABLE = "ACADEMY_BENCH_DIR", "ACADEMY_BENCH_LAYERS"

_COPY = ["cp", "--reflink=never"]


def measure(setting: Setting) -> Iterator[Figure]:
    """Export once to each format; the smaller first, for the disk's sake."""
    home = setting.folder if setting.short else Path(os.environ.get(_FOLDER_VARIABLE, setting.folder))
    home.mkdir(parents=True, exist_ok=True)
    shape = SMALL if setting.short else fitting(wanted(), home, setting.folder)
    base = made_once(home, shape)
    run = write_finished_run(setting.folder / "run", base, shape)
    _settle()
    for quant in MOST_COPIES:
        yield from _measure(setting, run, base, shape, quant)


def wanted() -> Shape:
    """Return the shape that was asked for."""
    layers = int(os.environ.get(_LAYERS_VARIABLE, THIRTEEN_BILLION.layers))
    return replace(THIRTEEN_BILLION, layers=layers)


def fitting(shape: Shape, home: Path, folder: Path) -> Shape:
    """Return the shape with as many layers as there is room for: the base at home, results in a folder."""
    while shape.layers > 1 and not _fits(shape, home, folder):
        shape = replace(shape, layers=shape.layers - 1)
    return shape


def _fits(shape: Shape, home: Path, folder: Path) -> bool:
    base = 0.0 if is_whole(_base(home, shape)) else 2.0 * shape.parameters
    result = 2.0 * shape.parameters * _RESULT_SHARE
    if home.stat().st_dev == folder.stat().st_dev:
        return base + result <= shutil.disk_usage(home).free
    return base <= shutil.disk_usage(home).free and result <= shutil.disk_usage(folder).free


def _base(home: Path, shape: Shape) -> Path:
    return home / f"base-{shape.layers}-layers"


def is_whole(base: Path) -> bool:
    """Whether a base model was written to its end: the index of its files comes last."""
    return (base / "model.safetensors.index.json").is_file()


def made_once(home: Path, shape: Shape) -> Path:
    """Return the folder of the base model, made if it was not there."""
    base = _base(home, shape)
    if not is_whole(base):
        shutil.rmtree(base, ignore_errors=True)
        write_base(base, shape)
    return base


def _measure(setting: Setting, run: RunDir, base: Path, shape: Shape, quant: str) -> Iterator[Figure]:
    try:
        cost = run_step(EXPORT, str(run.path), str(setting.folder / "job"), quant)
        yield from _figures(setting, run, base, shape, quant, cost)
    finally:
        shutil.rmtree(run.exports, ignore_errors=True)
        _settle()


def _figures(
    setting: Setting, run: RunDir, base: Path, shape: Shape, quant: str, cost: Cost
) -> Iterator[Figure]:
    [path] = run.exports.glob("*.gguf")
    size = path.stat().st_size
    about: dict[str, Any] = {"parameters": shape.parameters, "layers": shape.layers, "output_bytes": size}
    name = f"export.large.{quant}"
    yield alone(f"{name}.peak", cost.peak_bytes, "bytes", at_most=MOST_PEAK_BYTES, **about)
    # The texts beside a small file weigh more than the file's own rounding.
    most_written = None if setting.short else MOST_WRITTEN
    yield alone(f"{name}.written", cost.written_bytes / size, "of output", at_most=most_written, **about)
    if quant == list(MOST_COPIES)[-1] and shutil.disk_usage(setting.folder).free < size * _RESULT_SHARE:
        # Nothing needs the base any more.
        shutil.rmtree(base)
    seconds = copy_seconds(path, setting.folder / "copy.gguf")
    most = None if setting.short else MOST_COPIES[quant]
    yield alone(
        f"{name}.time", cost.seconds / seconds, "copies", at_most=most,
        seconds=round(cost.seconds, 2), copy_s=round(seconds, 2), **about,
    )  # fmt: skip


def copy_seconds(source: Path, target: Path) -> float:
    """Copy a file as a person would and wait until it is on the disk."""
    _settle()
    try:
        begun = time.perf_counter()
        subprocess.run([*_COPY, str(source), str(target)], check=True)
        subprocess.run(["sync", str(target)], check=True)
        return time.perf_counter() - begun
    finally:
        target.unlink(missing_ok=True)


def _settle() -> None:
    """Wait until nothing of what was written before is left to do."""
    subprocess.run(["sync"], check=True)
