"""Faults in a push to a Venom: whatever breaks, an adapter is whole or absent, and registry and chat agree.

Each trial has a server, a data directory and a finished run of its own. It pushes once, into a shared folder,
over SSH or over Venom's Ollama, with one fault; then the app starts again, pushes again, and goes back.
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
from academy_desktop.core.venom.answers import CHAT_PREFIX
from academy_desktop.core.venom.connections import Limits
from academy_desktop.core.venom.service import Venom
from tests.academy_desktop.core.venom.far import Far, far_away
from tests.academy_desktop.core.venom.making import (
    NAME,
    WHOLE,
    Bench,
    make_finished_run,
    write_certificate,
)
from tests.chaos.trials import Case, Trial
from tests.venom_server.ollama import OllamaServer, OllamaState
from tests.venom_server.server import VenomServer
from tests.venom_server.state import VenomState
from trainers.errors import AcademyError
from trainers.layout import RunDir

BASE = "gemma3:4b"
CHECKOUT = Path(__file__).parents[2]
#: Requests of one whole push, and things that it does to folders and networks: faults strike among them.
_REQUESTS = 18
_DEEDS = 80
#: Requests to Ollama of one push that goes that way.
_OLLAMA_REQUESTS = 8
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
    ollama: OllamaServer | None = None
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
    chance = case.random
    way = chance.choice(("near", "far", "ollama"))
    name, fault = chance.choice({"near": NEAR, "far": FAR, "ollama": OLLAMA}[way])
    with a_server(root) as bench:
        run = make_finished_run(bench.data)
        if way == "far":
            with far_away(bench, root) as far:
                return _told(name, _inflict(Broken(far.bench, run, far, dying), fault, chance))
        if way == "ollama":
            bench.state.switches.remote = True
            with OllamaServer(OllamaState(bench.state.ollama)) as ollama:
                bench.venom.connections.add(NAME, bench.server.url, ollama=ollama.url)
                broken = Broken(bench, run, None, dying, ollama)
                return _told(f"over Ollama, {name}", _inflict(broken, fault, chance))
        return _told(name, _inflict(Broken(bench, run, None, dying), fault, chance))


def _told(name: str, problem: str | None) -> str | None:
    return f"{name}: {problem}" if problem else None


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
    if problem := _unwhole(broken):
        return f"after the fault, {problem}"
    bench.venom.recover()
    if not _agree(broken):
        return f"after the next start, registry and chat say {bench.both()}"
    if bench.venom.journal.unfinished():
        return "after the next start, the journal has an end missing"
    sent = bench.push(broken.run)
    whole = _adapters(broken)
    if not sent.verified or not sent.answer or whole != [sent.adapter_id] or _unwhole(broken):
        return f"after the second push, {whole} lie there, verified is {sent.verified}"
    if twice := _double_activations(bench):
        return f"{twice} activations of what was active already"
    back = bench.venom.rollback(NAME)
    return None if back.model == BASE and _agree(broken) else f"rolled back to {bench.both()}"


def _mend(broken: Broken) -> None:
    """Whatever was broken works again."""
    broken.bench.server.fault = None
    broken.bench.state.switches.deploys = True
    broken.bench.state.switches.chat = "Yes, I am here."
    _prove(broken, passed=True)
    if broken.ollama is not None:
        broken.ollama.fault = None
        broken.ollama.state.makes = True
    if broken.far is not None:
        broken.far.wire.disarm()
        broken.far.ssh.rights.full_after_bytes = None


def _prove(broken: Broken, *, passed: bool) -> None:
    write_certificate(broken.run.exports / "lora-gguf-f16.gguf", passed=passed)


def _adapters(broken: Broken) -> list[str]:
    """What lies on the server."""
    if broken.ollama is not None:
        return [one.removeprefix(CHAT_PREFIX).removesuffix(":latest") for one in broken.ollama.state.made]
    return sorted(one["adapter_id"] for one in broken.bench.state.adapters())


def _unwhole(broken: Broken) -> str | None:
    """What the server sees and should not: half an adapter, or a base model that is none."""
    bench = broken.bench
    for adapter in _adapters(broken) if broken.ollama is None else ():
        folder = bench.models_dir / adapter
        there = sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file())
        if there != WHOLE:
            return f"{adapter} has {there}"
    if broken.ollama is not None:
        for name, made in broken.ollama.state.made.items():
            if [digest in broken.ollama.state.blobs for digest in made.adapters] != [True]:
                return f"{name} was made of {made.adapters}"
    strange = [one["name"] for one in bench.state.models()["models"] if one["provider"] == "vllm"]
    return f"{strange} is taken for a model" if strange else None


def _agree(broken: Broken) -> bool:
    adapter, model = broken.bench.both()
    model = model.removesuffix(":latest")
    if broken.ollama is not None:
        made = [one.removesuffix(":latest") for one in broken.ollama.state.made]
        return adapter is None and model in {BASE, *made}
    return model == f"{CHAT_PREFIX}{adapter}" if adapter else model == BASE


def _double_activations(bench: Bench) -> int:
    """Deployments of an adapter that the server used already."""
    active: str | None = None
    twice = 0
    for asked in bench.server.asked:
        if asked.route.endswith("/adapters/deactivate") and asked.status == 200:
            active = None
        if asked.route.endswith("/models/activate") and asked.status == 200:
            name = asked.body["name"]
            twice += name.startswith(CHAT_PREFIX) and active == name
            active = name
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


def _silent(broken: Broken, chance: random.Random) -> None:
    broken.bench.state.switches.chat = ""


def _silent_and_killed(broken: Broken, chance: random.Random) -> None:
    _silent(broken, chance)
    _killed(broken, chance)


def _unproven(broken: Broken, chance: random.Random) -> None:
    _prove(broken, passed=False)


def _ollama_answers(kind: str) -> Fault:
    def fault(broken: Broken, chance: random.Random) -> None:
        assert broken.ollama is not None
        broken.ollama.fault = (chance.randrange(_OLLAMA_REQUESTS), kind)

    return fault


def _unmade(broken: Broken, chance: random.Random) -> None:
    assert broken.ollama is not None
    broken.ollama.state.makes = False


def _undeployed_and_killed(broken: Broken, chance: random.Random) -> None:
    _undeployed(broken, chance)
    _killed(broken, chance)


EVERYWHERE: list[tuple[str, Fault]] = [
    ("5xx", _answers("refused")),
    ("reply lost after success", _answers("lost")),
    ("502 after success", _answers("garbled")),
    ("killed", _killed),
    ("the chat says nothing", _silent),
    ("the chat says nothing, killed", _silent_and_killed),
    ("the proof fails", _unproven),
]
NEAR = [
    *EVERYWHERE,
    ("deployment fails", _undeployed),
    ("deployment fails, killed", _undeployed_and_killed),
]
OLLAMA = [
    *EVERYWHERE,
    ("Ollama fails", _ollama_answers("refused")),
    ("Ollama's reply lost after success", _ollama_answers("lost")),
    ("the model is not made", _unmade),
]
FAR = [
    *(one for one in NEAR if "killed" not in one[0]),  # a key file's login is not for the child
    ("connection dropped", _wire("drop")),
    ("connection reset", _wire("reset")),
    ("connection stalled", _wire("stall")),
    ("answers lost", _wire("deaf")),
    ("disk full there", _full),
]
