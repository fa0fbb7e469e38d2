"""What the Train page finds out while the form changes: values for the time there is, and what will not work.

Owns when that is asked, and the answer to “how long may it take”. Refuses to know widgets, and how it is
found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.text.guide import BUDGETS, GuideWords
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.viewmodels.recipe_fields import Value
from academy_desktop.viewmodels.recipe_form import Choice, RecipeForm
from academy_desktop.viewmodels.train_sources import FittedFacts, RecipeBook
from trainers.errors import AcademyError
from trainers.recipe import TrainRecipe

#: Seconds of quiet after a change before it is looked at: somebody may still be typing.
QUIET_S = 0.15
#: Time does not matter; somebody named a time of their own.
NO_LIMIT, OWN = "", "own"
#: Most minutes that may be named: a week.
MOST_MINUTES = 7 * 24 * 60

#: What is said of in the time's own sentence, and not again as having given way.
_TIMED: Final = frozenset({"training.num_epochs", "training.max_steps", "training.warmup_steps"})

#: What values are found for: a recipe without its name, the seconds there are, and the fields that stay.
Asked = tuple[TrainRecipe, float, frozenset[str]]


class Page(Protocol):
    """What is advised: the form and what stands beside it."""

    @property
    def form(self) -> RecipeForm:
        """The values."""
        ...

    @property
    def draft(self) -> TrainRecipe | None:
        """The recipe that the page shows; None while something is wrong."""
        ...

    @property
    def basis(self) -> TrainRecipe | None:
        """What was filled in, with model and dataset; None while there is none."""
        ...


class Advice(QObject):
    """`changed()` when something was found out or is asked otherwise."""

    changed = Signal()

    def __init__(
        self,
        page: Page,
        recipes: RecipeBook,
        words: GuideWords,
        messages: Messages,
        translate: Callable[[str], str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._page = page
        self._recipes = recipes
        self._words = words
        self._messages = messages
        self._gettext = translate
        self._minutes = ""
        self._sentence = ""
        self._due = asyncio.Event()
        self._fitted: Asked | None = None
        self._filled_in: Mapping[str, Value] = {}  # as the answer to it left the form
        self._judged: TrainRecipe | None = None
        self._busy = False
        self._follows = False

    # how long it may take

    @property
    def budgets(self) -> tuple[Choice, ...]:
        """What one may have time for."""
        named = (Choice(name, self._gettext(title)) for name, (title, _) in BUDGETS.items())
        return (*named, Choice(NO_LIMIT, self._gettext(N_("No limit"))))

    @property
    def budget(self) -> str:
        """Which of them there is time for; `OWN` for a time that none of them is."""
        if not self._minutes.strip():
            return NO_LIMIT
        return next((name for name, (_, known) in BUDGETS.items() if self._minutes == str(known)), OWN)

    @property
    def minutes(self) -> str:
        """The time in minutes, as it was typed; nothing where there is no limit."""
        return self._minutes

    @property
    def problem(self) -> str:
        """What is wrong with the minutes: a sentence, or nothing."""
        if not self._minutes.strip() or self._budget_s is not None:
            return ""
        said = self._gettext(N_("Write the minutes as a number from 1 to {most}, or leave this empty."))
        return said.format(most=MOST_MINUTES)

    @property
    def sentence(self) -> str:
        """Why the run is as long as it is; nothing while the time was not asked for."""
        return self._sentence

    @property
    def _budget_s(self) -> float | None:
        try:
            minutes = float(self._minutes)
        except ValueError:
            return None
        return minutes * 60 if 1 <= minutes <= MOST_MINUTES else None

    def choose_budget(self, name: str) -> None:
        """There is time for this."""
        self.set_minutes(str(BUDGETS[name][1]) if name in BUDGETS else "")

    def set_minutes(self, text: str) -> None:
        """There are so many minutes; nothing: any time."""
        if text == self._minutes:
            return
        self._minutes = text
        self._sentence = ""
        self._fitted = None
        basis = self._page.basis
        if self._budget_s is None and basis is not None:
            self._page.form.refill(basis)
        self._due.set()
        self.changed.emit()

    # finding out

    @property
    def is_busy(self) -> bool:
        """Whether something is still to be found out."""
        return self._busy or self._due.is_set()

    @property
    def is_fitting(self) -> bool:
        """Whether values for the time there is are still to be found: those in the form are not meant."""
        asked = self._asked() if self._follows else None
        return asked is not None and not self._is_fitted(asked)

    def look(self) -> None:
        """The page changed: look at the next chance."""
        self._due.set()

    def again(self) -> None:
        """Find out everything anew: a trial has taught what answers."""
        self._fitted = self._judged = None
        self._due.set()
        self.changed.emit()

    async def follow(self) -> None:
        """Keep up with the page, until cancelled."""
        self._follows = True
        try:
            while True:
                await self._due.wait()
                self._busy = True
                self._due.clear()
                await asyncio.sleep(QUIET_S)
                if not self._due.is_set():
                    await self._find_out()
                self._busy = False
        except Exception:  # a mistake of ours: nobody is to wait for values that are never found
            self._follows = self._busy = False
            self.changed.emit()
            raise
        finally:
            self._follows = False

    async def _find_out(self) -> None:
        if await self._fit():
            self.changed.emit()
        recipe = self._page.draft
        if recipe is None or recipe == self._judged:
            return
        try:
            found = await asyncio.to_thread(self._recipes.misfits, recipe)
        except AcademyError:
            found = ()  # told when the run is to begin
        if recipe == self._page.draft:
            self._judged = recipe
            self._page.form.blame(found)
            self.changed.emit()

    async def _fit(self) -> bool:
        """Fit the values into the time, if that is new; returns whether anything changed."""
        asked, basis = self._asked(), self._page.basis
        if asked is None or basis is None or self._is_fitted(asked):
            return False
        try:
            found = await asyncio.to_thread(self._recipes.fit, *asked)
        except AcademyError as error:
            found, self._sentence = None, self._messages.describe(error.code, error.facts).sentence
        if self._asked() != asked:
            return False  # asked otherwise meanwhile
        if found is not None:
            self._take(basis, found)
        self._fitted, self._filled_in = asked, self._page.form.all_filled_in
        return True

    def _asked(self) -> Asked | None:
        """What values are to be found for; nothing where time does not matter, or something is wrong."""
        budget_s, basis, form = self._budget_s, self._page.basis, self._page.form
        wanted = form.with_changes(basis) if basis is not None else None
        if budget_s is None or wanted is None:
            return None
        return wanted.model_copy(update={"name": ""}), budget_s, frozenset(form.changed)

    def _is_fitted(self, asked: Asked) -> bool:
        """Whether that was answered, and nothing else was filled in since."""
        return asked == self._fitted and self._page.form.all_filled_in == self._filled_in

    def _take(self, basis: TrainRecipe, found: FittedFacts) -> None:
        form = self._page.form
        fields = [(path, value) for path, value in found.fields if not form.is_changed(path)]
        form.refill(basis, fields)
        moved = [(path, str(value)) for path, value in fields if path not in _TIMED]
        self._sentence = self._words.fitted(found.outcome, found.facts, form.in_words(moved))
