"""Trainers that get nowhere, and trainers that are only slow: the first are told, the second never.

The host's own limits are minutes; trials on real processes give it a shorter patience, and the phases that
are slow but move are played to its judge on a clock that runs as fast as it can.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from pathlib import Path

from academy_desktop.core.states import JobState
from tests.chaos.driving import fake_jobs, host_record, train_recipe, until
from tests.chaos.trials import Case, Trial
from trainers.host_watch import Sign, Watch
from trainers.layout import RunDir

#: Seconds of silence that count in these trials, and within which a halted process must be found.
PATIENCE_S = 2.0
FOUND_S = 10.0
#: Of the trainer in these trials: slow enough to have a pace that can be seen.
STEP_S = 0.2


def hung(root: Path) -> Trial:
    """Trials in which a trainer is halted, waits for ever, or computes for ever."""

    def trial(case: Case) -> str | None:
        kind = case.random.choice(["halt", "hang", "spin"])
        at = case.random.randrange(12, 20)
        jobs = fake_jobs(root, step_s=STEP_S, failure=f"{kind}@{at}", stop_grace_s=0.1, patience_s=PATIENCE_S)
        job = jobs.queue(train_recipe())
        try:
            until(lambda: jobs.get(job).step >= at - 1, "the last step")
            begun = time.monotonic()
            wanted = "process_stopped" if kind == "halt" else "no_progress"
            until(lambda: jobs.get(job).reason == wanted, f"the alarm for {kind}@{at}")
            found_s = time.monotonic() - begun
        finally:
            jobs.kill(job)
            ended = jobs.wait(job)
        case.note("found_s", found_s)
        if ended.state is not JobState.INTERRUPTED:
            return f"{kind}: after the kill {ended.state}"
        if found_s > FOUND_S and not case.patient:
            return f"{kind}: found after {found_s:.1f} s"
        return None

    return trial


def halted_and_continued(root: Path) -> Trial:
    """Trials in which a halted trainer goes on: the alarm goes too."""

    def trial(case: Case) -> str | None:
        jobs = fake_jobs(root, failure=f"halt@{case.random.randrange(2, 12)}")
        job = jobs.queue(train_recipe())
        until(lambda: jobs.get(job).reason == "process_stopped", "the alarm")
        record = host_record(RunDir(Path(jobs.get(job).run_dir)))
        if record is None or record.trainer_pid is None:
            return "no trainer"
        os.kill(record.trainer_pid, signal.SIGCONT)
        ended = jobs.wait(job)
        return None if ended.state is JobState.SUCCEEDED else f"{ended.state} {ended.reason}"

    return trial


def slow(_root: Path) -> Trial:
    """Trials of a phase that moves at its own, uneven pace for hours of its clock: no alarm."""

    def trial(case: Case) -> str | None:
        now = 0.0
        watch = Watch(60.0, lambda: now)
        work = 0.0
        usual = case.random.uniform(0.5, 600.0)
        busy = case.random.choice([0.0, 0.002, 1.0]) if usual < 55 else 1.0
        lasted: list[float] = []
        for progress in range(60):
            # a unit may take nearly ten times what was usual so far
            longest = 9.0 * statistics.median(lasted) if len(lasted) >= 3 else 2 * usual
            lasts = min(usual * case.random.lognormvariate(0.0, 1.0), max(longest, 55.0))
            end = now + (lasts if busy == 1.0 else min(lasts, 55.0))
            lasted.append(end - now)
            while now < end:
                now += min(1.0, end - now)
                work += busy
                if watch.look(Sign(progress, "training", work=work)):
                    return f"an alarm in unit {progress} of {lasted[-1]:.0f} s; usual are {usual:.0f} s"
        return None

    return trial
