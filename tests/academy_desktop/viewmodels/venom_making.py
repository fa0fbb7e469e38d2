"""What tests of the Venom page's state share: a server, runs to send, and the objects between them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtWidgets import QApplication

from academy_desktop.core.exports import Exports
from academy_desktop.core.history import EventTail
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.logs import LogTail
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.venom.connections import Limits
from academy_desktop.core.venom.service import Venom
from academy_desktop.text.messages import Description
from academy_desktop.viewmodels.event_hub import EventHub
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.viewmodels.venom import VenomServers
from academy_desktop.viewmodels.venom_choice import VenomChoice
from academy_desktop.viewmodels.venom_push import VenomPush
from academy_desktop.viewmodels.venom_runs import SendableRuns
from tests.academy_desktop.viewmodels.making import in_loop, seen, words
from tests.pictures.venom import HeldState, serving
from tests.venom_server.server import VenomServer

T = TypeVar("T")

NAME = "home"

#: What is slow is slow after half a second.
LIMITS = Limits(connect_s=0.5, read_s=0.5, activate_s=30.0)


class Bench:
    """The page's state over a data directory, with a server that may be remembered or not."""

    def __init__(self, data: DataDir, server: VenomServer, state: HeldState) -> None:
        said = words()
        self.data, self.server, self.state = data, server, state
        self.failures: list[BaseException] = []
        self.told: list[Description] = []
        jobs = Jobs(data, Path(sys.executable))
        self.supervisor = Supervisor(self.failures.append)
        self.hub = EventHub(jobs, EventTail, LogTail)
        models = Models(data, data.root / "no-hub")
        self.venom = Venom(data, jobs, Exports(jobs), models, limits=LIMITS, look_s=0.0)
        self.servers = VenomServers(self.venom, said.messages, said.formats, said.gettext, self.supervisor)
        self.servers.told.connect(self.told.append)
        self.runs = SendableRuns(self.hub, said.formats, said.gettext, self.supervisor)
        self.choice = VenomChoice(self.venom, self.servers, self.runs, said.gettext, self.supervisor)
        self.push = VenomPush(
            self.venom, self.servers, self.choice, said.messages, said.formats, said.gettext, self.supervisor
        )

    def remember(self, name: str = NAME, url: str = "", *, folder: bool = True) -> None:
        """Remember a server, by default the one that is there."""
        models_dir = self.state.models_dir if folder else None
        self.venom.connections.add(name, url or self.server.url, models_dir)

    async def start(self) -> None:
        """As the window does; returns when all is known that can be."""
        self.supervisor.start(self.servers.follow(), "venom")
        self.read_jobs()
        await seen(lambda: self.servers.is_known and self.runs.is_known, "connections and runs")
        await self.settled()

    def read_jobs(self) -> None:
        """What the hub does all the time."""
        self.hub.jobs_read.emit(self.hub.read_jobs())

    async def settled(self) -> None:
        """Until every look at the server that is shown is over."""

        def is_still() -> bool:
            is_known = self.servers.standing is not None or not self.servers.all
            return is_known and not self.servers.is_looking and not self.choice.is_planning

        await seen(is_still, "the looks")

    async def idle(self, name: str) -> None:
        """Until no task of this name is left, of those that nobody waits for any more too."""
        await seen(lambda: name not in {task.get_name() for task in asyncio.all_tasks()}, name)

    async def pushed(self) -> None:
        """Send what is chosen, to its end."""
        self.push.start()
        await seen(lambda: self.push.outcome, "the end of the push")
        await self.settled()


@contextmanager
def benches(tmp_path: Path) -> Iterator[Bench]:
    """A data directory, and a server that nobody remembers yet."""
    with serving(tmp_path / "venom") as (server, state):
        yield Bench(DataDir(tmp_path / "data").open(), server, state)


def act(app: QApplication, bench: Bench, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do something in the loop that the app uses; nothing may have gone wrong that nobody expected."""

    async def whole() -> T:
        try:
            return await work()
        finally:
            bench.state.gate.set()
            await bench.supervisor.close()

    found = in_loop(app, whole())
    assert bench.failures == []
    return found
