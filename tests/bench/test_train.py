from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import train, train_overhead, train_vocabulary
from tests.bench.figure import Setting


def test_the_short_form_trains_both_ways_and_learns_the_same(tmp_path: Path) -> None:
    found = {figure.name: figure for figure in train.measure(Setting(True, tmp_path))}
    assert found.keys() == {
        "train.defaults", "train.plain", "train.memory", "train.start", "train.loss", "train.peak",
        "train.grid",
    }  # fmt: skip
    assert all(figure.ours > 0 for figure in found.values())
    assert found["train.loss"].ours == pytest.approx(1.0, rel=0.02)
    assert found["train.defaults"].details["kernels"] == "compiled"
    assert found["train.plain"].details["kernels"] == "plain"


def test_the_short_form_of_the_large_vocabulary(tmp_path: Path) -> None:
    (figure,) = train_vocabulary.measure(Setting(True, tmp_path))
    assert figure.ours > 0
    assert figure.rival


def test_the_short_form_of_the_overhead_is_told_by_the_run_itself(tmp_path: Path) -> None:
    (figure,) = train_overhead.measure(Setting(True, tmp_path))
    assert figure.holds
    assert figure.details["steps"] == train_overhead.SHORT_STEPS
    assert figure.details["checkpoints"] == 3
    duties = figure.details["duties_s"]
    assert isinstance(duties, dict)
    assert {"events", "checkpoints", "heartbeat"} <= duties.keys()
    assert 0 < figure.ours < 1


def test_the_grid_holds_every_option_once() -> None:
    names = [name for name, _ in train.grid()]
    assert len(set(names)) == len(names) == 4 * 3 * 2 * 4


def test_the_full_form_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACADEMY_BENCH_DATA", str(tmp_path))
    assert list(train.measure(Setting(False, tmp_path))) == []
    assert "ACADEMY_BENCH_DATA" in capsys.readouterr().err
