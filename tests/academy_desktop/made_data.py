"""What tests of datasets and models are made from: files with rows, model folders, and the two pages' state.

Datasets are imported by the library itself; a large model is a file full of holes.
"""

from __future__ import annotations

import json
import struct
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from academy_desktop.app import RESOURCES
from academy_desktop.core.datasets.audit import Auditor
from academy_desktop.core.datasets.fetching import AskLessons, Fetcher
from academy_desktop.core.datasets.importing import Cancelled, Progress
from academy_desktop.core.datasets.inspection import Inspection
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.datasets.manifest import DatasetManifest
from academy_desktop.core.environment import queue_device
from academy_desktop.core.exports import Exports
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.models import Model, Models
from academy_desktop.core.models.demo import DemoModel
from academy_desktop.core.paths import DataDir
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.tasks import Tasks
from academy_desktop.core.venom.connections import Connections
from academy_desktop.core.venom.service import Venom
from academy_desktop.text.language import Words
from academy_desktop.text.messages import Description
from academy_desktop.viewmodels.datasets import Datasets, DatasetSource
from academy_desktop.viewmodels.models import BaseModels, DemoSource, ModelSource
from academy_desktop.viewmodels.supervisor import Supervisor
from tests.academy_desktop.core.models.made_models import write_model

#: Lessons as a Venom server tells them; those with odd numbers succeeded.
LESSONS = [
    {
        "lesson_id": str(number),
        "situation": f"Task {number}?",
        "action": f"Did {number}.",
        "result": "✅ sukces" if number % 2 else "failed",
        "feedback": "",
        "tags": ["even" if number % 2 == 0 else "odd"],
    }
    for number in range(20)
]


MIB = 1024**2

CAPITALS = (
    ("France", "Paris"), ("Italy", "Rome"), ("Spain", "Madrid"), ("Greece", "Athens"), ("Norway", "Oslo"),
    ("Japan", "Tokyo"), ("Egypt", "Cairo"), ("Peru", "Lima"), ("Cuba", "Havana"), ("Kenya", "Nairobi"),
)  # fmt: skip


class Halfway(Library):
    """Imports that stay halfway until they are cancelled."""

    done = (23 * MIB, 62 * MIB)

    def import_files(
        self,
        files: Sequence[Path],
        name: str,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        **others: Any,
    ) -> DatasetManifest:
        """Read a part of it."""
        if progress is not None:
            progress(*self.done)
        while cancelled is not None and not cancelled():
            time.sleep(0.01)
        raise Cancelled


