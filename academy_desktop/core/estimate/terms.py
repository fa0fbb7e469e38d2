"""How much memory a run takes, item by item.

Owns the formulas: weights, adapter, gradients, optimizer, activations by length, logits, reserve. Refuses to
know files, recipes and machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from academy_desktop.core.estimate.engines import LEAST_ROWS, LOGITS_AT_ONCE, EngineTraits
from academy_desktop.core.estimate.model_shape import Linear, ModelShape
from academy_desktop.core.estimate.workload import Batch, Workload

#: NF4 in blocks of 64 with double quantization: 4 bit, an 8-bit scale per block, a 32-bit one per 256 of
#: those (QLoRA, arXiv 2305.14314).
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
#: Adapter, gradients and the optimizer's moments are kept in 32 bit.
STATE_BYTES = 4
#: AdamW's two moments.
MOMENTS = 2
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
    shape: ModelShape, adapter: Adapter, traits: EngineTraits, workload: Workload, *, nf4: bool, on_gpu: bool
) -> MemoryTerms:
    """Add up what training takes at its peak, over the dearest batch."""
    states = float(adapter.parameters * STATE_BYTES)
    weights = weight_bytes(shape, traits, nf4=nf4, mapped=not on_gpu)
    dearest = max(
        (_while_training(shape, adapter, traits, batch, nf4=nf4) for batch in workload.batches),
        key=sum,
        default=(0.0, 0.0),
    )
    judged = max((_while_evaluating(shape, batch, traits) for batch in workload.evaluations), default=0.0)
    # Rows are judged without gradients. What training let go of stays with the C library's allocator, in
    # pieces too small for logits; a GPU's allocator gives it back.
    judged -= states if traits.holds_on else states + dearest[0]
    logits, reserve = max(dearest[1], judged), traits.reserve * dearest[0]
    needed = (2 + MOMENTS) * states + dearest[0] + logits + reserve
    return MemoryTerms(
        program=traits.context_bytes if on_gpu else traits.program_bytes,
        weights=weights,
        adapter=states,
        gradients=states,
        optimizer=MOMENTS * states,
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
    return 0.0 if on_gpu or in_place else float(shape.parameters * shape.stored_bytes)


def _while_training(
    shape: ModelShape, adapter: Adapter, traits: EngineTraits, batch: Batch, *, nf4: bool
) -> tuple[float, float]:
    """(activations, logits) at the end of the way forward or the begin of the way back."""
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
    rows = _logit_rows(shape, traits, batch)
    logits = float(rows * shape.vocabulary * traits.logit_bytes)
    if casts:
        logits += (shape.head or shape.embedding) * traits.number_bytes
    return kept, max(logits, _on_the_way_back(shape, traits, tokens))


def _while_evaluating(shape: ModelShape, batch: Batch, traits: EngineTraits) -> float:
    """Bytes for rows that are only judged: logits and their softmax in 32 bit, and the layer at work."""
    layer = batch.rows * batch.width * traits.number_bytes * (3 * shape.intermediate + 4 * shape.hidden)
    rows = _logit_rows(shape, traits, batch)
    return float(8 * rows * shape.vocabulary + layer)


def _logit_rows(shape: ModelShape, traits: EngineTraits, batch: Batch) -> int:
    """For how many learned tokens there are logits at a time."""
    if not traits.logits_at_once:
        return batch.supervised
    rows = max(LEAST_ROWS, min(traits.logits_at_once, LOGITS_AT_ONCE // shape.vocabulary))
    return min(rows, batch.supervised)


def _kept_per_token(shape: ModelShape, adapter: Adapter, traits: EngineTraits) -> float:
    """Bytes that one layer of a dense decoder keeps of one token for the way back (see `Kept`)."""
    kept = traits.kept
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
