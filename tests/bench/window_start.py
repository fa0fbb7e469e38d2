"""How long from the start of the process to a Home page that is painted and knows a thousand jobs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from academy_desktop.core.paths import DataDir
from tests.academy_desktop.made_runs import held_lock, make_run, out_of_memory, succeeded
from tests.bench.figure import Figure, Setting, alone, percentile
from tests.windows import WindowProcess
from trainers.locks import FileLock

JOBS, SHORT_JOBS = 1000, 60
STARTS, SHORT_STARTS = 20, 3
STEPS = 30
#: Seconds at p95.
BAR_S = 1.0
PROBE = "tests.bench.home_probe"


@dataclass(frozen=True)
class Start:
    """One start; seconds since the process began."""

    painted_s: float
    filled_s: float
    heavy: tuple[str, ...]


def measure(setting: Setting) -> Iterator[Figure]:
    """Start the real window again and again over stored jobs."""
    jobs, starts = (SHORT_JOBS, SHORT_STARTS) if setting.short else (JOBS, STARTS)
    data = DataDir(setting.folder / "data").open()
    lock = store_jobs(data, jobs)
    try:
        first = start(data.root)  # without an index of the jobs, and perhaps from a cold disk
        warm = [start(data.root) for _ in range(starts)]
    finally:
        lock.release()
    filled = [one.filled_s for one in warm]
    painted = [one.painted_s for one in warm]
    heavy = sorted({name for one in (first, *warm) for name in one.heavy})
    yield alone(
        "window.start",
        percentile(filled, 0.95),
        "s",
        at_most=BAR_S,
        samples=filled,
        holds=not heavy,
        jobs=jobs,
        starts=starts,
        median_s=round(statistics.median(filled), 3),
        first_paint_p95_s=round(percentile(painted, 0.95), 3),
        without_index_s=round(first.filled_s, 3),
        heavy_modules=heavy,
    )


def store_jobs(data: DataDir, count: int) -> FileLock:
    """Make that many jobs, the newest in progress; returns the lock that keeps it so."""
    now = time.time()
    for number in range(1, count):
        made = make_run(data, f"Run {number}", now - 600.0 * (count - number), STEPS, number).started()
        failed = number % 7 == 0
        made.steps(1, STEPS // 2 if failed else STEPS)
        made.ended(out_of_memory if failed else succeeded, STEPS, 1 if failed else 0)
    going = make_run(data, "Kitchen helper", now - 60, STEPS, count).started().steps(1, STEPS // 2)
    going.close()
    return held_lock(going.run.host_lock)


def start(root: Path) -> Start:
    """Start the window once and see it close."""
    with WindowProcess(PROBE, str(root)) as window:
        painted = window.hear("painted")["after_s"]
        filled = window.hear("filled")["after_s"]
        heavy = window.hear("modules")["heavy"]
        if window.ended() != 0 or window.words:
            raise AssertionError(f"the window ended with {window.process.returncode}: {window.words}")
    return Start(painted, filled, tuple(heavy))
