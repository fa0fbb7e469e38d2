"""One measured figure and its bar; what one bench is given to work with.

Owns the fields of a line (`name`, `ours`, `rival`, `rival_name`, `ratio`, `pairs`, `bar`, `holds`, and more).
Refuses to know what is measured.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Better = Literal["less", "more"]


@dataclass(frozen=True)
class Setting:
    """How a bench is run: in its short form or in full, with a folder that is empty and goes away."""

    short: bool
    folder: Path


@dataclass(frozen=True)
class Figure:
    """One figure; made by `alone` or `against`.

    `pairs` holds [ours, rival] of each pair, or [ours] of each sample where there is no rival. `details` are
    facts that explain the figure and are not judged.
    """

    name: str
    unit: str
    better: Better
    ours: float
    bar: float | None
    holds: bool
    rival: float | None = None
    rival_name: str | None = None
    ratio: float | None = None
    pairs: Sequence[Sequence[float]] = ()
    details: Mapping[str, object] = field(default_factory=dict)

    def as_fields(self) -> dict[str, object]:
        """Return the figure as a JSON object's fields, numbers to five digits; details beside the rest."""
        known = {
            "name": self.name,
            "unit": self.unit,
            "better": self.better,
            "ours": _short(self.ours),
            "rival": _short(self.rival),
            "rival_name": self.rival_name,
            "ratio": _short(self.ratio),
            "pairs": [[_short(value) for value in pair] for pair in self.pairs],
            "bar": self.bar,
            "holds": self.holds,
        }
        return known | {"details": dict(self.details)}


#: What each bench module offers as `measure`: a figure as soon as it is known.
Bench = Callable[[Setting], Iterator[Figure]]


def alone(
    name: str,
    ours: float,
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    samples: Sequence[float] = (),
    holds: bool = True,
    **details: object,
) -> Figure:
    """Return a figure without a rival, judged by its own value in `unit` where a bar is given.

    Args:
        name: of the figure.
        ours: the value that is judged.
        unit: of `ours`, `samples` and the bar.
        at_most: the bar where less is better; one of the two at most.
        at_least: the bar where more is better.
        samples: what `ours` was made from.
        holds: False for what failed apart from the bar.
        details: facts that are not judged.
    """
    better: Better = "more" if at_least is not None else "less"
    bar = at_least if at_least is not None else at_most
    return Figure(
        name=name,
        unit=unit,
        better=better,
        ours=ours,
        bar=bar,
        holds=holds and _reaches(ours, bar, better),
        pairs=[[sample] for sample in samples],
        details=details,
    )


def against(
    name: str,
    pairs: Sequence[tuple[float, float]],
    rival_name: str,
    unit: str,
    *,
    better: Better,
    bar: float | None = None,
    holds: bool = True,
    **details: object,
) -> Figure:
    """Return a figure beside a rival's, judged by how many times better ours is: the median of the pairs.

    Args:
        name: of the figure.
        pairs: (ours, rival's), measured one after the other; both above zero.
        rival_name: with its version.
        unit: of the values in `pairs`.
        better: whether less or more of the unit is better.
        bar: the least ratio; None for one that is reported and not judged.
        holds: False for what failed apart from the bar.
        details: facts that are not judged.
    """
    ratios = [rival / ours if better == "less" else ours / rival for ours, rival in pairs]
    ratio = statistics.median(ratios)
    return Figure(
        name=name,
        unit=unit,
        better=better,
        ours=statistics.median(ours for ours, _ in pairs),
        bar=bar,
        holds=holds and _reaches(ratio, bar, "more"),
        rival=statistics.median(rival for _, rival in pairs),
        rival_name=rival_name,
        ratio=ratio,
        pairs=pairs,
        details=details,
    )


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the smallest sample that at least `share` (0 to 1) of all do not exceed: the nearest rank."""
    ordered = sorted(samples)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def _reaches(value: float, bar: float | None, better: Better) -> bool:
    if bar is None:
        return True
    return value <= bar if better == "less" else value >= bar


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
