"""One window per data directory: two that start at once, and what dead processes leave behind.

A lock is held by a living process or it is not; process ids in records are hints that may name a stranger by
now. So no double start gives two windows or none, and nothing stale refuses a start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from academy_desktop.core.recipe_yaml import dump_recipe
from academy_desktop.doorbell import LOCK_NAME
from tests.chaos.adopt import PROBE, order
from tests.chaos.driving import fake_jobs, host_record, is_running, train_recipe, until
from tests.chaos.trials import Case, Trial
from tests.windows import WindowProcess
from trainers.layout import HostRecord, RunDir, write_atomically, write_record
from trainers.locks import is_held

#: The second start comes so many seconds after the first at most: while that imports, claims, paints.
STAGGER_S = 0.8
STEPS = 40
SCRIPT: dict[str, Any] = {"steps": STEPS, "step_s": 0.01, "save_every": 5}
#: Where a run is broken off, in steps: after a checkpoint, before its end.
FIRST_STEPS, MOST_STEPS = 6, 30


def double_start(root: Path) -> Trial:
    """Trials that start two windows at once."""
    DataDir(root).open()
    return start_twice


def start_twice(case: Case) -> str | None:
    """Start two windows; exactly one stays, and it has come forward for the other, which ends well."""
    with WindowProcess(PROBE, str(case.root)) as first:
        time.sleep(case.random.uniform(0, STAGGER_S))
        with WindowProcess(PROBE, str(case.root)) as second:
            windows = (first, second)
            until(lambda: any(one.process.poll() is not None for one in windows), "one of the two to go")
            gone, staying = sorted(windows, key=lambda one: one.process.poll() is None)
            if gone.ended() != 0 or gone.words:
                return f"the one that went ended with {gone.process.returncode}: {gone.words}"
            staying.hear("open")
            staying.hear("raised")
            if staying.process.poll() is not None or not is_held(case.root / LOCK_NAME):
                return "no window stayed"
            if case.random.random() < 0.5:
                staying.kill()  # its lock and its socket are the next trial's to find
                return None
            order(staying, "leave")
            if staying.ended() != 0 or staying.words:
                return f"the one that stayed ended with {staying.process.returncode}: {staying.words}"
    return None


def stale_lock(root: Path) -> Trial:
    """Trials that begin where everything was killed, and strangers have the process ids now."""
    jobs = fake_jobs(root, **SCRIPT)
    return lambda case: start_after_a_crash(case, jobs)


def start_after_a_crash(case: Case, jobs: Jobs) -> str | None:
    """Kill window, host and trainer; give their ids to a stranger; a new window goes on from there."""
    with stranger() as bystander:
        run = _break_off(case, jobs)
        _reuse_ids(run, bystander, case.root)
        with WindowProcess(PROBE, str(case.root)) as window:
            window.hear("open")
            order(window, "when", job=run.job, state="interrupted", step=FIRST_STEPS, last="")
            if (reason := window.hear("seen")["reason"]) != "host_lost":
                return f"interrupted by {reason}"
            jobs.resume(run.job)
            order(window, "when", job=run.job, state="succeeded", step=STEPS, last="ended")
            held = window.hear("seen")
            order(window, "leave")
            if window.ended() != 0 or window.words:
                return f"the window ended with {window.process.returncode}: {window.words}"
        if held["attempt"] != 2 or held["steps"] != list(range(1, STEPS + 1)):
            return f"attempt {held['attempt']} has the steps {held['steps']}"
        if bystander.poll() is not None:
            return "a stranger with a reused process id was killed"
    return None


@contextmanager
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with us."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        try:
            yield process
        finally:
            process.kill()


def _break_off(case: Case, jobs: Jobs) -> RunDir:
    """A run in a window that dies with its host and its trainer, as when the power goes."""
    recipe = case.root / "recipe.yaml"
    write_atomically(recipe, dump_recipe(train_recipe()))
    with WindowProcess(PROBE, str(case.root)) as window:
        window.hear("open")
        order(window, "queue", recipe=str(recipe), script={**SCRIPT, "step_s": 0.1})
        job = window.hear("queued")["job"]
        wanted = case.random.randrange(FIRST_STEPS, MOST_STEPS)
        until(lambda: jobs.get(job).step >= wanted, f"step {wanted}")
        run = RunDir(Path(jobs.get(job).run_dir))
        record = host_record(run)
        assert record is not None
        assert record.trainer_pid is not None
        window.kill()
        for pid in (record.pid, record.trainer_pid):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not is_running(record.pid) and not is_running(record.trainer_pid or 0), "their end")
    return run


def _reuse_ids(run: RunDir, bystander: subprocess.Popen[bytes], root: Path) -> None:
    """Every process id that is written down is the stranger's now."""
    record = HostRecord.model_validate_json(run.attempt(1).host.read_bytes())
    ids = {"pid": bystander.pid, "trainer_pid": bystander.pid}
    write_record(run.attempt(1).host, record.model_copy(update=ids))
    for lock in (root / LOCK_NAME, run.host_lock, *(root / "queue").glob("*/device.lock")):
        lock.write_text(f"{bystander.pid}\n")
