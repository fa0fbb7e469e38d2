"""Drives real jobs with the scripted trainer: a data directory, a recipe, and waits that guess no times."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from trainers.layout import HostRecord, RunDir
from trainers.recipe import DatasetRef, ExportItem, ExportRecipe, ModelRef, TrainRecipe

T = TypeVar("T")

#: Longest wait for anything: reached only when something is broken.
DEADLINE_S = 60.0


def until(look: Callable[[], T | None], what: str = "it") -> T:
    """Look again and again until there is something true to see; returns that."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        seen = look()
        if seen:
            return seen
        time.sleep(0.005)
    raise AssertionError(f"waited {DEADLINE_S} s for {what}")


def fake_jobs(
    root: Path,
    *,
    steps: int = 20,
    step_s: float = 0.003,
    save_every: int = 5,
    failure: str = "",
    stop_grace_s: float = 30.0,
    patience_s: float = 60.0,
    more: Mapping[str, str] | None = None,
) -> Jobs:
    """Jobs whose trainer is the scripted one; `more` of its environment."""
    script = {
        "ACADEMY_FAKE_STEPS": str(steps),
        "ACADEMY_FAKE_STEP_S": str(step_s),
        "ACADEMY_FAKE_SAVE_EVERY": str(save_every),
        "ACADEMY_FAKE_FAIL": failure,
    }
    # the copies of the trainer's code that all trials share are compiled once
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return Jobs(
        DataDir(root).open(),
        Path(sys.executable),
        trainer_module="trainers.fake",
        environment={**environment, **script, **(more or {})},
        stop_grace_s=stop_grace_s,
        patience_s=patience_s,
    )


def train_recipe() -> TrainRecipe:
    """A recipe for a model and a dataset that the scripted trainer never opens."""
    return TrainRecipe(
        name="scripted",
        model=ModelRef(id="none", path="/nowhere/model"),
        dataset=DatasetRef(id="none", path="/nowhere/dataset", sha256="0" * 64),
    )


def export_recipe(parent: str, parent_dir: Path) -> ExportRecipe:
    """An export of a run."""
    item = ExportItem(format="gguf", quant="q8_0")
    return ExportRecipe(parent=parent, parent_dir=str(parent_dir), items=(item,))


def host_record(run: RunDir, attempt: int = 1) -> HostRecord | None:
    """What the host of an attempt says, if it says anything yet."""
    path = run.attempt(attempt).host
    return HostRecord.model_validate_json(path.read_bytes()) if path.exists() else None


def trainer_pid(run: RunDir, attempt: int = 1) -> int:
    """The trainer's process id, waited for."""

    def look() -> int | None:
        record = host_record(run, attempt)
        return record.trainer_pid if record else None

    return until(look, "a trainer")


def is_running(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
