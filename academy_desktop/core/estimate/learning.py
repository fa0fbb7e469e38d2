"""From a run that has ended to an observation: what it took, beside what the formulas say of it.

Owns the choice of runs that teach something. Refuses to know where observations are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from academy_desktop.core.estimate.calibration import Observation
from academy_desktop.core.estimate.engines import TRAITS
from academy_desktop.core.estimate.forecast import Subject, Sums, add_up
from academy_desktop.core.estimate.machine import Machine
from academy_desktop.core.history import EventTail, History
from academy_desktop.core.reader import read_if_whole
from trainers.errors import AcademyError
from trainers.events import Started, Step
from trainers.layout import ExitRecord, Label, RunDir
from trainers.recipe import TrainRecipe
from trainers.recipe_file import read_train_recipe

#: Fewer steps have not seen the memory at its peak.
LEAST_STEPS = 3

_ENGINES = frozenset(engine for engine, _, _ in TRAITS)


def observe(
    run: RunDir, subject_of: Callable[[TrainRecipe], Subject], machine: Machine
) -> Observation | None:
    """Return what a run teaches, or None: it goes on, failed, was resumed, or its model or rows are gone."""
    exited = read_if_whole(run.attempt(1).exit, ExitRecord)
    last = run.last_attempt()
    if exited is None or exited.exit_code != 0 or last is None or last.number != 1:
        return None
    if run.adjusted.exists():  # it did not compute as its recipe says
        return None
    label = read_if_whole(run.label, Label)
    if label is not None and label.purpose == "rehearsal":  # of a miniature, which tells nothing of speed
        return None
    try:
        recipe = read_train_recipe(run.path)
        history = History()
        history.fold_all(EventTail(run.events).read_new())
        started = history.started
        if started is None or started.engine not in _ENGINES or len(history.steps) < LEAST_STEPS:
            return None
        sums = add_up(_as_run(recipe, started), subject_of(recipe), _device_of(machine, started))
    except (AcademyError, KeyError):
        return None
    peak = _peak(history.steps, exited, on_gpu=started.device == "cuda")
    return _observation(run.job, sums, history.steps, peak) if peak else None


def _observation(job: str, sums: Sums, steps: list[Step], peak_bytes: int) -> Observation:
    return Observation(
        job=job,
        engine=sums.kind.engine,
        device=sums.kind.device,
        precision=sums.kind.precision,
        nf4=sums.kind.nf4,
        threads=sums.threads,
        fixed_bytes=sums.memory.fixed,
        activation_bytes=sums.memory.activations,
        peak_bytes=peak_bytes,
        flops_per_s=_speed(sums, steps),
    )


def _speed(sums: Sums, steps: list[Step]) -> float | None:
    """FLOP/s over all steps but the first, which warms up."""
    seconds = sum(step.step_s for step in steps[1:])
    tokens = sum(step.tokens for step in steps[1:])
    if not seconds or not sums.work.pass_tokens:
        return None
    return tokens * sums.work.pass_flops / sums.work.pass_tokens / seconds or None


def _peak(steps: list[Step], exited: ExitRecord, *, on_gpu: bool) -> int:
    if on_gpu:
        return max((step.device_memory_bytes or 0 for step in steps), default=0)
    return max(exited.peak_rss_bytes or 0, *(step.rss_bytes for step in steps))


def _as_run(recipe: TrainRecipe, started: Started) -> TrainRecipe:
    """The recipe with what was chosen by itself named."""
    chosen = {"engine": started.engine, "precision": started.precision, "threads": started.threads}
    return recipe.model_copy(update={"hardware": recipe.hardware.model_copy(update=chosen)})


def _device_of(machine: Machine, started: Started) -> Machine:
    return replace(machine, gpu_bytes=1 if started.device == "cuda" else 0)
