"""The rehearsal on the Train page: started for what the form shows, ended, and followed by the real run.

Owns when one can begin. Refuses to know threads, widgets and what the stages do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.text.formats import Formats
from academy_desktop.text.messages import Messages
from academy_desktop.text.rehearsals import RehearsalWords
from academy_desktop.viewmodels.rehearsal_story import RehearsalStory
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.viewmodels.walk import Errand, Walk
from trainers.errors import AcademyError
from trainers.recipe import TrainRecipe

if TYPE_CHECKING:  # brings the whole core; the window needs it when a rehearsal starts, not before
    from academy_desktop.core.rehearsal import Audience
    from academy_desktop.core.rehearsal_record import RehearsalRecord
    from academy_desktop.core.workshop import Workshop


class Page(Protocol):
    """The Train page: what its form shows, and the button that begins in earnest."""

    @property
    def can_start(self) -> bool:
        """Whether everything is there and right."""
        ...

    @property
    def draft(self) -> TrainRecipe | None:
        """The recipe that the form shows; None while something is wrong."""
        ...

    def start(self) -> None:
        """Queue the real run."""
        ...

    async def made(self) -> TrainRecipe:
        """The recipe that the page shows, over the files as they are now."""
        ...


class RehearsalWay(Protocol):
    """Rehearses; every call may block and belongs into a thread."""

    def run(self, recipe: TrainRecipe, audience: Audience) -> RehearsalRecord:
        """Go as far as it goes; what the audience raises ends it."""
        ...

    def stop(self, job: str) -> object:
        """Ask the rehearsal's job to end."""
        ...

    def remove(self, record: RehearsalRecord) -> None:
        """Move its jobs to the trash."""
        ...


class WorkshopRehearsal:
    """Rehearsals in a workshop, opened when the first begins."""

    def __init__(self, workshop: Callable[[], Workshop]) -> None:
        self._workshop = workshop

    def run(self, recipe: TrainRecipe, audience: Audience) -> RehearsalRecord:
        """Go as far as it goes; blocks for a minute or two."""
        from academy_desktop.core.rehearsal import Rehearsal

        return Rehearsal(self._workshop(), audience).run(recipe)

    def stop(self, job: str) -> object:
        """Ask the rehearsal's job to end.

        Raises:
            AcademyError: as `Jobs.stop`.
        """
        return self._workshop().jobs.stop(job)

    def remove(self, record: RehearsalRecord) -> None:
        """Move its jobs to the trash.

        Raises:
            AcademyError: as `Jobs.delete`.
        """
        from academy_desktop.core.rehearsal import remove

        remove(self._workshop(), record)


class Rehearsing(QObject):
    """One rehearsal at a time. `changed()` after anything did; `told(Description)` for what went wrong."""

    changed = Signal()
    told = Signal(object)

    def __init__(
        self,
        page: Page,
        way: RehearsalWay,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        clock: Callable[[], float] = time.monotonic,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._page = page
        self._way = way
        self._messages = messages
        self._formats = formats
        self._gettext = translate
        self._supervisor = supervisor
        self._clock = clock
        self._words = RehearsalWords(translate, formats, messages)
        self._walk: Walk[RehearsalRecord] = Walk(supervisor, self.changed.emit, "rehearsal")
        self._preparing = False
        self._record: RehearsalRecord | None = None
        self._rehearsed: TrainRecipe | None = None
        self.story = self._new_story()

    # what is shown

    @property
    def is_running(self) -> bool:
        """Whether a rehearsal is in progress."""
        return self._preparing or self._walk.is_running

    @property
    def is_cancelling(self) -> bool:
        """Whether it ends as soon as it can."""
        return self._walk.is_cancelling

    @property
    def is_shown(self) -> bool:
        """Whether there is anything to show."""
        return self.is_running or self.story.has_begun

    @property
    def can_start(self) -> bool:
        """Whether what the form shows can be rehearsed now."""
        # What this computer lacks for the real run keeps nobody from rehearsing it.
        return self._page.draft is not None and not self.is_running

    @property
    def is_stale(self) -> bool:
        """Whether the form shows another recipe than was rehearsed."""
        return self.story.verdict is not None and self._draft() != self._rehearsed

    @property
    def can_start_run(self) -> bool:
        """Whether the real run can follow."""
        verdict = self.story.verdict
        begins = self._page.can_start and not self.is_running
        return verdict is not None and verdict.ok and begins and not self.is_stale

    # what the user does

    def start(self) -> None:
        """Rehearse what the form shows."""
        if self.can_start:
            self._preparing = True
            self._rehearsed = self._draft()
            self.story = self._new_story()
            self.changed.emit()
            self._supervisor.start(self._begin(), "rehearsal begins")

    def cancel(self) -> None:
        """End it as soon as possible; its jobs so far stay in the list of runs."""
        self._walk.cancel()

    def start_run(self) -> None:
        """Begin in earnest."""
        if self.can_start_run:
            self._page.start()

    def put_away(self) -> None:
        """Show it no more; what it left in the list of runs goes to the trash."""
        if self.is_running:
            return
        record, self._record = self._record, None
        self.story = self._new_story()
        self.changed.emit()
        if record is not None:
            self._supervisor.start(self._remove(record), "rehearsal removed")

    # inside

    def _draft(self) -> TrainRecipe | None:
        """What the form shows, whatever the run is called."""
        draft = self._page.draft
        return draft.model_copy(update={"name": ""}) if draft is not None else None

    def _new_story(self) -> RehearsalStory:
        return RehearsalStory(self._words, self._messages, self._formats, self._gettext, self._clock)

    async def _begin(self) -> None:
        try:
            recipe = await self._page.made()
        except AcademyError as error:
            self._tell(error)
            return
        finally:
            self._preparing = False
            self.changed.emit()
        errand: Errand[RehearsalRecord] = Errand(
            lambda ear: self._way.run(recipe, ear), self._way.stop, self._finish, self._fail
        )
        self._walk.start(self.story, errand)

    async def _remove(self, record: RehearsalRecord) -> None:
        try:
            await asyncio.to_thread(self._way.remove, record)
        except AcademyError as error:
            self._tell(error)

    def _finish(self, record: RehearsalRecord) -> None:
        self._record = record
        self.story.finish(record)

    def _fail(self, error: AcademyError | None) -> None:
        self.story.fail()
        if error is not None:
            self._tell(error)

    def _tell(self, error: AcademyError) -> None:
        self.told.emit(self._messages.describe(error.code, error.facts))
