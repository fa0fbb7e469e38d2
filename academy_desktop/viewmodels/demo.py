"""The guided demo: starts it, ends it, and brings what it says into the loop.

Owns what is started and ended. Refuses to know threads, widgets and what the stages do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.text.formats import Formats
from academy_desktop.text.messages import Messages
from academy_desktop.viewmodels.demo_story import Story
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.viewmodels.walk import Errand, Walk
from trainers.errors import AcademyError

if TYPE_CHECKING:  # brings the whole core; the window needs it when the demo starts, not before
    from academy_desktop.core.demo import Audience, Outcome
    from academy_desktop.core.workshop import Workshop


class DemoWay(Protocol):
    """The demo itself; every call may block and belongs into a thread."""

    def run(self, audience: Audience, *, fast: bool) -> Outcome:
        """Go the whole way; what the audience raises ends it."""
        ...

    def stop(self, job: str) -> object:
        """Ask the demo's job to end."""
        ...


class OwnDemo:
    """The demo in a workshop of its own, opened when it begins."""

    def __init__(self, open_own: Callable[[], Workshop]) -> None:
        self._open = open_own
        self._workshop: Workshop | None = None

    def run(self, audience: Audience, *, fast: bool) -> Outcome:
        """Go the whole way; blocks for minutes.

        Raises:
            AcademyError: as `open_workshop` and `Demo.run`; and whatever the audience raises.
        """
        from academy_desktop.core.demo import Demo
        from academy_desktop.core.workshop import RESOURCES

        self._workshop = self._open()
        return Demo(self._workshop, RESOURCES / "samples", audience).run(fast=fast)

    def stop(self, job: str) -> object:
        """Ask the demo's job to end.

        Raises:
            AcademyError: as `Jobs.stop`.
        """
        return None if self._workshop is None else self._workshop.jobs.stop(job)


class Tour(QObject):
    """One demo at a time. `changed()` after anything did; `told(Description)` for what went wrong."""

    changed = Signal()
    told = Signal(object)

    def __init__(
        self,
        way: DemoWay,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        clock: Callable[[], float] = time.monotonic,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._way = way
        self._messages = messages
        self._formats = formats
        self._gettext = translate
        self._clock = clock
        self._walk: Walk[Outcome] = Walk(supervisor, self.changed.emit, "demo")
        self.story = self._new_story()

    # what is shown

    @property
    def is_running(self) -> bool:
        """Whether the demo is in progress."""
        return self._walk.is_running

    @property
    def is_cancelling(self) -> bool:
        """Whether it ends as soon as it can."""
        return self._walk.is_cancelling

    @property
    def has_begun(self) -> bool:
        """Whether there is anything to show of it."""
        return self.is_running or self.story.has_begun

    # what the user does

    def start(self, *, fast: bool = False) -> None:
        """Go the whole way, from the beginning; what is there already is not made again."""
        if not self.is_running:
            self.story = self._new_story()
            errand: Errand[Outcome] = Errand(
                lambda ear: self._way.run(ear, fast=fast), self._way.stop, self.story.finish, self._fail
            )
            self._walk.start(self.story, errand)

    def cancel(self) -> None:
        """End it as soon as possible; what was made before stays."""
        self._walk.cancel()

    # inside

    def _new_story(self) -> Story:
        return Story(self._messages, self._formats, self._gettext, self._clock)

    def _fail(self, error: AcademyError | None) -> None:
        if error is None:
            self.story.fail(None)
            return
        self.story.fail(self._messages.describe(error.code, error.facts))
        self.told.emit(self.story.failure)
