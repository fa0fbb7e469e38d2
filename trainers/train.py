"""A training job from recipe to adapter: render, plan, resume, train, evaluate, save.

Owns the sequence and what is said about it. Refuses to know how an engine does its arithmetic.
"""

from __future__ import annotations

import gc
import os
import shutil
import statistics
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from trainers import arithmetic, checkpoint
from trainers.best import Best
from trainers.choice import Choice, choose, may_be_own
from trainers.device import bf16_gain, look
from trainers.engines.cpu.architecture import compiling_pays, refusal
from trainers.engines.protocol import Engine, NonfiniteError, Plan, Rewards, StepReport
from trainers.environment import record_environment
from trainers.errors import AcademyError, ErrorCode
from trainers.events import Ended, Evaluated, Nonfinite, Resumed, Started, Step, Warned
from trainers.files import sync_folder
from trainers.guard import Guard, LossWatch, is_within_update
from trainers.order import plan_steps
from trainers.recipe import TrainRecipe
from trainers.rendering import Renderer
from trainers.rows import Example, Rendered, render_rows
from trainers.samples import Timeline
from trainers.session import Session, StartAgainError, is_out_of_memory

#: The time left is told from the median of this many steps: one slow evaluation does not move it.
ETA_STEPS = 20
#: What the small files of a checkpoint take, and the events until the next one.
SPARE_BYTES = 2**20
_CHANGES = {
    "rate_lowered": "the learning rate was lowered",
    "fewer_rows_at_once": "fewer rows are computed at once",
}


def run_train(recipe: TrainRecipe, session: Session) -> Ended:
    """Run a training job to its end, or to where the user stops it; returns how it ended.

    Raises:
        AcademyError: as the sentence shown to the user needs it.
    """
    run = session.run_dir
    session.wait_for_room()
    session.phase("loading")
    checkpoint.prune(run.checkpoints, keep=10**6)
    search = checkpoint.newest_good(run.checkpoints)
    before = _before(session, search)
    choice = _choose(recipe, before)
    session.write(lambda: record_environment(run.attempt(session.attempt).environment, recipe, choice))
    session.phase("rendering")
    renderer = Renderer.load(Path(recipe.model.path))
    train, held_out = _render(recipe, session, renderer)
    steps = plan_steps(
        [example.tokens for example in train.examples],
        recipe.training.num_epochs,
        recipe.training.batch_size * recipe.training.gradient_accumulation_steps,
        recipe.training.seed,
        recipe.training.max_steps,
    )
    for skipped in search.skipped:
        session.emit(skipped)
    session.phase("loading")
    guard = Guard(run, recipe, choice.engine, session.write)
    timeline = Timeline(recipe, session, renderer)
    if (told := guard.mind_last_attempt(session.attempt)) is not None:
        session.emit(told)
    plan = Plan(guard.recipe, choice, train.examples, steps, search.step, search.found, guard.tokens_share)
    with _scratch(run.path) as scratch:
        engine = _engine(plan, scratch)
        session.emit(_started(recipe, choice, plan, train, held_out, engine))
        session.room_bytes = _room_bytes(engine)
        now = arithmetic.arithmetic_of(choice, arithmetic.plan_hash(plan.examples, plan.steps), guard.at_once)
        if session.attempt > 1:
            changed = arithmetic.difference(before, now, from_start=search.found is None)
            session.emit(_resumed(search, changed))
        outcome = _Run(recipe, session, plan, engine, held_out.examples, now, guard, timeline).go()
        while isinstance(outcome, Warned):
            del engine  # before there is another one: memory may be what was lacking
            gc.collect()
            plan = _go_back(plan, session, guard, outcome)
            engine = _engine_again(plan, scratch)
            now = now.model_copy(update={"at_once": guard.at_once})
            outcome = _Run(recipe, session, plan, engine, held_out.examples, now, guard, timeline).go()
        return outcome


def _go_back(plan: Plan, session: Session, guard: Guard, why: Warned) -> Plan:
    """Return the plan from the newest good checkpoint on, as the guard changed it; say so."""
    search = checkpoint.newest_good(session.run_dir.checkpoints)
    for said in (why, *search.skipped):
        session.emit(said)
    session.emit(_resumed(search, _CHANGES[why.code]))
    session.write(session.sync)
    session.phase("loading")
    return replace(
        plan,
        recipe=guard.recipe,
        first_step=search.step,
        checkpoint=search.found,
        tokens_share=guard.tokens_share,
    )


