"""Long work in a thread, with looks at how far it is and a way to give it up; what files refuse as a code.

Owns the waiting. Refuses to know what the work is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from trainers.errors import AcademyError, ErrorCode

T = TypeVar("T")

#: Seconds between two looks.
TICK_S = 0.1


async def in_thread(work: Callable[[], T], give_up: Event, tick: Callable[[], object]) -> T:
    """Do `work` in a thread and call `tick` meanwhile; returns or raises what `work` does.

    When the window goes, `give_up` is set, so that the thread, which nobody can end from outside, ends soon.
    """
    future = asyncio.get_running_loop().run_in_executor(None, work)
    future.add_done_callback(_take_note)
    try:
        while not future.done():
            await asyncio.wait({future}, timeout=TICK_S)
            tick()
    except asyncio.CancelledError:
        give_up.set()
        raise
    return future.result()


def as_academy(error: AcademyError | OSError) -> AcademyError:
    """What the system refuses, as a failure that has a sentence."""
    if isinstance(error, AcademyError):
        return error
    path = str(error.filename) if error.filename else None
    return AcademyError(ErrorCode.FILE_UNREADABLE, path=path, detail=error.strerror or str(error))


def _take_note(future: asyncio.Future[T]) -> None:
    """Whoever waited may be gone: then nobody wants to hear how the work ended."""
    if not future.cancelled():
        future.exception()
