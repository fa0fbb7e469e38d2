"""The verdict on one export: measured figures, each beside the bound that it had to keep.

Owns the file's shape and the rules from figures to checks. Refuses to measure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trainers.exporting.record import Export
from trainers.exporting.thresholds import Bounds
from trainers.layout import Record
from trainers.recipe import N_

if TYPE_CHECKING:
    from trainers.exporting.comparison import Measures

CheckId = Literal[
    "intact", "same_adapter", "tensors", "metadata", "loads", "end_token", "prompt_tokens", "top1_agreement",
    "mean_kl", "max_kl", "perplexity", "greedy_text", "end_of_turn",
]  # fmt: skip

MEANINGS: dict[CheckId, str] = {
    "intact": N_("The file has the size and hash that it was written with."),
    "same_adapter": N_("It was made from the adapter that lies in the run now."),
    "tensors": N_(
        "Each tensor is what base model and adapter make, within the rounding of its number format."
    ),
    "metadata": N_("The file’s settings, vocabulary and template are those of the base model."),
    "loads": N_("It can be loaded and asked."),
    "end_token": N_("llama.cpp ends an answer at the tokens at which the trained model does."),
    "prompt_tokens": N_("Share of conversations that become the same prompt tokens as in training."),
    "top1_agreement": N_("Share of positions at which both hold the same next token for most likely."),
    "mean_kl": N_("Mean divergence between the two next-token distributions, in nats."),
    "max_kl": N_("Largest divergence at any one position, in nats."),
    "perplexity": N_("Distance of the two perplexities of the expected answers, |ln ratio|."),
    "greedy_text": N_("Share of greedy answers with the same text."),
    "end_of_turn": N_("Share of answers that end by themselves."),
}


class Check(Record):
    """One figure and its bound; for those that are asked for yes or no 1 is yes, 0 no.

    `value` is null when it is no finite number, which JSON has no word for.
    """

    id: CheckId
    passed: bool
    value: float | None
    bound: float
    meaning: str
    detail: str = ""


class CertifiedExport(Record):
    """Which file the verdict is about."""

    name: str
    format: str
    quant: str
    sha256: str


class Certificate(Record):
    """`<name>.certificate.json`. Figures are null when there are none, or none that is finite."""

    created_at: float
    export: CertifiedExport
    passed: bool
    rows: int
    tokens_equal: bool | None = None
    top1_agreement: float | None = None
    mean_kl: float | None = None
    max_kl: float | None = None
    perplexity: float | None = None
    reference_perplexity: float | None = None
    eos_rate: float | None = None
    reference_eos_rate: float | None = None
    greedy_equal: float | None = None
    tensor_types: Mapping[str, int] = Field(default_factory=dict)
    checks: tuple[Check, ...]


def yes_or_no(check: CheckId, passed: bool, detail: str = "") -> Check:
    """Return a check that has no figure."""
    meaning = MEANINGS[check]
    return Check(id=check, passed=passed, value=float(passed), bound=1.0, meaning=meaning, detail=detail)


def judge(measures: Measures, bounds: Bounds) -> list[Check]:
    """Return the checks of an export that was asked."""
    drift = abs(math.log(measures.perplexity / measures.reference_perplexity))
    least_eos = measures.reference_eos_rate - bounds.eos_drop_for(measures.answers)
    return [
        _at_least("prompt_tokens", measures.equal_prompts / measures.rows, 1.0),
        _at_least("top1_agreement", measures.top1_agreement, bounds.top1_for(measures.positions)),
        _at_most("mean_kl", measures.mean_kl, bounds.mean_kl),
        _at_most("max_kl", measures.max_kl, bounds.max_kl),
        _at_most("perplexity", drift, bounds.perplexity_drift),
        _at_least("greedy_text", measures.greedy_equal, bounds.greedy_for(measures.answers)),
        _at_least("end_of_turn", measures.eos_rate, least_eos),
    ]


def certificate(
    export: Export,
    checks: Sequence[Check],
    measures: Measures | None,
    created_at: float,
    tensor_types: Mapping[str, int],
) -> Certificate:
    """Return the whole certificate; without `measures` the figures stay empty.

    `tensor_types` counts the tensors of each number format in a GGUF file: llama.cpp mixes some formats, and
    falls back to others where rows do not divide.
    """
    record = export.record
    about = CertifiedExport(name=export.name, format=record.format, quant=record.quant, sha256=record.sha256)
    verdict = Certificate(
        created_at=created_at,
        export=about,
        passed=all(check.passed for check in checks),
        rows=measures.rows if measures else 0,
        tensor_types=dict(tensor_types),
        checks=tuple(checks),
    )
    return verdict if measures is None else verdict.model_copy(update=_figures(measures))


def _figures(measures: Measures) -> dict[str, float | bool | None]:
    return {
        "tokens_equal": measures.equal_prompts == measures.rows,
        "top1_agreement": measures.top1_agreement,
        "mean_kl": _finite(measures.mean_kl),
        "max_kl": _finite(measures.max_kl),
        "perplexity": _finite(measures.perplexity),
        "reference_perplexity": _finite(measures.reference_perplexity),
        "eos_rate": measures.eos_rate,
        "reference_eos_rate": measures.reference_eos_rate,
        "greedy_equal": measures.greedy_equal,
    }


def _at_least(check: CheckId, value: float, bound: float) -> Check:
    return Check(id=check, passed=value >= bound, value=value, bound=bound, meaning=MEANINGS[check])


def _at_most(check: CheckId, value: float, bound: float) -> Check:
    # Not `value > bound`: a NaN must fail.
    passed, shown = value <= bound, _finite(value)
    return Check(id=check, passed=passed, value=shown, bound=bound, meaning=MEANINGS[check])


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
