"""Considerate running: runs that wait and say why, shutting down after the last one, and the rules.

The jobs are run directories made for it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QApplication, QScrollArea

from academy_desktop.app import Desk
from academy_desktop.core.considerate import ConsiderateFile
from academy_desktop.core.paths import DataDir
from tests.academy_desktop.made_runs import STEP_S, MadeRun, held_lock, make_run
from tests.pictures.window import WELL, Scene, draw
from trainers.events import CommandAnswered
from trainers.host_records import boot_id
from trainers.layout import (
    Considerate,
    HostRecord,
    QuietHours,
    ShutdownRecord,
    ShutdownRequest,
    write_record,
)
from trainers.locks import FileLock

STATES = ("waiting", "counting", "called_off")


def fill(data: DataDir) -> Iterator[FileLock]:
    """A run that pauses over night, one that waits behind it, one on a hot card; yields their locks."""
    now = time.time()
    morning = datetime.now().replace(hour=7, minute=0, second=0) + timedelta(days=1)  # noqa: DTZ005
    hot = make_run(data, "Long stories", now - 200 * STEP_S, 400).started().steps(1, 90)
    pause(hot, HostRecord(**host(now), held="too_hot", gpu_celsius=84.0, gpu_watts=117.4))
    night = make_run(data, "Kitchen helper", now - 130 * STEP_S, 300).started().steps(1, 127)
    pause(night, HostRecord(**host(now), held="quiet_hours", held_until=morning.timestamp()))
    waiting = make_run(data, "Replies in our tone", now - 60, 300)
    record = HostRecord(state="waiting", pid=1, started_at=now, held="quiet_hours")
    write_record(waiting.run.attempt(1).host, record.model_copy(update={"held_until": morning.timestamp()}))
    for made in (hot, night, waiting):
        yield held_lock(made.run.host_lock)


def host(now: float) -> dict[str, object]:
    """What the host of a run in progress says."""
    return {"state": "running", "pid": 1, "started_at": now, "trainer_pid": 2, "trainer_started_at": now}


def pause(made: MadeRun, record: HostRecord) -> None:
    """As the host and the trainer leave it when a rule begins to hold."""
    assert made.emitter is not None
    made.emitter.emit(CommandAnswered(id="c1", command="pause", outcome="done", reason=record.held))
    made.close()
    write_record(made.run.attempt(1).host, record)


def shutting_down(data: DataDir, state: str) -> FileLock | None:
    """As the app and the last host leave it."""
    now = time.time()
    request, record = data.queue / "shutdown.json", data.queue / "shutdown.state.json"
    for path in (request, record):
        path.unlink(missing_ok=True)
    if state != "called_off":
        write_record(request, ShutdownRequest(asked_at=now, boot_id=boot_id()))
    if state == "counting":
        write_record(record, ShutdownRecord(state="counting", asked_at=now, at=now + 48))
        return held_lock(data.queue / "shutdown.lock")
    if state == "called_off":
        job = next(path.name for path in data.runs.iterdir())
        write_record(record, ShutdownRecord(state="called_off", asked_at=now, job=job))
    return None


def show_run(desk: Desk, name: str) -> None:
    """The Runs page at this run."""
    desk.runs.select(next(job.id for job in desk.table.jobs() if job.name == name))
    desk.window.show_page("runs")


def show_rules(desk: Desk) -> None:
    """The Settings page, scrolled to the rules."""
    page = desk.window.show_page("settings")
    assert isinstance(page, QScrollArea)
    asyncio.get_running_loop().call_later(0.2, lambda: page.verticalScrollBar().setValue(430))


def draw_all(app: QApplication, runner: asyncio.Runner, out: Path) -> Iterator[Path]:
    """Draw every scene into a folder; yields the pictures' paths."""
    with tempfile.TemporaryDirectory() as folder:
        data = DataDir(Path(folder) / "data").open()
        locks = list(fill(data))
        names = ("Kitchen helper", "Replies in our tone", "Long stories")
        for state, name in zip(STATES, names, strict=True):
            lock = shutting_down(data, state)
            scene = Scene(f"considerate-{state}", data, WELL, partial(show_run, name=name))
            yield from runner.run(draw(app, scene, out))
            if lock is not None:
                lock.release()
        for name, rules in (("off", Considerate()), ("on", _rules())):
            ConsiderateFile(data.considerate).save(rules)
            yield from runner.run(draw(app, Scene(f"considerate-{name}", data, WELL, show_rules), out))
        for lock in locks:
            lock.release()


def _rules() -> Considerate:
    return Considerate(quiet_hours=QuietHours(), pause_on_battery=True, most_celsius=80, way="suspend")
