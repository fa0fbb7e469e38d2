"""The rehearsal: the whole way of a recipe in about a minute, before hours are spent on it.

A small model stands in the real one's place, with the real tokenizer and chat template, and a few of the real
rows; then come the same training, exports, proofs and answers as in earnest. Owns the order of the stages.
Refuses to know screens, and which findings are serious.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Literal, Protocol

from academy_desktop.core import rehearsal_judging as judging
from academy_desktop.core.environment import nvidia_gpus
from academy_desktop.core.excerpt import Excerpts, Row, write_excerpt
from academy_desktop.core.job_steps import abandon, follow_to_end
from academy_desktop.core.rehearsal_model import small_model
from academy_desktop.core.rehearsal_recipe import STEPS, FewRows, Stage, rehearsal_of
from academy_desktop.core.rehearsal_record import (
    STAGES,
    Change,
    Outlook,
    RehearsalProblem,
    RehearsalRecord,
    SmallModel,
    StageName,
    StageRecord,
)
from academy_desktop.core.work_folder import work_folder
from academy_desktop.core.workshop import Workshop
from trainers.errors import AcademyError
from trainers.events import AnyEvent
from trainers.layout import write_record
from trainers.recipe import CertifyRecipe, ExportItem, ModelRef, TrainRecipe
from trainers.rendering import Renderer

#: As people use it, and as Venom and llama.cpp load it upon the base.
ITEMS = (ExportItem(format="lora-gguf", quant="f16"), ExportItem(format="gguf", quant="f16"))
#: The file that answers at the end.
ASKED_EXPORT = "gguf-f16.gguf"

#: Rows to learn from, of which the first are the longest there are; rows held out, short ones among so many.
LONGEST_ROWS, MOST_ROWS = 2, 160
HELD_OUT_ROWS, HELD_OUT_CHOICE = 8, 32
#: Rows proven and answered, and how long an answer may be.
PROVEN_ROWS, ANSWERED_ROWS, ANSWER_TOKENS = 8, 4, 24


class Audience(Protocol):
    """Whoever watches a rehearsal; what it raises in `told` and `event` ends it."""

    def stage(self, name: StageName) -> None:
        """A stage begins."""

    def told(self, done: int, total: int, detail: str) -> None:
        """How far the stage is, where no job runs."""

    def job(self, job: str) -> None:
        """A job of the stage was queued."""

    def event(self, event: AnyEvent) -> None:
        """The stage's job said something."""


@dataclass
class _Course:
    """What has been found so far."""

    stages: list[StageRecord] = field(default_factory=list)
    problems: list[RehearsalProblem] = field(default_factory=list)
    changes: tuple[Change, ...] = ()
    jobs: list[str] = field(default_factory=list)
    model: ModelRef | None = None
    small_model: SmallModel | None = None

    @property
    def is_miniature(self) -> bool:
        """Whether the small model is no model that was ever of use."""
        return self.small_model is not None and self.small_model.kind == "miniature"

    def seriously(self, stage: StageName) -> bool:
        """Whether something serious was found in a stage."""
        return any(problem.serious for problem in self.problems if problem.stage == stage)


