"""A training job from recipe to adapter: render, plan, resume, train, evaluate, save.

Owns the sequence and what is said about it. Refuses to know how an engine does its arithmetic.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from trainers import checkpoint
from trainers.device import Choice, choose, look
from trainers.engines.cpu.architecture import refusal
from trainers.engines.protocol import Engine, NonfiniteError, Plan, StepReport
from trainers.environment import record_environment
from trainers.errors import AcademyError, ErrorCode
from trainers.events import Ended, Evaluated, Nonfinite, Resumed, Started, Step, Warned
from trainers.files import sync_folder
from trainers.order import plan_steps
from trainers.recipe import TrainRecipe
from trainers.rendering import Renderer
from trainers.rows import Example, Rendered, render_rows
from trainers.session import Session

#: The time left is told from the median of this many steps: one slow evaluation does not move it.
ETA_STEPS = 20


def run_train(recipe: TrainRecipe, session: Session) -> Ended:
    """Run a training job to its end, or to where the user stops it; returns how it ended.

    Raises:
        AcademyError: as the sentence shown to the user needs it.
    """
    run = session.run_dir
    session.phase("loading")
    own = recipe.hardware.engine == "cpu"
    choice = choose(recipe.hardware, look(race=own), refusal(recipe) if own else None)
    record_environment(run.attempt(session.attempt).environment, recipe, choice)
    session.phase("rendering")
    train, held_out = _render(recipe, session)
    steps = plan_steps(
        [len(example.ids) for example in train.examples],
        recipe.training.num_epochs,
        recipe.training.batch_size * recipe.training.gradient_accumulation_steps,
        recipe.training.seed,
        recipe.training.max_steps,
    )
    checkpoint.prune(run.checkpoints, keep=10**6)
    search = checkpoint.newest_good(run.checkpoints)
    for skipped in search.skipped:
        session.emit(skipped)
    session.phase("loading")
    plan = Plan(recipe, choice, train.examples, steps, search.step, search.found)
    with _scratch(run.path) as scratch:
        engine = _engine(plan, scratch)
        session.emit(_started(recipe, choice, plan, train, held_out, engine))
        if session.attempt > 1:
            session.emit(
                Resumed(
                    from_step=search.step,
                    checkpoint=f"checkpoints/step-{search.step}" if search.found else None,
                    exact=True,
                )
            )
        return _Run(recipe, session, plan, engine, held_out.examples).go()


class _Run:
    """One attempt: what to do after each step, and how it ends."""

    def __init__(
        self,
        recipe: TrainRecipe,
        session: Session,
        plan: Plan,
        engine: Engine,
        held_out: tuple[Example, ...],
    ) -> None:
        self._recipe = recipe
        self._session = session
        self._plan = plan
        self._engine = engine
        self._held_out = held_out
        self._process = psutil.Process()
        self._times: deque[float] = deque(maxlen=ETA_STEPS)
        self._step_begun = time.monotonic()
        self._saved_at = time.monotonic()
        self._step = plan.first_step
        self._saved_step = plan.first_step if plan.checkpoint is not None else -1
        self._loss: float | None = None
        self._rows_per_epoch = len(plan.examples)

    def go(self) -> Ended:
        """Train to the end or to a stop."""
        self._session.phase("training")
        self._step_begun = time.monotonic()
        try:
            self._engine.train(self._after_step)
        except NonfiniteError as error:
            self._session.emit(
                Nonfinite(step=error.step, what="loss" if error.what == "loss" else "gradient")
            )
            raise AcademyError(ErrorCode.NONFINITE_LOSS, step=error.step, what=error.what) from error
        if self._session.stop_reason:
            self._save()
            return Ended(state="stopped", reason=self._session.stop_reason, step=self._step, loss=self._loss)
        self._save()
        self._save_adapter()
        return Ended(state="succeeded", step=self._step, loss=self._loss)

    def _after_step(self, report: StepReport) -> bool:
        """Report, evaluate, save and obey; returns whether to go on."""
        self._step, self._loss = report.step, report.loss
        self._emit_step(report)
        if self._evaluation_is_due():
            self._evaluate()
        if self._checkpoint_is_due():
            self._save()
        stop = self._session.between_steps(self._save)
        self._step_begun = time.monotonic()
        return stop is None

    def _emit_step(self, report: StepReport) -> None:
        seconds = time.monotonic() - self._step_begun
        self._times.append(seconds)
        rows = [self._plan.examples[row] for row in self._plan.steps[report.step - 1]]
        left = len(self._plan.steps) - report.step
        rows_done = sum(len(step) for step in self._plan.steps[: report.step])
        self._session.emit(
            Step(
                step=report.step,
                total_steps=len(self._plan.steps),
                epoch=rows_done / self._rows_per_epoch,
                loss=report.loss,
                learning_rate=report.learning_rate,
                grad_norm=report.grad_norm,
                supervised_tokens=sum(row.supervised_tokens for row in rows),
                tokens=sum(len(row.ids) for row in rows),
                step_s=seconds,
                eta_s=left * statistics.median(self._times),
                rss_bytes=self._process.memory_info().rss,
                device_memory_bytes=report.device_memory_bytes,
            )
        )

    def _evaluation_is_due(self) -> bool:
        if not self._held_out:
            return False
        every = self._recipe.evaluation.every_steps
        if every is None:
            every = max(1, round(len(self._plan.steps) / self._recipe.training.num_epochs))
        return self._step % every == 0 or self._step == len(self._plan.steps)

    def _checkpoint_is_due(self) -> bool:
        every = self._recipe.checkpoints.every_steps
        if every is not None and self._step % every == 0:
            return True
        return time.monotonic() - self._saved_at >= self._recipe.checkpoints.every_minutes * 60

    def _evaluate(self) -> None:
        self._session.phase("evaluating")
        begun = time.monotonic()
        loss, tokens = self._engine.evaluate(self._held_out)
        self._session.emit(
            Evaluated(step=self._step, loss=loss, supervised_tokens=tokens, seconds=time.monotonic() - begun)
        )
        self._session.phase("training")

    def _save(self) -> None:
        if self._saved_step == self._step:
            return
        self._session.phase("saving")
        checkpoints = self._session.run_dir.checkpoints
        saved = checkpoint.save(checkpoints, self._step, self._engine.save_checkpoint, self._session.sync)
        self._session.emit(saved)
        checkpoint.prune(checkpoints, self._recipe.checkpoints.keep)
        self._saved_at, self._saved_step = time.monotonic(), self._step
        self._session.phase("training")

    def _save_adapter(self) -> None:
        """Put the adapter in place by a rename, with the tokenizer's template beside it."""
        self._session.phase("saving")
        final = self._session.run_dir.adapter
        aside = final.with_name(f".adapter.{os.getpid()}.tmp")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        self._engine.save_adapter(aside)
        for path in aside.iterdir():
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())
        shutil.rmtree(final, ignore_errors=True)
        aside.rename(final)
        sync_folder(final.parent)