def _resumed(search: checkpoint.Search, changed: str) -> Resumed:
    """Where a run goes on from, and what is no longer as it was, if anything."""
    return Resumed(
        from_step=search.step,
        checkpoint=f"checkpoints/step-{search.step}" if search.found else None,
        exact=not changed,
        reason=changed,
    )


class _Run:
    """One attempt: what to do after each step, and how it ends."""

    def __init__(
        self,
        recipe: TrainRecipe,
        session: Session,
        plan: Plan,
        engine: Engine,
        held_out: tuple[Example, ...],
        now: arithmetic.Arithmetic,
        guard: Guard,
        timeline: Timeline,
    ) -> None:
        self._recipe = recipe
        self._session = session
        self._plan = plan
        self._engine = engine
        self._held_out = held_out
        self._arithmetic = now
        self._guard = guard
        self._timeline = timeline
        self._losses = LossWatch()
        self._process = psutil.Process()
        self._times: deque[float] = deque(maxlen=ETA_STEPS)
        self._step_begun = time.monotonic()
        self._saved_at = time.monotonic()
        self._step = plan.first_step
        self._saved_step = plan.first_step if plan.checkpoint is not None else -1
        self._loss: float | None = None
        self._rows_per_epoch = len(plan.examples)
        self._best = Best.recorded(session.run_dir.events, plan.first_step)

    def go(self) -> Ended | Warned:
        """Train to the end, to a stop, or to where the guard changes the recipe: then what to tell."""
        self._session.phase("training")
        self._step_begun = time.monotonic()
        try:
            if not self._patience_is_over():
                self._engine.train(self._after_step)
        except NonfiniteError as error:
            self._session.emit(
                Nonfinite(step=error.step, what="loss" if error.what == "loss" else "gradient")
            )
            return self._guard.lower_rate(error.step, error.what)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            told = self._guard.fewer_rows(f"{type(error).__name__}: {error}".splitlines()[0][:500])
            if self._step > self._plan.first_step and not is_within_update(error):
                self._save()
            return told
        if self._session.stop_reason:
            self._save()
            return Ended(state="stopped", reason=self._session.stop_reason, step=self._step, loss=self._loss)
        self._save()
        early = self._patience_is_over() and self._step < len(self._plan.steps)
        if early:
            patience = self._recipe.evaluation.patience
            self._session.emit(Warned(code="stopped_early", facts={"patience": patience, "step": self._step}))
        if self._recipe.evaluation.keep_best:
            self._take_best()
        self._save_adapter()
        reason = "stopped_early" if early else ""
        return Ended(state="succeeded", reason=reason, step=self._step, loss=self._loss)

    def _take_best(self) -> None:
        """Put the adapter of the best step into the engine, unless it is there already."""
        step = self._best.step
        if step is None or step == self._step:
            return
        saved = self._session.run_dir.checkpoints / f"step-{step}"
        try:
            checkpoint.verify(saved)
        except AcademyError:
            self._session.emit(Warned(code="best_lost", facts={"step": step}))
            return
        self._engine.load_adapter(saved)
        self._session.emit(Warned(code="best_kept", facts={"step": step, "loss": self._best.loss}))

    def _after_step(self, report: StepReport) -> bool:
        """Report, evaluate, save and obey; returns whether to go on."""
        self._step, self._loss = report.step, report.loss
        with self._session.duties.of("events"):
            self._emit_step(report)
            if (told := self._losses.look(report.loss)) is not None:
                self._session.emit(told)
        self._timeline.begin(self._engine)
        if self._evaluation_is_due():
            self._evaluate()
        if self._checkpoint_is_due():
            self._save()
        stop = self._session.between_steps(self._save, self._sample)
        self._step_begun = time.monotonic()
        return stop is None and not self._patience_is_over()

    def _patience_is_over(self) -> bool:
        patience = self._recipe.evaluation.patience
        return patience is not None and self._best.waited >= patience

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
                tokens=sum(row.tokens for row in rows),
                step_s=seconds,
                eta_s=left * statistics.median(self._times),
                rss_bytes=self._process.memory_info().rss,
                device_memory_bytes=report.device_memory_bytes,
                **_rewards(report.rewards),
            )
        )

    def _evaluation_is_due(self) -> bool:
        if not self._held_out and not self._timeline.follows:
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
        found = self._score() if self._held_out else None
        self._timeline.follow(self._engine, self._step)
        self._session.phase("training")
        if found is None:
            return
        if self._best.take(self._step, found) and self._recipe.evaluation.keep_best:
            self._save()

    def _score(self) -> float:
        """Score the held-out rows; returns their loss."""
        begun = time.monotonic()
        score = self._engine.evaluate(self._held_out)
        self._session.emit(
            Evaluated(
                step=self._step,
                loss=score.loss,
                supervised_tokens=score.supervised_tokens,
                seconds=time.monotonic() - begun,
                **_rewards(score.rewards),
            )
        )
        return score.loss

    def _sample(self) -> None:
        self._session.phase("evaluating")
        self._timeline.ask_now(self._engine, self._step)
        self._session.phase("training")

    def _save(self) -> None:
        if self._saved_step == self._step:
            return
        with self._session.duties.of("checkpoints"):
            self._put_checkpoint()

    def _put_checkpoint(self) -> None:
        self._session.phase("saving")
        checkpoints = self._session.run_dir.checkpoints
        saved = self._session.write(
            lambda: checkpoint.save(checkpoints, self._step, self._write_checkpoint, self._session.sync)
        )
        self._session.emit(saved)
        spare = self._best.step if self._recipe.evaluation.keep_best else None
        self._session.write(lambda: checkpoint.prune(checkpoints, self._recipe.checkpoints.keep, spare))
        self._saved_at, self._saved_step = time.monotonic(), self._step
        self._session.phase("training")

    def _write_checkpoint(self, folder: Path) -> None:
        self._engine.save_checkpoint(folder)
        arithmetic.save(folder, self._arithmetic)

    def _save_adapter(self) -> None:
        """Put the adapter in place by a rename, with the tokenizer's template beside it."""
        self._session.phase("saving")
        self._session.write(self._write_adapter)

    def _write_adapter(self) -> None:
        final = self._session.run_dir.adapter
        aside = final.with_name(f".adapter.{os.getpid()}.tmp")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        self._engine.save_adapter(aside)
        for path in aside.iterdir():
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())
        checkpoint.put_in_place(aside, final)
        sync_folder(final.parent)


