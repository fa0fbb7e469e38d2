from __future__ import annotations

import itertools

import pytest

from trainers.duties import Duties


def test_of_duties_within_each_other_the_outermost_counts() -> None:
    clock = itertools.count().__next__
    duties = Duties(lambda: float(clock()))  # begun at 0
    with duties.of("checkpoints"), duties.of("events"):
        pass  # from 1 to 2
    with duties.of("events"):
        pass  # from 3 to 4
    duties.add("heartbeat", 0.25)
    assert duties.told() == {"events": 1.0, "commands": 0.0, "checkpoints": 1.0, "heartbeat": 0.25}
    assert duties.seconds == 5.0


def test_a_duty_that_fails_counts_too_and_ends() -> None:
    clock = itertools.count().__next__
    duties = Duties(lambda: float(clock()))
    with pytest.raises(OSError, match="full"), duties.of("events"):
        raise OSError("full")
    with duties.of("commands"):
        pass
    assert (duties.told()["events"], duties.told()["commands"]) == (1.0, 1.0)
