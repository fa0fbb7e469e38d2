"""What the run on the Train page will need, told while the form changes: fits or not, memory, time, disk.

Owns when a forecast is made anew, and which is shown. Refuses to know widgets and how a forecast is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.text.estimates import EstimateWords, ForecastFacts
from academy_desktop.text.messages import Messages
from academy_desktop.viewmodels.train import Train
from trainers.errors import AcademyError
from trainers.recipe import TrainRecipe

#: Seconds of quiet after a change before it is reckoned with: somebody may still be typing.
QUIET_S = 0.15

Tone = Literal["success", "warning", "danger", "neutral"]


class NearestFacts(Protocol):
    """The nearest recipe that fits."""

    @property
    def fields(self) -> Sequence[tuple[str, int | str]]:
        """What is changed: each field's path and its new value."""
        ...


class EstimateFacts(Protocol):
    """A forecast, and what would fit instead."""

    @property
    def forecast(self) -> ForecastFacts:
        """The forecast."""
        ...

    @property
    def nearest(self) -> NearestFacts | None:
        """The nearest recipe that fits, where this one does not."""
        ...


class Estimator(Protocol):
    """Makes forecasts; every call may block and belongs into a thread."""

    def estimate(self, recipe: TrainRecipe) -> EstimateFacts:
        """The forecast of a recipe, whose dataset may be named by its id alone."""
        ...

    def learn(self) -> object:
        """Take in the runs that have ended since the last time."""
        ...


@dataclass(frozen=True)
class Item:
    """One thing that takes room: what it is, how much, and its share of all (0 to 1)."""

    title: str
    meaning: str
    size: str
    share: float


@dataclass(frozen=True)
class Shown:
    """A forecast in words. `used`, `most` are shares of `whole`: the figure, and the most that is likely.

    `room` is the share of what there is; it is below 1 only where more is needed than that.
    """

    tone: Tone
    verdict: str
    memory: str
    time: str
    disk: str
    basis: str
    nearest: str
    used: float
    most: float
    room: float
    items: tuple[Item, ...]


class LiveForecast(QObject):
    """`changed()` when something else is to be shown."""

    changed = Signal()

    def __init__(
        self,
        train: Train,
        source: Estimator,
        words: EstimateWords,
        messages: Messages,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._train = train
        self._source = source
        self._words = words
        self._messages = messages
        self._due = asyncio.Event()
        self._asked: TrainRecipe | None = None
        self._found: EstimateFacts | None = None
        self._shown: Shown | None = None
        self._problem = ("", "")
        self._busy = False
        self._stale = False
        train.changed.connect(self._look)
        self._look()

    @property
    def shown(self) -> Shown | None:
        """The newest forecast; while a newer one is made, the one before."""
        return self._shown

    @property
    def engine(self) -> str:
        """What the run would be trained with; nothing while that is not known."""
        return self._found.forecast.engine if self._found is not None else ""

    @property
    def is_busy(self) -> bool:
        """Whether a newer forecast is on its way."""
        return self._busy

    @property
    def problem(self) -> tuple[str, str]:
        """Why there is no forecast, and what can be done: two sentences, or nothing."""
        return self._problem

    @property
    def can_apply(self) -> bool:
        """Whether there is a nearest recipe that fits, for what the form holds now."""
        return self._found is not None and self._found.nearest is not None and not self._busy

    def apply(self) -> None:
        """Put the nearest recipe's values into the form."""
        if self._found is not None and self._found.nearest is not None and not self._busy:
            for path, value in self._found.nearest.fields:
                self._train.set(path, str(value))

    def refresh(self) -> None:
        """Make the forecast anew: free memory, free disk and what runs have taught may be others now."""
        self._asked = None
        self._stale = True
        self._look()

    async def follow(self) -> None:
        """Keep the forecast up with the form, until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            await asyncio.sleep(QUIET_S)
            if self._due.is_set():
                continue
            recipe = self._train.draft
            if recipe is not None:
                await self._make(recipe)

    async def _make(self, recipe: TrainRecipe) -> None:
        try:
            found = await asyncio.to_thread(self._reckon, recipe)
        except AcademyError as error:
            said = self._messages.describe(error.code, error.facts)
            self._take(None, (said.sentence, said.next_step))
        else:
            self._take(found, ("", ""))

    def _reckon(self, recipe: TrainRecipe) -> EstimateFacts:
        if self._stale:
            self._stale = False
            self._source.learn()
        return self._source.estimate(recipe)

    def _take(self, found: EstimateFacts | None, problem: tuple[str, str]) -> None:
        if self._due.is_set():  # the form is another already
            return
        self._found, self._problem, self._busy = found, problem, False
        self._shown = self._in_words(found) if found is not None else None
        self.changed.emit()

    def _look(self) -> None:
        """The page changed: see whether that changes the forecast."""
        recipe = self._train.draft
        if recipe == self._asked and recipe is not None:
            return
        self._asked = recipe
        if recipe is None:
            self._busy = False
        else:
            self._busy = True
            self._due.set()
        self.changed.emit()

    def _in_words(self, made: EstimateFacts) -> Shown:
        words, found = self._words, made.forecast
        most = max(found.memory_range.high, found.memory_bytes)
        whole = max(float(found.limit_bytes), most, 1.0)
        fits = found.fits_memory and found.fits_disk
        return Shown(
            tone="danger" if not fits else "warning" if found.is_tight else "success",
            verdict=words.verdict(found),
            memory=words.memory(found),
            time=words.time(found),
            disk=words.disk(found),
            basis=words.basis(found),
            nearest=words.nearest(made.nearest.fields) if made.nearest else "",
            used=found.memory_bytes / whole,
            most=most / whole,
            room=found.limit_bytes / whole,
            items=tuple(self._items(found)),
        )

    def _items(self, found: ForecastFacts) -> list[Item]:
        total = max(found.memory_bytes, 1.0)
        return [
            Item(self._words.term(name), self._words.meaning(name), self._words.size(value), value / total)
            for name, value in self._words.held(found)
        ]