class SlowDemo:
    """A demo model whose fetch stays at one step until it is cancelled."""

    is_here = False

    def fetch(self, progress: Callable[[int, int, str], None]) -> Model:
        """Two of six steps."""
        while True:
            progress(3, 6, "reading weights")
            time.sleep(0.01)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def capitals(count: int = 400) -> list[dict[str, str]]:
    """Rows of questions and answers, with some that cannot be learned."""
    rows = [
        {
            "question": f"What is the capital of {country}? Answer in one sentence, please ({number}).",
            "answer": f"The capital of {country} is {city}.",
        }
        for number in range(count // len(CAPITALS))
        for country, city in CAPITALS
    ]
    return [*rows, *rows[:13], {"question": "And of Atlantis?", "answer": ""}, {"question": "Why?"}]


def conversations(count: int = 60) -> list[dict[str, Any]]:
    """Rows of several turns."""
    return [
        {
            "messages": [
                {"role": "system", "content": "You are a patient cook."},
                {"role": "user", "content": f"How long do {number} eggs take?"},
                {"role": "assistant", "content": "Seven minutes for a soft yolk."},
                {"role": "user", "content": "And hard?"},
                {"role": "assistant", "content": "Ten minutes, then cold water."},
            ]
        }
        for number in range(1, count + 1)
    ]


def large_model(folder: Path, parameters: int, **left_out: Any) -> Path:
    """A model folder with the header of many weights, and a file as long as they would be, full of holes."""
    write_model(folder, **left_out)
    entry = {"dtype": "BF16", "shape": [parameters], "data_offsets": [0, 2 * parameters]}
    header = json.dumps({"model.embed_tokens.weight": entry}).encode()
    weights = folder / "model.safetensors"
    weights.write_bytes(struct.pack("<Q", len(header)) + header)
    with weights.open("r+b") as stream:
        stream.truncate(8 + len(header) + 2 * parameters)
    return folder


def cached_model(hub: Path, name: str, parameters: int, **left_out: Any) -> None:
    """A model in a Hugging Face cache."""
    repository = hub / f"models--{name.replace('/', '--')}"
    (repository / "snapshots").mkdir(parents=True)
    large_model(repository / "snapshots" / "c1899de2", parameters, **left_out)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("c1899de2")


def fill(data: DataDir) -> None:
    """Three datasets and four models, of which two can be trained."""
    files = data.root / "files"
    files.mkdir()
    library = Library(data.datasets)
    library.import_files([write_rows(files / "recipes.jsonl", conversations())], "Kitchen talk")
    orders = [{"instruction": f"Set a timer for {n} minutes.", "output": f"mora {n} min"} for n in range(150)]
    library.import_files([write_rows(files / "commands.jsonl", orders)], "Invented commands", eval_fraction=0)
    library.import_files([write_rows(files / "capitals.jsonl", capitals())], "Capitals of the world")
    models = Models(data, data.root / "hub")
    large_model(data.models / "smollm2-135m-instruct", 134_515_008)
    cached_model(data.root / "hub", "Qwen/Qwen3-0.6B", 596_049_920)
    cached_model(data.root / "hub", "HuggingFaceTB/SmolLM2-1.7B", 1_711_376_384, template=None)
    gguf = files / "Qwen3-4B-Q4_K_M.gguf"
    with gguf.open("wb") as stream:
        stream.write(b"GGUF" + bytes(20))
        stream.truncate(2_497_280_256)
    models.add(gguf)


@dataclass
class Shelves:
    """The state of the two pages, over a data directory."""

    folder: Path
    library: DatasetSource
    inspection: Inspection
    source: ModelSource
    demo: DemoSource
    connections: Connections
    ask_lessons: AskLessons
    told: list[Description] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.words = Words.load(RESOURCES / "locale")
        said = (self.words.messages, self.words.formats, self.words.gettext)
        self.supervisor = Supervisor(self.failures.append)
        self.models = BaseModels(self.source, self.demo, *said, self.supervisor)
        findings = self.words.findings
        self.datasets = Datasets(
            self.library,
            self.inspection,
            self.models,
            findings,
            *said,
            self.supervisor,
            fetcher=Fetcher(self.folder / "fetched", self.connections.all, self.ask_lessons),
        )
        for one in (self.models, self.datasets):
            one.told.connect(self.told.append)

    def follow(self) -> None:
        """Begin to look, as the window does; needs the running loop."""
        self.supervisor.start(self.models.follow(), "models")
        self.supervisor.start(self.datasets.follow(), "datasets")
        self.supervisor.start(self.datasets.preview.follow(), "preview")
        self.supervisor.start(self.datasets.importing.preview.follow(), "import preview")
        self.supervisor.start(self.datasets.browser.follow(), "rows")

    def read(self) -> None:
        """Look once, without a loop."""
        self.models.take(*self.models.read())
        self.datasets.take(self.library.list())
        self.see_row()

    def see_row(self) -> None:
        """Read the row that is asked for, and the rows to list, without a loop."""
        if self.datasets.shown is not None:
            self.datasets.browser.open()
        wish = self.datasets.preview.wish()
        if wish is not None:
            self.datasets.preview.take(self.datasets.preview.look(wish))


def make_shelves(
    data: DataDir, *, library: DatasetSource | None = None, demo: DemoSource | None = None
) -> Shelves:
    """The state over the core's own objects."""
    models = Models(data, data.root / "hub")
    tasks = Tasks(Path(sys.executable), Runtimes(data.runtimes))
    own = DemoModel(data, models, tasks, Path(sys.executable), offline=True)
    rows = Inspection(Library(data.datasets), Auditor(tasks, data.tmp / "xray"))
    jobs = Jobs(data, Path(sys.executable), queue_device)
    venom = Venom(data, jobs, Exports(jobs), models, offline=False)
    library = library or Library(data.datasets)
    return Shelves(data.tmp, library, rows, models, demo or own, venom.connections, venom.lessons)
