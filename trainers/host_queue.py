"""Whose turn it is on a device, without a daemon: locks and the names of empty files say it all.

Owns the rule (PROTOCOL.md, "queue entry"): a host may start when it holds the device's lock and every entry
before its own belongs to a job whose host is gone. Standard library only. Refuses to know what is run.
"""

from __future__ import annotations

from pathlib import Path

from trainers.locks import FileLock, is_held

_ORDER_DIGITS = 12


class Turn:
    """The place of one job in the queue of one device; without a queue it is always its turn."""

    def __init__(self, run_dir: Path, queue_dir: str | None, entry: str | None) -> None:
        self._job = run_dir.name
        self._runs = run_dir.parent
        self._folder = Path(queue_dir) if queue_dir is not None else None
        self._entry = entry or ""
        self._device = FileLock(self._folder / "device.lock") if self._folder is not None else None

    def take(self) -> bool:
        """Take the device if it is this job's turn."""
        if self._device is None:
            return True
        if self._somebody_before() or not self._device.acquire():
            return False
        # a job before ours may have come alive between the look and the lock: it has the right of way
        if self._somebody_before():
            self._device.release()
            return False
        return True

    def leave(self) -> None:
        """Remove the job's entry: it has had its turn, or wants none any more."""
        for name in self._entries():
            if name[_ORDER_DIGITS + 1 :] == self._job and self._folder is not None:
                (self._folder / name).unlink(missing_ok=True)

    def release(self) -> None:
        """Give the device back."""
        if self._device is not None:
            self._device.release()

    def _entries(self) -> list[str]:
        """The queue in its order."""
        if self._folder is None:
            return []
        names = [entry.name for entry in self._folder.iterdir()]
        return sorted(name for name in names if _is_entry(name))

    def _somebody_before(self) -> bool:
        entries = self._entries()
        # looked up by the job, not by the name it began with: the app may have moved it
        own = next((name for name in entries if name[_ORDER_DIGITS + 1 :] == self._job), self._entry)
        before = [name[_ORDER_DIGITS + 1 :] for name in entries if name < own]
        return any(is_held(self._runs / job / "host.lock") for job in before)


def _is_entry(name: str) -> bool:
    number = name[:_ORDER_DIGITS]
    return number.isascii() and number.isdigit() and name[_ORDER_DIGITS : _ORDER_DIGITS + 1] == "-"
