"""The queue of each device: empty files whose names sort in its order (PROTOCOL.md, "queue entry").

Owns making entries and removing those of jobs that have no host. Whose turn it is, the hosts settle among
themselves. Refuses to know what is queued.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

#: A device that jobs wait for, as its queue's folder is named.
QueueDevice = Literal["cpu", "cuda-0"]

_ORDER_DIGITS = 12


class DeviceQueue:
    """The queue of one device."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def enter(self, job: str) -> str:
        """Put a job at the end; returns its entry's name. A job stands in the queue once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.leave(job)
        orders = [int(name[:_ORDER_DIGITS]) for name in self._names()]
        entry = f"{max(orders, default=0) + 1:0{_ORDER_DIGITS}d}-{job}"
        (self.folder / entry).touch()
        return entry

    def move(self, job: str, to: int, waiting: Sequence[str]) -> None:
        """Give a job the place `to`, from 1, among those that wait; a place beyond the last is the last.

        Whoever comes behind that place gets a new number, one after the other: at every moment each job
        stands in the queue once.
        """
        order = [one for one in self.jobs() if one in set(waiting) and one != job]
        to = min(to, len(order) + 1)
        order.insert(to - 1, job)
        names = {name[_ORDER_DIGITS + 1 :]: name for name in self._names()}
        number = max(int(name[:_ORDER_DIGITS]) for name in names.values())
        for place, one in enumerate(order[to - 1 :], number + 1):
            (self.folder / names[one]).rename(self.folder / f"{place:0{_ORDER_DIGITS}d}-{one}")

    def leave(self, job: str) -> None:
        """Remove a job that has no host to do it."""
        for name in self._names():
            if name[_ORDER_DIGITS + 1 :] == job:
                (self.folder / name).unlink(missing_ok=True)

    def jobs(self) -> tuple[str, ...]:
        """The jobs in the order of the queue, those that run now included."""
        return tuple(name[_ORDER_DIGITS + 1 :] for name in self._names())

    def _names(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        names = [path.name for path in self.folder.iterdir()]
        return sorted(name for name in names if _is_entry(name))


def _is_entry(name: str) -> bool:
    number = name[:_ORDER_DIGITS]
    return number.isascii() and number.isdigit() and name[_ORDER_DIGITS : _ORDER_DIGITS + 1] == "-"
