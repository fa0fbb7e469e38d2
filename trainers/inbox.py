"""Reads the commands that the app left for one attempt: each once, in the order in which they were given.

Owns which command files count. Refuses to know what is done about them.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainers.files import read_regular

#: `trainers.layout.PROTOCOL_VERSION`, without pydantic behind it: the host reads commands too.
_VERSION = 1
_MOST_BYTES = 64 * 1024
#: Who gave a command that the user did not give.
HOST = "host"


@dataclass(frozen=True)
class Order:
    """One command file. `name` may be a command that this version does not know.

    So it is for every command of another major version, whatever it is called there. `by`: `app`, for the
    user, or `host`, which has a `reason`.
    """

    id: str
    name: str
    created_at: float
    by: str = "app"
    reason: str = ""


class Inbox:
    """The commands of one attempt; those of others are ignored, and so is a file that is no command."""

    def __init__(self, folder: Path, attempt: int) -> None:
        self._folder = folder
        self._attempt = attempt
        self._seen: set[str] = set()

    def new(self) -> list[Order]:
        """The commands that came since the last call, oldest first."""
        if self._folder.is_symlink():  # it leads out of the run directory
            return []
        try:
            names = {entry.name for entry in os.scandir(self._folder)} - self._seen
        except OSError:
            return []
        orders = [order for name in names if (order := self._read(name)) is not None]
        return sorted(orders, key=lambda order: (order.created_at, order.id))

    def _read(self, file: str) -> Order | None:
        if file.startswith(".") or not file.endswith(".json"):
            return None
        self._seen.add(file)
        try:
            raw: Any = json.loads(read_regular(self._folder / file, _MOST_BYTES))
            if raw["attempt"] != self._attempt:
                return None
            version = raw.get("v", _VERSION)
            name = str(raw["command"]) if version == _VERSION else f"{raw['command']} (version {version})"
            by, reason = str(raw.get("by", "app")), str(raw.get("reason", ""))
            return Order(str(raw["id"]), name, float(raw["created_at"]), by, reason)
        except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
            return None
