"""The two records that a host leaves for an attempt, in the shapes of `trainers.layout`.

Standard library only, like all of the host: the app reads them with pydantic, the host writes plain JSON.
Refuses to know processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any, Literal

from trainers.files import read_regular, replace_whole
from trainers.host_gpu import GpuReading
from trainers.host_watch import Stall
from trainers.space import trouble_of

_RESERVE_BYTES = 16 * 1024
#: The last event of a run is no longer than this.
_LAST_BYTES = 256 * 1024
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        OSError, ValueError: the file is missing or not a JSON object.
    """
    raw = json.loads(read_regular(path))
    if not isinstance(raw, dict):
        raise ValueError(f"{path.name} is not an object")
    return raw


class Records:
    """Writes `host.json` and `exit.json`; keeps some room on the disk, so that the last ones find it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reserve = folder / ".reserve"
        self._unwritten: dict[str, bytes] = {}
        self._host: dict[str, Any] = {
            "v": 1,
            "pid": os.getpid(),
            "started_at": time.time(),
            "boot_id": boot_id(),
            "trainer_pid": None,
            "trainer_started_at": None,
            "stalled": "",
            "held": "",
            "held_until": None,
            "gpu_celsius": None,
            "gpu_watts": None,
        }
        with contextlib.suppress(OSError):
            self._reserve.write_bytes(os.urandom(_RESERVE_BYTES))

    def host(self, state: Literal["waiting", "running", "ended"], trainer_pid: int | None = None) -> None:
        """Say what the host does now."""
        if trainer_pid is not None:
            self._host.update(trainer_pid=trainer_pid, trainer_started_at=time.time())
        self._host["state"] = state
        if state == "ended":
            self._host.update(stalled="", held="", held_until=None, gpu_celsius=None, gpu_watts=None)
        self._write("host.json", self._host)
        if state == "ended":
            self._reserve.unlink(missing_ok=True)

    @property
    def trainer_started_at(self) -> float:
        """When the trainer was started, in seconds since 1970."""
        return float(self._host["trainer_started_at"] or 0.0)

    def stalled(self, stall: Stall) -> None:
        """Say whether the trainer gets nowhere, when that has changed."""
        self._say(stalled=stall)

    def held(self, reason: str, until: float | None) -> None:
        """Say which rule holds the job now, and until when, when that has changed."""
        self._say(held=reason, held_until=until)

    def gpu(self, reading: GpuReading) -> None:
        """Say how warm the graphics card is and what it draws, when that has changed."""
        # the reserve is for the last words
        self._say(spend=False, gpu_celsius=reading.celsius, gpu_watts=reading.watts)

    def _say(self, *, spend: bool = True, **news: object) -> None:
        if any(self._host[name] != value for name, value in news.items()):
            self._host.update(news)
            self._write("host.json", self._host, spend=spend)

    def exit(
        self,
        reason: Literal["exited", "signalled", "stopped_in_queue", "not_started"],
        *,
        exit_code: int | None = None,
        signal: str | None = None,
        message: str = "",
        peak_rss_bytes: int | None = None,
        out_of_memory: bool = False,
    ) -> None:
        """Say how the attempt ended: once, for good."""
        self._write(
            "exit.json",
            {
                "v": 1,
                "reason": reason,
                "exit_code": exit_code,
                "signal": signal,
                "message": message,
                "peak_rss_bytes": peak_rss_bytes,
                "out_of_memory": out_of_memory,
                "ended_at": time.time(),
            },
        )

    def settle(self) -> bool:
        """Write what the disk did not take before; returns whether all is written.

        Raises:
            OSError: it is not the disk that is full or broken.
        """
        for name, content in list(self._unwritten.items()):
            try:
                replace_whole(self._folder / name, content)
            except OSError as error:
                if trouble_of(error) is None:
                    raise
                return False
            del self._unwritten[name]
        return True

    def _write(self, name: str, record: dict[str, Any], *, spend: bool = True) -> None:
        """Write a record, now or when the disk takes it; to `spend` the reserve may make room for it."""
        self._unwritten[name] = json.dumps(record, indent=1).encode() + b"\n"
        if not self.settle() and spend:
            self._reserve.unlink(missing_ok=True)
            self.settle()


def last_event(run_dir: Path) -> dict[str, Any]:
    """The last that a run said; empty where that is nothing, or not whole."""
    try:
        with (run_dir / "events.jsonl").open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LAST_BYTES))
            event = json.loads(stream.read().splitlines()[-1])
    except (OSError, ValueError, IndexError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def boot_id() -> str:
    """Which start of the machine this is: process ids of another one mean nothing. Empty where unknown."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
