"""Makes a trainer wait while a rule holds its job, and lets it go on after.

Owns the commands that the host gives in its own name, and the user's pauses, which no rule may end. Standard
library only. Refuses to know rules and processes.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Iterable
from pathlib import Path

from trainers.files import read_regular, replace_whole
from trainers.host_records import last_event
from trainers.host_rules import Hold
from trainers.inbox import HOST, Order


class Holding:
    """What the host wants of one attempt's trainer, and what it has asked for already."""

    def __init__(self, run_dir: Path, attempt: int) -> None:
        self._commands = run_dir / "commands"
        self._attempt = attempt
        self._paused = False
        self._paused_by_user = False
        self._suspended = False
        self._ended_by_user = False

    @property
    def goes_on_later(self) -> bool:
        """Whether the trainer was sent away by a rule, and the user wants it no other way."""
        return self._suspended and not self._ended_by_user

    @property
    def paused_by_user(self) -> bool:
        """Whether the trainer waits by the user's own wish, which no rule shortens or lengthens."""
        return self._paused_by_user

    def hear(self, orders: Iterable[Order]) -> bool:
        """Take in what the user ordered; returns whether the job shall run in spite of the rules."""
        anyway = False
        for order in orders:
            if order.by == HOST:
                continue
            match order.name:
                case "pause":
                    self._paused_by_user = True
                case "unpause":
                    self._paused_by_user = self._paused = False
                    anyway = True
                case "anyway":
                    anyway = True
                case "stop" | "suspend" | "kill":
                    self._ended_by_user = True
        return anyway

    def keep(self, hold: Hold) -> None:
        """Have the trainer wait, or go on: what it does already is not asked for again.

        A disk that is full now is asked again with the next look.
        """
        if self._suspended or self._ended_by_user:
            return
        with contextlib.suppress(OSError):
            if hold and not self._paused_by_user:
                self._hold(hold)
            elif self._paused and not hold:
                if not self._paused_by_user:
                    self._order("unpause")
                self._paused = False

    def _hold(self, hold: Hold) -> None:
        if hold.way == "suspend":
            self._order("suspend", hold.reason)
            self._suspended = True
        elif not self._paused:
            self._order("pause", hold.reason)
            self._paused = True

    def _order(self, command: str, reason: str = "") -> None:
        now = time.time()
        identity = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(3)}"
        order = {
            "v": 1,
            "id": identity,
            "attempt": self._attempt,
            "command": command,
            "created_at": now,
            "by": HOST,
            "reason": reason,
        }
        replace_whole(self._commands / f"{identity}.json", json.dumps(order, indent=1).encode() + b"\n")


def was_suspended(run_dir: Path, attempt: int) -> bool:
    """Whether the last that a run said is that this attempt saved and ended, to go on later."""
    event = last_event(run_dir)
    match event.get("payload"):
        case {"state": "stopped", "reason": "suspended"}:
            return (event.get("attempt"), event.get("type")) == (attempt, "ended")
    return False


def begin_next(run_dir: Path, attempt: int, **changed: int) -> int:
    """Order the attempt that goes on after this one, in the same words but for `changed`; returns its number.

    Raises:
        OSError, ValueError, KeyError: it cannot be ordered.
    """
    launch = json.loads(read_regular(run_dir / "attempts" / str(attempt) / "launch.json"))
    launch.update(changed)
    launch["attempt"] = attempt + 1
    launch["argv"] = [*launch["argv"][:-1], str(attempt + 1)]
    folder = run_dir / "attempts" / str(attempt + 1)
    folder.mkdir(exist_ok=True)
    replace_whole(folder / "launch.json", json.dumps(launch, indent=1).encode() + b"\n")
    return attempt + 1
