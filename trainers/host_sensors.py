"""What this computer says of itself while a job waits or runs: battery, and heat of the graphics card.

Owns a thread that asks, so that a driver that hangs never holds up the host. Standard library only. Refuses
to judge.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from trainers.host_battery import SUPPLIES, on_battery
from trainers.host_gpu import GpuReading, read_gpu

#: Seconds between two looks.
EVERY_S = 5.0
#: An older look says nothing any more.
_STALE_S = 60.0
_CUDA = "cuda-"


@dataclass(frozen=True)
class Reading:
    """One look."""

    on_battery: bool = False
    gpu: GpuReading = field(default_factory=GpuReading)


class Sensors:
    """Looks every few seconds; `device` is the queue's: only a graphics card is asked for its heat."""

    def __init__(
        self, device: str, supplies: Path = SUPPLIES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        number = device.removeprefix(_CUDA)
        self._gpu = int(number) if device.startswith(_CUDA) and number.isdigit() else None
        self._supplies = supplies
        self._clock = clock
        self._looked = threading.Event()
        self._reading = Reading()
        self._read_at = clock()

    def start(self, wait_s: float = 10.0) -> None:
        """Begin to look, and wait for the first look, but not for ever."""
        threading.Thread(target=self._follow, name="sensors", daemon=True).start()
        self._looked.wait(wait_s)

    @property
    def reading(self) -> Reading:
        """The newest look; nothing is known from one that is long ago."""
        fresh = self._clock() - self._read_at < _STALE_S
        return self._reading if fresh else Reading()

    def look(self) -> None:
        """Look once; blocks."""
        gpu = read_gpu(self._gpu) if self._gpu is not None else GpuReading()
        self._reading, self._read_at = Reading(on_battery(self._supplies), gpu), self._clock()
        self._looked.set()

    def _follow(self) -> None:
        while True:
            self.look()
            time.sleep(EVERY_S)
