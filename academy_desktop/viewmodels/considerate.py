"""Considerate running on the Settings page: when runs have to wait, and what that means now.

Owns the rules as the user changes them, one after the other, over whatever stands in the file by then.
Refuses to know widgets and who obeys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.text.considerate import ALL_DAYS, WEEKDAYS, WEEKEND, ConsiderateWords
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.viewmodels.recipe_form import Choice
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError
from trainers.layout import Considerate, QuietHours

OFF, ON = "off", "on"
#: Days by the name of their choice.
DAYS = {"all": ALL_DAYS, "week": WEEKDAYS, "weekend": WEEKEND}
OWN_DAYS = "own"
#: Degrees Celsius that are offered; makers let their cards get some 83 to 90 degrees hot.
HEATS = (65, 70, 75, 80, 85, 90)


class RulesStore(Protocol):
    """Keeps the rules; blocks, belongs into a thread, but for the first look."""

    def load(self) -> Considerate:
        """The rules in force."""
        ...

    def save(self, rules: Considerate) -> None:
        """Put rules in force."""
        ...


class ConsiderateForm(QObject):
    """Signals: `changed()`, `told(Description)` for what went wrong."""

    changed = Signal()
    told = Signal(object)

    def __init__(
        self,
        store: RulesStore,
        words: ConsiderateWords,
        messages: Messages,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._words = words
        self._messages = messages
        self._gettext = translate
        self._supervisor = supervisor
        self._writing = asyncio.Lock()
        self._rules = Considerate()
        with suppress(AcademyError):  # a later version's rules: shown as none, told when one is changed
            self._rules = store.load()
        self._hours = self._rules.quiet_hours or QuietHours()

    @property
    def rules(self) -> Considerate:
        """The rules, with what the user has just changed."""
        return self._rules

    @property
    def hours(self) -> QuietHours:
        """The quiet hours, or what they would be if they were switched on."""
        return self._hours

    @property
    def sentence(self) -> str:
        """What the rules mean."""
        return self._words.rules(self._rules)

    @property
    def switches(self) -> tuple[Choice, ...]:
        """Off and on."""
        return (Choice(OFF, self._gettext(N_("Off"))), Choice(ON, self._gettext(N_("On"))))

    @property
    def batteries(self) -> tuple[Choice, ...]:
        """What a run does on battery."""
        return (Choice(OFF, self._gettext(N_("Go on"))), Choice(ON, self._gettext(N_("Pause"))))

    @property
    def ways(self) -> tuple[Choice, ...]:
        """What becomes of a run's memory."""
        return (
            Choice("pause", self._gettext(N_("Keep the memory"))),
            Choice("suspend", self._gettext(N_("Save and give it back"))),
        )

    @property
    def day_choices(self) -> tuple[Choice, ...]:
        """Sets of days; those that somebody has put together are one of them."""
        named = (
            Choice("all", self._gettext(N_("Every day"))),
            Choice("week", self._gettext(N_("Monday to Friday"))),
            Choice("weekend", self._gettext(N_("Weekend"))),
        )
        own = Choice(OWN_DAYS, self._words.days(self._hours.days))
        return (*named, own) if self.day_choice == OWN_DAYS else named

    @property
    def day_choice(self) -> str:
        """Which set of days."""
        days = tuple(sorted(set(self._hours.days)))
        return next((name for name, known in DAYS.items() if known == days), OWN_DAYS)

    def times(self, chosen: str) -> tuple[Choice, ...]:
        """Every half hour of the day, and the one that is `chosen` (HH:MM)."""
        halves = {f"{hour:02d}:{minute:02d}" for hour in range(24) for minute in (0, 30)}
        return tuple(Choice(one, self._words.clock(one)) for one in sorted(halves | {chosen}))

    @property
    def heats(self) -> tuple[Choice, ...]:
        """Limits for the heat of a graphics card."""
        known = self._rules.most_celsius
        offered = sorted({*HEATS, *(() if known is None else (known,))})
        none = Choice(OFF, self._gettext(N_("No limit")))
        return (none, *(Choice(str(heat), f"{heat} °C") for heat in offered))

    @property
    def heat(self) -> str:
        """The limit that is chosen."""
        return OFF if self._rules.most_celsius is None else str(self._rules.most_celsius)

    def switch_quiet(self, switch: str) -> None:
        """Have quiet hours, or none."""
        self._change(quiet_hours=self._hours if switch == ON else None)

    def choose_begins(self, time: str) -> None:
        """From when (HH:MM)."""
        self._change_hours(begins=time)

    def choose_ends(self, time: str) -> None:
        """Until when (HH:MM)."""
        self._change_hours(ends=time)

    def choose_days(self, days: str) -> None:
        """On which days they begin."""
        if days in DAYS:
            self._change_hours(days=DAYS[days])

    def switch_battery(self, switch: str) -> None:
        """Pause on battery, or go on."""
        self._change(pause_on_battery=switch == ON)

    def choose_heat(self, heat: str) -> None:
        """A limit in degrees Celsius, or none."""
        self._change(most_celsius=None if heat == OFF else int(heat))

    def choose_way(self, way: str) -> None:
        """Pause or suspend."""
        self._change(way=way)

    async def look(self) -> None:
        """Show what stands in the file: the command line changes it too."""
        async with self._writing:
            await self._attempt(self._store.load)

    def _change_hours(self, **changes: object) -> None:
        self._hours = QuietHours.model_validate({**self._hours.model_dump(), **changes})
        self._change(quiet_hours=self._hours)

    def _change(self, **changes: object) -> None:
        self._show(self._rules.model_copy(update=changes))
        self._supervisor.start(self._write(changes), "considerate")

    async def _write(self, changes: dict[str, object]) -> None:
        def apply() -> Considerate:
            rules = self._store.load().model_copy(update=changes)
            self._store.save(rules)
            return rules

        async with self._writing:
            await self._attempt(apply)

    async def _attempt(self, work: Callable[[], Considerate]) -> None:
        try:
            self._show(await asyncio.to_thread(work))
        except AcademyError as error:
            self.told.emit(self._messages.describe(error.code, error.facts))
            with suppress(AcademyError):  # what could not be saved is not in force
                self._show(await asyncio.to_thread(self._store.load))

    def _show(self, rules: Considerate) -> None:
        if rules.quiet_hours is not None:
            self._hours = rules.quiet_hours
        if rules != self._rules:
            self._rules = rules
            self.changed.emit()
