"""A trial of a few real steps in words.

Owns the English originals, marked for translation. Refuses to know how a trial is done and where it is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.templates import fill


class TrialFacts(Protocol):
    """What a trial took."""

    @property
    def device(self) -> str:
        """`cpu` or `cuda`."""
        ...

    @property
    def peak_bytes(self) -> int:
        """The most memory."""
        ...

    @property
    def step_s(self) -> float:
        """Seconds of a step."""
        ...


class TrialWords:
    """Words for trials, in one language."""

    def __init__(self, gettext: Callable[[str], str], formats: Formats) -> None:
        self._gettext = gettext
        self._formats = formats

    def outcome(self, found: TrialFacts, run_s: float | None) -> str:
        """What it took, and what the run would take: `run_s` seconds, where that is known."""
        said = N_(
            "The trial used {memory} and {step} a step with the longest rows[: the run would take {time}]."
        )
        if found.device == "cuda":
            said = N_(
                "The trial used {memory} of the graphics card and {step} a step with the longest rows[: the "
                "run would take {time}]."
            )
        facts = {
            "memory": self._formats.size(found.peak_bytes),
            "step": self._formats.brief(found.step_s),
        }
        if run_s is not None:
            facts["time"] = self._formats.duration(run_s)
        return fill(self._gettext(said), facts)
