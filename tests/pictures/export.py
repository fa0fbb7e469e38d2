"""The Export page and the guided demo: files with their verdicts, the form, the stages and the result."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication, QFrame, QScrollArea, QWidget

from academy_desktop.app import RESOURCES
from academy_desktop.core.datasets.manifest import DatasetManifest
from academy_desktop.core.demo import Audience, Outcome, StageName
from academy_desktop.core.exports import Exports, FinishedExport
from academy_desktop.core.history import EventTail
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.logs import LogTail
from academy_desktop.core.paths import DataDir
from academy_desktop.text.language import Words
from academy_desktop.viewmodels.demo import Tour
from academy_desktop.viewmodels.event_hub import EventHub
from academy_desktop.viewmodels.export import Exporting
from academy_desktop.viewmodels.export_choice import Measures
from academy_desktop.viewmodels.job_table import JobTable
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.views.demo import DemoView
from academy_desktop.views.export import ExportPage
from academy_desktop.views.kit import column, label
from academy_desktop.views.look import Look
from academy_desktop.views.main_window import MainWindow, Page
from academy_desktop.views.theme import GAP_L, GAP_XL
from tests.academy_desktop.made_runs import GIB, MadeRun, held_lock, make_export, make_run, succeeded
from tests.academy_desktop.viewmodels.making import seen
from trainers.errors import AcademyError, ErrorCode
from trainers.events import (
    EVENT,
    AnyEvent,
    Certified,
    Exported,
    Payload,
    Phase,
    Progress,
    Started,
    Step,
)
from trainers.exporting.certificate import MEANINGS, Certificate, CertifiedExport, Check, CheckId
from trainers.exporting.record import (
    Export,
    ExportRecord,
    card_path,
    certificate_path,
    modelfile_path,
    record_path,
)
from trainers.layout import RunDir, write_record
from trainers.locks import FileLock
from trainers.recipe import ExportItem

SIZES = ((1100, 700), (1600, 1000))
MIB = 1024**2
MEASURES = Measures(134_515_008, 4_884_480, 19_576_064)

GOOD: dict[CheckId, tuple[float, float]] = {
    "intact": (1, 1),
    "same_adapter": (1, 1),
    "end_token": (1, 1),
    "tensors": (1, 1),
    "metadata": (1, 1),
    "loads": (1, 1),
    "prompt_tokens": (1, 1),
    "top1_agreement": (0.996, 0.95),
    "mean_kl": (0.00123, 0.03),
    "max_kl": (0.0412, 1.0),
    "perplexity": (0.0021, 0.05),
    "greedy_text": (1, 0.7),
    "end_of_turn": (1, 0.95),
}
BAD = GOOD | {
    "top1_agreement": (0.871, 0.95),
    "mean_kl": (0.214, 0.03),
    "perplexity": (0.183, 0.05),
    "greedy_text": (0.5, 0.7),
}
_AT_MOST = frozenset({"mean_kl", "max_kl", "perplexity"})


# what is drawn


def checks(values: dict[CheckId, tuple[float, float]]) -> tuple[Check, ...]:
    """Checks with these values and bounds, judged."""
    return tuple(
        Check(
            id=name,
            passed=value <= bound if name in _AT_MOST else value >= bound,
            value=value,
            bound=bound,
            meaning=MEANINGS[name],
        )
        for name, (value, bound) in values.items()
    )


def add_export(run: RunDir, item: ExportItem, size_bytes: int) -> Export:
    """A finished export of a run."""
    path = run.exports / item.name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"GGUF")
    quant = "" if item.format == "adapter" else item.quant
    record = ExportRecord(
        format=item.format,
        quant=quant,
        size_bytes=size_bytes,
        sha256="0" * 64,
        base="smollm2-135m-instruct",
        adapter_sha256="1" * 64,
        importance=item.importance,
    )
    card_path(path).write_text("# A model\n", "utf-8")
    if item.format == "gguf":
        modelfile_path(path).write_text(f"FROM ./{path.name}\n", "utf-8")
    write_record(record_path(path), record)
    return Export(item.name, path, record)


def certify(export: Export, values: dict[CheckId, tuple[float, float]], when: float) -> Certificate:
    """The certificate of an export, written beside it."""
    judged = checks(values)
    record = export.record
    verdict = Certificate(
        created_at=when,
        export=CertifiedExport(
            name=export.name, format=record.format, quant=record.quant, sha256=record.sha256
        ),
        passed=all(check.passed for check in judged),
        rows=24,
        tokens_equal=True,
        top1_agreement=values["top1_agreement"][0],
        mean_kl=values["mean_kl"][0],
        max_kl=values["max_kl"][0],
        perplexity=1.187,
        reference_perplexity=1.184,
        eos_rate=1.0,
        reference_eos_rate=1.0,
        greedy_equal=values["greedy_text"][0],
        checks=judged,
    )
    write_record(certificate_path(export.path), verdict)
    return verdict


def fill(data: DataDir) -> tuple[MadeRun, tuple[FileLock, ...]]:
    """Three finished runs: one with exports of all fates, one that is being exported, one without any.

    Returns the first, and the locks of what runs.
    """
    now = time.time()
    plain = make_run(data, "Support answers, first try", now - 260_000, 200).started().steps(1, 200)
    plain.ended(succeeded, 200, 0)
    busy = make_run(data, "Kitchen helper", now - 90_000, 300).started().steps(1, 300)
    busy.ended(succeeded, 300, 0)
    done = make_run(data, "Replies in our tone", now - 7200, 300).started().steps(1, 300)
    done.ended(succeeded, 300, 0)
    certify(add_export(done.run, ExportItem(format="gguf", quant="q8_0"), 138 * MIB), GOOD, now - 3000)
    certify(add_export(done.run, ExportItem(format="merged"), 259 * MIB), BAD, now - 2900)
    add_export(done.run, ExportItem(format="adapter"), 19 * MIB)
    order = going_export(data, "Kitchen helper", now - 30, busy.run)
    return done, (held_lock(order.run.host_lock),)


def going_export(data: DataDir, name: str, began: float, parent: RunDir) -> MadeRun:
    """An export job in the middle of its second file."""
    made = make_export(data, name, began, parent)
    (made.run.attempt(1).exit).unlink()
    lines = made.run.events.read_text("utf-8").splitlines(keepends=True)
    made.run.events.write_text("".join(lines[:3]), "utf-8")
    with made.run.events.open("a", encoding="utf-8") as stream:
        for seq, payload in enumerate(
            (
                Phase(name="writing", detail="gguf-q8_0.gguf"),
                Progress(done=142, total=272, unit="tensors"),
            ),
            4,
        ):
            stream.write(event(seq, payload).model_dump_json() + "\n")
    return made


def event(seq: int, payload: Payload) -> AnyEvent:
    """An event as a run directory has it."""
    raw = {"v": 1, "seq": seq, "attempt": 1, "t": time.time(), "type": payload.event_type}
    return EVENT.validate_python(raw | {"payload": payload.model_dump()})


# the demo, played


Line = Callable[[Audience], object]


def stage(name: StageName) -> Line:
    """A stage begins."""
    return lambda audience: audience.stage(name)


def says(payload: Payload) -> Line:
    """The stage's job says something."""
    return lambda audience: audience.event(event(1, payload))


