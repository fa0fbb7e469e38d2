"""The rehearsal and the trial on the Train page: in progress, gone well, with something to mend."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QApplication, QScrollArea

from academy_desktop.app import RESOURCES
from academy_desktop.core.estimate.service import Estimates
from academy_desktop.core.paths import DataDir
from academy_desktop.core.rehearsal_record import (
    STAGES,
    Change,
    Outlook,
    RehearsalProblem,
    RehearsalRecord,
    SmallModel,
    StageName,
    StageRecord,
)
from academy_desktop.core.trial import Trial
from academy_desktop.text.language import Words
from academy_desktop.viewmodels.rehearsal import Rehearsing
from academy_desktop.viewmodels.trial import Trying
from academy_desktop.views.train import TrainPage
from tests.academy_desktop.core.estimate.made_shapes import write_full_model
from tests.academy_desktop.viewmodels.making import seen
from tests.pictures import train
from tests.pictures.export import a_step, event, says
from trainers.events import Certified, Exported, Phase, Started
from trainers.recipe import TrainRecipe

#: What a rehearsal or a trial says to its audience.
Line = Callable[[Any], object]


@dataclass
class Played:
    """A rehearsal or trial that says its lines, waits where it has no outcome, and ends as it was told."""

    lines: Sequence[Line] = ()
    outcome: Any = None
    go_on: threading.Event = field(default_factory=threading.Event)
    recipes: list[TrainRecipe] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    removed: list[RehearsalRecord] = field(default_factory=list)

    def run(self, recipe: TrainRecipe, audience: Any) -> Any:
        """Say the lines; without an outcome wait, then say one thing more."""
        self.recipes.append(recipe)
        for line in self.lines:
            line(audience)
        if self.outcome is None:
            assert self.go_on.wait(60.0)
            audience.event(event(2, Phase(name="saving")))
            raise AssertionError("it goes on though it was ended")
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def stop(self, job: str) -> None:
        """Note it; the job ends."""
        self.stopped.append(job)
        self.go_on.set()

    def remove(self, record: RehearsalRecord) -> None:
        """Note it."""
        self.removed.append(record)


def rehearsed(steps: int = 24) -> tuple[Line, ...]:
    """What a rehearsal says until its training has gone so many steps."""
    return (
        stage_of("rows"),
        lambda audience: audience.told(1, 1, ""),
        stage_of("model"),
        lambda audience: audience.told(2, 3, "lessons"),
        stage_of("training"),
        lambda audience: audience.job("20261124-064744-3f9a1c"),
        says(Started(kind="train", total_steps=24)),
        *(a_step(number, 24) for number in range(1, steps + 1)),
    )


def proven() -> tuple[Line, ...]:
    """What it says after its training."""
    made = Exported(
        path="exports/a", format="gguf", quant="", size_bytes=1, sha256="", seconds=1, peak_rss_bytes=1
    )
    certified = Certified(path="exports/a", certificate="exports/a.certificate.json", passed=True)
    return (
        stage_of("exporting"),
        *(says(made) for _ in range(2)),
        stage_of("proving"),
        *(says(certified) for _ in range(2)),
        stage_of("answering"),
    )


def stage_of(name: StageName) -> Line:
    """A stage begins."""
    return lambda audience: audience.stage(name)


def record(*problems: RehearsalProblem, changes: Sequence[Change] = ()) -> RehearsalRecord:
    """What came out."""
    serious = {one.stage for one in problems if one.serious}
    return RehearsalRecord(
        created_at=1.0,
        name="Kitchen helper",
        model="smollm2-135m-instruct",
        ok=not serious,
        small_model=SmallModel(id="smollm2-miniature", kind="miniature", parameters=6_587_008),
        stages=tuple(
            StageRecord(name=name, seconds=seconds, outcome="failed" if name in serious else "done")
            for name, seconds in zip(STAGES, (1.2, 6.4, 31.0, 4.6, 12.3, 6.1), strict=True)
        ),
        problems=problems,
        changes=tuple(changes),
        jobs=("20261124-064744-3f9a1c",),
        outlook=Outlook(fits=True, memory_bytes=3.1e9, seconds=7800, seconds_low=6200, seconds_high=9700),
    )


LOST_TEMPLATE = RehearsalProblem(
    code="certificate_failed", stage="proving", facts={"export": "gguf-f16.gguf", "checks": "prompt_tokens"}
)
CUT_ROWS = RehearsalProblem(
    code="defect", stage="rows", serious=False, facts={"defect": "answer_truncated", "rows": 12, "of": 320}
)
FROM_A_GPU = (
    Change(code="device"),
    Change(code="quantization", facts={"value": "nf4"}),
    Change(code="learning_rate", facts={"before": 2e-4, "after": 3e-3}),
)


@dataclass
class Room(train.Room):
    """The Train page with a rehearsal and a trial that are played."""

    rehearsal: Played = field(default_factory=Played)
    trial: Played = field(default_factory=Played)

    def _make_train(self) -> TrainPage:
        words = Words.load(RESOURCES / "locale")
        said = (words.messages, words.formats, words.gettext, self.supervisor)
        self.told: list[object] = []
        self.rehearsing = Rehearsing(self.train, self.rehearsal, *said)
        self.trying = Trying(self.train, self.trial, *said)
        self.rehearsing.told.connect(self.told.append)
        self.train.changed.connect(self.rehearsing.changed)
        self.train.changed.connect(self.trying.changed)
        return TrainPage(self.look, self.train, words.gettext, self.forecast, self.rehearsing, self.trying)


async def opened(room: Room) -> TrainPage:
    """Show the Train page, ready to begin."""
    room.start()
    room.window.show()
    page = room.train_page
    await seen(lambda: room.train.state == "ready" and train.knows(room), "the forecast")
    return page


def furnished(root: Path) -> DataDir:
    """A data directory with rows and a model."""
    data = DataDir(root).open()
    train.add_dataset(data)
    write_full_model(data.models / "smollm2-135m-instruct")
    return data


def tried(data: DataDir, recipe: TrainRecipe) -> Trial:
    """What a trial took."""
    estimate = Estimates(data, lambda: train.LARGE).estimate(recipe)
    return Trial("cpu", "cpu", 3_300_000_000, 4.2, 4096, 3, estimate)


async def draw(room: Room, name: str, out: Path) -> list[Path]:
    """Draw a state of the rehearsal, with a trial in progress, in all sizes."""
    drawn: list[Path] = []
    page = await opened(room)
    rehearsing, trying = room.rehearsing, room.trying
    rehearsing.start()
    is_over = room.rehearsal.outcome is not None
    await seen(lambda: rehearsing.story.verdict if is_over else rehearsing.story.stages[2].share_done, name)
    trying.start()
    await seen(lambda: trying.text.startswith("Step"), "a step of the trial")
    for width, height in train.SIZES:
        room.window.resize(width, height)
        await asyncio.sleep(0.05)
        page.show_rehearsal()
        await asyncio.sleep(0.05)
        path = out / f"{name}-{'dark' if room.dark else 'light'}-{width}x{height}.png"
        room.window.grab().save(str(path))
        drawn.append(path)
    rehearsing.cancel()
    trying.cancel()
    await seen(lambda: not (rehearsing.is_running or trying.is_running), "the end")
    if is_over:
        drawn.append(await draw_trial(room, page, out / f"trial-{'dark' if room.dark else 'light'}.png"))
    train.close(room)
    await room.supervisor.close()
    return drawn


async def draw_trial(room: Room, page: TrainPage, path: Path) -> Path:
    """Draw what a trial came to, where the forecast stands."""
    room.trial.outcome = tried(room.data, await room.train.made())
    room.trying.start()
    await seen(lambda: not room.trying.is_running, "the trial")
    page.findChildren(QScrollArea)[0].verticalScrollBar().setValue(0)
    await asyncio.sleep(0.05)
    room.window.grab().save(str(path))
    return path


def draw_all(app: QApplication, runner: asyncio.Runner, out: Path) -> Iterator[Path]:
    """Draw every state into a folder; yields the pictures' paths."""
    whole = (*rehearsed(), *proven())
    states: dict[str, Callable[[], Played]] = {
        "rehearsal-running": lambda: Played(rehearsed(9)),
        "rehearsal-well": lambda: Played(whole, record(CUT_ROWS, changes=FROM_A_GPU)),
        "rehearsal-to-mend": lambda: Played(whole, record(CUT_ROWS, LOST_TEMPLATE)),
    }
    with tempfile.TemporaryDirectory() as folder:
        data = furnished(Path(folder) / "data")
        for name, way in states.items():
            for dark in (False, True):
                trial = Played((lambda audience: audience.job("20261124-064744-3f9a1c"), a_step(2, 3)))
                room = Room(app, data, dark=dark, rehearsal=way(), trial=trial)
                yield from runner.run(draw(room, name, out))
