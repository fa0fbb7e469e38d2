"""Finished runs to send, made in a moment, and whoever watches a push."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from academy_desktop.core.exports import Exports
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.venom.service import Venom
from academy_desktop.core.venom.steps import Order, Sent, Step, StepName
from tests.academy_desktop.made_runs import make_run, succeeded
from tests.venom_server.server import VenomServer
from tests.venom_server.state import VenomState
from trainers.digest import sha256_of_file
from trainers.errors import AcademyError, ErrorCode
from trainers.events import AnyEvent
from trainers.exporting.certificate import certificate, yes_or_no
from trainers.exporting.record import Export, ExportRecord, record_path
from trainers.layout import RunDir, write_record

BEGAN = 1_790_000_000.0
NAME = "home"
#: Where the made runs' base model would be: a name that everybody can read.
SECRET_PATH = "/models/smollm2"
#: All steps of a push that activates.
STEPS: tuple[StepName, ...] = (
    "connect", "export", "certify", "place", "list", "audit", "sign", "activate", "verify", "canary",
)  # fmt: skip


def make_finished_run(
    data: DataDir,
    name: str = "Replies",
    *,
    fill: float = 0.5,
    gguf: bool = True,
    certified: bool | None = True,
) -> RunDir:
    """A run with an adapter of its own; `fill` makes different ones. `certified`: None for no certificate."""
    number = len(list(data.runs.iterdir()))
    made = make_run(data, name, BEGAN, total_steps=2, number=number).started().steps(1, 2)
    run = made.ended(succeeded, 2, 0).run
    write_adapter(run.adapter, fill)
    if gguf:
        # each adapter is a file of its own, as different weights make it
        path = write_gguf(run, b"GGUF" + bytes([int(fill * 200)]) * 400)
        if certified is not None:
            write_certificate(path, passed=certified)
    return run


def write_adapter(folder: Path, fill: float) -> None:
    """An adapter in PEFT layout, of one small matrix."""
    folder.mkdir(exist_ok=True)
    config = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "base_model_name_or_path": SECRET_PATH}
    (folder / "adapter_config.json").write_text(json.dumps(config), "utf-8")
    weights = {"base_model.model.model.norm.lora_A.weight": np.full((8, 64), fill, np.float32)}
    save_file(weights, folder / "adapter_model.safetensors")


def write_gguf(run: RunDir, content: bytes = b"GGUF" + b"\3" * 400) -> Path:
    """The adapter for llama.cpp, with its record, as an export job leaves it."""
    run.exports.mkdir(exist_ok=True)
    path = run.exports / "lora-gguf-f16.gguf"
    path.write_bytes(content)
    record = ExportRecord(
        format="lora-gguf",
        quant="f16",
        size_bytes=len(content),
        sha256=sha256_of_file(path),
        base="smollm2-135m-instruct",
        adapter_sha256=sha256_of_file(run.adapter / "adapter_model.safetensors"),
    )
    write_record(record_path(path), record)
    return path


def write_certificate(path: Path, *, passed: bool) -> None:
    """The certificate of an export, as a proof job leaves it."""
    record = ExportRecord.model_validate_json(record_path(path).read_bytes())
    export = Export(path.name, path, record)
    checks = [yes_or_no("intact", True), yes_or_no("loads", passed)]
    write_record(export.certificate, certificate(export, checks, None, BEGAN, {}))


@dataclass
class Watcher:
    """Notes what a push tells. `at`: called with ("started" or "done", step) at each moment."""

    at: Callable[[str, StepName], None] = lambda moment, step: None
    told: list[tuple[str, str]] = field(default_factory=list)
    bytes_told: list[tuple[int, int]] = field(default_factory=list)
    events: list[AnyEvent] = field(default_factory=list)

    def started(self, step: StepName) -> None:
        self.told.append((step, "started"))
        self.at("started", step)

    def progress(self, done: int, total: int) -> None:
        self.bytes_told.append((done, total))

    def event(self, event: AnyEvent) -> None:
        self.events.append(event)

    def done(self, step: Step) -> None:
        self.told.append((step.name, step.state))
        self.at("done", step.name)

    def failed(self, step: Step) -> None:
        self.told.append((step.name, step.code))


@dataclass
class Bench:
    """A data directory, a server, and a connection between them."""

    data: DataDir
    jobs: Jobs
    exports: Exports
    models: Models
    venom: Venom
    server: VenomServer
    last: Sent | None = None

    @property
    def state(self) -> VenomState:
        return self.server.state

    @property
    def models_dir(self) -> Path:
        return self.state.models_dir

    def push(self, run: RunDir, watcher: Watcher | None = None, **order: Any) -> Sent:
        """Push and activate; `order` changes that."""
        wanted = {"activate": True, **order}
        with self.venom.pushing(NAME, Order(run.job, **wanted), watcher or Watcher()) as push:
            self.last = push.sent
            return push.run()

    def both(self) -> tuple[str | None, str]:
        """What the server's registry names, and what its chat uses."""
        return self.state.active, self.state.model

    def asked(self, *words: str) -> list[str]:
        """The routes that were asked for and that end in one of the words."""
        routes = [one.route.rpartition("/")[2] for one in self.server.asked]
        return [route for route in routes if route in words]


def placed(folder: Path) -> dict[str, list[str]]:
    """Each adapter's folder in a models folder with its files; nothing else may be there."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("Modelfile."):  # the server's own
            continue
        found[path.name] = sorted(
            one.relative_to(path).as_posix() for one in path.rglob("*") if one.is_file()
        )
    return found


#: The files of an adapter that is wholly there.
WHOLE = [
    "academy-desktop.json",
    "adapter/Adapter-F16-LoRA.gguf",
    "adapter/adapter_config.json",
    "adapter/adapter_model.safetensors",
    "metadata.json",
    "training.log",
]


@contextmanager
def refusal(code: ErrorCode) -> Iterator[dict[str, Any]]:
    facts: dict[str, Any] = {}
    with pytest.raises(AcademyError) as caught:
        yield facts
    assert caught.value.code is code, caught.value
    facts.update(caught.value.facts)
