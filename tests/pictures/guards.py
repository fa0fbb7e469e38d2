"""Runs that meet a full disk or a lack of memory: what waits, what went on by itself, and what gave up.

The jobs are run directories made for it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QApplication

from academy_desktop.core.paths import DataDir
from tests.academy_desktop.made_runs import GIB, STEP_S, MadeRun, held_lock, make_run
from tests.pictures.considerate import show_run
from tests.pictures.window import WELL, Scene, draw
from trainers.errors import ErrorCode
from trainers.events import Ended, Resumed, Warned
from trainers.heartbeat import Heartbeat
from trainers.locks import FileLock

FULL, FEWER, GAVE_UP = "Kitchen helper", "Replies in our tone", "Long stories"
SCENES = {"disk-full": FULL, "fewer-rows": FEWER, "out-of-memory": GAVE_UP}


def fill(data: DataDir) -> Iterator[FileLock]:
    """A run of each fate; yields the locks of those that are not over."""
    now = time.time()
    full = make_run(data, FULL, now - 130 * STEP_S, 300, 1).started().steps(1, 127)
    full.close()
    Heartbeat(full.run.heartbeat).waits("disk_full", int(1.2 * GIB))
    fewer = make_run(data, FEWER, now - 200 * STEP_S, 300, 2).started().steps(1, 103)
    tell(fewer, Warned(code="fewer_rows_at_once", facts={"rows": 4, "batches": 2}), 100)
    fewer.steps(101, 140).close()
    gave_up = make_run(data, GAVE_UP, now - 90_000, 400, 3).started().steps(1, 23)
    facts = {"detail": "std::bad_alloc", "max_length": 1024}
    ended = Ended(state="failed", reason=ErrorCode.OUT_OF_MEMORY, facts=facts, step=23)
    gave_up.log("MemoryError: std::bad_alloc").ended(lambda _step: ended, 23, 1)
    for made in (full, fewer):
        yield held_lock(made.run.host_lock)


def tell(made: MadeRun, why: Warned, step: int) -> None:
    """As a trainer says that a guard sent it back."""
    assert made.emitter is not None
    made.emitter.emit(why)
    reason = "fewer rows are computed at once"
    made.emitter.emit(
        Resumed(from_step=step, checkpoint=f"checkpoints/step-{step}", exact=False, reason=reason)
    )


def draw_all(app: QApplication, runner: asyncio.Runner, out: Path) -> Iterator[Path]:
    """Draw every scene into a folder; yields the pictures' paths."""
    with tempfile.TemporaryDirectory() as folder:
        data = DataDir(Path(folder) / "data").open()
        locks = list(fill(data))
        for name, run in SCENES.items():
            scene = Scene(f"guards-{name}", data, WELL, partial(show_run, name=run))
            yield from runner.run(draw(app, scene, out))
        for lock in locks:
            lock.release()
