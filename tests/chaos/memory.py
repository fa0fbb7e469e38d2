"""Runs that are given less memory than they ask for: by a control group, which kills, or else by a limit.

The limit is for where no group can be made: it is on the address space, whose use differs from run to run, so
that some runs fit in as they are.

Each run is measured first, as it likes to compute and row by row; the cap lies between. It has to finish by
itself, with the same rows in the same order, after three retries at most.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from academy_desktop.core.history import History
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from tests.chaos.driving import until
from tests.chaos.io_faults import end
from tests.chaos.taught import Taught, environment
from tests.chaos.trials import Case, Trial
from trainers.layout import Adjusted, RunDir, write_record
from trainers.recipe import TrainRecipe

STEPS = 2
#: Together they are about as many tokens as the engine computes at once.
ROWS_AT_ONCE = 16
#: Two trials in five teach the demo model.
DEMO_OF_FIVE = 2
#: Where between the least and the most the cap lies: not so near to either that noise decides.
LEAST_SHARE, MOST_SHARE = 0.4, 0.6
#: Losses may differ by the order of a sum.
TOLERANCE = 1e-2
_LOOK_S = 0.01
_DEADLINE_S = 900.0
_GROUPS = Path("/sys/fs/cgroup")
#: Starts Python; what the host starts with it, the trainer, is given less memory.
_STARTER = """#!/bin/sh
if [ -n "$ACADEMY_HOST_PID" ]; then
    if [ -n "$MEMORY_GROUP" ]; then echo $$ > "$MEMORY_GROUP/cgroup.procs"; fi
    if [ -n "$MEMORY_KIB" ]; then ulimit -v "$MEMORY_KIB"; fi
