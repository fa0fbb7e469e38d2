"""Every sentence: from a code and its facts to what a person reads, in the language handed in.

Serves the window and the command line alike. Refuses to know Qt and where a message is shown. Never raises
for missing or surprising facts: a message about a failure must not fail.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Mapping
from dataclasses import dataclass

from academy_desktop.text import words
from academy_desktop.text.errors import ERRORS, UNKNOWN_CODE
from academy_desktop.text.errors.recipes import RECIPE_PROBLEM
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.recipes import PROBLEMS
from academy_desktop.text.templates import fill
from trainers.errors import ErrorCode, Fact

#: Facts that count or identify: never grouped into thousands.
_BARE_NUMBERS = frozenset({"line", "found", "known", "exit_code", "port", "pid"})


#: What breaks a line, steers a terminal, or cannot be written at all (half of a surrogate pair).
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


@dataclass(frozen=True)
class Description:
    """What a person is told: what happened, the facts of it, and what they can do now."""

    title: str
    sentence: str
    next_step: str


class Messages:
    """Words for codes in one language."""

    def __init__(self, translations: gettext.NullTranslations, formats: Formats | None = None) -> None:
        self._gettext = translations.gettext
        self._formats = formats or Formats()

    def describe(self, code: str, facts: Mapping[str, Fact] | None = None) -> Description:
        """Describe an error code with whatever facts there are; an unknown one gets an honest sentence."""
        facts = facts or {}
        if code == ErrorCode.RECIPE_INVALID and facts.get("problem"):
            return self._recipe_problem(facts)
        shown = self.shown(facts)
        if code == ErrorCode.NOTHING_LEFT and (dropped := self._dropped(facts)):
            shown["dropped"] = dropped
        try:
            text = ERRORS[ErrorCode(code)]
        except (KeyError, ValueError):
            text = UNKNOWN_CODE
            shown["code"] = str(code)
        title, sentence, next_step = (self._filled(template, shown) for template in text)
        return Description(title, sentence, next_step)

    def problem(self, code: str, facts: Mapping[str, Fact]) -> str:
        """Describe one problem of a recipe file in a sentence, or two where it is an error code."""
        key = f"{code}_{facts['side']}" if code == "out_of_range" and "side" in facts else code
        if key in PROBLEMS:
            return self._filled(PROBLEMS[key], self.shown(facts))
        said = self.describe(code, facts)
        return f"{said.sentence} {said.next_step}"

    def _recipe_problem(self, facts: Mapping[str, Fact]) -> Description:
        """A recipe that cannot be run, by its first problem; one with an error code has its next step."""
        code = str(facts["problem"])
        own = {name: value for name, value in facts.items() if name not in {"path", "line", "problem"}}
        own["path"] = facts.get("place")
        inner = self.describe(code, own) if code in set(ErrorCode) else None
        said = inner.sentence if inner else self.problem(code, own)
        shown = {**self.shown(facts), "said": said}
        title, sentence, next_step = (self._filled(template, shown) for template in RECIPE_PROBLEM)
        return Description(title, sentence, inner.next_step if inner else next_step)

    def _dropped(self, facts: Mapping[str, Fact]) -> str:
        """Why rows were dropped, the commonest reason first: `the answer is empty (2), no record (1)`."""
        counts = {name: count for name in words.DROPS_BRIEF if isinstance(count := facts.get(name), int)}
        order = sorted(counts, key=lambda name: -counts[name])
        shown = self._formats.integer
        return ", ".join(f"{self._word(words.DROPS_BRIEF, name)} ({shown(counts[name])})" for name in order)

    def bug(self, detail: str) -> Description:
        """Describe an unexpected exception: our own mistake, shown as one."""
        return Description(
            self._gettext(N_("A mistake in Academy Desktop")),
            fill(
                self._gettext(N_("Something happened that we did not expect: {detail}.")), {"detail": detail}
            ),
            self._gettext(
                N_("Your data and your runs are safe. The details are in the log; please report them.")
            ),
        )

    def state(self, state: str) -> str:
        """The word for a job's state: `Running`."""
        return self._word(words.STATES, state)

    def outcome(self, state: str, reason: str = "", facts: Mapping[str, Fact] | None = None) -> str:
        """One sentence on where a job stands and why; `reason`: error code, signal or protocol word."""
        if (held := self._held(state, reason)) in words.HELD:
            return self._filled(words.HELD[held], self.shown(facts or {}))
        if reason in words.REASONS and not (reason in set(ErrorCode) and state == "failed"):
            return self._filled(words.REASONS[reason], self.shown(facts or {}))
        if reason in set(ErrorCode):
            said = self.describe(reason, facts)
            return f"{said.sentence} {said.next_step}"
        if reason.startswith("SIG"):
            return self._gettext(words.REASONS["signal"])
        return self._word(words.STATE_SENTENCES, state)

    def held(self, reason: str, facts: Mapping[str, Fact] | None = None) -> str:
        """Which rule of the user's makes a run wait, in a few words; nothing if none does."""
        brief = words.HELD_BRIEF.get(reason)
        return self._filled(brief, self.shown(facts or {})) if brief else ""

    @staticmethod
    def _held(state: str, reason: str) -> str:
        """The key of a sentence about a rule."""
        exact = f"{state}.{reason}"
        return exact if exact in words.HELD else f"running.{reason}"

    def phase(self, name: str) -> str:
        """What a trainer does in a phase: `Loading the model`."""
        return self._word(words.PHASES, name)

    def kind(self, kind: str) -> str:
        """The name of a kind of job: `Training`."""
        return self._word(words.KINDS, kind)

    def drop_reason(self, reason: str) -> str:
        """Why a row of a dataset was dropped."""
        return self._word(words.DROPS, reason)

    def warning(self, code: str, facts: Mapping[str, Fact] | None = None) -> str:
        """One sentence for a warning event."""
        if code in words.WARNINGS:
            return self._filled(words.WARNINGS[code], self.shown(facts or {}))
        said = self.describe(code, facts)
        return said.sentence

    def _word(self, table: Mapping[str, str], key: str) -> str:
        return self._gettext(table[key]) if key in table else key.replace("_", " ")

    def _filled(self, template: str, shown: Mapping[str, str]) -> str:
        return fill(self._gettext(template), shown)

    def shown(self, facts: Mapping[str, Fact]) -> dict[str, str]:
        """The facts in words; what is None or empty counts as missing."""
        return {name: self._fact(name, value) for name, value in facts.items() if value not in (None, "")}

    def _fact(self, name: str, value: Fact) -> str:
        if isinstance(value, bool):
            return self._gettext(N_("yes")) if value else self._gettext(N_("no"))
        if not isinstance(value, int | float):
            return _on_one_line(str(value)).rstrip(".")
        if name == "until":
            return self._formats.clock(value)
        if name.endswith("_bytes"):
            return self._formats.size(value)
        if name.endswith("_s") or name == "seconds":
            return self._formats.duration(value)
        return str(value) if name in _BARE_NUMBERS else self._formats.plain(value)


def _on_one_line(text: str) -> str:
    """A stranger's text, such as a path or a library's complaint, so that it can stand in a sentence."""
    return _UNPRINTABLE.sub(" ", text).strip()
