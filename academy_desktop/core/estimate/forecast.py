"""The forecast of a run: memory, disk and time with their ranges, and whether this computer has them.

Owns the way from a recipe to its figures. Refuses to know sentences and screens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from academy_desktop.core.estimate.calibration import Fit, Kind, Observation, fit, speed
from academy_desktop.core.estimate.choice import foresee
from academy_desktop.core.estimate.engines import DeviceName, EngineTraits, Precision, traits_of
from academy_desktop.core.estimate.machine import Machine
from academy_desktop.core.estimate.model_shape import ModelShape
from academy_desktop.core.estimate.pace import (
    GUESS_DOUBT,
    SEEN_DOUBT,
    Work,
    assumed_speed,
    duration,
    work_of,
)
from academy_desktop.core.estimate.row_lengths import Lengths
from academy_desktop.core.estimate.terms import (
    MOMENTS,
    MOMENTS_8BIT,
    Adapter,
    MemoryTerms,
    adapter_of,
    memory_terms,
)
from academy_desktop.core.estimate.workload import Workload, plan_workload
from trainers.errors import AcademyError, ErrorCode
from trainers.recipe import TrainRecipe

#: Where the figure lies between the least and the most that is likely: too little memory ends a run, too much
#: does not.
LEAN = 0.7
#: Of a checkpoint, beside the adapter and the optimizer's moments.
CHECKPOINT_EXTRA_BYTES = 200_000


@dataclass(frozen=True)
class Range:
    """From the least to the most that is likely."""

    low: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """What a run will need; bytes and seconds.

    Attributes:
        device: where it is trained.
        engine, precision: as they are chosen.
        memory: the terms of the memory that decides: the GPU's, else the main memory.
        memory_range: of their sum.
        limit_bytes: of that memory, what there is now.
        host_bytes: main memory.
        device_bytes: memory of the GPU; 0 without one.
        disk: bytes on the disk by item: checkpoints, adapter, export.
        disk_free_bytes: what there is now.
        seconds, seconds_range: from the start to the end.
        steps: updates.
        counted: whether every row was counted, or a sample.
        runs: finished runs of this kind that the memory's figure has learned from.
        timed_runs: the same for the time.
    """

    device: DeviceName
    engine: str
    precision: Precision
    memory: MemoryTerms
    memory_range: Range
    limit_bytes: int
    host_bytes: float
    device_bytes: float
    disk: Mapping[str, float]
    disk_free_bytes: int
    seconds: float
    seconds_range: Range
    steps: int
    counted: bool
    runs: int
    timed_runs: int

    @property
    def memory_bytes(self) -> float:
        """The figure that decides: a little above the middle of the range."""
        return self.memory.total

    @property
    def disk_bytes(self) -> float:
        """All that the run and one export of it put on the disk."""
        return sum(self.disk.values())

    @property
    def fits_memory(self) -> bool:
        """Whether the memory will do, as far as the figure goes."""
        return self.memory_bytes <= self.limit_bytes

    @property
    def fits_disk(self) -> bool:
        """Whether the disk will do."""
        return self.disk_bytes <= self.disk_free_bytes

    @property
    def fits(self) -> bool:
        """Whether the run can be done here now."""
        return self.fits_memory and self.fits_disk

    @property
    def is_tight(self) -> bool:
        """Whether it fits, but not with the most that is likely."""
        return self.fits and self.memory_range.high > self.limit_bytes


@dataclass(frozen=True)
class Subject:
    """What a forecast is made of, once read: the model's shape and the lengths of the rows."""

    shape: ModelShape
    train: Lengths
    held_out: Lengths


@dataclass(frozen=True)
class Sums:
    """A recipe in numbers, before anything was learned from runs."""

    kind: Kind
    device: DeviceName
    precision: Precision
    traits: EngineTraits
    adapter: Adapter
    workload: Workload
    memory: MemoryTerms
    work: Work
    threads: int