def a_step(number: int, total: int) -> Line:
    """One step of a training whose loss falls."""
    return says(
        Step(
            step=number,
            total_steps=total,
            epoch=4 * number / total,
            loss=0.16 + 2.35 * 0.985**number * (1 + 0.12 * ((number * 7919) % 13 - 6) / 6),
            learning_rate=1e-3,
            supervised_tokens=150,
            tokens=812,
            step_s=1.9,
            eta_s=1.9 * (total - number),
        )
    )


def script(steps: int, total: int = 240) -> tuple[Line, ...]:
    """What the demo says until its training has gone so many steps."""
    return (
        stage("model"),
        lambda audience: audience.told(1, 6, "downloading"),
        stage("dataset"),
        stage("training"),
        lambda audience: audience.job("20261124-064744-3f9a1c"),
        says(Started(kind="train", total_steps=total)),
        says(Phase(name="training")),
        *(a_step(number, total) for number in range(1, steps + 1)),
    )


def rest() -> tuple[Line, ...]:
    """What it says after the training."""
    made = Exported(
        path="exports/a", format="gguf", quant="", size_bytes=1, sha256="", seconds=1, peak_rss_bytes=1
    )
    proven = Certified(path="exports/a", certificate="exports/a.certificate.json", passed=True)
    return (
        stage("exporting"),
        *(says(made) for _ in range(5)),
        stage("proving"),
        says(Phase(name="proving", detail="gguf-q8_0.gguf")),
        *(says(proven) for _ in range(5)),
        stage("scoring"),
    )


