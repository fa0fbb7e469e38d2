"""How each engine uses memory, as one table: a new engine is a new row.

Owns what `trainers.engines` does that costs memory, said in numbers. Refuses to know models and batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

DeviceName = Literal["cpu", "cuda"]
Precision = Literal["fp32", "bf16", "fp16"]

MIB = 1024**2
#: Logits that an engine makes at a time, if it does not make all of them: fewer rows of a large vocabulary.
LOGITS_AT_ONCE, LEAST_ROWS = 2**25, 32
#: Of the weights' files, what is mapped at a time by an engine that copies them.
MAPPED_BYTES = 64 * MIB
#: A guess, and told as one.
GPU_FLOPS = 3.5e13


@dataclass(frozen=True)
class Kept:
    """What one layer keeps of one token for the way back, in multiples of the model's widths.

    Attributes:
        mlp: of the intermediate size: gate, activation, up, product.
        hidden: of the hidden size: what adapters read, beside the inputs of norms.
        queries, keys: of all queries and of all keys: what attention reads and writes.
        normed_queries, normed_keys: the same, where queries and keys are normed.
        norm_bytes: of one number that a norm keeps.
    """

    mlp: int
    hidden: int
    queries: int
    keys: int
    normed_queries: int
    normed_keys: int
    norm_bytes: int


@dataclass(frozen=True)
class EngineTraits:
    """One engine on one device, in one number format.

    Attributes:
        program_bytes: main memory of the trainer before there is a model: Python, torch, libraries.
        context_bytes: memory of the device that its driver and its kernels take.
        number_bytes: of one number that is computed with.
        weight_bytes: of one weight that is kept.
        kept: of each layer and token; None where rows are laid end to end (see `packed`).
        logit_bytes: of one logit, all copies of it together.
        logits_at_once: rows that logits are made for at most at a time (see `LOGITS_AT_ONCE`); 0 for all.
        reserve: share of the activations that the allocator holds on top.
        holds_on: whether the allocator keeps that when the activations are gone.
        casts: whether weights are cast for each product, and the casts kept for the way back.
        checkpointing: whether a layer's inner values are computed again on the way back.
        core_flops: FLOP/s per core that are assumed before a run was seen; on a GPU, of the whole of it.
        doubt: the spread that is told before a run was seen.
        copies: whether weights are copied out of the file, and never used where they lie.
    """

    program_bytes: int
    context_bytes: int
    number_bytes: int
    weight_bytes: int
    kept: Kept | None
    logit_bytes: int
    logits_at_once: int
    reserve: float
    holds_on: bool = False
    casts: bool = False
    checkpointing: bool = False
    copies: bool = False
    core_flops: float = GPU_FLOPS
    doubt: float = 0.06

    @property
    def packed(self) -> bool:
        """Whether rows are laid end to end, instead of being padded side by side."""
        return self.kept is None


#: Queries, and keys and values repeated for all heads; the output; no casts in between.
_PLAIN = Kept(mlp=4, hidden=2, queries=4, keys=0, normed_queries=1, normed_keys=1, norm_bytes=4)
#: Autocast: each adapter casts its input for itself, the output of attention once more; norms stay in 32 bit.
_CAST = Kept(mlp=4, hidden=5, queries=5, keys=0, normed_queries=1, normed_keys=1, norm_bytes=4)
_CPU_PROGRAM = 545 * MIB
#: Machine code, libraries and what they prepare for products in 16 bit.
_OWN_PROGRAM, _OWN_PROGRAM_FP32 = 540 * MIB, 465 * MIB
_GPU_PROGRAM = 2600 * MIB
_CONTEXT = 550 * MIB

#: (engine, device, number format) → its traits. The engine `peft` computes logits at learned positions only.
TRAITS: Mapping[tuple[str, DeviceName, Precision], EngineTraits] = {
    ("peft", "cpu", "fp32"): EngineTraits(
        _CPU_PROGRAM, 0, 4, 4, _PLAIN, 12, 0, 0.8, holds_on=True, core_flops=4e10
    ),
    ("peft", "cpu", "bf16"): EngineTraits(
        _CPU_PROGRAM, 0, 2, 4, _CAST, 12, 0, 0.8, holds_on=True, casts=True, core_flops=6e10
    ),
    ("cpu", "cpu", "fp32"): EngineTraits(
        _OWN_PROGRAM_FP32,
        0,
        4,
        4,
        None,
        4,
        256,
        0.04,
        holds_on=True,
        copies=True,
        core_flops=6e10,
    ),
    ("cpu", "cpu", "bf16"): EngineTraits(
        _OWN_PROGRAM,
        0,
        2,
        2,
        None,
        2,
        256,
        0.04,
        holds_on=True,
        copies=True,
        core_flops=2e11,
    ),
    ("peft", "cuda", "fp32"): EngineTraits(
        _GPU_PROGRAM, _CONTEXT, 4, 4, _PLAIN, 12, 0, 0.06, checkpointing=True
    ),
    ("peft", "cuda", "bf16"): EngineTraits(
        _GPU_PROGRAM, _CONTEXT, 2, 2, _CAST, 12, 0, 0.06, casts=True, checkpointing=True
    ),
    ("peft", "cuda", "fp16"): EngineTraits(
        _GPU_PROGRAM, _CONTEXT, 2, 2, _CAST, 12, 0, 0.06, casts=True, checkpointing=True
    ),
    ("unsloth", "cuda", "bf16"): EngineTraits(
        _GPU_PROGRAM, _CONTEXT, 2, 2, _PLAIN, 8, 256, 0.06, checkpointing=True
    ),
    ("unsloth", "cuda", "fp16"): EngineTraits(
        _GPU_PROGRAM, _CONTEXT, 2, 2, _PLAIN, 8, 256, 0.06, checkpointing=True
    ),
}


def traits_of(engine: str, device: DeviceName, precision: Precision) -> EngineTraits:
    """Return the traits of an engine; one that is not in the table is taken for `peft`, the dearest."""
    return TRAITS.get((engine, device, precision)) or TRAITS["peft", device, precision]