def _room_bytes(engine: Engine) -> int:
    """What a checkpoint takes at most: adapter, two moments of the optimizer, all in fp32, and the rest."""
    return 12 * engine.trainable_parameters + SPARE_BYTES


def _before(session: Session, search: checkpoint.Search) -> arithmetic.Arithmetic | None:
    """Return what the run computed with until now, if this is not its first attempt."""
    earlier = [number for number in session.run_dir.attempt_numbers() if number < session.attempt]
    environment = session.run_dir.attempt(max(earlier)).environment if earlier else None
    return arithmetic.recorded(search.found, environment)


def _choose(recipe: TrainRecipe, before: arithmetic.Arithmetic | None) -> Choice:
    """Choose what to compute with: for a run that goes on, what it began with."""
    machine, unknown = look(), None
    if may_be_own(recipe.hardware, machine):
        unknown = refusal(recipe)
        if unknown is None and recipe.hardware.precision == "auto" and before is None:
            machine = replace(machine, bf16_gain=bf16_gain())
    choice = choose(recipe.hardware, machine, unknown)
    if choice.kernels == "compiled" and not compiling_pays(recipe):
        choice = replace(choice, kernels="plain")
    return arithmetic.kept(choice, before, recipe.hardware, unknown)


def _render(recipe: TrainRecipe, session: Session, renderer: Renderer) -> tuple[Rendered, Rendered]:
    folder = Path(recipe.dataset.path)
    length = recipe.training.max_seq_length
    method = recipe.method
    train = render_rows(
        renderer, folder / "train.jsonl", length, progress=lambda _: session.tick(), method=method
    )
    most = recipe.evaluation.max_rows
    held_out = render_rows(renderer, folder / "eval.jsonl", length, limit=most, method=method)
    if not train.examples:
        raise AcademyError(ErrorCode.NOTHING_SUPERVISED, rows=train.unsupervised, max_length=length)
    if train.truncated:
        session.emit(Warned(code="rows_truncated", facts={"rows": train.truncated, "max_length": length}))
    if train.unsupervised:
        session.emit(Warned(code="rows_unsupervised", facts={"rows": train.unsupervised}))
    return train, held_out


def _rewards(rewards: Rewards | None) -> dict[str, float | None]:
    """The fields of an event that tell of rewards."""
    if rewards is None:
        return {}
    return {
        "reward_chosen": rewards.chosen,
        "reward_rejected": rewards.rejected,
        "reward_margin": rewards.margin,
        "reward_accuracy": rewards.accuracy,
    }


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


def _engine_again(plan: Plan, scratch: Path) -> Engine:
    """Make the engine anew after a lack of memory.

    Raises:
        StartAgainError: it lacks for that, too; what a process has given back may be in pieces.
    """
    try:
        return _engine(plan, scratch)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise StartAgainError from error


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
