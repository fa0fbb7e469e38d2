"""What a rehearsal has said so far: its stages, how far each is, and what came out.

Owns what of it is shown. Refuses to know threads and widgets.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.text.rehearsals import STAGES, RehearsalWords
from academy_desktop.viewmodels.stages import Stages, StageState
from trainers.events import AnyEvent, Certified, Exported, Phase, Progress, Started, Step

if TYPE_CHECKING:  # brings the whole core; the window needs it when a rehearsal starts, not before
    from academy_desktop.core.rehearsal_record import RehearsalRecord


@dataclass(frozen=True)
class Finding:
    """One thing that the rehearsal found, in words; `serious`: the real run would come to no good end."""

    text: str
    serious: bool


@dataclass(frozen=True)
class Verdict:
    """What came out. `remarks`: with which model, what was otherwise, what the real run will need."""

    ok: bool
    title: str
    sentence: str
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]


class RehearsalStory(Stages):
    """One rehearsal, from its first word to its last."""

    def __init__(
        self,
        words: RehearsalWords,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(STAGES, formats, translate, clock)
        self._words = words
        self._messages = messages
        self._steps = 0
        self._losses: list[float] = []
        self._files = self._proven = 0
        self.verdict: Verdict | None = None
        self.is_cut_short = False

    def take_progress(self, done: int, total: int, detail: str) -> None:
        """How far a stage without a job is."""
        if self._current is not None:
            self._change(self._current, share_done=min(done / total, 1.0) if total else None)

    def take_event(self, event: AnyEvent) -> None:
        """The stage's job said something."""
        if self._current is None:
            return
        match event.payload:
            case Started(total_steps=total):
                self._steps = total
                self._change(self._current, detail=self._gettext(N_("Starting; this takes a few seconds.")))
            case Phase() as phase:
                said = self._messages.phase(phase.name)
                said = f"{said} · {phase.detail}" if phase.detail else said
                self._change(self._current, detail=said, share_done=self._share())
            case Progress() as progress if progress.total and not self._steps:
                self._change(self._current, share_done=min(progress.done / progress.total, 1.0))
            case Step() as step:
                self._take_step(step)
            case Exported():
                self._files += 1
            case Certified() as certified:
                self._files += 1
                self._proven += certified.passed
            case _:
                pass

    def fail(self) -> None:
        """It ended too early."""
        self.is_cut_short = True
        if self._current is not None:
            self._change(self._current, state="failed", detail=self._gettext(N_("It ended here.")))

    def finish(self, record: RehearsalRecord) -> None:
        """It went as far as it could."""
        if self._current is not None:
            self._leave(self._current)
        states: dict[str, StageState] = {"done": "done", "failed": "failed", "left_out": "waiting"}
        for stage in record.stages:
            first = next((one for one in record.problems if one.stage == stage.name), None)
            took = self._formats.brief(stage.seconds) if stage.seconds >= 1 else ""
            said = self._stages[stage.name].detail
            if stage.outcome == "failed" and first is not None:
                said = self._words.problem(first)
            elif stage.outcome == "left_out":
                said = self._gettext(N_("Left out."))
            self._change(stage.name, state=states[stage.outcome], detail=said, took=took)
        self.verdict = Verdict(
            ok=record.ok,
            title=self._words.verdict(ok=record.ok, problems=len(record.problems)),
            sentence=self._words.next_step(ok=record.ok),
            findings=tuple(Finding(self._words.problem(one), one.serious) for one in record.problems),
            remarks=tuple(self._remarks(record)),
        )

    def _remarks(self, record: RehearsalRecord) -> list[str]:
        said = [self._words.small_model(record.small_model)] if record.small_model else []
        if record.changes:
            said.append(self._words.changes(record.changes))
        if record.outlook is not None:
            said.append(self._words.outlook(record.outlook))
        return said

    def _take_step(self, step: Step) -> None:
        self._steps = step.total_steps
        self._losses.append(step.loss)
        said = N_("loss {loss} · step {step} of {total}")
        detail = self._gettext(said).format(
            loss=self._formats.decimal(step.loss, 3), step=step.step, total=step.total_steps
        )
        self._change("training", detail=detail, share_done=self._share())

    def _share(self) -> float | None:
        return min(len(self._losses) / self._steps, 1.0) if self._steps else None

    def _forget(self) -> None:
        self._steps, self._losses, self._files, self._proven = 0, [], 0, 0

    def _summary(self, name: str) -> str:
        _, formats = self._gettext, self._formats
        match name:
            case "training" if self._losses:
                first, last = (formats.decimal(self._losses[at], 2) for at in (0, -1))
                return _(N_("The loss went from {first} to {last}.")).format(first=first, last=last)
            case "exporting" if self._files:
                return _(N_("{count} exports made.")).format(count=formats.integer(self._files))
            case "proving" if self._files:
                said = _(N_("{passed} of {count} exports proven."))
                return said.format(passed=formats.integer(self._proven), count=formats.integer(self._files))
        return ""
