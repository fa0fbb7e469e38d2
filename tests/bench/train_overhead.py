"""What a run spends on its own duties: events, heartbeat, guards, and a checkpoint every 30 seconds.

A real trainer of our engine keeps the account itself and tells it in its last event. The model and the rows
are those of `train`; the short form learns a tiny model for some steps, and is not judged: it is over in a
moment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from academy_desktop.core.history import EventTail
from academy_desktop.core.recipe_yaml import dump_recipe
from tests.bench import train
from tests.bench.figure import Figure, Setting, alone
from tests.bench.train_child import ROWS_PER_STEP
from tests.trainers.tiny_model import LEARNED, write_model
from trainers.events import Ended
from trainers.layout import Command, RunDir, write_atomically, write_record
from trainers.recipe import (
    Checkpoints,
    DatasetRef,
    Evaluation,
    Hardware,
    ModelRef,
    Training,
    TrainRecipe,
)

BAR = 0.01
RUN_S, SHORT_STEPS = 95.0, 12
CHECKPOINT_MINUTES, SHORT_CHECKPOINT_STEPS = 0.5, 4


def measure(setting: Setting) -> Iterator[Figure]:
    """Train once, for 95 seconds; or some steps."""
    found = _tiny(setting.folder) if setting.short else train.real_rows()
    if found is None:
        return
    model, lines = found
    run = _prepared(setting, model, list(lines))
    ended = _trained(run, setting)
    assert ended.seconds is not None
    yield alone(
        "train.overhead",
        sum(ended.duties_s.values()) / ended.seconds,
        "of the run's time",
        at_most=None if setting.short else BAR,
        holds=ended.state in {"succeeded", "stopped"},
        duties_s=ended.duties_s,
        seconds=ended.seconds,
        steps=ended.step,
        checkpoints=_checkpoints(run),
    )


def _tiny(folder: Path) -> tuple[Path, Iterator[str]]:
    rows = [json.dumps({"id": number, **row}) for number, row in enumerate(LEARNED)]
    return write_model(folder / "model", lessons=0), iter(rows)


def _prepared(setting: Setting, model: Path, lines: list[str]) -> RunDir:
    """Make the dataset and the run directory that a trainer starts from."""
    rows = setting.folder / "dataset"
    rows.mkdir()
    (rows / "train.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    (rows / "eval.jsonl").write_text("", "utf-8")
    run = RunDir(setting.folder / "run")
    run.commands.mkdir(parents=True)
    recipe = TrainRecipe(
        model=ModelRef(id="model", path=str(model)),
        dataset=DatasetRef(id="rows", path=str(rows), sha256="0" * 64),
        training=Training(
            num_epochs=20,
            max_steps=SHORT_STEPS if setting.short else None,
            batch_size=ROWS_PER_STEP,
            gradient_accumulation_steps=1,
            max_seq_length=train.LENGTH,
        ),
        evaluation=Evaluation(max_rows=0),
        checkpoints=Checkpoints(
            every_minutes=CHECKPOINT_MINUTES, every_steps=SHORT_CHECKPOINT_STEPS if setting.short else None
        ),
        hardware=Hardware(device="cpu", engine="cpu"),
    )
    write_atomically(run.recipe, dump_recipe(recipe))
    return run


def _trained(run: RunDir, setting: Setting) -> Ended:
    """Let the trainer learn, ask it to stop in time, and return its last event."""
    trainer = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.estimate_probe", str(run.path)],
        cwd=train.ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": str(setting.folder / "kernels")},
        stdout=subprocess.DEVNULL,
    )
    if not setting.short:
        _wait_for_step(run, trainer)
        time.sleep(RUN_S)
        stop = Command(id="stop", attempt=1, command="stop", created_at=time.time())
        write_record(run.commands / "stop.json", stop)
    if trainer.wait() != 0:
        raise RuntimeError(f"the trainer ended with {trainer.returncode}")
    last = list(EventTail(run.events).read_new())[-1].payload
    assert isinstance(last, Ended)
    return last


def _wait_for_step(run: RunDir, trainer: subprocess.Popen[bytes]) -> None:
    """Wait for the first step: the machine code of the kernels is made before it."""
    while trainer.poll() is None:
        if run.events.exists() and '"type":"step"' in run.events.read_text("utf-8"):
            return
        time.sleep(0.5)


def _checkpoints(run: RunDir) -> int:
    return sum(event.type == "checkpoint" for event in EventTail(run.events).read_new())
