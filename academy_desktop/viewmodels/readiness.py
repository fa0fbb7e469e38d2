"""Has a trainer load its libraries while somebody looks at the Train page, and tells what that holds.

Owns when one is made ready and when its memory is given back. Refuses to know widgets and processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_

#: Seconds between two looks while the page is seen.
LOOK_S = 2.0
#: Somebody who leaves the page may come back: so many seconds it is kept.
KEEP_S = 60.0


class Ahead(Protocol):
    """Keeps at most one trainer ready; every call may block and belongs into a thread."""

    def prepare(self, engine: str) -> None:
        """Start one for an engine, unless it is there."""
        ...

    @property
    def memory_bytes(self) -> int:
        """What it holds; 0 without one."""
        ...

    def give_back(self) -> None:
        """End it."""
        ...


class Readiness(QObject):
    """`changed()` when the note is another one.

    Args:
        ahead: keeps the trainer.
        engine: which one a run would take; nothing while that is not known.
        keep_s: how long the trainer is kept when nobody looks.
    """

    changed = Signal()

    def __init__(
        self,
        ahead: Ahead,
        engine: Callable[[], str],
        formats: Formats,
        translate: Callable[[str], str],
        keep_s: float = KEEP_S,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._ahead = ahead
        self._engine = engine
        self._formats = formats
        self._gettext = translate
        self._keep_s = keep_s
        self._is_seen = False
        self._turn = asyncio.Event()
        self._held = 0

    @property
    def note(self) -> str:
        """What is held in memory so that a run starts at once: a sentence, or nothing."""
        if not self._held:
            return ""
        text = N_("Ready to start at once: the trainer is loaded and holds {memory}.")
        return self._gettext(text).format(memory=self._formats.size(self._held))

    def see(self, seen: bool) -> None:
        """The page is looked at, or no longer."""
        if seen != self._is_seen:
            self._is_seen = seen
            self._turn.set()

    async def follow(self) -> None:
        """Prepare while the page is seen, and give back some time after, until cancelled."""
        try:
            while True:
                if self._is_seen:
                    await self._keep_ready()
                    await self._wait(LOOK_S)
                elif self._held:
                    if not await self._wait(self._keep_s):
                        await self._give_back()
                else:
                    await self._wait(None)
        finally:
            self._ahead.give_back()

    async def _keep_ready(self) -> None:
        if engine := self._engine():
            await asyncio.to_thread(self._ahead.prepare, engine)
        self._take(await asyncio.to_thread(lambda: self._ahead.memory_bytes))

    async def _give_back(self) -> None:
        await asyncio.to_thread(self._ahead.give_back)
        self._take(0)

    async def _wait(self, seconds: float | None) -> bool:
        """Wait until the page is seen, or no longer; False when the seconds are over before that."""
        try:
            # Not `wait_for`, which swallows a cancellation that comes with the event.
            async with asyncio.timeout(seconds):
                await self._turn.wait()
        except TimeoutError:
            return False
        self._turn.clear()
        return True

    def _take(self, held: int) -> None:
        before, self._held = self.note, held
        if self.note != before:
            self.changed.emit()
