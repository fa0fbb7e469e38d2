from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.history import EventTail
from academy_desktop.core.paths import DataDir
from academy_desktop.core.states import JobState
from academy_desktop.doorbell import LOCK_NAME
from academy_desktop.viewmodels.event_hub import EventHub
from tests.academy_desktop.made_runs import made_machine
from tests.academy_desktop.viewmodels.making import QT_SAYS, in_loop, seen
from tests.academy_desktop.views.making import jobs_of, make_desk, show
from tests.chaos.driving import fake_jobs, is_running, train_recipe, trainer_pid, until
from tests.pictures.window import fill
from tests.windows import start_window, window, window_environment
from trainers.events import AnyEvent, Step
from trainers.locks import is_held

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

#: Paints every page, and then says what was imported for it.
PAINT = """
import json, sys
from academy_desktop.app import main

code = main(["--smoke", "--data-dir", sys.argv[1]])
print(json.dumps(sorted(sys.modules)))
sys.exit(code)
"""

#: Paints every page, of which one cannot be painted.
BREAK = """
import sys
from unittest.mock import patch
from academy_desktop.app import Desk, main

with patch.object(Desk, "_make_runs", side_effect=RuntimeError("a broken page")):
    sys.exit(main(["--smoke", "--data-dir", sys.argv[1]]))
"""

#: What only the trainer may pay for.
HEAVY = {"torch", "transformers", "datasets", "pandas", "trl", "peft"}


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[DataDir]:
    """A data directory with a job of each fate."""
    data = DataDir(tmp_path / "filled").open()
    locks = fill(data)
    yield data
    for lock in locks:
        lock.release()


def test_on_a_fresh_data_directory_every_page_is_painted(tmp_path: Path) -> None:
    assert window("--smoke", "--data-dir", str(tmp_path / "new" / "data")) == (0, "")
    assert json.loads((tmp_path / "new" / "data" / "academy.json").read_bytes()) == {"v": 1}


def test_the_data_directory_may_be_named_by_the_environment(tmp_path: Path) -> None:
    assert window("--smoke", ACADEMY_DATA_DIR=str(tmp_path / "data")) == (0, "")
    assert (tmp_path / "data" / "runs").is_dir()


