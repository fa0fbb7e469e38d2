"""Long work in stages, one at a time: started in a thread of its own, heard in the loop, ended when wished.

Owns the thread, the ear that listens to it, and the way to end it. Refuses to know what the stages do and
what is shown of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError
from trainers.events import AnyEvent

T = TypeVar("T")


class CancelledError(Exception):
    """The user ended it, or the window is closed; never leaves the thread."""


class Listener(Protocol):
    """What is told of the stages, in the loop's own thread."""

    def begin(self, name: Any) -> None:
        """A stage begins."""
        ...

    def take_progress(self, done: int, total: int, detail: str) -> None:
        """How far a stage without a job is."""
        ...

    def take_job(self, job: str) -> None:
        """The stage's job was queued."""
        ...

    def take_event(self, event: AnyEvent) -> None:
        """The stage's job said something."""
        ...


#: One thing that was said: how to take it in.
Said = Callable[[], None]


class Ear:
    """The audience: notes what it hears in the work's thread, and has the loop take it in.

    However much is said, the loop is woken once for all of it.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, listener: Listener, changed: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._changed = changed
        self._guard = threading.Lock()
        self._heard: deque[Said] = deque()
        self._deaf = False
        self._job = ""

    def stage(self, name: Any) -> None:
        """A stage begins."""
        self._job = ""
        self._listen()
        self._note(lambda: self._listener.begin(name))

    def told(self, done: int, total: int, detail: str) -> None:
        """How far the stage is, where no job runs."""
        self._listen()
        self._note(lambda: self._listener.take_progress(done, total, detail))

    def job(self, job: str) -> None:
        """A job of the stage was queued; where nobody listens any more, whoever queued it ends it again."""
        self._job = job
        self._listen()
        self._note(lambda: self._listener.take_job(job))

    def event(self, event: AnyEvent) -> None:
        """The stage's job said something."""
        self._listen()
        self._note(lambda: self._listener.take_event(event))

    @property
    def in_progress(self) -> str:
        """The job that was queued last, or nothing in a stage without one."""
        return self._job

    def close(self) -> None:
        """Hear no more: the next word ends the work."""
        self._deaf = True

    def _listen(self) -> None:
        """End the work where nobody wants to hear of it any more."""
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


@dataclass(frozen=True)
class Errand(Generic[T]):
    """What is to be done, and what becomes of it.

    Attributes:
        work: the whole of it; blocks, and says what it does to the ear.
        stop: asks a job to end; blocks.
        done: takes what came out.
        failed: takes what went wrong, or None where the user wished it to end, or by a mistake of ours.
    """

    work: Callable[[Ear], T]
    stop: Callable[[str], object]
    done: Callable[[T], None]
    failed: Callable[[AcademyError | None], None]


class Walk(Generic[T]):
    """One errand at a time; `changed` is called after anything did."""

    def __init__(self, supervisor: Supervisor, changed: Callable[[], object], name: str) -> None:
        self._supervisor = supervisor
        self._changed = changed
        self._name = name
        self._cancelled = False
        self._ear: Ear | None = None
        self._stop: Callable[[str], object] = lambda job: None
        self._task: asyncio.Task[object] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it is in progress."""
        return self._ear is not None

    @property
    def is_cancelling(self) -> bool:
        """Whether it ends as soon as it can."""
        return self.is_running and self._cancelled

    def start(self, listener: Listener, errand: Errand[T]) -> None:
        """Begin; does nothing while one is in progress."""
        if self.is_running:
            return
        self._cancelled = False
        self._stop = errand.stop
        self._ear = Ear(asyncio.get_running_loop(), listener, self._changed)
        self._changed()
        self._task = self._supervisor.start(self._run(self._ear, errand), self._name)

    def cancel(self) -> None:
        """End it as soon as possible; what was made before stays."""
        if self._ear is None or self._task is None or self._cancelled:
            return
        self._cancelled = True
        self._changed()
        if self._ear.in_progress:
            self._supervisor.start(self._quit(self._ear), f"{self._name} ends")
        else:
            self._task.cancel()  # what has no job ends in its own time, and nobody waits for it

    async def _run(self, ear: Ear, errand: Errand[T]) -> None:
        try:
            outcome = await in_own_thread(lambda: errand.work(ear), self._name)
        except asyncio.CancelledError:  # or the window is closed: nobody would wait for the next stage
            errand.failed(None)
            await self._quit(ear)
            raise
        except (AcademyError, CancelledError) as error:
            wished = self._cancelled or not isinstance(error, AcademyError)
            errand.failed(None if wished or not isinstance(error, AcademyError) else error)
        except Exception:  # a mistake of ours: reported as one by whoever keeps the tasks
            errand.failed(None)
            raise
        else:
            if self._cancelled:  # a job that was stopped before its first word ended without a word to us
                errand.failed(None)
            else:
                errand.done(outcome)
        finally:
            ear.close()
            self._ear = None
            self._changed()

    async def _quit(self, ear: Ear) -> None:
        ear.close()
        if ear.in_progress:
            with contextlib.suppress(AcademyError):  # it is over already
                await asyncio.to_thread(self._stop, ear.in_progress)


def in_own_thread(work: Callable[[], T], name: str) -> asyncio.Future[T]:
    """Do work that takes minutes in a thread of its own, which never keeps the window from closing."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

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

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
