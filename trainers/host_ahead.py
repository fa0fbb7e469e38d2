"""A host that is started before its job is, with a trainer that loads its libraries meanwhile.

    python -P -S -m trainers.host_ahead

Speaks JSON Lines with whoever started it, over stdin and stdout:

    ← {"argv": […], "serves": […], "cwd": …, "environment": {…}}    what to start
    → {"pid": …}                                                     it loads, and waits
    ← {"run_dir": …, "attempt": …}                                   the job is there
    → {"holds": true}                                                its lock is held: this is its host now

It ends, and its trainer with it, when stdin is closed before there is a job: nothing of it outlives a window
that was not used. Standard library only. Not on Windows.
"""

from __future__ import annotations

import json
import os
import select
import sys
from pathlib import Path
from typing import Any

from trainers.foreign import way_out
from trainers.host import FOREIGN_EXIT_CODE, detach, hold
from trainers.host_prepared import PreparedTrainer, read_line

#: Seconds between two looks at whether the trainer still waits.
_LOOK_S = 1.0


def main() -> int:
    """Prepare, wait, and host; returns the exit code of the process."""
    order = read_line()
    if order is None:
        return 0
    if not detach():
        os._exit(0)
    prepared = PreparedTrainer(order["argv"], order["serves"], order["cwd"], order["environment"])
    _say({"pid": prepared.pid})
    job = _wait(prepared)
    if job is None:
        prepared.give_back()
        return 0
    run_dir, attempt = Path(job["run_dir"]), int(job["attempt"])
    if way_out(run_dir) is not None:  # the host that is started instead says so
        prepared.give_back()
        return FOREIGN_EXIT_CODE
    return hold(run_dir, attempt, lambda: _take_over(run_dir, attempt), prepared)


def _wait(prepared: PreparedTrainer) -> dict[str, Any] | None:
    """Return the job, or None when none comes any more or nothing is left to serve it."""
    while prepared.is_alive:
        ready, _, _ = select.select([0], [], [], _LOOK_S)
        if ready:
            return read_line()
    return None


def _take_over(run_dir: Path, attempt: int) -> bool:
    """Say that the lock is held, and leave whoever started this."""
    # before the promise: without them the job gets another host
    log = os.open(run_dir / "attempts" / str(attempt) / "host.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    _say({"holds": True})
    for source, targets in ((nothing, (0,)), (log, (1, 2))):
        for target in targets:
            os.dup2(source, target)
        os.close(source)
    return True


def _say(value: dict[str, Any]) -> None:
    os.write(1, json.dumps(value).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
