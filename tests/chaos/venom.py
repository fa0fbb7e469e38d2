"""Faults in a push to a Venom: whatever breaks, an adapter is whole or absent, and registry and chat agree.

Each trial has a server, a data directory and a finished run of its own. It pushes once, over SSH or into a
shared folder, with one fault; then the app starts again, pushes again, and goes back.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from academy_desktop.core.exports import Exports
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.venom.connections import Limits
from academy_desktop.core.venom.service import Venom
from tests.academy_desktop.core.venom.far import Far, far_away
from tests.academy_desktop.core.venom.making import NAME, WHOLE, Bench, make_finished_run
from tests.chaos.trials import Case, Trial
from tests.venom_server.server import VenomServer
from tests.venom_server.state import VenomState
from trainers.errors import AcademyError
from trainers.layout import RunDir

BASE = "gemma3:4b"
CHECKOUT = Path(__file__).parents[2]
#: Requests of one whole push, and things that it does to folders and networks: faults strike among them.
_REQUESTS = 14
_DEEDS = 70
#: A push over SSH sends about so much.
_WIRE_BYTES = 30_000

Fault = Callable[["Broken", random.Random], None]


@dataclass
class Broken:
    """What a fault is inflicted on. `died`: the push was made, and killed, by the fault itself."""

    bench: Bench
    run: RunDir
    far: Far | None
    dying: Dying
    died: bool = False


class Dying:
    """A child that pushes and kills itself at a moment; started when it is first needed."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None

    def push(self, bench: Bench, run: RunDir, moment: int) -> int:
        """Returns the exit code of the push: -9 where it was killed."""
        if self._child is None:
            command = [sys.executable, "-m", "tests.academy_desktop.core.venom.dying"]
            self._child = subprocess.Popen(
                command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        told = {"data": str(bench.data.root), "name": NAME, "job": run.job, "moment": moment}
        self._child.stdin.write(json.dumps(told) + "\n")
        self._child.stdin.flush()
        return int(self._child.stdout.readline())

    def end(self) -> None:
        """No more pushes."""
        if self._child is not None:
            self._child.communicate()
            self._child = None


def faults(root: Path) -> Trial:
    """Prepare the row."""
    dying = Dying()

    def trial(case: Case) -> str | None:
        try:
            return _trial(case, root / f"{case.number}-{case.random.getrandbits(32):08x}", dying)
        finally:
            if case.last:
                dying.end()

    return trial


def _trial(case: Case, root: Path, dying: Dying) -> str | None:
    over_ssh = case.random.random() < 0.5
    name, fault = case.random.choice(FAR if over_ssh else NEAR)
    with a_server(root) as bench:
        if not over_ssh:
            return _told(name, _inflict(Broken(bench, _run(bench), None, dying), fault, case.random))
        with far_away(bench, root) as far:
            return _told(name, _inflict(Broken(far.bench, _run(bench), far, dying), fault, case.random))


def _told(name: str, problem: str | None) -> str | None:
    return f"{name}: {problem}" if problem else None


def _run(bench: Bench) -> RunDir:
    return make_finished_run(bench.data)


@contextmanager
def a_server(root: Path) -> Iterator[Bench]:
    """A Venom below a folder, and a data directory with a connection to it."""
    models_dir = root / "venom" / "data" / "models"
    models_dir.mkdir(parents=True)
    with VenomServer(VenomState(root / "venom", models_dir)) as server:
        data = DataDir(root / "data").open()
        jobs = Jobs(data, Path(sys.executable))
        exports, models = Exports(jobs), Models(data, root / "no-hub")
        limits = Limits(connect_s=3.0, read_s=3.0, activate_s=6.0)
        venom = Venom(data, jobs, exports, models, limits=limits, look_s=0.0)
        venom.connections.add(NAME, server.url, models_dir)
        yield Bench(data, jobs, exports, models, venom, server)


def _inflict(broken: Broken, fault: Fault, chance: random.Random) -> str | None:
    """Push with the fault, start again, push again, go back; returns what is not as it must be."""
    bench = broken.bench
    fault(broken, chance)
    if not broken.died:
        with suppress(AcademyError):  # what a fault may cost is looked at below
            bench.push(broken.run)
    _mend(broken)
    if problem := _unwhole(bench):
        return f"after the fault, {problem}"
    bench.venom.recover()
    if not _agree(bench):
        return f"after the next start, registry and chat say {bench.both()}"
    if bench.venom.journal.unfinished():
        return "after the next start, the journal has an end missing"
    sent = bench.push(broken.run)
    whole = sorted(_adapters(bench))
    if not sent.verified or whole != [sent.adapter_id] or _unwhole(bench):
        return f"after the second push, {whole} lie there, verified is {sent.verified}"
    if twice := _double_activations(bench):
        return f"{twice} activations of what was active already"
    back = bench.venom.rollback(NAME)
    return None if back.model == BASE and _agree(bench) else f"rolled back to {bench.both()}"


def _mend(broken: Broken) -> None:
    """Whatever was broken works again."""
    broken.bench.server.fault = None
    broken.bench.state.switches.deploys = True
    if broken.far is not None:
        broken.far.wire.disarm()
        broken.far.ssh.rights.full_after_bytes = None


def _adapters(bench: Bench) -> list[str]:
    return [one["adapter_id"] for one in bench.state.adapters()]


def _unwhole(bench: Bench) -> str | None:
    """What the server sees and should not: half an adapter, or a base model that is none."""
    for adapter in _adapters(bench):
        folder = bench.models_dir / adapter
        there = sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file())
        if there != WHOLE:
            return f"{adapter} has {there}"
    strange = [one["name"] for one in bench.state.models()["models"] if one["provider"] == "vllm"]
    return f"{strange} is taken for a model" if strange else None


