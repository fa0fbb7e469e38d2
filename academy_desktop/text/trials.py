"""A trial of a few real steps in words.

Owns the English originals, marked for translation. Refuses to know how a trial is done and where it is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_


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

    def outcome(self, found: TrialFacts, run_s: float) -> str:
        """What it took, and what the run would take: `run_s` seconds."""
        said = N_(
            "The trial used {memory} and {step} a step with the longest rows: the run would take {time}."
        )
        if found.device == "cuda":
            said = N_(
                "The trial used {memory} of the graphics card and {step} a step with the longest rows: the "
                "run would take {time}."
            )
        return self._gettext(said).format(
            memory=self._formats.size(found.peak_bytes),
            step=self._formats.brief(found.step_s),
            time=self._formats.duration(run_s),
        )
