"""How far an export may be from the model that was trained, for each number format.

Owns the bounds and why they are where they are. Refuses to know how they are measured.

The reference computes in float32. What remains is rounding: of the weights to the export's format, and of
llama.cpp's attention memory to f16. On SmolLM2-135M with a trained adapter, rounding moved the mean
divergence to about 1e-6 nats per token in f16, 1e-4 in bf16 and 1e-3 in Q8_0; a missing, transposed or
wrongly scaled adapter moves it to 0.1 and above, a wrong end token or template to other text altogether. The
bounds lie between, nearer to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """What still counts as the same behaviour.

    Attributes:
        top1_agreement: least share of supervised positions with the same best next token.
        mean_kl: largest mean divergence from the reference, nats per token.
        max_kl: largest divergence at any one position, nats.
        perplexity_drift: largest |ln(perplexity / reference perplexity)|.
        greedy_equal: least share of greedy answers with the same text. Lower than the first, because one
            different token changes all that follow.
        eos_drop: how much the share of answers that end by themselves may fall.
    """

    top1_agreement: float
    mean_kl: float
    max_kl: float
    perplexity_drift: float
    greedy_equal: float
    eos_drop: float = 0.05

    def top1_for(self, positions: int) -> float:
        """Bound for a sample: a single tie that falls the other way must not fail a small one."""
        return _allow_one(self.top1_agreement, positions)

    def greedy_for(self, rows: int) -> float:
        """Bound for a sample of answers."""
        return _allow_one(self.greedy_equal, rows)

    def eos_drop_for(self, rows: int) -> float:
        """Bound for a sample of answers."""
        return max(self.eos_drop, 1 / rows)


#: Only the order of additions differs.
_SAME_NUMBERS = Bounds(
    top1_agreement=0.99, mean_kl=1e-3, max_kl=0.05, perplexity_drift=0.005, greedy_equal=0.9
)
#: 11 significant bits.
_HALF = Bounds(top1_agreement=0.98, mean_kl=2e-3, max_kl=0.1, perplexity_drift=0.01, greedy_equal=0.9)
#: 8 significant bits.
_BRAIN = Bounds(top1_agreement=0.96, mean_kl=0.02, max_kl=0.5, perplexity_drift=0.03, greedy_equal=0.75)
#: 8 bits with one scale for 32 weights.
_EIGHT_BIT = Bounds(top1_agreement=0.95, mean_kl=0.03, max_kl=1.0, perplexity_drift=0.05, greedy_equal=0.7)

_BY_QUANT = {"f32": _SAME_NUMBERS, "f16": _HALF, "bf16": _BRAIN, "q8_0": _EIGHT_BIT}


def bounds_for(export_format: str, quant: str) -> Bounds:
    """Return the bounds of an export.

    An adapter is loaded as it was trained; one for llama.cpp is proven upon a base model in f16.
    """
    if export_format == "adapter":
        return _SAME_NUMBERS
    if export_format == "lora-gguf":
        return _HALF
    return _BY_QUANT[quant]


def _allow_one(share: float, count: int) -> float:
    return min(share, 1 - 1 / count)