@dataclass
class PlayedDemo:
    """A demo that says its lines in the thread that it is given, waits there, and ends as it was told."""

    lines: Sequence[Line]
    outcome: Outcome | Exception | None = None
    go_on: threading.Event = field(default_factory=threading.Event)
    stopped: list[str] = field(default_factory=list)
    fast: bool | None = None
    thread: str = ""

    def run(self, audience: Audience, *, fast: bool) -> Outcome:
        """Say the lines; without an outcome wait, then say one thing more."""
        self.fast, self.thread = fast, threading.current_thread().name
        for line in self.lines:
            line(audience)
        if self.outcome is None:
            assert self.go_on.wait(60.0)
            audience.event(event(2, Phase(name="saving")))
            raise AssertionError("the demo goes on though it was ended")
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def stop(self, job: str) -> None:
        """Note it; the job ends."""
        self.stopped.append(job)
        self.go_on.set()


def outcome(folder: Path, *, passed: bool = True) -> Outcome:
    """What came out of a demo whose one export lies in `folder`."""
    run = RunDir(folder / "20261124-064744-3f9a1c")
    run.path.mkdir(exist_ok=True)
    export = add_export(run, ExportItem(format="gguf", quant="q8_0"), 138 * MIB)
    verdict = certify(export, GOOD if passed else BAD, time.time())
    return Outcome(
        dataset=DatasetManifest(
            id="demo-1-00000000",
            name="demo-1",
            created_at=0.0,
            sha256="0" * 64,
            format="alpaca",
            sources=(),
            mapping={},
            profile="balanced",
            seed=1,
            eval_fraction=0.1,
            rows_in=500,
            rows_kept=500,
            dropped={},
            train_rows=450,
            eval_rows=50,
        ),
        job=run.job,
        base_score=0.0,
        tuned_score=0.96,
        export_score=0.94,
        exports=(FinishedExport(export, verdict),),
        exported=(),
    )


# drawing


