"""That a trial would see what must not be: a gap, a double, a process that is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.adopt import Told, held_wrong, pace
from tests.chaos.driving import until
from tests.chaos.leftovers import at_work
from trainers.layout import RunDir

TOLD = Told(numbers=[1, 2, 3, 4], steps=[1, 2], losses=[0.5, 0.25], moments=[10.0, 10.5])
HELD: dict[str, Any] = {
    "told": [1, 2, 3, 4], "steps": [1.0, 2.0], "losses": [0.5, 0.25], "attempt": 1, "reason": "user",
}  # fmt: skip


def test_a_window_that_holds_the_run_is_right() -> None:
    assert held_wrong(HELD, TOLD) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"told": [1, 2, 4]},
        {"told": [1, 2, 2, 3, 4]},
        {"told": [2, 1, 3, 4]},
        {"steps": [1.0]},
        {"steps": [1.0, 1.0, 2.0]},
        {"losses": [0.5, 0.26]},
        {"attempt": 2},
        {"reason": ""},
    ],
)
def test_a_window_that_holds_something_else_is_wrong(wrong: dict[str, Any]) -> None:
    assert held_wrong(HELD | wrong, TOLD) is not None


def test_a_trainer_that_leaves_a_number_out_is_wrong() -> None:
    assert held_wrong(HELD, Told([1, 2, 4], TOLD.steps, TOLD.losses, TOLD.moments)) is not None


def test_what_a_trainer_said_is_read_from_its_file(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    assert Told.of(run).numbers == []
    lines = [
        {"seq": 1, "t": 1.0, "type": "started", "payload": {}},
        {"seq": 2, "t": 3.0, "type": "step", "payload": {"step": 1, "loss": 0.5}},
    ]
    run.events.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"seq": 3, "torn')
    assert Told.of(run) == Told([1, 2], [1], [0.5], [3.0])


def test_the_pace_is_the_median_of_the_distances() -> None:
    assert pace([0.0, 1.0, 2.0, 9.0]) == 1.0


def test_a_process_that_is_left_is_found(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)", str(tmp_path / "runs" / "a")]
    with subprocess.Popen(command) as process:
        until(lambda: at_work(tmp_path) == [process.pid], "the process")
        assert at_work(tmp_path / "elsewhere") == []
        process.kill()
    assert at_work(tmp_path) == []
