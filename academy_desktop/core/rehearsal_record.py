"""What a rehearsal came to: `rehearsal.json` beside its training job's recipe (PROTOCOL.md, "Rehearsals").

Owns the file's shape. Refuses to know how a rehearsal is done.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trainers.events import FactValue
from trainers.layout import Record

StageName = Literal["rows", "model", "training", "exporting", "proving", "answering"]
STAGES: tuple[StageName, ...] = ("rows", "model", "training", "exporting", "proving", "answering")


class StageRecord(Record):
    """How one stage went; `left_out`: there was nothing to do it with."""

    name: StageName
    seconds: float
    outcome: Literal["done", "failed", "left_out"]


class RehearsalProblem(Record):
    """One thing that went wrong, or would: `text.rehearsals` has its words.

    `serious`: the real run, or its export, would fail or be worth nothing.
    """

    code: str
    stage: StageName
    serious: bool = True
    facts: dict[str, FactValue] = Field(default_factory=dict)


class Change(Record):
    """What was otherwise than in the recipe."""

    code: str
    facts: dict[str, FactValue] = Field(default_factory=dict)


class SmallModel(Record):
    """The model in the real one's place: another of the same make, or a miniature of it."""

    id: str
    kind: Literal["sibling", "miniature"]
    parameters: int


class Outlook(Record):
    """What the real run will need."""

    fits: bool
    memory_bytes: float
    seconds: float
    seconds_low: float
    seconds_high: float


class RehearsalRecord(Record):
    """A rehearsal that went as far as it could. `jobs`: all that it was made of, the training first."""

    created_at: float
    name: str
    model: str
    ok: bool
    small_model: SmallModel | None = None
    stages: tuple[StageRecord, ...] = ()
    problems: tuple[RehearsalProblem, ...] = ()
    changes: tuple[Change, ...] = ()
    jobs: tuple[str, ...] = ()
    outlook: Outlook | None = None

    @property
    def job(self) -> str:
        """The training job; nothing when it did not come to that."""
        return self.jobs[0] if self.jobs else ""

    @property
    def seconds(self) -> float:
        """Of all stages."""
        return sum(stage.seconds for stage in self.stages)