class Rehearsal:
    """Rehearses recipes in a workshop."""

    def __init__(self, workshop: Workshop, audience: Audience) -> None:
        self._workshop = workshop
        self._audience = audience

    def run(self, recipe: TrainRecipe) -> RehearsalRecord:
        """Go as far as it goes; blocks for a minute or two. What a stage fails of is a problem in the record.

        Raises:
            OSError: the data directory cannot be written; and whatever the audience raises.
        """
        course, begun_at = _Course(), time.time()
        with work_folder(self._workshop.data.tmp, "rehearsal.") as folder:
            self._go(recipe, folder, course)
        record = RehearsalRecord(
            created_at=begun_at,
            name=recipe.name,
            model=recipe.model.id,
            ok=not any(problem.serious for problem in course.problems),
            small_model=course.small_model,
            stages=(*course.stages, *_left_out(course)),
            problems=tuple(course.problems),
            changes=course.changes,
            jobs=tuple(course.jobs),
            outlook=self._outlook(recipe),
        )
        if record.job:
            with suppress(OSError):  # what came out is told all the same
                write_record(self._workshop.data.run(record.job).rehearsal, record)
        return record

    def _go(self, recipe: TrainRecipe, folder: Path, course: _Course) -> None:
        """Go from stage to stage, until one fails that the next ones need."""
        gone = self._stage("rows", course, lambda: self._look_at_rows(recipe, course))
        if not gone or course.seriously("rows"):
            return
        if not self._stage("model", course, lambda: self._find_model(recipe, folder, course)):
            return
        if not self._stage("training", course, lambda: self._train(recipe, folder, course)):
            return
        self._stage("exporting", course, lambda: self._export(course))
        if self._workshop.exports.finished(course.jobs[0]):
            self._stage("proving", course, lambda: self._prove(course))
            self._stage("answering", course, lambda: self._answer(course))

    # the stages

    def _look_at_rows(self, recipe: TrainRecipe, course: _Course) -> None:
        limit = recipe.training.max_seq_length
        report = self._workshop.inspection.audit(
            recipe.dataset.id, Path(recipe.model.path), limit, self._told_rows
        )
        course.problems += judging.of_rows(report.defects, report.rows)

    def _told_rows(self, done: int, total: int, _detail: str) -> None:
        self._audience.told(done, total, "")

    def _find_model(self, recipe: TrainRecipe, folder: Path, course: _Course) -> None:
        course.model, course.small_model = small_model(
            self._workshop.models, self._workshop.tasks, recipe, folder, self._audience.told
        )

    def _train(self, recipe: TrainRecipe, folder: Path, course: _Course) -> None:
        assert course.model is not None
        renderer = Renderer.load(Path(recipe.model.path))
        few = _few_rows(recipe, renderer, folder)
        stage = Stage(course.model, course.is_miniature, few, has_gpu=bool(nvidia_gpus()))
        made, course.changes = rehearsal_of(recipe, stage)
        name = recipe.name or recipe.dataset.id
        job = self._workshop.jobs.queue(made, name, purpose="rehearsal")
        course.problems += judging.of_training(self._follow(job, course), recipe.method)

    def _export(self, course: _Course) -> None:
        """Make both files at once; where that fails, each by itself, to see which of them it is."""
        order = self._workshop.exports.queue
        try:
            course.problems += judging.of_exporting(self._follow(order(course.jobs[0], ITEMS), course))
            return
        except AcademyError as error:
            first = error
        failures: list[AcademyError] = []
        for item in ITEMS:
            try:
                self._follow(order(course.jobs[0], (item,)), course)
            except AcademyError as error:
                failures.append(error)
        if len(failures) == len(ITEMS):
            raise first
        course.problems += [judging.of_failure(one, "exporting", others=True) for one in failures or [first]]

    def _prove(self, course: _Course) -> None:
        parent = self._workshop.data.run(course.jobs[0])
        recipe = CertifyRecipe(
            name=self._workshop.jobs.get(parent.job).name,
            parent=parent.job,
            parent_dir=str(parent.path),
            rows=PROVEN_ROWS,
            generated_rows=ANSWERED_ROWS,
            max_new_tokens=ANSWER_TOKENS,
        )
        self._follow(self._workshop.jobs.queue(recipe, purpose="rehearsal"), course)
        course.problems += judging.of_certificates(self._workshop.exports.finished(parent.job))

    def _answer(self, course: _Course) -> None:
        made = {one.export.name for one in self._workshop.exports.finished(course.jobs[0])}
        targets = ("base", "tuned", *({ASKED_EXPORT} & made))
        order = self._workshop.exports.queue_evaluation(course.jobs[0], targets, ANSWERED_ROWS, ANSWER_TOKENS)
        self._follow(order, course)
        found = self._workshop.exports.evaluation(order)
        course.problems += judging.of_answers(found, is_miniature=course.is_miniature)

    # inside

    def _stage(self, name: StageName, course: _Course, work: Callable[[], None]) -> bool:
        """Go through a stage; what it fails of is a problem. Returns whether it came to its end."""
        self._audience.stage(name)
        begun = time.monotonic()
        outcome: Literal["done", "failed", "left_out"] = "done"
        try:
            work()
        except AcademyError as error:
            course.problems.append(judging.of_failure(error, name))
            outcome = "left_out"
        ended = outcome == "done"
        if course.seriously(name):
            outcome = "failed"
        course.stages.append(StageRecord(name=name, seconds=time.monotonic() - begun, outcome=outcome))
        return ended

    def _follow(self, job: str, course: _Course) -> Sequence[AnyEvent]:
        course.jobs.append(job)
        try:
            self._audience.job(job)
        except BaseException:
            abandon(self._workshop.jobs, job)
            raise
        return follow_to_end(self._workshop.jobs, job, self._audience.event)

    def _outlook(self, recipe: TrainRecipe) -> Outlook | None:
        """What the real run will need, where that can be told."""
        try:
            found = self._workshop.estimates.estimate(recipe).forecast
        except AcademyError:
            return None
        return Outlook(
            fits=found.fits,
            memory_bytes=found.memory_bytes,
            seconds=found.seconds,
            seconds_low=found.seconds_range.low,
            seconds_high=found.seconds_range.high,
        )


