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
from trainers.host_watch import Stall

_RESERVE_BYTES = 16 * 1024
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
        self._host: dict[str, Any] = {
            "v": 1,
            "pid": os.getpid(),
            "started_at": time.time(),
            "boot_id": _boot_id(),
            "trainer_pid": None,
            "trainer_started_at": None,
            "stalled": "",
        }
        with contextlib.suppress(OSError):
            self._reserve.write_bytes(os.urandom(_RESERVE_BYTES))

    def host(self, state: Literal["waiting", "running", "ended"], trainer_pid: int | None = None) -> None:
        """Say what the host does now."""
        if trainer_pid is not None:
            self._host.update(trainer_pid=trainer_pid, trainer_started_at=time.time())
        self._host["state"] = state
        if state == "ended":
            self._host["stalled"] = ""
        self._write("host.json", self._host)
        if state == "ended":
            self._reserve.unlink(missing_ok=True)

    @property
    def trainer_started_at(self) -> float:
        """When the trainer was started, in seconds since 1970."""
        return float(self._host["trainer_started_at"] or 0.0)

    def stalled(self, stall: Stall) -> None:
        """Say whether the trainer gets nowhere, when that has changed."""
        if stall != self._host["stalled"]:
            self._host["stalled"] = stall
            self._write("host.json", self._host)

    def exit(
        self,
        reason: Literal["exited", "signalled", "stopped_in_queue", "not_started"],
        *,
        exit_code: int | None = None,
        signal: str | None = None,
        message: str = "",
        peak_rss_bytes: int | None = None,
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
                "ended_at": time.time(),
            },
        )

    def _write(self, name: str, record: dict[str, Any]) -> None:
        content = json.dumps(record, indent=1).encode() + b"\n"
        try:
            replace_whole(self._folder / name, content)
        except OSError:
            self._reserve.unlink(missing_ok=True)
            replace_whole(self._folder / name, content)


def _boot_id() -> str:
    """Which start of the machine this is: process ids of another one mean nothing. Empty where unknown."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
