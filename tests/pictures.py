"""Draws every page of the window in both themes and two sizes: `python -m tests.pictures OUT`.

For looking at: a person opens the pictures. The jobs are run directories made for it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import qasync
from PySide6.QtWidgets import QApplication

from academy_desktop.app import RESOURCES, Desk, Words
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from academy_desktop.viewmodels.home import Device
from academy_desktop.views.look import Look
from tests.academy_desktop.made_runs import (
    GIB,
    STEP_S,
    held_lock,
    make_run,
    out_of_memory,
    succeeded,
)
from trainers.layout import ExitRecord
from trainers.locks import FileLock

SIZES = ((1100, 700), (1600, 1000))
DEVICE = Device("cpu", "AMD Ryzen 7 7840U", cores=8, ram_bytes=32 * GIB)


def fill(data: DataDir) -> FileLock:
    """One job of each fate; returns the lock of the one that runs."""
    now = time.time()
    going = make_run(data, "Kitchen helper", now - 130 * STEP_S, 300).started().steps(1, 127)
    going.close()
    done = make_run(data, "Replies in our tone", now - 7200, 300).started().steps(1, 300)
    done.ended(succeeded, 300, 0)
    failed = make_run(data, "Long stories, large batch", now - 90_000, 400).started().steps(1, 23)
    failed.log("RuntimeError: not enough memory: you tried to allocate 22548578304 bytes").ended(
        out_of_memory, 23, 1
    )
    torn = make_run(data, "Invented command language", now - 180_000, 300).started().steps(1, 171)
    torn.exited(ExitRecord(reason="signalled", signal="SIGKILL", ended_at=torn.clock.now))
    return held_lock(going.run.host_lock)


async def draw(
    app: QApplication, data: DataDir, out: Path, name: str, jobs_shown: Sequence[str]
) -> list[Path]:
    """Draw Home once and Runs once per job, in both themes and all sizes."""
    drawn: list[Path] = []
    for dark in (False, True):
        desk = Desk(Look(app, RESOURCES, dark), Words.load(RESOURCES), Jobs(data, Path(sys.executable)))
        desk.home.set_device(DEVICE)
        desk.hub.deliver(desk.hub.read())
        for page in desk.window.page_ids:
            for job in jobs_shown if page == "runs" else ("",):
                if job:
                    desk.runs.select(next(one.id for one in desk.table.jobs() if one.state == job))
                desk.hub.deliver(desk.hub.read())
                desk.window.show_page(page)
                for width, height in SIZES:
                    desk.window.resize(width, height)
                    desk.window.show()
                    await asyncio.sleep(0.05)
                    theme = "dark" if dark else "light"
                    parts = (name, page, job, theme, f"{width}x{height}")
                    path = out / f"{'-'.join(part for part in parts if part)}.png"
                    desk.window.grab().save(str(path))
                    drawn.append(path)
        desk.window.close()
        desk.window.deleteLater()
    return drawn


def main(argv: Sequence[str] | None = None) -> int:
    """Draw into the folder that is named; prints the pictures' paths."""
    parser = argparse.ArgumentParser(prog="python -m tests.pictures")
    parser.add_argument("out", type=Path)
    out: Path = parser.parse_args(argv).out
    out.mkdir(parents=True, exist_ok=True)
    app = QApplication([])
    app.setQuitOnLastWindowClosed(False)
    with (
        tempfile.TemporaryDirectory() as folder,
        asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(app)) as runner,
    ):
        filled = DataDir(Path(folder) / "filled").open()
        lock = fill(filled)
        states = ("running", "succeeded", "failed", "interrupted")
        drawn = runner.run(draw(app, filled, out, "filled", states))
        drawn += runner.run(draw(app, DataDir(Path(folder) / "empty").open(), out, "empty", ("",)))
        lock.release()
    sys.stdout.writelines(f"{path}\n" for path in drawn)
    return 0


if __name__ == "__main__":
    sys.exit(main())
