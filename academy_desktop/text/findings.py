"""The doctor's findings in the user's language: a sentence, and a next step where there is one.

Owns the lookup. The words are those of `checks` and `recipes`; refuses to know how anything was found.
"""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from dataclasses import dataclass

from academy_desktop.text.audits import DEFECT_NAMES, DEFECTS, MENDS
from academy_desktop.text.checks import CHECKS, ENGINE_REASONS, CheckText
from academy_desktop.text.messages import Messages
from academy_desktop.text.templates import fill
from trainers.errors import Fact


@dataclass(frozen=True)
class Finding:
    """What a person is told about one thing that was looked at; the next step may be empty."""

    message: str
    next_step: str


class Findings:
    """Words for the outcomes of checks, in one language."""

    def __init__(self, translations: gettext.NullTranslations, messages: Messages) -> None:
        self._gettext = translations.gettext
        self._messages = messages

    def check(self, check: str, status: str, facts: Mapping[str, Fact]) -> Finding:
        """Describe one finding of the doctor; one that this version has no words for shows its name."""
        text = CHECKS.get((check, status), CheckText(check.replace("_", " ")))
        shown = self._messages.shown(facts)
        return Finding(
            fill(self._gettext(text.message), shown),
            fill(self._gettext(text.next_step), shown) if text.next_step else "",
        )

    def engine(self, reason: str) -> str:
        """Why this engine: one sentence."""
        return self._gettext(ENGINE_REASONS[reason]) if reason in ENGINE_REASONS else reason

    def problem(self, code: str, facts: Mapping[str, Fact]) -> str:
        """Describe one problem of a recipe file."""
        return self._messages.problem(code, facts)

    def defect(self, code: str, facts: Mapping[str, Fact]) -> str:
        """Describe one defect of a row."""
        if code in DEFECTS:
            return fill(self._gettext(DEFECTS[code]), self._messages.shown(facts))
        return self._messages.describe(code, facts).sentence

    def defect_name(self, code: str) -> str:
        """Name a kind of defect in a few words."""
        known = DEFECT_NAMES.get(code)
        return self._gettext(known) if known else code.replace("_", " ")

    def mend(self, code: str, facts: Mapping[str, Fact] | None = None) -> str:
        """Say what the mend of a defect does; nothing where there is none."""
        known = MENDS.get(code)
        return fill(self._gettext(known), self._messages.shown(facts or {})) if known else ""
