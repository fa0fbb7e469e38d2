"""A push that dies: a child process that pushes and kills itself at the moment that it is told.

Reads lines of JSON, forks for each, and answers with the exit code of the fork: what costs time is done once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from academy_desktop.core.exports import Exports
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.venom import client, sftp_folder  # noqa: F401 - loaded before the forks
from academy_desktop.core.venom.connections import Limits
from academy_desktop.core.venom.service import Venom
from academy_desktop.core.venom.steps import Order
from tests.academy_desktop.core.venom.making import Watcher
from trainers.errors import AcademyError

#: What a push does that the world can see.
SEEN = frozenset(
    {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "socket.connect"}
)


def dying_at(moment: int, root: str) -> Callable[[str, tuple[object, ...]], None]:
    """An audit hook that kills the process at the n-th thing that it does to a folder or a network."""
    left = moment

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event not in SEEN or not (event == "socket.connect" or any(root in str(one) for one in arguments)):
            return
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


def push(data: Path, name: str, job: str, moment: int) -> int:
    """Push and die; returns 0 where the push was over before."""
    opened = DataDir(data)
    jobs = Jobs(opened, Path(sys.executable))
    limits = Limits(connect_s=5.0, read_s=20.0, activate_s=30.0)
    models = Models(opened, data / "no-hub")
    venom = Venom(opened, jobs, Exports(jobs), models, limits=limits, look_s=0.0)
    sys.addaudithook(dying_at(moment, str(data.parent)))
    try:
        with venom.pushing(name, Order(job, activate=True), Watcher()) as pushed:
            pushed.run()
    except AcademyError:
        return 1
    return 0


def main() -> None:
    """One line in, one line out, until the end of the input."""
    for line in sys.stdin:
        told = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(push(Path(told["data"]), told["name"], told["job"], told["moment"]))
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
