"""A trainer that was started before its job, as its host sees it.

Owns the pipe to it, and whether it may serve a job. Standard library only. Refuses to know what it loads.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from trainers.host_process import TrainerProcess

#: Of a trainer's arguments the last two name the run and the attempt.
_OWN_ARGUMENTS = 2
_POLL_S = 0.02


def read_line() -> dict[str, Any] | None:
    """Return the object that the next line of stdin holds; None at its end.

    Byte by byte: what comes after the line is for somebody else, a `select` or the watch over the host.
    """
    line = b""
    while not line.endswith(b"\n"):
        read = os.read(0, 1)
        if not read:
            return None
        line += read
    value: dict[str, Any] = json.loads(line)
    return value


class PreparedTrainer:
    """One trainer that waits for its order.

    Args:
        argv: starts it.
        serves: how the arguments of a job begin that it may take, in place of a process of its own.
        cwd, environment: where it waits; a job's trainer must have the same environment.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self, argv: Sequence[str], serves: Sequence[str], cwd: str, environment: Mapping[str, str]
    ) -> None:
        self._serves = list(serves)
        self._environment = dict(environment)
        self._process = TrainerProcess(list(argv), cwd, self._environment)
        self._is_gone = False

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still waits."""
        self._is_gone = self._is_gone or self._process.poll() is not None
        return not self._is_gone

    def suits(self, argv: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Whether it is what would be started for a job."""
        program = list(argv[:-_OWN_ARGUMENTS])
        return program == self._serves and dict(environment) == self._environment and self.is_alive

    def begin(self, argv: Sequence[str], cwd: str, environment: Mapping[str, str]) -> TrainerProcess | None:
        """Make it the trainer of a job; None when it is gone."""
        order = {
            "arguments": list(argv[-_OWN_ARGUMENTS:]),
            "cwd": cwd,
            "environment": dict(environment),
        }
        return self._process if self._process.tell(json.dumps(order).encode() + b"\n") else None

    def give_back(self) -> None:
        """End it, so that nothing of it stays in memory."""
        if self.is_alive:
            self._process.kill()
        while self.is_alive:
            time.sleep(_POLL_S)
