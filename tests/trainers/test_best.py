from __future__ import annotations

from pathlib import Path

from trainers.best import Best
from trainers.emitter import Emitter
from trainers.events import Evaluated


def test_a_damaged_line_costs_its_own_evaluation_and_no_other(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    emitter = Emitter(events, 1)
    for step, loss in enumerate((3.0, 1.0, 2.0, 2.5), start=1):
        emitter.emit(Evaluated(step=step, loss=loss, supervised_tokens=9, seconds=0.1))
    emitter.close()
    whole = Best.recorded(events, 4)
    assert (whole.step, whole.loss, whole.waited) == (2, 1.0, 2)
    first, second, third, last = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(first + second[:20] + b"\x00" + second[21:] + third + last)
    left = Best.recorded(events, 4)
    assert (left.step, left.loss, left.waited) == (3, 2.0, 1)
    assert Best.recorded(events, 1).step == 1
