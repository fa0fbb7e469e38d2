"""How much arithmetic a run is, and how long that takes.

Owns the count of operations and the speeds that are assumed before a run was seen. Refuses to know memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from academy_desktop.core.estimate.engines import DeviceName, EngineTraits
from academy_desktop.core.estimate.model_shape import ModelShape
from academy_desktop.core.estimate.terms import Adapter
from academy_desktop.core.estimate.workload import Batch, Workload

#: From the start to the first step: libraries, model, rows.
START_S = 15.0
#: How many times slower or faster it may be: after a guess, and after runs of the same kind.
GUESS_DOUBT, SEEN_DOUBT = 2.5, 1.25


@dataclass(frozen=True)
class Work:
    """FLOP of one pass over the rows, of one evaluation, and the real tokens of that pass."""

    pass_flops: float
    evaluation_flops: float
    pass_tokens: int


def work_of(shape: ModelShape, adapter: Adapter, traits: EngineTraits, workload: Workload) -> Work:
    """Count the operations of a run.

    Two per parameter and token on the way forward and as many for the gradients of what went in; frozen
    weights get none; checkpointing goes forward twice. An adapter's own gradients make it three ways. A base
    model that is asked for comparison goes forward once more.
    """
    ways, more = 3 if traits.checkpointing else 2, workload.references
    return Work(
        sum(_flops(shape, adapter, batch, ways + more, 3 + more) for batch in workload.batches),
        sum(_flops(shape, adapter, batch, 1, 1) for batch in workload.evaluations),
        sum(batch.tokens for batch in workload.batches),
    )


def assumed_speed(device: DeviceName, traits: EngineTraits, threads: int) -> float:
    """FLOP/s before any run was seen."""
    return traits.core_flops * (1 if device == "cuda" else threads)


def duration(work: Work, workload: Workload, flops_per_s: float) -> float:
    """Seconds from the start to the end of a run."""
    flops = work.pass_flops * workload.passes + work.evaluation_flops * workload.evaluated
    return START_S + flops / flops_per_s


def _flops(shape: ModelShape, adapter: Adapter, batch: Batch, ways: int, adapter_ways: int) -> float:
    tokens = batch.rows * batch.width
    attention = 4 * batch.rows * batch.width**2 * shape.query_width * shape.layers
    linear = 2 * tokens * shape.in_linears
    head = 2 * batch.supervised * shape.vocabulary * shape.hidden
    thin = 2 * tokens * adapter.parameters
    return float(ways * (linear + attention) + min(ways, 2) * head + adapter_ways * thin)
