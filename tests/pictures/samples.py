"""The answers of a run: all and one question, with much and with nothing to show."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QApplication

from academy_desktop.app import Desk
from academy_desktop.core.paths import DataDir
from academy_desktop.views.runs import SAMPLES, RunsPage
from tests.academy_desktop.made_runs import STEP_S, held_lock, make_run
from tests.pictures.window import WELL, Scene, draw
from trainers.locks import FileLock

BASE = {
    "Set_a_timer_for_33_minutes": "I'm sorry, but I cannot set a timer. You could use your phone…",
    "Please_start_techno_music_in_the_hallway": "Sure! Some popular techno songs:\n\n1. Strobe\n2. …",
    "Note_that_we_need_three_bananas": "You need three bananas.",
}
EARLY = {
    "Set_a_timer_for_33_minutes": "I'm sorry, but I cannot set a timer for 33 min",
    "Please_start_techno_music_in_the_hallway": "sonus techno hallway",
    "Note_that_we_need_three_bananas": "You need 3 bananas",
}
LATE = {
    "Set_a_timer_for_33_minutes": "mora 33 min",
    "Please_start_techno_music_in_the_hallway": "sonus hallway techno",
    "Note_that_we_need_three_bananas": "eme 3 bananas",
}


def fill(data: DataDir) -> FileLock:
    """A run in progress that was asked, and one that was not; returns the lock of the first."""
    now = time.time()
    going = make_run(data, "Kitchen helper", now - 130 * STEP_S, 300).started().steps(1, 1).asked(0, **BASE)
    going.steps(2, 50).asked(50, **EARLY).steps(51, 100).asked(100, **LATE).steps(101, 127).close()
    make_run(data, "Replies in our tone", now - 7200, 300).started().steps(1, 300).close()
    return held_lock(going.run.host_lock)


def show(desk: Desk, name: str, question: str = "", step: int = 0) -> None:
    """The answers of a run."""
    desk.window.show_page("runs")
    desk.runs.select(next(job.id for job in desk.table.jobs() if job.name == name))
    page = desk.window.findChild(RunsPage)
    assert page is not None
    page.view.tabs.show_tab(SAMPLES)
    desk.hub.deliver(desk.hub.read_run())
    if question:
        desk.runs.detail.samples.choose_question(question)
    if step:
        desk.runs.detail.samples.choose_step(step)


def draw_all(app: QApplication, runner: asyncio.Runner, out: Path) -> Iterator[Path]:
    """Draw every scene into a folder; yields the pictures' paths."""
    with tempfile.TemporaryDirectory() as folder:
        data = DataDir(Path(folder) / "filled").open()
        lock = fill(data)
        for name, prepare in (
            ("all", partial(show, name="Kitchen helper")),
            ("one-early", partial(show, name="Kitchen helper", question="0", step=50)),
            ("none", partial(show, name="Replies in our tone")),
        ):
            yield from runner.run(draw(app, Scene(f"samples-{name}", data, WELL, prepare), out))
        lock.release()