def _agree(bench: Bench) -> bool:
    adapter, model = bench.both()
    return model.removesuffix(":latest") == f"venom-adapter-{adapter}" if adapter else model == BASE


def _double_activations(bench: Bench) -> int:
    """Deployments of an adapter that the server used already."""
    active: str | None = None
    twice = 0
    for asked in bench.server.asked:
        if asked.route.endswith("/adapters/deactivate") and asked.status == 200:
            active = None
        if asked.route.endswith("/models/activate"):
            active = None
        if asked.route.endswith("/adapters/activate") and isinstance(asked.body, dict):
            deploys = bool(asked.body.get("deploy_to_chat_runtime"))
            if deploys and asked.status == 200:
                twice += active == asked.body["adapter_id"]
                active = asked.body["adapter_id"]
    return twice


# faults


def _answers(kind: str) -> Fault:
    def fault(broken: Broken, chance: random.Random) -> None:
        broken.bench.server.fault = (chance.randrange(_REQUESTS), kind)

    return fault


def _wire(kind: str) -> Fault:
    def fault(broken: Broken, chance: random.Random) -> None:
        assert broken.far is not None
        after = chance.randrange(_WIRE_BYTES)
        match kind:
            case "drop":
                broken.far.wire.arm("drop", after)
            case "reset":
                broken.far.wire.arm("reset", after)
            case "stall":
                broken.far.wire.arm("stall", after)
            case _:
                broken.far.wire.arm("deaf", after)

    return fault


def _killed(broken: Broken, chance: random.Random) -> None:
    broken.dying.push(broken.bench, broken.run, chance.randrange(_DEEDS))
    broken.died = True


def _full(broken: Broken, chance: random.Random) -> None:
    assert broken.far is not None
    broken.far.ssh.rights.full_after_bytes = chance.randrange(5_000)


def _undeployed(broken: Broken, chance: random.Random) -> None:
    broken.bench.state.switches.deploys = False


def _undeployed_and_killed(broken: Broken, chance: random.Random) -> None:
    _undeployed(broken, chance)
    _killed(broken, chance)


EVERYWHERE: list[tuple[str, Fault]] = [
    ("5xx", _answers("refused")),
    ("reply lost after success", _answers("lost")),
    ("502 after success", _answers("garbled")),
    ("killed", _killed),
    ("deployment fails", _undeployed),
    ("deployment fails, killed", _undeployed_and_killed),
]
NEAR = EVERYWHERE
FAR = [
    *(one for one in EVERYWHERE if "killed" not in one[0]),  # a key file's login is not for the child
    ("connection dropped", _wire("drop")),
    ("connection reset", _wire("reset")),
    ("connection stalled", _wire("stall")),
    ("answers lost", _wire("deaf")),
    ("disk full there", _full),
]
