"""Which device, engine and number format a run will take, told without torch.

Asks `trainers.choice`, which decides when the run starts, on what torch finds then. Here the processor's
flags, and what earlier runs took, stand for its measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from academy_desktop.core.estimate.calibration import Observation
from academy_desktop.core.estimate.engines import DeviceName, Precision
from academy_desktop.core.estimate.machine import Machine
from trainers import choice
from trainers.engines.cpu.architecture import refusal
from trainers.errors import AcademyError
from trainers.recipe import TrainRecipe

#: Vector units that multiply bf16 clearly faster than fp32.
BF16_FLAGS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
_CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Choice:
    """What a run will take."""

    device: DeviceName
    engine: str
    precision: Precision
    optimizer: str = "adamw"


def foresee(recipe: TrainRecipe, machine: Machine, seen: Sequence[Observation]) -> Choice:
    """Return what a recipe will be trained with on a machine; what would be refused, as the recipe has it."""
    wanted = recipe.hardware
    there = choice.Machine(
        cuda=machine.has_gpu,
        cuda_bf16=machine.has_gpu,
        cores=machine.cores,
        bitsandbytes=True,
        bf16_gain=choice.WORTHWHILE_GAIN if own_precision(seen) == "bf16" else 1.0,
    )
    unknown = refusal(recipe) if choice.may_be_own(wanted, there) else None
    try:
        chosen = choice.choose(wanted, there, unknown)
    except AcademyError:
        device: DeviceName = "cuda" if machine.has_gpu and wanted.device != "cpu" else "cpu"
        engine = "peft" if wanted.engine == "auto" else wanted.engine
        return Choice(device, engine, "bf16" if wanted.precision == "auto" else wanted.precision)
    return Choice(chosen.device, chosen.engine, chosen.precision, chosen.optimizer)


def own_precision(seen: Sequence[Observation]) -> Precision:
    """The number format that the processor's own engine takes here: as in its last run, else by the flags."""
    taken = next((one.precision for one in reversed(seen) if one.engine == "cpu"), "")
    fast = taken == "bf16" if taken else bool(BF16_FLAGS & processor_flags())
    return "bf16" if fast else "fp32"


def processor_flags() -> frozenset[str]:
    """Return the processor's flags as Linux tells them; nothing elsewhere."""
    try:
        lines = _CPUINFO.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return frozenset()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() in {"flags", "features"}:
            return frozenset(value.split())
    return frozenset()