def add_up(recipe: TrainRecipe, subject: Subject, machine: Machine, seen: Sequence[Observation] = ()) -> Sums:
    """Put a recipe into numbers.

    Raises:
        AcademyError: `nothing_supervised`, `recipe_invalid` for a layer that the model does not have, or for
            rows longer than it can read.
    """
    _refuse_what_cannot_be(recipe, subject)
    chosen = foresee(recipe, machine, seen)
    traits = traits_of(chosen.engine, chosen.device, chosen.precision)
    nf4 = recipe.hardware.quantization == "nf4"
    adapter = adapter_of(subject.shape, recipe.lora.layers(), recipe.lora.rank)
    workload = plan_workload(
        recipe, subject.train.known, subject.held_out.known, rows=subject.train.rows, packed=traits.packed
    )
    if not workload.batches:
        raise AcademyError(
            ErrorCode.NOTHING_SUPERVISED,
            rows=subject.train.rows,
            max_length=recipe.training.max_seq_length,
        )
    return Sums(
        kind=Kind(chosen.engine, chosen.device, chosen.precision, nf4),
        device=chosen.device,
        precision=chosen.precision,
        traits=traits,
        adapter=adapter,
        workload=workload,
        memory=memory_terms(
            subject.shape,
            adapter,
            traits,
            workload,
            nf4=nf4,
            on_gpu=chosen.device == "cuda",
            moments=MOMENTS_8BIT if chosen.optimizer == "adamw_8bit" else MOMENTS,
        ),
        work=work_of(subject.shape, adapter, traits, workload),
        threads=recipe.hardware.threads or machine.cores,
    )


def forecast(
    recipe: TrainRecipe, subject: Subject, machine: Machine, seen: Sequence[Observation]
) -> Forecast:
    """Forecast a recipe.

    Args:
        recipe: resolved.
        subject: its model and rows.
        machine: where it is to run.
        seen: finished runs of this machine.

    Raises:
        AcademyError: as `add_up`.
    """
    sums = add_up(recipe, subject, machine, seen)
    learned = fit(sums.kind, sums.traits, sums.memory.program, seen)
    memory, memory_range = _with_range(learned, sums.memory)
    rate, timed_runs = speed(sums.kind, sums.threads, seen)
    seconds = duration(
        sums.work, sums.workload, rate or assumed_speed(sums.device, sums.traits, sums.threads)
    )
    doubt = SEEN_DOUBT if timed_runs else GUESS_DOUBT
    on_gpu = sums.device == "cuda"
    program = sums.traits.program_bytes + subject.shape.largest * subject.shape.stored_bytes
    return Forecast(
        device=sums.device,
        engine=sums.kind.engine,
        precision=sums.precision,
        memory=memory,
        memory_range=memory_range,
        limit_bytes=machine.gpu_free_bytes if on_gpu else machine.ram_free_bytes,
        host_bytes=program if on_gpu else memory.total,
        device_bytes=memory.total if on_gpu else 0.0,
        disk=_disk(recipe, subject.shape, sums.adapter),
        disk_free_bytes=machine.disk_free_bytes,
        seconds=seconds,
        seconds_range=Range(seconds / doubt, seconds * doubt),
        steps=sums.workload.steps,
        counted=subject.train.counted,
        runs=learned.runs,
        timed_runs=timed_runs,
    )


def _with_range(learned: Fit, terms: MemoryTerms) -> tuple[MemoryTerms, Range]:
    """The terms as runs would have them, the lean added to the reserve, and the range around them."""
    middle = learned.applied(terms)
    total, spread = middle.total, 2 * learned.spread
    lean = LEAN * learned.spread * total
    leaning = MemoryTerms(**{**vars(middle), "reserve": middle.reserve + lean})
    return leaning, Range(total * (1 - spread), total * (1 + spread))


def _disk(recipe: TrainRecipe, shape: ModelShape, adapter: Adapter) -> dict[str, float]:
    """Checkpoints (one more while it is written), the adapter, and one merged export in 16 bit."""
    own = 4.0 * adapter.parameters
    checkpoint = 3 * own + CHECKPOINT_EXTRA_BYTES
    return {
        "checkpoints": (recipe.checkpoints.keep + 1) * checkpoint,
        "adapter": own,
        "export": 2.0 * shape.parameters,
    }


def _refuse_what_cannot_be(recipe: TrainRecipe, subject: Subject) -> None:
    shape = subject.shape
    known = {linear.name for linear in shape.linears}
    if recipe.lora.target_modules != "all-linear":
        for layer in recipe.lora.layers():
            if layer not in known:
                raise AcademyError(
                    ErrorCode.RECIPE_INVALID, key="lora.target_modules", problem="unknown_layer", value=layer
                )
    longest = max((row.tokens for row in subject.train.known), default=0)
    if min(longest, recipe.training.max_seq_length) > shape.longest:
        raise AcademyError(
            ErrorCode.RECIPE_INVALID,
            key="training.max_seq_length",
            problem="out_of_range",
            value=recipe.training.max_seq_length,
            bound=shape.longest,
            side="le",
        )
