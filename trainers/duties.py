"""Seconds that a trainer spends on its own duties: events, commands, checkpoints, heartbeat.

Owns the sums. Refuses to know what the duties do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, get_args

Duty = Literal["events", "commands", "checkpoints", "heartbeat"]


class Duties:
    """Sums of seconds by duty. Of duties within each other the outermost counts; for one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._sums: dict[Duty, float] = dict.fromkeys(get_args(Duty), 0.0)
        self._busy = False

    @contextmanager
    def of(self, duty: Duty) -> Iterator[None]:
        """Count what is done within."""
        if self._busy:
            yield
            return
        self._busy, begun = True, self._clock()
        try:
            yield
        finally:
            self._busy = False
            self.add(duty, self._clock() - begun)

    def add(self, duty: Duty, seconds: float) -> None:
        """Count what another thread measured."""
        self._sums[duty] += seconds

    @property
    def seconds(self) -> float:
        """Since these duties began to be counted, whatever was done."""
        return self._clock() - self._begun

    def told(self) -> dict[str, float]:
        """The sums, to the tenth of a millisecond."""
        return {duty: round(seconds, 4) for duty, seconds in self._sums.items()}
