"""`evaluation.json`: what each target of an evaluation answered, and how it did.

Owns the file's shape. Refuses to know models: the app reads it without them.
"""

from __future__ import annotations

from trainers.layout import Record


class TargetScore(Record):
    """How one target did. Rates are shares of the rows."""

    rows: int
    exact_match: float
    end_of_turn_rate: float
    seconds: float


class EvaluatedRow(Record):
    """One row and what each target answered."""

    row: int
    prompt: str
    expected: str
    answers: dict[str, str]


class Evaluation(Record):
    """`evaluation.json`."""

    targets: dict[str, TargetScore]
    rows: tuple[EvaluatedRow, ...]
