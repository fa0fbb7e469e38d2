"""How far an export may be from the model that was trained, for each number format.

Owns the bounds and why they are where they are. Refuses to know how they are measured.

The reference computes in float32. What remains is rounding: of the weights to the export's format, and of
llama.cpp's attention memory to f16. On SmolLM2-135M with a trained adapter, rounding moved the mean
divergence to about 1e-6 nats per token in f16, 1e-4 in bf16 and 1e-3 in Q8_0; a missing, transposed or
wrongly scaled adapter moves it to 0.1 and above, a wrong end token or template to other text altogether. The
bounds lie between, nearer to rounding.

| numbers | significant bits | same next token | mean KL | worst KL | perplexity | same answers | why |
|---|---|---|---|---|---|---|---|
| as trained, f32 | 24 | 0.99 | 0.001 | 0.05 | 0.5 % | 0.90 | the order of additions alone |
| f16 | 11 | 0.98 | 0.002 | 0.1 | 1 % | 0.90 | weights and memory rounded to 2^-11 |
| bf16 | 8 | 0.96 | 0.02 | 0.5 | 3 % | 0.75 | weights rounded to 2^-8 |
| q8_0 | 8, one scale for 32 | 0.95 | 0.03 | 1.0 | 5 % | 0.70 | error 0.5 % of a tensor's size |
| q6_k | 6, scales for 16 | 0.80 | 0.08 | 1.5 | 10 % | 0.25 | 1.8 % |
| q5_k_m | 5, in parts 6 or 8 | 0.78 | 0.12 | 2.0 | 15 % | 0.20 | 3.7 % |
| q4_k_m | 4, in parts 6 | 0.65 | 0.30 | 4.0 | 30 % | 0.15 | 7.5 % |

Below 8 bits a model that is sure of its answers and one that is not are far apart. SmolLM2-135M after the
demo's run, asked 148 requests that it had not seen (worst of three draws of rows), and 20 questions that have
nothing to do with what it was taught (its base's own answers to them):

| numbers | held-out rows: same next token, mean KL, worst KL, same answers | other questions |
|---|---|---|
| q8_0 | 1.00, 0.0006, 0.12, 1.00 | 0.97, 0.006, 0.17, 0.95 |
| q6_k | 0.997, 0.003, 0.68, 0.96 | 0.95, 0.018, 0.27, 0.80 |
| q5_k_m | 0.997, 0.002, 0.15, 0.96 | 0.93, 0.024, 0.63, 0.75 |
| q4_k_m | 0.989, 0.008, 0.35, 0.92 | 0.88, 0.10, 2.0, 0.55 |

So a taught model passes with room to spare, and the room is what a model of less certain answers needs: the
same SmolLM2 before its run came to 0.86 to 0.90 and 0.77 of the next tokens in 6 and 4 bits. Its rows are
576 wide, which 256 does not divide: llama.cpp falls back to older formats, of which the one for 5 bits is
not used (see `gguf_kquant`). The bounds are wide enough for a small fault to hide behind rounding, if they
stood alone: `TENSOR_ERROR` bounds each tensor by itself, and what is not rounded by llama.cpp must be equal
byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass

from gguf import GGMLQuantizationType


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

_SIX_BIT = Bounds(top1_agreement=0.80, mean_kl=0.08, max_kl=1.5, perplexity_drift=0.10, greedy_equal=0.25)
_FIVE_BIT = Bounds(top1_agreement=0.78, mean_kl=0.12, max_kl=2.0, perplexity_drift=0.15, greedy_equal=0.20)
_FOUR_BIT = Bounds(top1_agreement=0.65, mean_kl=0.30, max_kl=4.0, perplexity_drift=0.30, greedy_equal=0.15)

_BY_QUANT = {
    "f32": _SAME_NUMBERS,
    "f16": _HALF,
    "bf16": _BRAIN,
    "q8_0": _EIGHT_BIT,
    "q6_k": _SIX_BIT,
    "q5_k_m": _FIVE_BIT,
    "q4_k_m": _FOUR_BIT,
}


#: Largest error of a tensor, as a share of its own size (root of the mean squares), in the formats that
#: llama.cpp chooses. Rounding of random weights comes to 0.075, 0.037, 0.018 and 0.005 in 4, 5, 6 and 8
#: bits; a tensor of another layer to 1.4, a zeroed one to 1.
TENSOR_ERROR = {
    GGMLQuantizationType.F32: 1e-6,
    GGMLQuantizationType.F16: 2e-3,
    GGMLQuantizationType.BF16: 1e-2,
    GGMLQuantizationType.Q8_0: 0.02,
    GGMLQuantizationType.Q6_K: 0.04,
    GGMLQuantizationType.Q5_K: 0.08,
    GGMLQuantizationType.Q5_0: 0.08,
    GGMLQuantizationType.Q5_1: 0.08,
    GGMLQuantizationType.Q4_K: 0.15,
}


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
