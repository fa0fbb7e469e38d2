"""What is known of one export, in words: its file, its verdict, and each figure beside its bound.

Owns how a figure is rounded: always against the export, so that what failed never looks as if it had passed.
Refuses to know widgets and to judge: the certificate has judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from academy_desktop.core.exports import FinishedExport
from academy_desktop.text.formats import MISSING, Formats
from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.figures import Figure
from trainers.exporting.certificate import Certificate, Check, CheckId

Standing = Literal["proven", "failed", "unknown"]

FORMAT_TITLES = {
    "adapter": N_("Adapter"),
    "merged": N_("Whole model"),
    "gguf": N_("GGUF model"),
    "lora-gguf": N_("GGUF adapter"),
}

CHECK_TITLES: dict[CheckId, str] = {
    "intact": N_("The file is whole"),
    "same_adapter": N_("It belongs to this run"),
    "tensors": N_("The right weights"),
    "metadata": N_("The right settings and words"),
    "loads": N_("It can be loaded"),
    "end_token": N_("It knows where an answer ends"),
    "prompt_tokens": N_("The same prompts"),
    "top1_agreement": N_("The same next word"),
    "mean_kl": N_("Distance on the whole"),
    "max_kl": N_("Distance at the worst place"),
    "perplexity": N_("The same certainty"),
    "greedy_text": N_("The same answers"),
    "end_of_turn": N_("Answers end by themselves"),
}

#: 1 is yes, 0 no.
_YES_OR_NO = frozenset({"intact", "same_adapter", "tensors", "metadata", "loads", "end_token"})
#: Shares that must not be too small; all others are distances that must not be too large.
_SHARES = frozenset({"prompt_tokens", "top1_agreement", "greedy_text", "end_of_turn"})
#: A distance below this is none that anybody could tell.
_LEAST_DISTANCE = 1e-5


@dataclass(frozen=True)
class CheckLine:
    """One check: what it asks, what was found, what was allowed."""

    title: str
    meaning: str
    value: str
    bound: str
    passed: bool


@dataclass(frozen=True)
class ExportCard:
    """One finished export as a page shows it."""

    name: str
    title: str
    size: str
    path: str
    beside: str
    standing: Standing
    word: str
    sentence: str
    figures: tuple[Figure, ...]
    checks: tuple[CheckLine, ...]


class Verdicts:
    """Words for exports and their certificates in one language."""

    def __init__(self, formats: Formats, translate: Callable[[str], str]) -> None:
        self._formats = formats
        self._gettext = translate

    def _beside(self, finished: FinishedExport) -> str:
        """What lies beside the file, in words."""
        match finished.has_modelfile, finished.has_card:
            case True, True:
                return self._gettext(N_("With a Modelfile for Ollama and a model card"))
            case True, False:
                return self._gettext(N_("With a Modelfile for Ollama"))
            case False, True:
                return self._gettext(N_("With a model card"))
        return ""

    def card(self, finished: FinishedExport) -> ExportCard:
        """All that is to be said of an export."""
        record, verdict = finished.export.record, finished.certificate
        standing = self.standing(verdict)
        return ExportCard(
            name=finished.export.name,
            title=self.title(record.format, record.quant, record.importance),
            size=self._formats.size(record.size_bytes),
            path=str(finished.export.path),
            beside=self._beside(finished),
            standing=standing,
            word=self.word(standing),
            sentence=self._sentence(verdict),
            figures=() if verdict is None else self._figures(verdict),
            checks=() if verdict is None else tuple(self._check(check) for check in verdict.checks),
        )

    def title(self, form: str, quant: str, weighed: bool = False) -> str:
        """What a format and its numbers are called: `GGUF model · Q8_0`."""
        parts = [self._gettext(FORMAT_TITLES[form]) if form in FORMAT_TITLES else form]
        parts += [quant.upper()] if quant else []
        parts += [self._gettext(N_("weighed by your rows"))] if weighed else []
        return " · ".join(parts)

    def standing(self, verdict: Certificate | None) -> Standing:
        """Whether an export is proven."""
        if verdict is None:
            return "unknown"
        return "proven" if verdict.passed else "failed"

    def word(self, standing: Standing) -> str:
        """The badge's word."""
        match standing:
            case "proven":
                return self._gettext(N_("Proven"))
            case "failed":
                return self._gettext(N_("Not proven"))
            case "unknown":
                return self._gettext(N_("Not checked yet"))

    def _sentence(self, verdict: Certificate | None) -> str:
        if verdict is None:
            return self._gettext(
                N_(
                    "Nobody has asked yet whether this export answers like the model that you trained. "
                    "“Prove it” asks both the same questions and compares."
                )
            )
        when = self._formats.moment(verdict.created_at)
        if verdict.passed:
            said = N_(
                "It behaves like the model that you trained: both were asked {rows} held-out rows, and "
                "every check passed ({when})."
            )
        elif not verdict.rows:
            said = N_("It could not be asked, so do not use it; make the export again ({when}).")
        else:
            said = N_(
                "It does not behave like the model that you trained, so do not use it. Make the export "
                "again, or choose a finer number format ({when})."
            )
        return self._gettext(said).format(rows=self._formats.integer(verdict.rows), when=when)

    def _figures(self, verdict: Certificate) -> tuple[Figure, ...]:
        if not verdict.rows:
            return ()
        _, decimal = self._gettext, self._formats.decimal
        own, reference = decimal(verdict.perplexity, 3), decimal(verdict.reference_perplexity, 3)
        trained = _(N_("trained: {value}"))
        return (
            Figure(_(N_("Same next word")), self.share(verdict.top1_agreement)),
            Figure(_(N_("Same answers")), self.share(verdict.greedy_equal)),
            Figure(_(N_("Perplexity")), own, trained.format(value=reference)),
            Figure(
                _(N_("Answers end")),
                self.share(verdict.eos_rate),
                trained.format(value=self.share(verdict.reference_eos_rate)),
            ),
        )

    def _check(self, check: Check) -> CheckLine:
        value, bound = self._numbers(check)
        meaning = self._gettext(check.meaning)
        return CheckLine(
            title=self._gettext(CHECK_TITLES[check.id]),
            meaning=f"{meaning} ({check.detail})" if check.detail else meaning,
            value=value,
            bound=bound,
            passed=check.passed,
        )

    def _numbers(self, check: Check) -> tuple[str, str]:
        """Value and bound of a check, in words that can be held against each other."""
        _ = self._gettext
        if check.id in _YES_OR_NO:
            return (_(N_("yes")) if check.value else _(N_("no"))), ""
        if check.id in _SHARES:
            return self.share(check.value), _(N_("at least {bound}")).format(bound=self.share(check.bound))
        bound = _(N_("at most {bound}")).format(bound=self._distance(check.bound))
        return self._distance(check.value), bound

    def share(self, share: float | None) -> str:
        """A share as a percentage with one digit, never rounded up."""
        if share is None:
            return MISSING
        tenths = math.floor(share * 1000 + 1e-6)
        if tenths % 10 == 0:
            return self._formats.percent(tenths / 1000)
        return self._gettext(N_("{number}%")).format(number=self._formats.decimal(tenths / 10, 1))

    def _distance(self, value: float | None) -> str:
        """A distance with two digits that count, never rounded down."""
        if value is None:
            return MISSING
        if 0 < value < _LEAST_DISTANCE:
            return self._gettext(N_("below {number}")).format(number=self._formats.plain(_LEAST_DISTANCE))
        if value <= 0:
            return self._formats.plain(0)
        unit = 10.0 ** (math.floor(math.log10(value)) - 1)
        rounded = math.ceil(value / unit - 1e-6) * unit
        return self._formats.plain(float(f"{rounded:.2g}"))
