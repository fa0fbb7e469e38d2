"""A trial: a few real steps of a recipe over its longest rows, to see what they take on this computer.

The very recipe runs, as a job like any other, with as many of its longest rows as a step has; the forecast
learns from it, and it is gone again. Owns the trial's recipe and its life. Refuses to know sentences.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Protocol

from academy_desktop.core.estimate.service import Estimate
from academy_desktop.core.excerpt import Chosen, Excerpts, write_excerpt
from academy_desktop.core.job_steps import abandon, follow_to_end
from academy_desktop.core.reader import read_if_whole
from academy_desktop.core.work_folder import work_folder
from academy_desktop.core.workshop import Workshop
from trainers.errors import AcademyError, ErrorCode
from trainers.events import AnyEvent, Started, Step
from trainers.layout import ExitRecord, RunDir
from trainers.recipe import DatasetRef, TrainRecipe
from trainers.rendering import Renderer

#: The first step warms up, and two show the pace: as many as the forecast learns from.
STEPS = 3
#: One that is stopped ends after its step, at the latest.
END_S = 120.0


class Audience(Protocol):
    """Whoever watches a trial; what it raises in `event` ends it."""

    def job(self, job: str) -> None:
        """The trial's job was queued."""

    def event(self, event: AnyEvent) -> None:
        """It said something."""


@dataclass(frozen=True)
class Trial:
    """What a trial took, and the forecast of the real run that has learned from it.

    Attributes:
        device, engine: what it ran on.
        peak_bytes: of the memory that decides, the GPU's or the main memory.
        step_s: seconds of a step after the first.
        tokens: of a step.
        steps: how many were taken.
        estimate: of the recipe, after the trial.
    """

    device: str
    engine: str
    peak_bytes: int
    step_s: float
    tokens: int
    steps: int
    estimate: Estimate


def run_trial(workshop: Workshop, recipe: TrainRecipe, audience: Audience) -> Trial:
    """Take a few real steps; waits for the device as any job does, and blocks until they are done.

    Raises:
        AcademyError: whatever the steps fail of, `out_of_memory` above all; `nothing_supervised` where no row
            teaches anything; as `Estimates.estimate`.
    """
    with work_folder(workshop.data.tmp, "trial.") as folder:
        made = trial_of(recipe, _longest_rows(recipe, folder))
        job = workshop.jobs.queue(made, recipe.name or recipe.dataset.id, purpose="trial")
        try:
            events = _follow(workshop, job, audience)
            workshop.estimates.learn()  # while the rows are there
            return _outcome(events, workshop.data.run(job), workshop.estimates.estimate(recipe))
        finally:
            _clear_away(workshop, job)


def trial_of(recipe: TrainRecipe, rows: DatasetRef) -> TrainRecipe:
    """The recipe over a step's worth of rows, gone through so often that there are enough steps."""
    training = {"num_epochs": STEPS, "max_steps": STEPS, "warmup_steps": 0, "warmup_ratio": None}
    evaluation = {"max_rows": 0, "keep_best": False, "patience": None, "forgetting": None}
    samples = {"prompts": (), "count": 0}
    made = recipe.model_copy(
        update={
            "dataset": rows,
            "training": recipe.training.model_copy(update=training),
            "evaluation": recipe.evaluation.model_copy(update=evaluation),
            "samples": recipe.samples.model_copy(update=samples),
        }
    )
    return TrainRecipe.model_validate(made.model_dump())


def _longest_rows(recipe: TrainRecipe, folder: Path) -> DatasetRef:
    """Write as many of the longest rows as a step has; where there are fewer, they come up again."""
    training = recipe.training
    per_step = training.batch_size * training.gradient_accumulation_steps
    rows = Excerpts(recipe, Renderer.load(Path(recipe.model.path)))
    chosen: Sequence[Chosen] = (
        rows.longest_tokens(per_step * training.max_seq_length)
        if recipe.method == "pretrain"
        else rows.longest(per_step)
    )
    if not chosen:
        raise AcademyError(ErrorCode.NOTHING_SUPERVISED, max_length=training.max_seq_length)
    wanted = max(per_step, len(chosen))
    return write_excerpt(folder / recipe.dataset.id, [one.row for one in islice(cycle(chosen), wanted)], ())


def _follow(workshop: Workshop, job: str, audience: Audience) -> Sequence[AnyEvent]:
    try:
        audience.job(job)
    except BaseException:
        abandon(workshop.jobs, job)
        raise
    return follow_to_end(workshop.jobs, job, audience.event)


def _outcome(events: Sequence[AnyEvent], run: RunDir, estimate: Estimate) -> Trial:
    started = next(event.payload for event in events if isinstance(event.payload, Started))
    steps = [event.payload for event in events if isinstance(event.payload, Step)]
    timed = steps[1:] or steps
    return Trial(
        device=started.device,
        engine=started.engine or "",
        peak_bytes=_peak(run, steps, on_gpu=started.device == "cuda"),
        step_s=statistics.median(step.step_s for step in timed),
        tokens=max(step.tokens for step in steps),
        steps=len(steps),
        estimate=estimate,
    )


def _peak(run: RunDir, steps: Sequence[Step], *, on_gpu: bool) -> int:
    if on_gpu:
        return max(step.device_memory_bytes or 0 for step in steps)
    last = run.last_attempt()
    ended = read_if_whole(last.exit, ExitRecord) if last else None
    return max((ended.peak_rss_bytes if ended else None) or 0, *(step.rss_bytes for step in steps))


def _clear_away(workshop: Workshop, job: str) -> None:
    """Remove the trial's job for good: it is no run, and what it learned is nothing to keep."""
    with suppress(AcademyError):  # one that does not end is cleared away by whoever deletes it
        workshop.jobs.wait(job, timeout_s=END_S)
        workshop.jobs.delete(job)
        shutil.rmtree(workshop.data.trash / job, ignore_errors=True)
