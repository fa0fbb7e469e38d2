"""What follows the last run: shutting the computer down, asked for, counted down, called off.

Owns how that stands on the screen. Refuses to know widgets and who does it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.reader import JobSummary
from academy_desktop.text.considerate import ConsiderateWords
from academy_desktop.text.messages import Messages
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError

#: Seconds between two looks: a countdown goes by seconds.
LOOK_S = 0.5


class ShutdownFacts(Protocol):
    """How it stands; `at` is when the countdown ends (seconds since 1970), `job` the one that ended badly."""

    @property
    def state(self) -> str:
        """off, waiting, counting, now, called_off or failed."""
        ...

    @property
    def at(self) -> float | None:
        """The end of the countdown."""
        ...

    @property
    def job(self) -> str:
        """What calls for a look."""
        ...

    @property
    def detail(self) -> str:
        """What the system said."""
        ...

    @property
    def is_on(self) -> bool:
        """Whether the computer will be shut down."""
        ...


class ShutdownSource(Protocol):
    """Carries the wish; every call may block and belongs into a thread."""

    def ask(self) -> None:
        """Shut down after the last job."""
        ...

    def cancel(self) -> None:
        """Leave the computer on."""
        ...

    def dismiss(self) -> None:
        """Forget what became of it."""
        ...

    def status(self) -> ShutdownFacts:
        """How it stands."""
        ...


class QueueEnd(QObject):
    """Signals: `changed()`, `counting(sentence)` as a countdown begins, `told(Description)` of failures."""

    changed = Signal()
    counting = Signal(str)
    told = Signal(object)

    def __init__(
        self,
        source: ShutdownSource,
        words: ConsiderateWords,
        messages: Messages,
        supervisor: Supervisor,
        clock: Callable[[], float] = time.time,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._source = source
        self._words = words
        self._messages = messages
        self._supervisor = supervisor
        self._clock = clock
        self._status = source.status()
        self._names: dict[str, str] = {}
        self._going = 0
        self._shown = ("", False)

    @property
    def is_offered(self) -> bool:
        """Whether there is anything to choose or to read."""
        return self._going > 0 or self._status.state != "off"

    @property
    def is_on(self) -> bool:
        """Whether the computer will be shut down, if nobody cancels it."""
        return self._status.is_on

    @property
    def is_counting(self) -> bool:
        """Whether the countdown runs."""
        return self._status.state == "counting"

    @property
    def is_over(self) -> bool:
        """Whether the computer stays on although it was asked for, and the user should read why."""
        return self._status.state in {"called_off", "failed"}

    @property
    def sentence(self) -> str:
        """How it stands, where the choice alone does not say so."""
        if self._status.state == "waiting":
            return ""
        left_s = max(0.0, (self._status.at or 0.0) - self._clock())
        job = f"“{self._names.get(self._status.job) or self._status.job}”"
        return self._words.shutdown(self._status.state, round(left_s), job, self._status.detail)

    def switch(self, on: bool) -> None:
        """Shut down after the last run, or leave the computer on."""
        self._start(self._source.ask if on else self._source.cancel)

    def cancel(self) -> None:
        """Leave the computer on."""
        self._start(self._source.cancel)

    def dismiss(self) -> None:
        """The user has read it."""
        self._start(self._source.dismiss)

    def take_jobs(self, jobs: Sequence[JobSummary]) -> None:
        """The jobs as they are now."""
        self._names = {job.id: job.name for job in jobs}
        self._going = sum(not job.state.is_over for job in jobs)
        self._say()

    async def follow(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        counted = self.is_counting
        self._status = await asyncio.to_thread(self._source.status)
        self._say()
        if self.is_counting and not counted:
            self.counting.emit(self.sentence)

    def _start(self, work: Callable[[], None]) -> None:
        self._supervisor.start(self._do(work), "shutdown")

    async def _do(self, work: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(work)
        except AcademyError as error:
            self.told.emit(self._messages.describe(error.code, error.facts))
        await self._look()
        self.changed.emit()  # a box that was ticked in vain is not ticked

    def _say(self) -> None:
        shown = (f"{self._status.state} {self.sentence}", self.is_offered)
        if shown != self._shown:
            self._shown = shown
            self.changed.emit()
