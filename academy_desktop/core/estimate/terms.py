"""How much memory a run takes, item by item.

Owns the formulas: weights, adapter, gradients, optimizer, activations by length, logits, reserve. Refuses to
know files, recipes and machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from academy_desktop.core.estimate.engines import LEAST_ROWS, LOGITS_AT_ONCE, MAPPED_BYTES, EngineTraits
from academy_desktop.core.estimate.model_shape import Linear, ModelShape
from academy_desktop.core.estimate.packed import envelope, extra_columns, matrices_bytes, widened_bytes
from academy_desktop.core.estimate.workload import Batch, Workload

#: NF4 in blocks of 64 with double quantization: 4 bit, an 8-bit scale per block, a 32-bit one per 256 of
#: those (QLoRA, arXiv 2305.14314).
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
#: Adapter, gradients and the optimizer's moments are kept in 32 bit.
STATE_BYTES = 4
#: AdamW's two moments.
MOMENTS = 2
#: The same in 8 bit, with a scale of 32 bit per 256 (Dettmers et al., arXiv 2110.02861).
MOMENTS_8BIT = MOMENTS * (1 + 4 / 256) / STATE_BYTES
#: Of one logit that waits for the base model's: in 32 bit, and its softmax.
REFERENCE_LOGIT_BYTES = 8
#: With checkpointing a layer's input is kept in 16 bit.
CHECKPOINT_BYTES = 2


@dataclass(frozen=True)
class MemoryTerms:
    """What a run holds at its peak, in bytes of the memory where the model is.

    `program` is the trainer itself (on a GPU the driver's context). `weights` to `optimizer` are there all
    the time; `activations`, `logits` and `reserve` come and go with each batch. `loading` is by how much the
    weights took more than all those while they were read.
    """

    program: float
    weights: float
    adapter: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    reserve: float
    loading: float

    @property
    def total(self) -> float:
        """All together."""
        return float(sum(getattr(self, field.name) for field in fields(self)))

    @property
    def fixed(self) -> float:
        """All but the program, the activations and what is held in reserve because of them."""
        return self.weights + self.adapter + self.gradients + self.optimizer + self.logits + self.loading


@dataclass(frozen=True)
class Adapter:
    """The adapter of a run: its rank, and the layers that get one."""

    rank: int
    linears: tuple[Linear, ...]

    @property
    def parameters(self) -> int:
        """Numbers of the adapter: two thin matrices beside each layer."""
        return sum(one.count * self.rank * (one.outputs + one.inputs) for one in self.linears)


def adapter_of(shape: ModelShape, layers: Sequence[str], rank: int) -> Adapter:
    """Return the adapter on the named layers; those that the model does not have are left out."""
    return Adapter(rank, tuple(one for one in shape.linears if one.name in layers))


def memory_terms(
    shape: ModelShape,
    adapter: Adapter,
    traits: EngineTraits,
    workload: Workload,
    *,
    nf4: bool,
    on_gpu: bool,
    moments: float = MOMENTS,
) -> MemoryTerms:
    """Add up what training takes at its peak, over the dearest batch.

    `moments`: of the optimizer, how many numbers of 32 bit it keeps per number of the adapter.
    """
    states = float(adapter.parameters * STATE_BYTES)
    weights = weight_bytes(shape, traits, nf4=nf4, mapped=not on_gpu)
    if traits.packed:
        weights += widened_bytes(shape, _extra(adapter), traits.weight_bytes)
    dearest = _dearest(shape, adapter, traits, workload, nf4=nf4)
    judged = max((_while_evaluating(shape, batch, traits) for batch in workload.evaluations), default=0.0)
    # Rows are judged without gradients. What training let go of stays with the C library's allocator, in
    # pieces too small for logits; a GPU's allocator gives it back.
    judged -= states if traits.holds_on else states + dearest[0]
    logits, reserve = max(dearest[1], judged), traits.reserve * dearest[0]
    needed = (2 + moments) * states + dearest[0] + logits + reserve
    return MemoryTerms(
        program=traits.context_bytes if on_gpu else traits.program_bytes,
        weights=weights,
        adapter=states,
        gradients=states,
        optimizer=moments * states,
        activations=dearest[0],
        logits=logits,
        reserve=reserve,
        loading=max(_while_loading(shape, traits, on_gpu=on_gpu) - needed, 0.0),
    )


def weight_bytes(shape: ModelShape, traits: EngineTraits, *, nf4: bool, mapped: bool) -> float:
    """Memory of the base model's weights while it is trained.

    Args:
        shape: the model.
        traits: of the engine.
        nf4: linear layers are kept in 4 bit; tables and norms stay as wide as they are computed with.
        mapped: weights that are used as they are stored stay in the file, and only what is touched of them
            counts: of a table of token vectors that is no head at the same time, a few rows.
    """
    width = traits.weight_bytes
    linear = shape.in_linears * (NF4_BYTES if nf4 else width)
    embedding = float(shape.embedding * width)
    if mapped and shape.stored_bytes == width and shape.head:
        embedding = 0.0
    return linear + embedding + (shape.head + shape.other) * width


def _while_loading(shape: ModelShape, traits: EngineTraits, *, on_gpu: bool) -> float:
    """Bytes beside the weights while these are read: pages of the file that they are copied out of."""
    in_place = shape.stored_bytes == traits.weight_bytes and not traits.copies
    if on_gpu or in_place:
        return 0.0
    whole = float(shape.parameters * shape.stored_bytes)
    if not traits.copies:
        return whole
    # The tables come first, when nothing else is there.
    others = (shape.parameters - shape.largest) * traits.weight_bytes
    return min(whole, max(MAPPED_BYTES, shape.largest * shape.stored_bytes - others))


def _extra(adapter: Adapter) -> tuple[int, ...]:
    return extra_columns([one.name for one in adapter.linears], adapter.rank)


def _dearest(
    shape: ModelShape, adapter: Adapter, traits: EngineTraits, workload: Workload, *, nf4: bool
) -> tuple[float, float]:
    """(activations, logits) of the dearest batch; of an engine that keeps blocks, after all of them."""
    if traits.packed:
        most = envelope(workload.batches)
        rows = _logit_rows(shape, traits, most.supervised)
        kept = matrices_bytes(shape, most, _extra(adapter), traits.number_bytes)
        return kept, float(rows * shape.vocabulary * traits.logit_bytes)
    found = (
        _while_training(shape, adapter, traits, batch, nf4=nf4, references=workload.references)
        for batch in workload.batches
    )
    return max(found, key=sum, default=(0.0, 0.0))


def _while_training(
    shape: ModelShape, adapter: Adapter, traits: EngineTraits, batch: Batch, *, nf4: bool, references: int
) -> tuple[float, float]:
    """(activations, logits) at the end of the way forward or the begin of the way back.

    A base model that is asked for comparison goes forward while all that is there already.
    """
    tokens = batch.rows * batch.width
    layer = tokens * _kept_per_token(shape, adapter, traits) + _masks(traits, batch)
    kept = shape.layers * layer
    if traits.checkpointing:
        kept = layer + CHECKPOINT_BYTES * tokens * shape.hidden * shape.layers
    casts = traits.casts and traits.weight_bytes > traits.number_bytes
    if casts and not nf4:
        # Autocast keeps the cast of every frozen weight for the way back; checkpointing those of one layer.
        share = 1 / shape.layers if traits.checkpointing else 1.0
        kept += share * shape.in_linears * traits.number_bytes
    rows = _logit_rows(shape, traits, batch.supervised)
    logits = float(rows * shape.vocabulary * traits.logit_bytes)
    if references:
        kept_logits = rows * shape.vocabulary * REFERENCE_LOGIT_BYTES
        logits = max(logits, kept_logits + _while_evaluating(shape, batch, traits))
    if casts:
        logits += (shape.head or shape.embedding) * traits.number_bytes
    return kept, max(logits, _on_the_way_back(shape, traits, tokens))


def _while_evaluating(shape: ModelShape, batch: Batch, traits: EngineTraits) -> float:
    """Bytes for rows that are only judged: logits and their softmax in 32 bit, and the layer at work."""
    layer = batch.rows * batch.width * traits.number_bytes * (3 * shape.intermediate + 4 * shape.hidden)
    rows = _logit_rows(shape, traits, batch.supervised)
    return float(8 * rows * shape.vocabulary + layer)


def _logit_rows(shape: ModelShape, traits: EngineTraits, supervised: int) -> int:
    """For how many learned tokens there are logits at a time."""
    if not traits.logits_at_once:
        return supervised
    rows = max(LEAST_ROWS, min(traits.logits_at_once, LOGITS_AT_ONCE // shape.vocabulary))
    return min(rows, supervised)


def _kept_per_token(shape: ModelShape, adapter: Adapter, traits: EngineTraits) -> float:
    """Bytes that one layer of a dense decoder keeps of one token for the way back (see `Kept`)."""
    kept = traits.kept
    assert kept is not None
    thin = adapter.rank * sum(one.count for one in adapter.linears) / max(shape.layers, 1)
    inner = (
        kept.mlp * shape.intermediate
        + kept.hidden * shape.hidden
        + kept.queries * shape.query_width
        + kept.keys * shape.key_width
        + thin
    )
    normed = shape.norms * shape.hidden
    if shape.query_norm:
        normed += kept.normed_queries * shape.query_width + kept.normed_keys * shape.key_width
    return traits.number_bytes * inner + kept.norm_bytes * normed


def _masks(traits: EngineTraits, batch: Batch) -> float:
    """Bytes of the mask that attention keeps per layer where rows are padded: one number per pair."""
    needed = batch.is_ragged and not traits.packed
    return float(batch.rows * batch.width**2 * traits.number_bytes) if needed else 0.0


def _on_the_way_back(shape: ModelShape, traits: EngineTraits, tokens: int) -> float:
    """Gradients of the layer at work: those of the wide insides and of what went in."""
    return float(tokens * traits.number_bytes * (3 * shape.intermediate + 2 * shape.hidden))
