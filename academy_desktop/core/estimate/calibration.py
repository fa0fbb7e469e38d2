"""What this machine's finished runs teach the forecast: how much they really took, and how fast they were.

Owns the file of observations (PROTOCOL.md, "Calibration") and the fit. Refuses to know how one came to be.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from academy_desktop.core.estimate.engines import EngineTraits, traits_of
from academy_desktop.core.estimate.terms import MemoryTerms
from trainers.files import read_regular
from trainers.layout import write_atomically

#: Goes up when a formula changes, so that older observations are made anew from their runs.
FORMULAS = 2
#: Observations kept; the newest count.
MOST_KEPT = 200
#: How far the table of engines may be off: bytes of the program, share of the reserve.
PROGRAM_DOUBT = 60 * 1024**2
RESERVE_DOUBT = 0.15
#: Of one run, beside what the formulas say: allocators and chance.
NOISE = 0.03
#: The smallest spread that is told.
LEAST_SPREAD = 0.025
#: An observation in another number format of the weights says less about this one.
OTHER_WEIGHT = 0.3


class Observation(BaseModel):
    """One finished run: what the formulas said of it, and what it took.

    `fixed_bytes` is all that the allocator takes as it is: weights, adapter, gradients, optimizer, logits.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)
    job: str = Field(max_length=100)
    engine: str = Field(max_length=40)
    device: str = Field(max_length=40)
    precision: str = Field(max_length=40)
    nf4: bool
    threads: int = Field(ge=1)
    fixed_bytes: float = Field(ge=0)
    activation_bytes: float = Field(ge=0)
    peak_bytes: float = Field(gt=0)
    flops_per_s: float | None = Field(None, gt=0)


class _File(BaseModel):
    v: int
    formulas: int
    runs: tuple[Observation, ...]


@dataclass(frozen=True)
class Kind:
    """Which runs are alike: engine, device, number format, and whether weights are kept in 4 bit."""

    engine: str
    device: str
    precision: str
    nf4: bool

    def weight(self, one: Observation) -> float:
        """How much an observation says about this kind: 1, less, or nothing."""
        if (one.engine, one.device) != (self.engine, self.device):
            return 0.0
        return 1.0 if (one.precision, one.nf4) == (self.precision, self.nf4) else OTHER_WEIGHT


@dataclass(frozen=True)
class Fit:
    """What was learned: the program's bytes, the reserve, the relative spread, and from how many runs."""

    program_bytes: float
    reserve: float
    spread: float
    runs: int

    def applied(self, terms: MemoryTerms) -> MemoryTerms:
        """The terms as this machine's runs would have them."""
        return MemoryTerms(
            program=self.program_bytes,
            weights=terms.weights,
            adapter=terms.adapter,
            gradients=terms.gradients,
            optimizer=terms.optimizer,
            activations=terms.activations,
            logits=terms.logits,
            reserve=self.reserve * terms.activations,
            loading=max(terms.loading + terms.reserve - self.reserve * terms.activations, 0.0)
            if terms.loading
            else 0.0,
        )


def fit(kind: Kind, traits: EngineTraits, program_bytes: float, seen: Sequence[Observation]) -> Fit:
    """Fit program and reserve to what was observed, beginning at the table's values.

    Least squares of relative errors with a prior (ridge): few runs move the values a little, many decide.
    """
    weighted = [(kind.weight(one), one) for one in seen]
    used = [(weight, one) for weight, one in weighted if weight > 0]
    program, reserve = _least_squares(traits, program_bytes, used)
    errors = [
        abs((program + one.fixed_bytes + (1 + reserve) * one.activation_bytes) / one.peak_bytes - 1)
        for weight, one in used
        if weight == 1.0
    ]
    # A few runs that happen to agree prove little: the doubt fades as they become more.
    doubt = traits.doubt / (1 + len(errors) / 3)
    typical = statistics.median(errors) if errors else 0.0
    return Fit(program, reserve, max(LEAST_SPREAD, doubt, 1.5 * typical), len(errors))


def _least_squares(
    traits: EngineTraits, program_bytes: float, used: Iterable[tuple[float, Observation]]
) -> tuple[float, float]:
    """Solve the two normal equations for (program, reserve)."""
    precision_p, precision_r = 1 / PROGRAM_DOUBT**2, 1 / RESERVE_DOUBT**2
    pp, pr, rr = precision_p, 0.0, precision_r
    p, r = precision_p * program_bytes, precision_r * traits.reserve
    for weight, one in used:
        worth = weight / (NOISE * one.peak_bytes) ** 2
        left = one.peak_bytes - one.fixed_bytes - one.activation_bytes
        # In another number format the program is of another size: what counts is how far off the table was.
        left += traits.program_bytes - _traits_of(one).program_bytes
        pp += worth
        pr += worth * one.activation_bytes
        rr += worth * one.activation_bytes**2
        p += worth * left
        r += worth * left * one.activation_bytes
    determinant = pp * rr - pr * pr
    return (p * rr - r * pr) / determinant, max((r * pp - p * pr) / determinant, 0.0)


def _traits_of(one: Observation) -> EngineTraits:
    """The traits that a run had; a number format that is not known counts as the widest."""
    if one.device == "cuda":
        return traits_of(one.engine, "cuda", "fp16" if one.precision == "fp16" else "bf16")
    return traits_of(one.engine, "cpu", "bf16" if one.precision == "bf16" else "fp32")


def speed(kind: Kind, threads: int, seen: Iterable[Observation]) -> tuple[float, int]:
    """(median FLOP/s of the runs of a kind with as many threads, how many there are); (0, 0) without any."""
    rates = [
        one.flops_per_s
        for one in seen
        if one.flops_per_s and kind.weight(one) == 1.0 and one.threads == threads
    ]
    return (statistics.median(rates), len(rates)) if rates else (0.0, 0)


def read_observations(path: Path) -> tuple[Observation, ...]:
    """Read the file; one that is missing, damaged or of other formulas holds nothing: it can be made anew."""
    try:
        found = _File.model_validate_json(read_regular(path))
    except (OSError, ValidationError):
        return ()
    return found.runs if (found.v, found.formulas) == (1, FORMULAS) else ()


def write_observations(path: Path, runs: Sequence[Observation]) -> None:
    """Write the newest observations."""
    content = _File(v=1, formulas=FORMULAS, runs=tuple(runs[-MOST_KEPT:]))
    write_atomically(path, content.model_dump_json(indent=1).encode() + b"\n")
