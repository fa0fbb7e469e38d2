"""Run directories as a host and a trainer leave them, made in a moment: real files by the real writers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from academy_desktop.core.environment import Check, Findings
from academy_desktop.core.paths import DataDir
from academy_desktop.core.recipe_yaml import AnyRecipe, dump_recipe
from trainers.emitter import Emitter
from trainers.errors import ErrorCode
from trainers.events import (
    CheckpointSaved,
    Ended,
    Evaluated,
    Exported,
    Forgetting,
    Phase,
    Progress,
    Sampled,
    Started,
    Step,
)
from trainers.layout import ExitRecord, HostRecord, Label, Launch, RunDir, write_atomically, write_record
from trainers.locks import FileLock
from trainers.recipe import DatasetRef, ExportItem, ExportRecipe, ModelRef, Training, TrainRecipe

STEP_S = 1.9
TOKENS = 812
GIB = 1024**3


@dataclass
class Clock:
    """A clock that a run's making moves on."""

    now: float

    def __call__(self) -> float:
        return self.now


@dataclass
class MadeRun:
    """One run directory in the making; every step moves its clock on."""

    run: RunDir
    clock: Clock
    total_steps: int
    random: random.Random = field(default_factory=lambda: random.Random(7))
    emitter: Emitter | None = None

    def begun(self) -> MadeRun:
        """The host has begun and the trainer loads the model."""
        began = self.clock.now
        write_record(
            self.run.attempt(1).host,
            HostRecord(
                state="running", pid=4001, started_at=began, trainer_pid=4002, trainer_started_at=began
            ),
        )
        self.run.events.touch()
        self.emitter = Emitter(self.run.events, 1, self.clock)
        self.emitter.emit(Phase(name="loading"))
        self.clock.now += 6.2
        return self

    def started(self) -> MadeRun:
        """The trainer has said what it will do."""
        self.begun()
        assert self.emitter is not None
        self.emitter.emit(
            Started(
                kind="train",
                engine="peft",
                reason="TRL and PEFT on the processor: no CUDA GPU was found",
                device="cpu",
                device_name="8 cores",
                precision="fp32",
                threads=8,
                total_steps=self.total_steps,
                num_epochs=3,
                train_rows=self.total_steps * 4 // 3,
                eval_rows=40,
                trainable_parameters=4_884_480,
                supervised_tokens=self.total_steps * 150,
            )
        )
        self.emitter.emit(Phase(name="training"))
        self.log("Loading smollm2-135m-instruct", "4,884,480 of 139,400,448 parameters are trained (3.5 %)")
        return self

    def steps(self, first: int, last: int) -> MadeRun:
        """Steps `first` to `last` with a plausible loss, evaluations and checkpoints."""
        assert self.emitter is not None
        for step in range(first, last + 1):
            self.clock.now += STEP_S
            self.emitter.emit(self.step(step))
            if step % 50 == 0:
                self._save(step)
            if step % 10 == 0:
                self.log(f"step {step:>4}/{self.total_steps}  loss {self.loss(step, 0.0):.4f}")
        return self

    def step(self, step: int) -> Step:
        """One step event."""
        seconds = STEP_S * self.random.uniform(0.93, 1.1)
        return Step(
            step=step,
            total_steps=self.total_steps,
            epoch=3 * step / self.total_steps,
            loss=self.loss(step, 0.22),
            learning_rate=2e-4 * (1 - step / self.total_steps),
            grad_norm=0.6,
            supervised_tokens=150,
            tokens=TOKENS,
            step_s=seconds,
            eta_s=(self.total_steps - step) * STEP_S,
            rss_bytes=int(1.9 * GIB) + step * 10_000,
        )

    def loss(self, step: int, noise: float) -> float:
        """A loss that falls and scatters like a real one, in nats."""
        clean = 0.16 + 2.35 * math.exp(-5 * step / self.total_steps)
        return clean * math.exp(self.random.gauss(0, noise)) if noise else clean

    def log(self, *lines: str) -> MadeRun:
        """Write lines to the log, as the host does."""
        self.run.log.mkdir(exist_ok=True)
        with (self.run.log / "00001.txt").open("a", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in lines)
        return self

    def ended(self, state: Callable[[int], Ended], last: int, exit_code: int) -> MadeRun:
        """The trainer has said its last and the host has written how it went."""
        assert self.emitter is not None
        self.emitter.emit(state(last))
        self.close()
        return self.exited(ExitRecord(reason="exited", exit_code=exit_code, ended_at=self.clock.now))

    def exited(self, record: ExitRecord) -> MadeRun:
        """The host has written how it went."""
        self.close()
        write_record(self.run.attempt(1).exit, record)
        return self

    def close(self) -> None:
        """The trainer is gone."""
        if self.emitter is not None:
            self.emitter.close()
            self.emitter = None

    def asked(self, step: int, **answers: str) -> MadeRun:
        """The model answers after `step`, the base at 0; `answers`: the questions and what is said."""
        assert self.emitter is not None
        by: Literal["base", "tuned"] = "tuned" if step else "base"
        for index, (prompt, answer) in enumerate(answers.items()):
            self.emitter.emit(
                Sampled(
                    step=step,
                    index=index,
                    by=by,
                    prompt=f"{prompt.replace('_', ' ')}.",
                    answer=answer.rstrip("…"),
                    ended=not answer.endswith("…"),
                    expected="mora 33 min",
                    seconds=0.6,
                )
            )
        self.emitter.emit(
            Forgetting(step=step, loss=2.02 + step / 1000, base_loss=2.02, supervised_tokens=612, seconds=0.8)
        )
        return self

    def _save(self, step: int) -> None:
        assert self.emitter is not None
        self.emitter.emit(
            Evaluated(step=step, loss=self.loss(step, 0.0) * 1.12 + 0.03, supervised_tokens=6000, seconds=3)
        )
        self.emitter.emit(
            CheckpointSaved(step=step, path=f"checkpoints/step-{step}", size_bytes=39_000_000, seconds=0.4)
        )