@dataclass
class Room:
    """The objects behind the two pages, over a data directory."""

    data: DataDir
    look: Look
    way: PlayedDemo
    failures: list[BaseException] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Build them, as the composition root does."""
        words = Words.load(RESOURCES / "locale")
        jobs = Jobs(self.data, Path(sys.executable))
        self.supervisor = Supervisor(self.failures.append)
        self.hub = EventHub(jobs, EventTail, LogTail)
        self.table = JobTable(words.messages, words.formats, words.gettext)
        self.hub.jobs_read.connect(self.table.update)
        self.exporting = Exporting(
            Exports(jobs),
            jobs,
            EventTail,
            self.hub,
            self.table,
            words.messages,
            words.formats,
            words.gettext,
            self.supervisor,
            lambda _job: MEASURES,
        )
        self.tour = Tour(self.way, words.messages, words.formats, words.gettext, self.supervisor)
        self.page = ExportPage(self.look, self.exporting, words.gettext, self.folders.append)
        self.demo = DemoView(self.look, self.tour, words.gettext, self.folders.append)
        pages = (
            Page("home", "Home", "home", lambda: scrolled(self.demo)),
            Page("export", "Export", "export", lambda: self.page),
        )
        self.window = MainWindow(self.look, pages, words.gettext)
        self.exporting.told.connect(lambda said: self.window.tell(said.title, said.sentence))

    def read(self) -> None:
        """What the hub does all the time."""
        self.hub.jobs_read.emit(self.hub.read_jobs())

    def run_named(self, name: str) -> str:
        """The id of a training run."""
        return next(job.id for job in self.table.jobs() if job.name == name and job.kind == "train")

    async def close(self) -> None:
        """End what still runs, and the window."""
        self.way.go_on.set()
        await self.supervisor.close()
        self.window.close()
        self.window.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def scrolled(content: QWidget) -> QScrollArea:
    """A part of the home page, as it stands there."""
    lines = column(GAP_L, GAP_XL)
    lines.addWidget(label("Welcome to Academy Desktop", "display"))
    lines.addWidget(content)
    lines.addStretch(1)
    inner = QWidget()
    inner.setObjectName("page")
    inner.setLayout(lines)
    made = QScrollArea()
    made.setWidgetResizable(True)
    made.setFrameShape(QFrame.Shape.NoFrame)
    made.setWidget(inner)
    return made


@dataclass(frozen=True)
class Scene:
    """One picture: a data directory, a demo, and what the user has done."""

    name: str
    data: DataDir
    way: Callable[[], PlayedDemo]
    prepare: Callable[[Room], Awaitable[None]]


async def show_files(room: Room, opened: int | None = None, scrolled_to: int = 0) -> None:
    """The run with files; one of them opened."""
    room.window.show_page("export")
    room.exporting.select(room.run_named("Replies in our tone"))
    await seen(lambda: len(room.page.view.cards) == 3)
    if opened is not None:
        room.page.view.cards[opened].badge.click()


async def show_bottom(room: Room) -> None:
    """The form, with more ticked."""
    await show_plain(room)
    for item in (ExportItem(format="merged"), ExportItem(format="gguf", quant="f16")):
        room.exporting.choice.tick(item, True)
    room.exporting.choice.tick_format("adapter", True)


async def show_weighed(room: Room) -> None:
    """The form with a K-quant, weighed by the rows."""
    await show_plain(room)
    room.exporting.choice.tick(ExportItem(format="gguf", quant="q4_k_m"), True)
    room.exporting.choice.weigh(True)


async def show_plain(room: Room) -> None:
    """The run without files."""
    room.window.show_page("export")
    room.exporting.select(room.run_named("Support answers, first try"))
    await seen(lambda: room.exporting.cards is not None)


async def show_busy(room: Room) -> None:
    """The run that is being exported."""
    room.window.show_page("export")
    room.exporting.select(room.run_named("Kitchen helper"))
    room.read()
    await seen(lambda: room.exporting.share_done)


async def show_empty(room: Room) -> None:
    """No run at all."""
    room.window.show_page("export")


async def show_demo(room: Room) -> None:
    """The demo, as far as it goes."""
    if room.way.lines:
        room.tour.start()
        await seen(lambda: room.tour.story.losses)
        if room.way.outcome is not None:
            await seen(lambda: not room.tour.is_running)


def scenes(filled: DataDir, bare: DataDir, folder: Path) -> Iterator[Scene]:
    """All that there is to look at."""

    def silent() -> PlayedDemo:
        return PlayedDemo(())

    yield Scene("export-files", filled, silent, show_files)
    yield Scene("export-proven", filled, silent, lambda room: show_files(room, 1))
    yield Scene("export-unproven", filled, silent, lambda room: show_files(room, 2))
    yield Scene("export-form", filled, silent, show_bottom)
    yield Scene("export-weighed", filled, silent, show_weighed)
    yield Scene("export-busy", filled, silent, show_busy)
    yield Scene("export-empty", bare, silent, show_empty)
    yield Scene("demo-idle", bare, silent, show_demo)
    yield Scene("demo-running", bare, lambda: PlayedDemo(script(97)), show_demo)
    full = AcademyError(ErrorCode.DISK_FULL, path="/home/anna", free_bytes=GIB // 8, needed_bytes=GIB)
    yield Scene("demo-failed", bare, lambda: PlayedDemo(script(31), full), show_demo)
    done = outcome(folder)
    yield Scene("demo-done", bare, lambda: PlayedDemo((*script(240), *rest()), done), show_demo)


async def draw(app: QApplication, scene: Scene, out: Path) -> list[Path]:
    """Draw a scene in both themes and all sizes."""
    drawn: list[Path] = []
    for dark in (False, True):
        room = Room(scene.data, Look(app, RESOURCES, dark), scene.way())
        room.read()
        room.window.show()
        await scene.prepare(room)
        for width, height in SIZES:
            room.window.resize(width, height)
            await asyncio.sleep(0.05)
            path = out / f"{scene.name}-{'dark' if dark else 'light'}-{width}x{height}.png"
            room.window.grab().save(str(path))
            drawn.append(path)
        await room.close()
        for failure in room.failures:
            raise failure
    return drawn


def draw_all(app: QApplication, runner: asyncio.Runner, out: Path) -> Iterator[Path]:
    """Draw every scene into a folder; yields the pictures' paths."""
    with tempfile.TemporaryDirectory() as folder:
        filled = DataDir(Path(folder) / "filled").open()
        _, locks = fill(filled)
        bare = DataDir(Path(folder) / "empty").open()
        for scene in scenes(filled, bare, Path(folder)):
            yield from runner.run(draw(app, scene, out))
        for lock in locks:
            lock.release()
