"""The guided demo: starts it, ends it, and brings what it says into the loop.

Owns the thread that the demo runs in. Refuses to know widgets and what the stages do.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.text.formats import Formats
from academy_desktop.text.messages import Messages
from academy_desktop.viewmodels.demo_story import Story
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError
from trainers.events import AnyEvent

if TYPE_CHECKING:  # brings the whole core; the window needs it when the demo starts, not before
    from academy_desktop.core.demo import Audience, Outcome, StageName
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


class CancelledError(Exception):
    """The user ended the demo, or the window is closed; never leaves the demo's thread."""


#: One thing that the demo said: how to take it in.
Said = Callable[[], None]


class _Ear:
    """The demo's audience: notes what it hears in the demo's thread, and has the loop take it in.

    However much is said, the loop is woken once for all of it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, story: Story, changed: Callable[[], object]) -> None:
        self._loop = loop
        self._story = story
        self._changed = changed
        self._guard = threading.Lock()
        self._heard: deque[Said] = deque()
        self._deaf = False
        self._job = ""

    def stage(self, name: StageName) -> None:
        """A stage begins."""
        self._job = ""
        self._note(lambda: self._story.begin(name))

    def told(self, done: int, total: int, detail: str) -> None:
        """How far the stage is, where no job runs."""
        self._listen()
        self._note(lambda: self._story.take_progress(done, total, detail))

    def job(self, job: str) -> None:
        """A job of the stage was queued."""
        self._job = job
        self._note(lambda: self._story.take_job(job))

    def event(self, event: AnyEvent) -> None:
        """The stage's job said something."""
        self._listen()
        self._note(lambda: self._story.take_event(event))

    @property
    def in_progress(self) -> str:
        """The job that was queued last, or nothing in a stage without one."""
        return self._job

    def close(self) -> None:
        """Hear no more: the next word ends the demo."""
        self._deaf = True

    def _listen(self) -> None:
        """End the demo where nothing is left behind: a job that was just queued must be followed first."""
        if self._deaf:
            raise CancelledError

    def _note(self, said: Said) -> None:
        with self._guard:
            first = not self._heard
            self._heard.append(said)
        if first:
            try:
                self._loop.call_soon_threadsafe(self._take)
            except RuntimeError:  # the loop is closed: nobody is there any more
                self._deaf = True

    def _take(self) -> None:
        with self._guard:
            heard = tuple(self._heard)
            self._heard.clear()
        if not self._deaf:
            for said in heard:
                said()
            self._changed()


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
        self._supervisor = supervisor
        self._clock = clock
        self._cancelled = False
        self._ear: _Ear | None = None
        self._task: asyncio.Task[object] | None = None
        self.story = self._new_story()

    # what is shown

    @property
    def is_running(self) -> bool:
        """Whether the demo is in progress."""
        return self._ear is not None

    @property
    def is_cancelling(self) -> bool:
        """Whether it ends as soon as it can."""
        return self.is_running and self._cancelled

    @property
    def has_begun(self) -> bool:
        """Whether there is anything to show of it."""
        return self.is_running or self.story.has_begun

    # what the user does

    def start(self, *, fast: bool = False) -> None:
        """Go the whole way, from the beginning; what is there already is not made again."""
        if not self.is_running:
            self._cancelled = False
            self.story = self._new_story()
            self._ear = _Ear(asyncio.get_running_loop(), self.story, self.changed.emit)
            self.changed.emit()
            self._task = self._supervisor.start(self._run(self._ear, fast), "demo")

    def cancel(self) -> None:
        """End it as soon as possible; what was made before stays."""
        if self._ear is None or self._task is None or self._cancelled:
            return
        self._cancelled = True
        self.changed.emit()
        if self._ear.in_progress:
            self._supervisor.start(self._quit(self._ear), "demo ends")
        else:
            self._task.cancel()  # a download ends in its own time, and nobody waits for it

    # inside

    def _new_story(self) -> Story:
        return Story(self._messages, self._formats, self._gettext, self._clock)

    async def _run(self, ear: _Ear, fast: bool) -> None:
        try:
            outcome = await _in_thread(lambda: self._way.run(ear, fast=fast))
        except asyncio.CancelledError:  # or the window is closed: nobody would wait for the next stage
            self.story.fail(None)
            await self._quit(ear)
            raise
        except (AcademyError, CancelledError) as error:
            self._end(error)
        except Exception:  # a mistake of ours: reported as one by whoever keeps the tasks
            self.story.fail(None)
            raise
        else:
            self.story.finish(outcome)
        finally:
            ear.close()
            self._ear = None
            self.changed.emit()

    async def _quit(self, ear: _Ear) -> None:
        ear.close()
        if ear.in_progress:
            with contextlib.suppress(AcademyError):  # it is over already
                await asyncio.to_thread(self._way.stop, ear.in_progress)

    def _end(self, error: Exception) -> None:
        if self._cancelled or not isinstance(error, AcademyError):
            self.story.fail(None)
            return
        self.story.fail(self._messages.describe(error.code, error.facts))
        self.told.emit(self.story.failure)


def _in_thread(work: Callable[[], Outcome]) -> asyncio.Future[Outcome]:
    """Do work that takes minutes in a thread of its own, which never keeps the window from closing."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Outcome] = loop.create_future()

    def settle(set_it: Callable[[], None]) -> None:
        if not future.done():
            set_it()

    def run() -> None:
        try:
            outcome = work()
        except BaseException as error:
            failed = error
            wake(lambda: future.set_exception(failed))
        else:
            wake(lambda: future.set_result(outcome))

    def wake(set_it: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle, set_it)

    threading.Thread(target=run, name="demo", daemon=True).start()
    return future