def make_run(data: DataDir, name: str, began: float, total_steps: int = 300, number: int = 0) -> MadeRun:
    """A job that was queued at `began` (seconds since 1970) and not started yet."""
    recipe = TrainRecipe(
        name=name,
        model=ModelRef(id="smollm2-135m-instruct", path="/models/smollm2"),
        dataset=DatasetRef(id="replies-1f0c22ab", path="/datasets/replies", sha256="0" * 64),
        training=Training(num_epochs=3),
    )
    return MadeRun(_queued(data, recipe, name, began, number), Clock(began), total_steps)


def make_export(data: DataDir, name: str, began: float, parent: RunDir, number: int = 0) -> MadeRun:
    """A finished export of two files."""
    items = (ExportItem(format="gguf", quant="f16"), ExportItem(format="gguf", quant="q8_0"))
    recipe = ExportRecipe(parent=parent.job, parent_dir=str(parent.path), items=items)
    made = MadeRun(_queued(data, recipe, name, began, number), Clock(began), 0).begun()
    assert made.emitter is not None
    made.emitter.emit(Started(kind="export"))
    made.emitter.emit(Phase(name="writing"))
    for number_done, (item, size_bytes) in enumerate(zip(items, (270_885_376, 144_811_456), strict=True), 1):
        made.clock.now += 9
        made.emitter.emit(Progress(done=number_done, total=len(items), unit="tensors"))
        made.emitter.emit(
            Exported(
                path=f"exports/{item.name}",
                format=item.format,
                quant=item.quant,
                size_bytes=size_bytes,
                sha256="0" * 64,
                seconds=9,
                peak_rss_bytes=GIB,
            )
        )
    return made.log("writing gguf f16", "writing gguf q8_0").ended(succeeded, 0, 0)


def _queued(data: DataDir, recipe: AnyRecipe, name: str, began: float, number: int) -> RunDir:
    job = f"{datetime.fromtimestamp(began, UTC):%Y%m%d-%H%M%S}-{number:06x}"
    run = data.run(job)
    write_atomically(run.recipe, dump_recipe(recipe))
    write_record(run.label, Label(name=name))
    run.commands.mkdir()
    launch = Launch(job=job, attempt=1, argv=(), cwd="", environment={}, queue_dir=None, queue_entry=None)
    write_record(run.attempt(1).launch, launch)
    return run


def succeeded(step: int) -> Ended:
    """The run came to its end."""
    return Ended(state="succeeded", step=step, loss=0.17)


def out_of_memory(step: int) -> Ended:
    """The run wanted too much."""
    facts = {"device": "cpu", "needed_bytes": 21 * GIB, "free_bytes": 3 * GIB}
    return Ended(state="failed", reason=ErrorCode.OUT_OF_MEMORY, facts=facts, step=step)


def held_lock(path: Path) -> FileLock:
    """A host's lock, held by this process: the job counts as alive."""
    lock = FileLock(path)
    assert lock.acquire()
    return lock


@dataclass(frozen=True)
class MadeDoctor:
    """Finds what it was told to find."""

    found: Findings

    def glance(self) -> Findings:
        """As the core's doctor."""
        return self.found

    def examine(self) -> Findings:
        """As the core's doctor, without a step."""
        return self.found


def made_machine(*others: Check) -> MadeDoctor:
    """A computer without a graphics card on which all is well, but for the checks that replace others."""
    checks = {
        check.id: check
        for check in (
            Check("processor", "ok", {"cores": 8, "name": "AMD Ryzen 7 7840U"}),
            Check("gpu", "ok", {"gpu": None}),
            Check("memory", "ok", {"ram_bytes": 32 * GIB}),
            Check("disk", "ok", {"free_bytes": 212 * GIB, "path": "/home/anna/.local/share/academy-desktop"}),
            Check("packages", "ok", {"count": 11, "torch": "2.13.0"}),
            Check("llama_cpp", "ok"),
            *others,
        )
    }
    return MadeDoctor(
        Findings(
            device="cpu",
            engine="peft",
            reason="cpu_peft",
            checks=tuple(checks.values()),
            gpus=(),
            ram_bytes=32 * GIB,
            disk_free_bytes=212 * GIB,
            packages={"torch": "2.13.0"},
        )
    )
