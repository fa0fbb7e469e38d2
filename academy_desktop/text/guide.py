"""The three questions before a run, in words: what is learned, how long it may take, and what came of both.

Owns the English originals, marked for translation. Refuses to know how values are chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from trainers.errors import Fact

#: Method → what it is called, and what is learned by it.
METHODS: Final = {
    "sft": (N_("Answers (SFT)"), N_("The model learns to answer as these conversations do.")),
    "pretrain": (
        N_("Plain text"),
        N_("The model reads these texts, and learns their words, their facts and their style."),
    ),
    "dpo": (
        N_("Difference (DPO)"),
        N_("The model learns which of two answers is better, and stays close to how it speaks now."),
    ),
    "orpo": (
        N_("Both at once (ORPO)"),
        N_("The model learns the better answers themselves and, at once, what makes them better."),
    ),
    "kto": (N_("Verdicts (KTO)"), N_("The model learns from single answers that were judged good or bad.")),
}

#: What one may have time for → its name, and how many minutes that is.
BUDGETS: Final = {
    "coffee": (N_("A coffee"), 15),
    "evening": (N_("An evening"), 180),
    "night": (N_("A night"), 480),
}

#: How a run was fitted into a time → the sentence that says why; `once`: of one pass.
_OUTCOMES: Final = {
    "whole": N_(
        "Every row is learned {epochs} times, in about {seconds}. There is time for more, but it would "
        "hardly help."
    ),
    "whole_once": N_("Every row is learned once, in about {seconds}: this choice asks for no more."),
    "fewer": N_("To be in time, every row is learned {epochs} times, not {wanted}: in about {seconds}."),
    "fewer_once": N_("To be in time, every row is learned once, not {wanted} times: in about {seconds}."),
    "part": N_(
        "There is time for {steps} steps, which see about {percent} % of the rows: in about {seconds}."
    ),
    "too_little": N_(
        "Even {steps} steps, the fewest that teach anything, take about {seconds}. Allow more time, or take "
        "a smaller model."
    ),
    "own": N_("With the values that you set yourself it takes about {seconds}."),
}
_INTO_MEMORY: Final = N_("To fit into the memory: {changes}.")


class GuideWords:
    """Words for the questions, in one language."""

    def __init__(self, gettext: Callable[[str], str], formats: Formats) -> None:
        self._gettext = gettext
        self._formats = formats

    def fitted(self, outcome: str, facts: Mapping[str, Fact], changes: str = "") -> str:
        """Why a run is as long as it is; `changes`: what else gave way, for the memory."""
        once = f"{outcome}_once"
        key = once if facts.get("epochs") == 1 and once in _OUTCOMES else outcome
        said = self._gettext(_OUTCOMES[key]).format(**self._shown(facts))
        if changes:
            said += " " + self._gettext(_INTO_MEMORY).format(changes=changes)
        return said

    def method(self, method: str) -> tuple[str, str]:
        """What a method is called, and what is learned by it."""
        name, meaning = METHODS[method]
        return self._gettext(name), self._gettext(meaning)

    def _shown(self, facts: Mapping[str, Fact]) -> dict[str, str]:
        return {
            name: self._formats.duration(value) if name == "seconds" else self._formats.integer(int(value))
            for name, value in facts.items()
            if isinstance(value, int | float)
        }