def _render(recipe: TrainRecipe, session: Session) -> tuple[Rendered, Rendered]:
    renderer = Renderer.load(Path(recipe.model.path))
    folder = Path(recipe.dataset.path)
    length = recipe.training.max_seq_length
    train = render_rows(renderer, folder / "train.jsonl", length, progress=lambda _: session.tick())
    held_out = render_rows(renderer, folder / "eval.jsonl", length, limit=recipe.evaluation.max_rows)
    if not train.examples:
        raise AcademyError(ErrorCode.NOTHING_SUPERVISED, rows=train.unsupervised, max_length=length)
    if train.truncated:
        session.emit(Warned(code="rows_truncated", facts={"rows": train.truncated, "max_length": length}))
    if train.unsupervised:
        session.emit(Warned(code="rows_unsupervised", facts={"rows": train.unsupervised}))
    return train, held_out


@contextmanager
def _scratch(run_dir: Path) -> Iterator[Path]:
    """Give the path of a folder that is gone afterwards, and remove what killed attempts left behind."""
    for leftover in (*run_dir.glob(".scratch-*"), *run_dir.glob(".adapter.*.tmp")):
        shutil.rmtree(leftover, ignore_errors=True)
    scratch = run_dir / f".scratch-{os.getpid()}"
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _engine(plan: Plan, scratch: Path) -> Engine:
    if plan.choice.engine == "cpu":
        from trainers.engines.cpu.engine import CpuEngine

        return CpuEngine(plan)
    from trainers.engines.peft import PeftEngine

    return PeftEngine(plan, scratch)


def _started(
    recipe: TrainRecipe, choice: Choice, plan: Plan, train: Rendered, held_out: Rendered, engine: Engine
) -> Started:
    return Started(
        kind="train",
        engine=choice.engine,
        reason=choice.reason,
        device=choice.device,
        device_name=choice.device_name,
        precision=choice.precision,
        threads=choice.threads,
        total_steps=len(plan.steps),
        num_epochs=recipe.training.num_epochs,
        train_rows=len(train.examples),
        eval_rows=len(held_out.examples),
        trainable_parameters=engine.trainable_parameters,
        supervised_tokens=train.supervised_tokens,
    )