def test_with_jobs_every_page_is_painted_and_nothing_heavy_imported(filled: DataDir) -> None:
    painted = subprocess.run(
        [sys.executable, "-c", PAINT, str(filled.root)],
        env=window_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert painted.returncode == 0, painted.stderr
    modules = set(json.loads(painted.stdout))
    assert HEAVY & modules == set()
    assert {"pyqtgraph", "academy_desktop.views.runs", "academy_desktop.views.home"} <= modules


def test_a_page_that_cannot_be_painted_is_told_and_the_window_closes(tmp_path: Path) -> None:
    broken = subprocess.run(
        [sys.executable, "-c", BREAK, str(tmp_path)],
        env=window_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "RuntimeError: a broken page" in broken.stderr


def test_pyqtgraph_and_the_pages_are_imported_when_first_shown() -> None:
    look = "import sys, academy_desktop.app; print([n for n in sys.modules if n in %r])"
    heavy = {"pyqtgraph", "numpy", "asyncssh", "academy_desktop.views.runs", *HEAVY}
    command = [sys.executable, "-c", look % heavy]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout == "[]\n"


def test_a_data_directory_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "academy.json").write_text('{"v": 99}')
    code, said = window("--data-dir", str(tmp_path))
    assert code == 1
    assert said.startswith("The data folder is from a newer version.")
    assert "(format 99)" in said
    assert "Update Academy Desktop" in said
    assert [path.name for path in tmp_path.iterdir()] == ["academy.json"]


def test_a_data_directory_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    code, said = window("--data-dir", str(tmp_path / "file" / "data"))
    assert code == 1
    assert said.startswith("The data folder cannot be written.")
    assert "--data-dir" in said


def test_a_second_window_brings_the_first_one_forward(tmp_path: Path) -> None:
    first = start_window("--data-dir", str(tmp_path))
    try:
        until(lambda: is_held(tmp_path / LOCK_NAME), "the first window")
        assert window("--data-dir", str(tmp_path)) == (0, "")
        assert first.poll() is None
    finally:
        first.terminate()
        _, said = first.communicate(timeout=60)
    assert "does not support raise()" in said  # offscreen there is nothing to raise: it was tried


def test_a_window_that_does_not_answer_is_a_sentence(tmp_path: Path) -> None:
    first = start_window("--data-dir", str(tmp_path))
    try:
        until(lambda: is_held(tmp_path / LOCK_NAME), "the first window")
        first.send_signal(signal.SIGSTOP)
        code, said = window("--data-dir", str(tmp_path))
    finally:
        first.kill()
        first.communicate()
    assert code == 1
    assert said.startswith("The window is already open.")
    assert str(tmp_path) in said
    assert "--data-dir" in said


def test_closing_the_window_leaves_a_running_job_alive(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=100_000, step_s=0.01)
    name = jobs.queue(train_recipe())
    pid = trainer_pid(DataDir(tmp_path).run(name))
    try:
        assert window("--smoke", "--data-dir", str(tmp_path)) == (0, "")
        assert is_running(pid)
        at = jobs.get(name).step
        until(lambda: jobs.get(name).step > at, "more steps")
        assert jobs.get(name).state is JobState.RUNNING
    finally:
        jobs.kill(name)
        jobs.wait(name, 30)


def test_after_a_kill_in_mid_run_the_next_window_shows_the_whole_history(
    qapp: QApplication, tmp_path: Path
) -> None:
    jobs = fake_jobs(tmp_path, steps=400, step_s=0.005, save_every=40)
    killed = start_window("--data-dir", str(tmp_path))
    try:
        until(lambda: is_held(tmp_path / LOCK_NAME), "the first window")
        name = jobs.queue(train_recipe())
        until(lambda: jobs.get(name).step >= 30, "a run in progress")
    finally:
        killed.kill()
        killed.communicate()
    desk = make_desk(qapp, jobs_of(DataDir(tmp_path)), look=False)
    told = collected(desk.hub)
    show(desk, "runs")

    async def look() -> None:
        desk.start()
        await seen(lambda: desk.runs.detail.state is JobState.SUCCEEDED, "the end of the run")
        await seen(lambda: told and told[-1].type == "ended", "its last event")
        await desk.supervisor.close()

    in_loop(qapp, look())
    written = EventTail(DataDir(tmp_path).run(name).events).read_new()
    assert [event.seq for event in told] == list(range(1, len(written) + 1))
    assert list(desk.runs.curve.steps) == list(range(1, 401))
    assert list(desk.runs.curve.losses) == [
        one.payload.loss for one in written if isinstance(one.payload, Step)
    ]
    desk.leave()


def collected(hub: EventHub) -> list[AnyEvent]:
    """Every event that the views are told from now on."""
    told: list[AnyEvent] = []
    hub.events_read.connect(told.extend)
    return told


def test_ctrl_c_in_the_terminal_ends_the_window(tmp_path: Path) -> None:
    process = start_window("--data-dir", str(tmp_path))
    try:
        until(lambda: is_held(tmp_path / LOCK_NAME), "the window")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode in {130, -signal.SIGINT}
    assert "Traceback" not in said


def test_the_doctor_is_asked_in_a_thread_and_home_says_what_it_found(
    qapp: QApplication, tmp_path: Path
) -> None:
    desk = make_desk(qapp, jobs_of(DataDir(tmp_path).open()), doctor=made_machine(), look=False)
    show(desk, "home")

    async def look() -> None:
        desk.start()
        await seen(lambda: desk.home.findings, "the findings")
        await desk.supervisor.close()
        await asyncio.sleep(0)

    in_loop(qapp, look())
    assert desk.home.device_title == "Ready to train on the processor"
    desk.leave()
