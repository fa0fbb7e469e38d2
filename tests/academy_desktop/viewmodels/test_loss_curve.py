from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtWidgets import QApplication

from academy_desktop.viewmodels.loss_curve import LossCurve
from tests.academy_desktop.viewmodels.making import event, step, steps
from trainers.events import AnyEvent, Evaluated, Phase, Resumed

LOSSES = st.lists(st.floats(0.001, 20), min_size=1, max_size=60)


def from_losses(losses: list[float], first: int = 1, seq: int = 1) -> list[AnyEvent]:
    """Step events with these losses."""
    return [event(seq + at, step(first + at, loss)) for at, loss in enumerate(losses)]


def evaluated(seq: int, number: int, loss: float) -> AnyEvent:
    """An evaluation event."""
    return event(seq, Evaluated(step=number, loss=loss, supervised_tokens=10, seconds=1))


def test_a_constant_loss_stays_itself_when_smoothed() -> None:
    curve = LossCurve()
    curve.apply(steps(1, 50, loss=2.5))
    assert list(curve.smoothed) == pytest.approx([2.5] * 50)


@given(LOSSES)
def test_smoothing_is_the_weighted_mean_of_all_that_was(losses: list[float]) -> None:
    curve = LossCurve(smoothing=0.8)
    curve.apply(from_losses(losses))
    for at in range(len(losses)):
        weights = [0.8 ** (at - before) for before in range(at + 1)]
        mean = sum(w * loss for w, loss in zip(weights, losses, strict=False)) / sum(weights)
        assert curve.smoothed[at] == pytest.approx(mean)


@given(LOSSES, LOSSES, st.integers(0, 60))
def test_a_resumed_run_looks_as_if_the_superseded_steps_had_never_been(
    before: list[float], after: list[float], from_step: int
) -> None:
    from_step = min(from_step, len(before))
    again = from_losses(after, from_step + 1, len(before) + 2)
    resumed = LossCurve()
    resumed.apply(from_losses(before))
    resumed.apply([event(len(before) + 1, Resumed(from_step=from_step)), *again])
    straight = LossCurve()
    straight.apply(from_losses(before[:from_step] + after))
    assert resumed.steps == straight.steps
    assert resumed.losses == straight.losses
    assert list(resumed.smoothed) == pytest.approx(list(straight.smoothed))


def test_evaluations_beyond_the_checkpoint_are_superseded_too() -> None:
    curve = LossCurve()
    curve.apply([evaluated(1, 10, 1.5), evaluated(2, 20, 1.2), event(3, Resumed(from_step=10))])
    curve.apply([evaluated(4, 20, 1.1)])
    assert list(curve.evaluated_steps) == [10, 20]
    assert list(curve.evaluated_losses) == [1.5, 1.1]


def test_a_batch_is_one_change_and_one_without_points_is_none(qapp: QApplication) -> None:
    curve = LossCurve()
    changes: list[None] = []
    curve.changed.connect(lambda: changes.append(None))
    curve.apply(steps(1, 40))
    assert len(changes) == 1
    curve.apply([event(41, Phase(name="saving"))])
    assert len(changes) == 1


def test_another_run_begins_with_nothing_of_the_one_before() -> None:
    curve = LossCurve()
    curve.apply([*steps(1, 9, loss=8.0), evaluated(10, 9, 8.0)])
    curve.clear()
    assert not curve.steps
    assert not curve.evaluated_steps
    curve.apply(steps(1, 1, loss=1.0))
    assert list(curve.smoothed) == pytest.approx([1.0])