fi
exec "{python}" "$@"
"""


@dataclass(frozen=True)
class Group:
    """A control group of either version."""

    path: Path

    @property
    def is_second(self) -> bool:
        """Whether it is of version 2."""
        return (self.path / "memory.max").exists()

    @property
    def used_bytes(self) -> int:
        """What its processes hold that cannot be read from a file again."""
        name = "anon" if self.is_second else "total_rss"
        for line in (self.path / "memory.stat").read_text().splitlines():
            if line.startswith(f"{name} "):
                return int(line.split()[1])
        return 0

    def cap(self, size_bytes: int) -> None:
        """Let its processes have so much, and no swap beyond."""
        for name in ("memory.max", "memory.limit_in_bytes"):
            if (self.path / name).exists():
                (self.path / name).write_text(str(size_bytes))
        if (self.path / "memory.swap.max").exists():
            (self.path / "memory.swap.max").write_text("0")


@contextmanager
def group(name: str) -> Iterator[Group | None]:
    """A control group of its own, or None where none can be made."""
    found = None
    for folder in (_GROUPS / "memory", _GROUPS):
        path = folder / name
        try:
            path.mkdir()
        except OSError:
            continue
        if (path / "memory.stat").exists():
            found = Group(path)
            break
        path.rmdir()
    try:
        yield found
    finally:
        if found is not None:
            until(lambda: not found.path.joinpath("cgroup.procs").read_text().strip(), "an empty group")
            found.path.rmdir()


@dataclass(frozen=True)
class Need:
    """What a run takes at most as it likes to compute, and row by row; and what it does then."""

    most_bytes: int
    least_bytes: int
    steps: tuple[tuple[int, int, float], ...]


class Capped:
    """Trials over one data directory."""

    def __init__(self, root: Path) -> None:
        from tests.trainers import tiny_model as tiny  # brings torch

        self._taught = Taught(root)
        self._starter = root / "python"
        self._starter.write_text(_STARTER.format(python=sys.executable))
        self._starter.chmod(0o755)
        model = tiny.write_model(root / "deep", lessons=0, num_hidden_layers=6, intermediate_size=2048)
        cities = " ".join(tiny.CAPITALS.values())
        long = tiny.rows((f"List {number}", " ".join([cities] * (1 + number % 3))) for number in range(40))
        self._tiny = tiny.Tiny(model, tiny.write_dataset(root / "long-00000000", long, long[:1]))
        self._needs: dict[tuple[bool, bool], Need] = {}

    def trial(self, case: Case) -> str | None:
        """Run under a cap."""
        demo = case.number % 5 >= 5 - DEMO_OF_FIVE
        with group(f"academy-chaos-{os.getpid()}-{case.number}") as capped:
            kills = capped is not None
            need = self._need(demo, kills)
            share = case.random.uniform(LEAST_SHARE, MOST_SHARE)
            cap = need.least_bytes + int(share * (need.most_bytes - need.least_bytes))
            more = {"MEMORY_KIB": str(cap // 1024)}
            if kills and capped is not None:
                capped.cap(cap)
                more = {"MEMORY_GROUP": str(capped.path)}
            jobs = self._jobs(more)
            job = jobs.queue(self._recipe(demo))
            try:
                ended = jobs.wait(job, _DEADLINE_S)
                problem = _problem(ended, jobs.history(job), need, least=1 if kills else 0)
            finally:
                end(jobs, job)
            case.note("killed" if kills else "refused", ended.attempt - 1)
        where = f"{'demo' if demo else 'tiny'} model, {'group' if kills else 'limit'} of {cap} bytes, {need}"
        return f"{where}: {problem}" if problem else None

    def _need(self, demo: bool, kills: bool) -> Need:
        """Measure a run twice; virtual memory where a limit refuses, what is held where a group kills."""
        if (demo, kills) not in self._needs:
            most, steps = self._measured(demo, kills, share=1.0)
            least, _ = self._measured(demo, kills, share=0.0)
            assert most > 1.1 * least, f"most {most}, least {least}"
            self._needs[demo, kills] = Need(most, least, steps)
        return self._needs[demo, kills]

    def _measured(
        self, demo: bool, kills: bool, share: float
    ) -> tuple[int, tuple[tuple[int, int, float], ...]]:
        with group(f"academy-chaos-{os.getpid()}-measured") as measured:
            jobs = self._jobs({"MEMORY_GROUP": str(measured.path)} if measured is not None else {})
            job = jobs.queue(self._recipe(demo))
            run = RunDir(Path(jobs.get(job).run_dir))
            if share != 1.0:
                write_record(run.adjusted, Adjusted(tokens_share=share, memory_retries=3))
            peak = 0
            while not jobs.get(job).state.is_over:
                used = measured.used_bytes if kills and measured is not None else _virtual_peak(run)
                peak = max(peak, used)
                time.sleep(_LOOK_S)
            ended = jobs.wait(job)
            assert ended.state is JobState.SUCCEEDED, f"{ended.state} {ended.reason} {ended.facts}"
            return peak, steps_of(jobs.history(job))

    def _jobs(self, more: Mapping[str, str]) -> Jobs:
        return Jobs(self._taught.data, self._starter, environment={**environment(), **more})

    def _recipe(self, demo: bool) -> TrainRecipe:
        from tests.trainers.tiny_model import Tiny, train_recipe

        model = Tiny(self._taught.demo.model, self._tiny.dataset) if demo else self._tiny
        sections: dict[str, dict[str, Any]] = {
            "training": {
                "max_steps": STEPS,
                "warmup_steps": 1,
                "batch_size": ROWS_AT_ONCE,
                "gradient_accumulation_steps": 1,
            },
            "evaluation": {"max_rows": 0},
            "checkpoints": {"every_steps": 1},
            "hardware": {"engine": "cpu", "threads": 1, "precision": "fp32"},
        }
        return train_recipe(model, **sections)


def _virtual_peak(run: RunDir) -> int:
    """Most address space that a run's trainer has had so far, in bytes; 0 where there is none."""
    try:
        pid = json.loads(run.attempt(1).host.read_bytes())["trainer_pid"]
        status = Path(f"/proc/{pid}/status").read_text()
    except (OSError, ValueError):
        return 0
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmPeak:")]
    return int(sizes[0]) * 1024 if sizes else 0


def steps_of(history: History) -> tuple[tuple[int, int, float], ...]:
    """Tokens, supervised tokens and loss of each step."""
    return tuple((one.tokens, one.supervised_tokens, one.loss) for one in history.steps)


def _problem(ended: JobSummary, history: History, need: Need, least: int) -> str | None:
    if ended.state is not JobState.SUCCEEDED:
        return f"{ended.state} {ended.reason} {ended.facts}"
    told = [one for one in history.warnings if one.code == "fewer_rows_at_once"]
    if not least <= len(told) <= 3:
        return f"{len(told)} retries"
    steps = steps_of(history)
    if [step[:2] for step in steps] != [step[:2] for step in need.steps]:
        return f"other rows, or in another order: {steps}"
    for one, other in zip(steps, need.steps, strict=True):
        if not math.isclose(one[2], other[2], rel_tol=TOLERANCE):
            return f"other losses: {steps}"
    return None


def capped(root: Path) -> Trial:
    """Runs under a cap on their memory."""
    return Capped(root).trial
