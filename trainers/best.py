"""Which evaluation of a run was the best so far, and for how many it has not got better.

Owns that count, also over attempts: it is read off the events. Refuses to know what is done with it.
"""

from __future__ import annotations

from pathlib import Path

from trainers.events import Evaluated, parse_line


class Best:
    """The evaluation with the lowest loss; of equals, the first."""

    def __init__(self) -> None:
        self.step: int | None = None
        self.loss = float("inf")
        self.waited = 0

    @classmethod
    def recorded(cls, events: Path, until_step: int) -> Best:
        """Read the evaluations that count for a run that goes on from `until_step`."""
        losses: dict[int, float] = {}
        if events.exists():
            for line in events.read_bytes().splitlines():
                try:
                    payload = parse_line(line).payload
                except ValueError:
                    continue  # a damaged line costs its own event, as for every other reader
                # One of an attempt that was thrown away is followed by the one that counts.
                if isinstance(payload, Evaluated) and payload.step <= until_step:
                    losses[payload.step] = payload.loss
        best = cls()
        for step in sorted(losses):
            best.take(step, losses[step])
        return best

    def take(self, step: int, loss: float) -> bool:
        """Count an evaluation; returns whether it is the best so far."""
        if loss < self.loss:
            self.step, self.loss, self.waited = step, loss, 0
            return True
        self.waited += 1
        return False
