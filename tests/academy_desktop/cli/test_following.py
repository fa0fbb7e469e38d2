from __future__ import annotations

from pathlib import Path

import pytest

from academy_desktop.cli.following import Following
from academy_desktop.cli.screen import Screen
from academy_desktop.core.paths import DataDir
from academy_desktop.core.reader import RunReader
from academy_desktop.text.language import Words
from tests.academy_desktop.made_runs import held_lock, make_run
from trainers.heartbeat import Heartbeat


def test_a_wait_for_room_is_told_once_though_no_event_can_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_run(DataDir(tmp_path).open(), "Replies", 1_790_000_000.0).started().steps(1, 3)
    lock = held_lock(made.run.host_lock)
    beat, reader = Heartbeat(made.run.heartbeat), RunReader(made.run)
    words = Words.load(Path(__file__).parents[3] / "resources" / "locale")
    with Following(Screen(words), words, made.run.job) as following:
        for phase in ("training", "disk_full 2097152", "disk_full 2097152", "training"):
            beat.phase(phase)
            following.look(reader.refresh()[0])
    told = capsys.readouterr().err.replace("\u00a0", " ")
    assert told.count("Paused: the disk is full. 2.0 MiB are needed on ") == 1
    made.close()
    lock.release()
