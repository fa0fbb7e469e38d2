"""Trials of a fault: drawn at random from a seed, counted, each one that failed told in a line.

Owns the loop and what a trial is given. Refuses to know faults.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from trainers.errors import AcademyError

#: How often a trial that came too late is drawn again.
_DRAWS = 100


class TooLateError(Exception):
    """The run was over before the fault: the trial says nothing and is drawn again."""


@dataclass
class Case:
    """What one trial is given.

    Attributes:
        number: of the trial, from 0.
        random: where all chance comes from.
        root: a data directory that all trials share.
        patient: whether a machine that is busy with other things is forgiven: no time is judged then.
        last: whether no trial follows.
        measured: what trials want to be known, by name.
    """

    number: int
    random: random.Random
    root: Path
    patient: bool = False
    last: bool = False
    measured: dict[str, list[float]] = field(default_factory=dict)

    def note(self, name: str, value: float) -> None:
        """Keep a measurement for the line that is printed."""
        self.measured.setdefault(name, []).append(value)


#: Inflicts a fault; returns what went wrong, or None.
Trial = Callable[[Case], str | None]


@dataclass(frozen=True)
class Row:
    """A kind of fault: prepares its trials in a data directory; how many make a sound and a short form.

    `lacks`: what this computer lacks for it, in a few words; empty: nothing.
    """

    prepare: Callable[[Path], Trial]
    trials: int
    short: int
    lacks: Callable[[], str] = lambda: ""


@dataclass(frozen=True)
class Count:
    """What came of the trials: a line for each that failed, and what was measured."""

    failures: list[str]
    measured: dict[str, list[float]]


def run_trials(
    name: str,
    row: Row,
    trials: int,
    seed: int,
    root: Path,
    *,
    patient: bool = False,
    tell: Callable[[str], object] = lambda _failure: None,
) -> Count:
    """Run trials of one row; the same name and seed draw the same. `tell` hears of each failure at once."""
    case = Case(0, random.Random(f"{name} {seed}"), root, patient)
    trial = row.prepare(root)
    failures: list[str] = []
    for number in range(trials):
        case.number, case.last = number, number == trials - 1
        problem = _in_time(trial, case)
        if problem is not None:
            failures.append(f"{name}, trial {number}: {problem}")
            tell(failures[-1])
    return Count(failures, case.measured)


def _in_time(trial: Trial, case: Case) -> str | None:
    for _ in range(_DRAWS):
        try:
            return trial(case)
        except TooLateError:
            continue
        except AssertionError as error:  # what was waited for did not come
            return str(error)
        except AcademyError as error:  # what should have worked was refused
            return f"{error.code} {error.facts}"
    return "the run was always over before the fault"
