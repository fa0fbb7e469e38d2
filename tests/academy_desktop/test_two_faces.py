"""Window and command line over one data directory, with the real trainer: what one does, the other sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.jobs import Jobs
from academy_desktop.core.states import JobState
from academy_desktop.core.workshop import open_workshop
from academy_desktop.views.runs import RunsPage
from tests.academy_desktop.viewmodels.making import QT_SAYS, in_loop, seen
from tests.academy_desktop.views.making import make_desk, show
from tests.chaos.driving import until
from tests.trainers.tiny_model import write_model

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

#: So many that the run is there until it is ended.
ROWS = 3000


def write_recipe(data: Path, folder: Path) -> Path:
    """A recipe for a long run of a small model, in a file."""
    shop = open_workshop(data, offline=True)
    rows = folder / "rows.jsonl"
    pairs = ({"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(ROWS))
    rows.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    shop.datasets.import_files([rows], "Numbers")
    recipe = folder / "recipe.json"
    made = shop.recipes.make("Numbers", str(write_model(folder / "tiny")), "demo")
    training = made.training.model_copy(update={"num_epochs": 20})
    hardware = made.hardware.model_copy(update={"threads": 1})
    changed = made.model_copy(update={"training": training, "hardware": hardware})
    recipe.write_text(changed.model_dump_json())  # every JSON document is a YAML one
    return recipe


def academy(data: Path, *words: str) -> dict[str, Any]:
    """Run the command line in a process of its own; what it answers."""
    command = (sys.executable, "-m", "academy_desktop", "--data-dir", str(data), "--json", *words)
    said = subprocess.run(
        command, stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True
    )
    answer: dict[str, Any] = json.loads(said.stdout)
    return answer


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe file beside its data directory."""
    folder = tmp_path_factory.mktemp("faces")
    return write_recipe(folder / "data", folder)


def test_a_run_of_the_command_line_is_watched_stopped_and_resumed_in_the_window(
    qapp: QApplication, recipe: Path
) -> None:
    data = recipe.with_name("data")
    job = academy(data, "train", str(recipe), "--detach")["job"]
    jobs = Jobs(open_workshop(data, offline=True).data, Path(sys.executable))
    until(lambda: jobs.get(job).step, "a step")
    desk = make_desk(qapp, jobs)
    page = show(desk, "runs")
    assert isinstance(page, RunsPage)
    head, detail, curve = page.view.head, desk.runs.detail, desk.runs.curve

    async def press() -> None:
        desk.start()
        try:
            await seen(lambda: detail.state is JobState.RUNNING and bool(curve.steps), "the run")
            assert desk.runs.selected_id == job
            head.stop.click()
            await seen(lambda: detail.state is JobState.STOPPED, "the end")
            await seen(head.resume.isVisible, "the button")
            head.resume.click()
            await seen(lambda: jobs.get(job).attempt == 2, "the next attempt")
        finally:
            await desk.supervisor.close()

    in_loop(qapp, press())
    stopped_at = curve.steps[-1]
    until(lambda: jobs.get(job).step > stopped_at, "steps of the resumed run")
    jobs.kill(job)
    jobs.wait(job, 60.0)


def test_a_run_of_the_window_is_watched_stopped_and_resumed_on_the_command_line(recipe: Path) -> None:
    data = recipe.with_name("data")
    shop = open_workshop(data, offline=True)  # what the window's Train page queues with
    job = shop.jobs.queue(shop.recipes.read(recipe))
    until(lambda: shop.jobs.get(job).step, "a step")
    assert academy(data, "jobs", "show", job)["state"] == "running"
    stopped = academy(data, "jobs", "stop", job)
    assert (stopped["state"], stopped["reason"]) == ("stopped", "user")
    assert academy(data, "jobs", "resume", job)["attempt"] == 2
    until(lambda: shop.jobs.get(job).step > stopped["step"], "steps of the resumed run")
    shop.jobs.kill(job)
    shop.jobs.wait(job, 60.0)