def remove(workshop: Workshop, record: RehearsalRecord) -> None:
    """Move the jobs of a rehearsal to the trash, those that are there.

    Raises:
        AcademyError: `job_running`.
    """
    there = {job.id for job in workshop.jobs.list()}
    for job in reversed(record.jobs):
        if job in there:
            workshop.jobs.delete(job)


def _few_rows(recipe: TrainRecipe, renderer: Renderer, folder: Path) -> FewRows:
    """Choose the few rows, and write them into a folder."""
    training = recipe.training
    wanted = min(training.batch_size * training.gradient_accumulation_steps * STEPS, MOST_ROWS)
    rows = Excerpts(recipe, renderer)
    longest, usual = rows.longest(LONGEST_ROWS), rows.usual(wanted)
    chosen = [one.row for one in (*longest, *usual)]
    held_out = Excerpts(recipe, renderer, "eval").usual(HELD_OUT_CHOICE) or usual[:HELD_OUT_CHOICE]
    short = sorted(held_out, key=lambda one: one.tokens)[:HELD_OUT_ROWS]
    told = [_as_chat(one.row) for one in short]
    dataset = write_excerpt(folder / recipe.dataset.id, chosen, told)
    lengths = sorted(one.tokens for one in (*longest, *usual))
    if recipe.method == "pretrain":  # texts are laid end to end, and cut into blocks
        block = max(min(sum(lengths), training.max_seq_length), 1)
        return FewRows(dataset, rows=ceil(sum(lengths) / block), longest=block, typical=block)
    typical = lengths[len(lengths) // 2] if lengths else 0
    return FewRows(dataset, rows=len(lengths), longest=max(lengths, default=0), typical=typical)


def _as_chat(row: Row) -> Row:
    """A plain text as a question and an answer, so that exports can be asked; other rows as they are."""
    if "text" not in row:
        return row
    words = str(row["text"]).split()[:48]
    half = max(len(words) // 2, 1)
    turns = [
        {"role": "user", "content": " ".join(words[:half])},
        {"role": "assistant", "content": " ".join(words[half:]) or "."},
    ]
    return {"source": row.get("source"), "messages": turns}


def _left_out(course: _Course) -> list[StageRecord]:
    """The stages that it did not come to."""
    seen = {stage.name for stage in course.stages}
    return [StageRecord(name=name, seconds=0.0, outcome="left_out") for name in STAGES if name not in seen]
