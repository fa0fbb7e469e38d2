"""The loss over the steps: raw points as the trainer wrote them, and a smoothed line of our own.

Owns the points and the smoothing. Refuses to know how they are drawn.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable

from PySide6.QtCore import QObject, Signal

from trainers.events import AnyEvent, Evaluated, Resumed, Step

#: Share of the past in each smoothed point.
SMOOTHING = 0.9


class LossCurve(QObject):
    """Points by step, as arrays; losses in nats per supervised token. Emits `changed()` once per batch."""

    changed = Signal()

    def __init__(self, smoothing: float = SMOOTHING, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._smoothing = smoothing
        self._biased = 0.0
        self.steps = array("d")
        self.losses = array("d")
        self.smoothed = array("d")
        self.evaluated_steps = array("d")
        self.evaluated_losses = array("d")

    def apply(self, events: Iterable[AnyEvent]) -> None:
        """Take new events in the order in which they were written."""
        touched = False
        for event in events:
            match event.payload:
                case Step(step=step, loss=loss):
                    self._add(step, loss)
                case Evaluated(step=step, loss=loss):
                    self.evaluated_steps.append(step)
                    self.evaluated_losses.append(loss)
                case Resumed(from_step=from_step):
                    self._cut_after(from_step)
                case _:
                    continue
            touched = True
        if touched:
            self.changed.emit()

    def clear(self) -> None:
        """Forget all points."""
        self._cut_after(0)
        self.changed.emit()

    def _add(self, step: float, loss: float) -> None:
        """Append a point; the exponential mean is debiased by its weights (Kingma and Ba 2015, section 3)."""
        self.steps.append(step)
        self.losses.append(loss)
        self._biased = self._smoothing * self._biased + (1 - self._smoothing) * loss
        self.smoothed.append(self._biased / (1 - self._smoothing ** len(self.steps)))

    def _cut_after(self, step: int) -> None:
        """Drop the points beyond `step`: a resumed attempt computes them again."""
        kept = bisect_right(self.steps, step)
        kept_evaluations = bisect_right(self.evaluated_steps, step)
        del self.steps[kept:], self.losses[kept:], self.smoothed[kept:]
        del self.evaluated_steps[kept_evaluations:], self.evaluated_losses[kept_evaluations:]
        self._biased = self.smoothed[-1] * (1 - self._smoothing**kept) if kept else 0.0
