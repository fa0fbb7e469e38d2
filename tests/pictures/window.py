"""The whole window: every page as it is when somebody comes to it, and Home and Runs in all that can be.

The jobs are run directories made for it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QApplication, QDialog, QWidget

from academy_desktop.app import RESOURCES, Desk
from academy_desktop.core.environment import Check
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from academy_desktop.core.settings import Settings, SettingsFile
from academy_desktop.core.states import JobState
from academy_desktop.rooms import Hall, Rooms
from academy_desktop.text.language import Words
from academy_desktop.views.look import Look
from tests.academy_desktop import made_data
from tests.academy_desktop.made_runs import (
    GIB,
    STEP_S,
    MadeDoctor,
    held_lock,
    made_machine,
    make_export,
    make_run,
    out_of_memory,
    succeeded,
)
from trainers.errors import AcademyError, ErrorCode
from trainers.layout import ExitRecord
from trainers.locks import FileLock

SIZES = ((1100, 700), (1600, 1000))
#: Those that are shown as they are.
PAGES = ("demo", "datasets", "models", "train", "export", "venom", "settings")
#: A page has read by then what it shows.
SETTLED_S = 0.4
WELL = made_machine()
ILL = made_machine(
    Check("packages", "fail", {"missing": "peft, trl"}),
    Check("disk", "warn", {"free_bytes": 3 * GIB, "path": "/home/anna/.local/share/academy-desktop"}),
    Check("llama_cpp", "warn"),
)


@dataclass(frozen=True)
class Scene:
    """One picture: a data directory, a machine, and what the user has done."""

    name: str
    data: DataDir
    machine: MadeDoctor
    prepare: Callable[[Desk], QWidget | None]


def fill(data: DataDir) -> tuple[FileLock, ...]:
    """One job of each fate; returns the locks of those that run."""
    now = time.time()
    going = make_run(data, "Kitchen helper", now - 130 * STEP_S, 300).started().steps(1, 127)
    going.close()
    starting = make_run(data, "Kitchen helper, more passes", now - 7, 300).begun()
    starting.close()
    done = make_run(data, "Replies in our tone", now - 7200, 300).started().steps(1, 300)
    done.ended(succeeded, 300, 0)
    make_export(data, "Replies in our tone as GGUF", now - 6000, done.run)
    failed = make_run(data, "Long stories, large batch", now - 90_000, 400).started().steps(1, 23)
    failed.log("RuntimeError: not enough memory: you tried to allocate 22548578304 bytes").ended(
        out_of_memory, 23, 1
    )
    torn = make_run(data, "Invented command language", now - 180_000, 300).started().steps(1, 171)
    torn.exited(ExitRecord(reason="signalled", signal="SIGKILL", ended_at=torn.clock.now))
    return held_lock(going.run.host_lock), held_lock(starting.run.host_lock)


def scenes(filled: DataDir, empty: DataDir) -> Iterator[Scene]:
    """All that there is to look at."""
    for name, data in (("filled", filled), ("empty", empty)):
        yield Scene(f"{name}-home", data, WELL, lambda desk: desk.window.show_page("home"))
    for state in (JobState.RUNNING, JobState.STARTING, JobState.FAILED, JobState.INTERRUPTED):
        yield Scene(f"filled-runs-{state}", filled, WELL, partial(show_run, state=state))
    for kind in ("train", "export"):
        yield Scene(
            f"filled-runs-succeeded-{kind}",
            filled,
            WELL,
            partial(show_run, state=JobState.SUCCEEDED, kind=kind),
        )
    yield Scene("empty-runs", empty, WELL, lambda desk: desk.window.show_page("runs"))
    for page in PAGES:
        yield Scene(f"filled-{page}", filled, WELL, partial(show_page, page=page))
        yield Scene(f"empty-{page}", empty, WELL, partial(show_page, page=page))
    yield Scene("ill-home", empty, ILL, lambda desk: desk.window.show_page("home"))
    yield Scene("told-home", filled, WELL, tell)
    yield Scene("leaving", filled, WELL, leave)


def show_run(desk: Desk, state: JobState, kind: str = "train") -> None:
    """The Runs page with a run in this state."""
    desk.runs.select(next(job.id for job in desk.table.jobs() if job.state is state and job.kind == kind))
    desk.window.show_page("runs")


def show_page(desk: Desk, page: str) -> None:
    """A page as it is when somebody comes to it."""
    desk.window.show_page(page)


def tell(desk: Desk) -> None:
    """Something went wrong."""
    desk.hub.failed.emit(AcademyError(ErrorCode.DISK_FULL, path="/home/anna", free_bytes=GIB // 8))


def leave(desk: Desk) -> QWidget:
    """The user closes the window while runs are in progress."""
    desk.window.close()
    return next(dialog for dialog in desk.window.findChildren(QDialog) if dialog.isVisible())


async def draw(app: QApplication, scene: Scene, out: Path) -> list[Path]:
    """Draw a scene in both themes and all sizes."""
    drawn: list[Path] = []
    for dark in (False, True):
        SettingsFile(scene.data.settings).save(Settings(theme="dark" if dark else "light"))
        jobs = Jobs(scene.data, Path(sys.executable))
        desk = Desk(
            Look(app, RESOURCES, dark),
            Words.load(RESOURCES / "locale"),
            jobs,
            scene.machine,
            partial(make_rooms, scene, jobs),
            jobs.shutdown,
        )
        desk.home.take(scene.machine.glance())
        desk.hub.jobs_read.emit(desk.hub.read_jobs())
        desk.window.show()
        desk.start()
        shown = scene.prepare(desk)
        await asyncio.sleep(SETTLED_S)
        desk.hub.deliver(desk.hub.read_run())
        for width, height in SIZES:
            desk.window.resize(width, height)
            await asyncio.sleep(0.05)
            path = out / f"{scene.name}-{'dark' if dark else 'light'}-{width}x{height}.png"
            (shown if isinstance(shown, QDialog) else desk.window).grab().save(str(path))
            drawn.append(path)
        desk.leave()
        await desk.supervisor.close()
        desk.window.deleteLater()
    return drawn


def make_rooms(scene: Scene, jobs: Jobs, hall: Hall) -> Rooms:
    """The pages beyond Home and Runs."""
    return Rooms(hall, scene.data, jobs, scene.machine, RESOURCES / "recipes", offline=True)


def draw_all(app: QApplication, runner: asyncio.Runner, out: Path) -> Iterator[Path]:
    """Draw every scene into a folder; yields the pictures' paths."""
    with tempfile.TemporaryDirectory() as folder:
        filled = DataDir(Path(folder) / "filled").open()
        locks = fill(filled)
        made_data.fill(filled)
        for scene in scenes(filled, DataDir(Path(folder) / "empty").open()):
            yield from runner.run(draw(app, scene, out))
        for lock in locks:
            lock.release()
