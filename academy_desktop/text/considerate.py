"""What the rules of considerate running mean, and how shutting down stands, in sentences.

Owns the English originals and which of them apply. Refuses to know who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import time
from typing import Protocol

from babel.dates import format_time, get_day_names
from babel.lists import format_list

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.templates import fill

ALL_DAYS = tuple(range(7))
WEEKDAYS = tuple(range(5))
WEEKEND = (5, 6)

#: How it stands with shutting down, while that is worth a sentence.
SHUTDOWN = {
    "waiting": N_("The computer shuts down when the last run is over."),
    "counting": N_("The last run is over. The computer shuts down in {left}."),
    "now": N_("The computer shuts down now."),
    "called_off": N_("The computer stays on: {job} did not end well. Have a look at it."),
    "failed": N_("The computer could not be shut down[: {detail}]."),
}


class HoursFacts(Protocol):
    """Quiet hours: from and to as HH:MM, and the days on which they begin; 0 is Monday."""

    @property
    def begins(self) -> str:
        """From."""
        ...

    @property
    def ends(self) -> str:
        """To."""
        ...

    @property
    def days(self) -> Collection[int]:
        """The days."""
        ...


class RulesFacts(Protocol):
    """The rules, as `trainers.layout.Considerate` has them."""

    @property
    def quiet_hours(self) -> HoursFacts | None:
        """Hours in which nothing runs."""
        ...

    @property
    def pause_on_battery(self) -> bool:
        """Whether nothing runs on battery."""
        ...

    @property
    def most_celsius(self) -> int | None:
        """The heat above which nothing runs."""
        ...

    @property
    def way(self) -> str:
        """`pause` or `suspend`."""
        ...


class ConsiderateWords:
    """Sentences about rules in one language."""

    def __init__(self, gettext: Callable[[str], str], formats: Formats) -> None:
        self._gettext = gettext
        self._formats = formats

    def rules(self, rules: RulesFacts) -> str:
        """What the rules mean, in a few sentences."""
        said: list[str] = []
        if rules.quiet_hours is not None:
            said.append(self._quiet(rules.quiet_hours))
        if rules.pause_on_battery:
            said.append(self._gettext(N_("Runs pause while this computer is on battery.")))
        if rules.most_celsius is not None:
            hot = N_(
                "Runs pause when the graphics card is hotter than {most} °C, and go on below {cooler} °C."
            )
            facts = {"most": str(rules.most_celsius), "cooler": str(rules.most_celsius - 5)}
            said.append(fill(self._gettext(hot), facts))
        if not said:
            return self._gettext(N_("Runs go on at any hour, on battery too."))
        if (rules.quiet_hours or rules.pause_on_battery) and rules.way == "suspend":
            gives = N_("They save and give their memory back meanwhile, except while a card cools.")
            said.append(self._gettext(gives))
        return " ".join(said)

    def days(self, days: Collection[int]) -> str:
        """`Mon, Tue and Wed`."""
        names = get_day_names("abbreviated", locale=self._formats.locale)
        return format_list([names[day] for day in sorted(set(days))], locale=self._formats.locale)

    def clock(self, text: str) -> str:
        """A time of day, from HH:MM."""
        return format_time(time.fromisoformat(text), format="short", locale=self._formats.locale)

    def shutdown(self, state: str, left_s: float = 0.0, job: str = "", detail: str = "") -> str:
        """How it stands with shutting down, or nothing."""
        if state not in SHUTDOWN:
            return ""
        facts = {"left": self._formats.duration(left_s), "job": job, "detail": detail.rstrip(".")}
        return fill(self._gettext(SHUTDOWN[state]), {name: told for name, told in facts.items() if told})

    def _quiet(self, quiet: HoursFacts) -> str:
        facts = {"begins": self.clock(quiet.begins), "ends": self.clock(quiet.ends)}
        days = tuple(sorted(set(quiet.days)))
        if not days:
            return self._gettext(N_("There are quiet hours, but on no day of the week."))
        if days == ALL_DAYS:
            return fill(self._gettext(N_("Runs pause from {begins} to {ends}.")), facts)
        said = N_("Runs pause from {begins} to {ends} when that begins on {days}.")
        return fill(self._gettext(said), {**facts, "days": self.days(days)})
