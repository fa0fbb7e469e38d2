from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.exports import Exports, FinishedExport
from academy_desktop.core.history import EventTail
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from academy_desktop.text.messages import Description
from academy_desktop.viewmodels.event_hub import EventHub
from academy_desktop.viewmodels.export import Exporting
from academy_desktop.viewmodels.export_choice import FIRST_CHOICE, Measures
from academy_desktop.viewmodels.supervisor import Supervisor
from tests.academy_desktop.viewmodels.making import (
    JobsDouble,
    Silent,
    Wordless,
    event,
    in_loop,
    job,
    seen,
    table,
    words,
)
from tests.pictures.export import BAD, GOOD, MEASURES, add_export, certify
from trainers.errors import AcademyError, ErrorCode
from trainers.events import AnyEvent, Exported, Payload, Phase, Progress, Started
from trainers.exporting.record import Export
from trainers.layout import Launch, RunDir, write_record
from trainers.recipe import ExportItem

RUN = job(1)


@pytest.fixture(scope="module", autouse=True)
def _gone_in_their_own_thread() -> Iterator[None]:
    """Qt objects of one test are not collected by a thread of the next."""
    gc.collect()
    gc.disable()
    yield
    gc.collect()
    gc.enable()


@dataclass
class OrdersDouble:
    """Exports and their jobs, as a test decides; what is asked of them is noted."""

    found: list[FinishedExport] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    jobs: dict[str, JobSummary] = field(default_factory=dict)
    said: dict[str, list[AnyEvent]] = field(default_factory=dict)
    failures: dict[str, AcademyError] = field(default_factory=dict)
    gate: threading.Event = field(default_factory=threading.Event)
    copied: list[tuple[str, Path]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Nothing is held up."""
        self.gate.set()

    def queue(self, run: str, items: Sequence[ExportItem]) -> str:
        """Note an export and begin its job."""
        assert self.gate.wait(30)
        return self._begin("export", run, *(item.name for item in items))

    def queue_certificate(self, run: str, exports: Sequence[str] = ()) -> str:
        """Note a proof and begin its job."""
        return self._begin("certify", run, *exports)

    def finished(self, run: str, names: Sequence[str] = ()) -> Sequence[FinishedExport]:
        """What the test has put there, of one run only."""
        self._fail("finished")
        own = self.found if run == RUN.id else []
        return [one for one in own if not names or one.export.name in names]

    def copy(self, export: Export, folder: Path) -> Path:
        """Note a copy."""
        self.copied.append((export.name, folder))
        return folder / export.name

    def get(self, order: str) -> JobSummary:
        """The job as it is now."""
        return self.jobs[order]

    def stop(self, order: str) -> None:
        """Note it; the job is stopped."""
        self.asked.append(("stop", order))
        self.end(order, JobState.STOPPED, reason="user")

    def end(self, order: str, state: JobState = JobState.SUCCEEDED, **facts: Any) -> None:
        """The job is over."""
        self.jobs[order] = self.jobs[order].model_copy(update={"state": state, **facts})

    def says(self, order: str, *payloads: Payload) -> None:
        """The job says something."""
        known = self.said.setdefault(order, [])
        known += [event(len(known) + number, payload) for number, payload in enumerate(payloads, 1)]

    def makes(self, order: str, *names: str) -> None:
        """The job says that it has made these."""
        made: dict[str, Any] = {"format": "gguf", "quant": "q8_0", "size_bytes": 1, "sha256": "0"}
        for name in names:
            self.says(order, Exported(path=f"exports/{name}", seconds=1, peak_rss_bytes=1, **made))

    def open_events(self, path: Path) -> Tail:
        """Read what a job says."""
        return Tail(self.said.setdefault(path.parent.name, []))

    def _begin(self, kind: str, run: str, *names: str) -> str:
        self._fail(kind)
        self.asked.append((kind, run, *names))
        order = f"{kind}-{len(self.asked)}"
        self.jobs[order] = going(order, kind)
        return order

    def _fail(self, name: str) -> None:
        if name in self.failures:
            raise self.failures[name]


@dataclass
class Tail:
    """Reads a growing list."""

    events: list[AnyEvent]
    read: int = 0

    def read_new(self) -> Sequence[AnyEvent]:
        """What came since the last call."""
        new = self.events[self.read :]
        self.read += len(new)
        return new


def going(order: str, kind: str, parent: str = RUN.id) -> JobSummary:
    """An order in progress."""
    return job(90, JobState.RUNNING).model_copy(
        update={"id": order, "kind": kind, "parent": parent, "run_dir": f"/nowhere/{order}"}
    )


class Room:
    """An export page's state over orders that a test decides about."""

    def __init__(self) -> None:
        self.orders = OrdersDouble()
        self.jobs = JobsDouble()
        self.hub = EventHub(self.jobs, Silent, Wordless)
        self.table = table()
        self.hub.jobs_read.connect(self.table.update)
        self.failures: list[BaseException] = []
        self.told: list[Description] = []
        said = words()
        self.page = Exporting(
            self.orders,
            self.orders,
            self.orders.open_events,
            self.hub,
            self.table,
            said.messages,
            said.formats,
            said.gettext,
            Supervisor(self.failures.append),
            lambda _job: MEASURES,
        )
        self.page.told.connect(self.told.append)

    def read(self, *jobs: JobSummary) -> None:
        """The hub has read these jobs, the newest first."""
        self.hub.jobs_read.emit(list(jobs))

    async def order(self, kind: str) -> str:
        """Wait for an order of this kind to be given; returns its job."""
        return await seen(lambda: next((one for one in self.orders.jobs if one.startswith(kind)), None), kind)

    async def idle(self) -> None:
        """Wait until nothing is done any more and the exports were read."""
        await seen(lambda: not self.page.is_busy and self.page.cards is not None, "the end of an order")


def in_room(app: QApplication, act: Callable[[Room], Coroutine[Any, Any, None]]) -> Room:
    """Let a test act in a room with one finished run; returns the room as it is then."""
    room = Room()

    async def whole() -> None:
        room.read(RUN)
        await act(room)
        await asyncio.sleep(0)

    in_loop(app, whole())
    assert room.failures == []
    return room


def export_in(folder: Path, *, proven: bool | None) -> FinishedExport:
    """A finished export on the disk, proven, not proven, or not checked."""
    export = add_export(RunDir(folder), FIRST_CHOICE, 1000)
    verdict = None if proven is None else certify(export, GOOD if proven else BAD, 0.0)
    return FinishedExport(export, verdict)


def test_only_finished_training_runs_are_offered_and_the_newest_is_shown(qapp: QApplication) -> None:
    async def act(room: Room) -> None:
        failed, export = job(4, JobState.FAILED), job(3).model_copy(update={"kind": "export"})
        room.read(failed, export, job(2), RUN)
        assert room.page.runs.rowCount() == 2

    room = in_room(qapp, act)
    assert room.page.selected_id == RUN.id
    assert room.page.title == "run 1"
    assert room.page.subtitle.endswith("loss 0.500")


def test_a_run_that_is_wanted_is_shown_once_it_is_finished(qapp: QApplication) -> None:
    async def act(room: Room) -> None:
        running = job(2, JobState.RUNNING)
        room.read(running, RUN)
        room.page.select(running.id)
        assert room.page.selected_id == RUN.id
        room.read(job(2), RUN)
        assert room.page.selected_id == running.id

    in_room(qapp, act)


def test_exports_of_earlier_days_and_expected_sizes_are_there_at_once(
    qapp: QApplication, tmp_path: Path
) -> None:
    async def act(room: Room) -> None:
        room.orders.found = [export_in(tmp_path, proven=True)]
        await room.idle()
        assert room.page.choice.summary == "1 export, about 136\u00a0MiB"

    room = in_room(qapp, act)
    assert [(card.name, card.word) for card in room.page.cards or ()] == [("gguf-q8_0.gguf", "Proven")]


def test_an_export_is_made_then_proven_then_copied(qapp: QApplication, tmp_path: Path) -> None:
    async def act(room: Room) -> None:
        await room.idle()
        room.page.folder = str(tmp_path / "out")
        room.page.start()
        export = await room.order("export")
        room.orders.makes(export, "gguf-q8_0.gguf")
        room.orders.found = [export_in(tmp_path, proven=None)]
        room.orders.end(export)
        proof = await room.order("certify")
        room.orders.found = [export_in(tmp_path, proven=True)]
        room.orders.end(proof)
        await room.idle()
        await seen(lambda: room.page.cards, "the cards")

    room = in_room(qapp, act)
    assert room.orders.asked == [
        ("export", RUN.id, "gguf-q8_0.gguf"),
        ("certify", RUN.id, "gguf-q8_0.gguf"),
    ]
    assert room.orders.copied == [("gguf-q8_0.gguf", tmp_path / "out")]
    assert [card.standing for card in room.page.cards or ()] == ["proven"]
    assert room.told == []


def test_without_the_wish_nothing_is_proven_or_copied(qapp: QApplication) -> None:
    async def act(room: Room) -> None:
        await room.idle()
        room.page.prove = False
        room.page.start()
        room.orders.end(await room.order("export"))
        await room.idle()

    room = in_room(qapp, act)
    assert [one[0] for one in room.orders.asked] == ["export"]
    assert room.orders.copied == []


def test_progress_is_told_in_words(qapp: QApplication) -> None:
    async def act(room: Room) -> None:
        room.page.start()
        assert room.page.activity == "Making the exports"
        order = await room.order("export")
        await seen(lambda: room.page.detail.startswith("Starting"), "the start")
        room.orders.says(
            order,
            Started(kind="export"),
            Phase(name="writing", detail="gguf-q8_0.gguf"),
            Progress(done=1360, total=2720, unit="tensors"),
        )
        await seen(lambda: room.page.share_done, "progress")
        assert room.page.activity == "Making gguf-q8_0.gguf"
        assert room.page.detail == "Writing the export · part 1,360 of 2,720 · 50%"
        assert room.page.share_done == 0.5
        room.orders.says(order, Progress(done=3 * 1024**2, total=4 * 1024**2, unit="bytes"))
        await seen(lambda: "3.0\u00a0MiB of 4.0\u00a0MiB" in room.page.detail, "bytes")
        room.orders.says(order, Phase(name="saving", detail="gguf-q8_0.gguf"))
        await seen(lambda: room.page.share_done is None, "the next phase")
        room.page.cancel()
        await room.idle()

    in_room(qapp, act)


def test_cancel_ends_the_job_and_nothing_follows(qapp: QApplication, tmp_path: Path) -> None:
    async def act(room: Room) -> None:
        room.page.folder = str(tmp_path)
        room.page.start()
        order = await room.order("export")
        await seen(lambda: room.page.detail, "the job")
        room.page.cancel()
        assert room.page.is_cancelling
        room.page.cancel()
        assert room.page.activity == "Ending …"
        await room.idle()
        assert room.orders.asked[1:] == [("stop", order)]

    room = in_room(qapp, act)
    assert room.orders.copied == []
    assert room.told == []


def test_an_order_that_is_cancelled_while_it_is_given_is_stopped_all_the_same(qapp: QApplication) -> None:
    async def act(room: Room) -> None:
        room.orders.gate.clear()
        room.page.start()
        room.page.cancel()
        room.orders.gate.set()
        order = await room.order("export")
        await room.idle()
        assert room.orders.asked[1:] == [("stop", order)]

    in_room(qapp, act)


def test_a_job_that_fails_is_told_with_its_reason(qapp: QApplication) -> None:
    async def act(room: Room) -> None:
        room.page.start()
        order = await room.order("export")
        room.orders.end(order, JobState.FAILED, reason="disk_full", facts={"path": "/home/anna"})
        await room.idle()

    room = in_room(qapp, act)
    assert [said.title for said in room.told] == ["The disk is full"]
    assert [one[0] for one in room.orders.asked] == ["export"]


def test_a_job_that_was_killed_is_told_as_well(qapp: QApplication) -> None:
    async def act(room: Room) -> None:
        room.page.start()
        room.orders.end(await room.order("export"), JobState.INTERRUPTED, reason="SIGKILL", facts={})
        await room.idle()

    assert ["SIGKILL" in said.sentence for said in in_room(qapp, act).told] == [True]


def test_a_proof_that_cannot_be_made_leaves_the_export_and_its_copy(
    qapp: QApplication, tmp_path: Path
) -> None:
    async def act(room: Room) -> None:
        room.orders.failures["certify"] = AcademyError(ErrorCode.LLAMA_CPP_MISSING)
        room.page.folder = str(tmp_path / "out")
        room.page.start()
        order = await room.order("export")
        room.orders.makes(order, "gguf-q8_0.gguf")
        room.orders.found = [export_in(tmp_path, proven=None)]
        room.orders.end(order)
        await room.idle()
        await seen(lambda: room.page.cards, "the card")

    room = in_room(qapp, act)
    assert [said.title for said in room.told] == ["llama.cpp is not installed"]
    assert len(room.orders.copied) == 1
    assert room.page.unproven == ("gguf-q8_0.gguf",)


def test_one_export_of_earlier_can_be_proven(qapp: QApplication, tmp_path: Path) -> None:
    async def act(room: Room) -> None:
        room.orders.found = [export_in(tmp_path, proven=None)]
        await room.idle()
        room.page.certify(room.page.unproven)
        assert room.page.activity == "Proving the exports"
        order = await room.order("certify")
        room.orders.found = [export_in(tmp_path, proven=False)]
        room.orders.end(order)
        await seen(lambda: room.page.cards and room.page.cards[0].standing == "failed", "the verdict")

    room = in_room(qapp, act)
    assert room.orders.asked == [("certify", RUN.id, "gguf-q8_0.gguf")]


def test_an_order_of_somebody_else_is_shown_and_its_files_after_it(
    qapp: QApplication, tmp_path: Path
) -> None:
    async def act(room: Room) -> None:
        await room.idle()
        order = going("export-by-command", "export")
        room.orders.jobs[order.id] = order
        room.read(order, RUN)
        await seen(lambda: room.page.is_busy, "the order")
        room.orders.found = [export_in(tmp_path, proven=None)]
        room.orders.end(order.id)
        await seen(lambda: room.page.cards, "the files")
        room.read(order, RUN)  # a look that began before the end
        assert not room.page.is_busy

    assert in_room(qapp, act).told == []


def test_files_that_somebody_else_made_meanwhile_appear(qapp: QApplication, tmp_path: Path) -> None:
    async def act(room: Room) -> None:
        await room.idle()
        room.orders.found = [export_in(tmp_path, proven=None)]
        done = going("export-by-command", "export").model_copy(update={"state": JobState.SUCCEEDED})
        room.read(done, RUN)
        await seen(lambda: room.page.cards, "the files")

    in_room(qapp, act)


def test_another_run_is_looked_at_while_an_order_goes_on(qapp: QApplication) -> None:
    async def act(room: Room) -> None:
        other = job(2)
        room.page.start()
        order = await room.order("export")
        room.read(other, RUN)
        room.page.select(other.id)
        assert not room.page.is_busy
        assert room.page.activity == ""
        room.page.select(RUN.id)
        assert room.page.activity.startswith("Making")
        room.orders.end(order)
        room.orders.end(await room.order("certify"))
        await room.idle()

    in_room(qapp, act)


def test_while_an_order_goes_on_another_one_is_not_given(qapp: QApplication) -> None:
    async def act(room: Room) -> None:
        room.page.prove = False
        room.page.start()
        room.page.start()
        room.page.certify(("gguf-q8_0.gguf",))
        room.orders.end(await room.order("export"))
        await room.idle()

    assert len(in_room(qapp, act).orders.asked) == 1


def test_a_run_that_is_deleted_is_forgotten(qapp: QApplication) -> None:
    async def act(room: Room) -> None:
        await room.idle()
        room.read()

    room = in_room(qapp, act)
    assert (room.page.selected_id, room.page.cards, room.page.has_runs) == ("", None, False)


def test_exports_that_cannot_be_read_are_told(qapp: QApplication) -> None:
    async def act(room: Room) -> None:
        room.orders.failures["finished"] = AcademyError(ErrorCode.EXPORT_DAMAGED, path="/x")
        await room.idle()

    room = in_room(qapp, act)
    assert len(room.told) == 1
    assert room.page.cards == ()


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> DataDir:
    """A data directory with one run of a model of two layers that was really trained."""
    from tests.trainers.tiny_model import Tiny, teach_run, write_dataset, write_model  # brings torch

    folder = tmp_path_factory.mktemp("learned")
    data = DataDir(folder / "data").open()
    tiny = Tiny(write_model(folder / "model"), write_dataset(folder / "rows"))
    run = teach_run(data.run("20261124-064744-3f9a1c").path, tiny)
    launch = Launch(job=run.job, attempt=1, argv=(), cwd="", environment={}, queue_dir=None, queue_entry=None)
    write_record(run.attempt(1).launch, launch)
    return data


def test_a_real_run_becomes_a_file_that_is_really_proven(
    qapp: QApplication, learned: DataDir, tmp_path: Path
) -> None:
    jobs = Jobs(learned, Path(sys.executable))
    hub = EventHub(jobs, EventTail, Wordless)
    rows = table()
    hub.jobs_read.connect(rows.update)
    said, told, failures = words(), list[Description](), list[BaseException]()
    page = Exporting(
        Exports(jobs), jobs, EventTail, hub, rows, said.messages, said.formats, said.gettext,
        Supervisor(failures.append),
    )  # fmt: skip
    page.told.connect(told.append)

    async def way() -> None:
        hub.jobs_read.emit(hub.read_jobs())
        await seen(lambda: "about" in page.choice.summary, "the sizes of a finished run")
        page.choice.tick(FIRST_CHOICE, False)
        page.choice.tick_format("adapter", True)
        page.folder = str(tmp_path)
        page.start()
        await seen(lambda: not page.is_busy and page.cards, "the proof")

    in_loop(qapp, way())
    assert (told, failures) == ([], [])
    assert [(card.title, card.word) for card in page.cards or ()] == [("Adapter", "Proven")]
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()
    assert (tmp_path / "adapter.certificate.json").is_file()


def test_measures_are_the_runs_own(qapp: QApplication) -> None:
    async def act(room: Room) -> None:
        await room.idle()
        room.page.choice.take(Measures())
        room.read(job(2), RUN)
        room.page.select(job(2).id)
        await seen(lambda: "about" in room.page.choice.summary, "the sizes")

    in_room(qapp, act)
