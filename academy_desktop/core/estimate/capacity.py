"""How large a model can be trained on a computer: the largest of the usual sizes that a standard recipe fits.

Owns the usual sizes (public configurations of Llama 3, Qwen 2.5 and SmolLM2) and the standard recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from academy_desktop.core.estimate.calibration import Kind, Observation, fit
from academy_desktop.core.estimate.choice import own_precision
from academy_desktop.core.estimate.engines import DeviceName, Precision, traits_of
from academy_desktop.core.estimate.machine import Machine
from academy_desktop.core.estimate.model_shape import Linear, ModelShape
from academy_desktop.core.estimate.terms import adapter_of, memory_terms
from academy_desktop.core.estimate.workload import Batch, Workload
from trainers.recipe import LINEAR_LAYERS

#: Share of the memory that a run may take: the system and other programs need the rest.
SHARE = 0.85
#: The standard recipe: one row of this many tokens at a time, of which this many are learned, and this rank.
ROW = Batch(rows=1, width=1024, tokens=1020, supervised=400)
RANK = 16

Way = Literal["lora", "qlora"]


@dataclass(frozen=True)
class Capacity:
    """Parameters of the largest model that can be trained; 0 where none can.

    Attributes:
        device: where.
        lora: with weights as they are.
        qlora: with weights in 4 bit.
    """

    device: DeviceName
    lora: int
    qlora: int


def capacity(machine: Machine, seen: Sequence[Observation]) -> Capacity:
    """Return what fits a computer, as its finished runs would have it."""
    device: DeviceName = "cuda" if machine.has_gpu else "cpu"
    room = SHARE * (machine.gpu_bytes if machine.has_gpu else machine.ram_bytes)
    sizes = {
        nf4: max(
            (shape.parameters for shape in USUAL if _needs(shape, device, seen, nf4=nf4) <= room), default=0
        )
        for nf4 in (False, True)
    }
    return Capacity(device, lora=sizes[False], qlora=sizes[True])


def _needs(shape: ModelShape, device: DeviceName, seen: Sequence[Observation], *, nf4: bool) -> float:
    # What a recipe gets by itself: the engine for processors knows no 4 bit.
    own = device == "cpu" and not nf4
    engine = "cpu" if own else "peft"
    precision: Precision = "bf16" if device == "cuda" else own_precision(seen) if own else "fp32"
    traits = traits_of(engine, device, precision)
    terms = memory_terms(
        shape,
        adapter_of(shape, LINEAR_LAYERS, RANK),
        traits,
        Workload((ROW,), (), steps=1, passes=1.0, evaluated=0),
        nf4=nf4,
        on_gpu=device == "cuda",
    )
    learned = fit(Kind(engine, device, precision, nf4), traits, terms.program, seen)
    return learned.applied(terms).total


def usual_shape(
    family: str,
    layers: int,
    hidden: int,
    intermediate: int,
    heads: int,
    kv_heads: int,
    vocabulary: int,
    *,
    tied: bool,
) -> ModelShape:
    """Return the shape of a dense decoder with gated layers, from the numbers of its configuration."""
    head_dim = hidden // heads
    keys = kv_heads * head_dim
    linears = (
        Linear("q_proj", hidden, hidden, layers),
        Linear("k_proj", keys, hidden, layers),
        Linear("v_proj", keys, hidden, layers),
        Linear("o_proj", hidden, hidden, layers),
        Linear("gate_proj", intermediate, hidden, layers),
        Linear("up_proj", intermediate, hidden, layers),
        Linear("down_proj", hidden, intermediate, layers),
    )
    table = vocabulary * hidden
    return ModelShape(
        family=family,
        layers=layers,
        hidden=hidden,
        intermediate=intermediate,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocabulary=vocabulary,
        longest=2**17,
        linears=linears,
        embedding=table,
        head=0 if tied else table,
        other=(2 * layers + 1) * hidden,
        largest=table,
    )


#: From 135 million to 70 billion parameters.
USUAL = (
    usual_shape("llama", 30, 576, 1536, 9, 3, 49_152, tied=True),
    usual_shape("llama", 32, 960, 2560, 15, 5, 49_152, tied=True),
    usual_shape("qwen2", 24, 896, 4864, 14, 2, 151_936, tied=True),
    usual_shape("llama", 16, 2048, 8192, 32, 8, 128_256, tied=True),
    usual_shape("llama", 24, 2048, 8192, 32, 32, 49_152, tied=True),
    usual_shape("llama", 28, 3072, 8192, 24, 8, 128_256, tied=True),
    usual_shape("llama", 32, 4096, 14_336, 32, 8, 128_256, tied=False),
    usual_shape("qwen2", 48, 5120, 13_824, 40, 8, 152_064, tied=False),
    usual_shape("qwen2", 64, 5120, 27_648, 40, 8, 152_064, tied=False),
    usual_shape("llama", 80, 8192, 28_672, 64, 8, 128_256, tied=False),
)
