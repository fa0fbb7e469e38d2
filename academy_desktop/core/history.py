"""What a job has said so far: its events, read as they come and folded into what they mean together.

Owns the reading position and the rule which events a resume supersedes (PROTOCOL.md, "Events"). Refuses to
know processes and states.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from academy_desktop.core.timeline import SampleTimeline
from trainers.events import (
    AnyEvent,
    CheckpointSaved,
    CommandAnswered,
    Ended,
    Evaluated,
    Forgetting,
    Phase,
    Progress,
    Resumed,
    Sampled,
    Started,
    Step,
    Warned,
    parse_line,
)
from trainers.files import open_regular

#: Steps over which the speed is taken: a median, so that a slow first step or a pause does not count.
RECENT_STEPS = 20
#: Read at most in one look: hundreds of thousands of steps. What is beyond comes with the next look.
MOST_BYTES = 256 * 1024 * 1024
#: Read at a time; no line is as long.
PIECE_BYTES = 8 * 1024 * 1024


class EventTail:
    """Reads `events.jsonl` on from where the last call ended; a second reader costs nothing.

    A last line without its newline is not an event yet: it is read again later, whole, or cut off by the next
    attempt. A line that is damaged is passed over.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._last_seq = 0

    def read_new(self) -> list[AnyEvent]:
        """The events that came since the last call, each once, in their order.

        Raises:
            AcademyError: `protocol_newer`.
        """
        try:
            with open_regular(self._path) as stream:
                if stream.seek(0, 2) < self._offset:
                    self._offset = 0  # another file under this name; what is known is not told again
                stream.seek(self._offset)
                content = _some_lines(stream)
        except OSError:  # not there yet, or no file
            return []
        whole = content[: content.rfind(b"\n") + 1]
        if not whole and len(content) >= PIECE_BYTES:
            whole = content  # no event is as long
        events = self._parse(whole)
        self._offset += len(whole)  # not before: a later version's event is refused again at the next call
        return events

    def _parse(self, lines: bytes) -> list[AnyEvent]:
        events: list[AnyEvent] = []
        for line in lines.split(b"\n")[:-1]:
            try:
                event = parse_line(line)
            except ValueError:
                continue
            if event.seq > self._last_seq:
                self._last_seq = event.seq
                events.append(event)
        return events


def _some_lines(stream: BinaryIO) -> bytes:
    """Read on, but not for ever: what holds no line is no file of events."""
    pieces: list[bytes] = []
    while sum(map(len, pieces)) < MOST_BYTES:
        pieces.append(stream.read(PIECE_BYTES))
        if len(pieces[-1]) < PIECE_BYTES or b"\n" not in pieces[-1]:
            break
    return b"".join(pieces)


class History:
    """What the events of a job add up to.

    Attributes:
        attempt: the newest attempt that said something; 0 when none did. started, ended, phase, progress,
        paused: of that attempt. started_at, ended_at, last_at: seconds since 1970: of the first start, of the
        last end, of the last event. steps, evaluations: of all attempts, without those that a resume
        superseded. timeline: answers to the fixed questions, likewise. checkpoints, warnings: all there ever
        were. answers: outcome of each command of the newest attempt, by id.
    """

    def __init__(self) -> None:
        self.attempt = 0
        self.started: Started | None = None
        self.started_at: float | None = None
        self.ended: Ended | None = None
        self.ended_at: float | None = None
        self.last_at: float | None = None
        self.phase: Phase | None = None
        self.progress: Progress | None = None
        self.paused = False
        self.from_step = 0
        self.steps: list[Step] = []
        self.evaluations: list[Evaluated] = []
        self.timeline = SampleTimeline()
        self.checkpoints: list[CheckpointSaved] = []
        self.warnings: list[Warned] = []
        self.answers: dict[str, CommandAnswered] = {}

    def fold_all(self, events: Iterable[AnyEvent]) -> None:
        """Fold several events, in their order."""
        for event in events:
            self.fold(event)

    def fold(self, event: AnyEvent) -> None:
        """Take in the next event; one of unknown type only says that the job lives."""
        if event.attempt > self.attempt:
            self._begin(event.attempt)
        self.last_at = event.t
        match event.payload:
            case Started() as started:
                self.started = started
                self.started_at = event.t if self.started_at is None else self.started_at
            case Resumed() as resumed:
                self._supersede(resumed.from_step)
            case Step() as step:
                self.steps.append(step)
            case Evaluated() as evaluation:
                self.evaluations.append(evaluation)
            case Sampled() | Forgetting() as said:
                self.timeline.fold(said)
            case CommandAnswered() as answer:
                self._answer(answer)
            case Ended() as ended:
                self.ended, self.ended_at = ended, event.t
            case Phase() as phase:
                self.phase, self.progress = phase, None
            case Progress() as progress:
                self.progress = progress
            case CheckpointSaved() as checkpoint:
                self.checkpoints.append(checkpoint)
            case Warned() as warning:
                self.warnings.append(warning)
            case _:
                pass

    @property
    def step(self) -> int:
        """Optimizer updates done."""
        return self.steps[-1].step if self.steps else self.from_step

    @property
    def total_steps(self) -> int:
        """Optimizer updates planned; 0 before that is known."""
        if self.started is not None and self.started.total_steps:
            return self.started.total_steps
        return self.steps[-1].total_steps if self.steps else 0

    @property
    def loss(self) -> float | None:
        """Training loss of the last step, in nats per supervised token."""
        return self.steps[-1].loss if self.steps else None

    @property
    def eval_loss(self) -> float | None:
        """Loss of the last evaluation, in nats per supervised token."""
        return self.evaluations[-1].loss if self.evaluations else None

    @property
    def tokens_per_s(self) -> float | None:
        """Speed over the last steps, padding not counted."""
        rates = [step.tokens / step.step_s for step in self.steps[-RECENT_STEPS:] if step.step_s > 0]
        return statistics.median(rates) if rates else None

    @property
    def eta_s(self) -> float | None:
        """Seconds still to go, as the trainer said with the last step."""
        return self.steps[-1].eta_s if self.steps else None

    def _begin(self, attempt: int) -> None:
        self.attempt = attempt
        self.started = self.ended = self.ended_at = self.phase = self.progress = None
        self.paused = False
        self.answers = {}

    def _supersede(self, from_step: int) -> None:
        self.from_step = from_step
        self.steps = [step for step in self.steps if step.step <= from_step]
        self.evaluations = [one for one in self.evaluations if one.step <= from_step]
        self.timeline.supersede(from_step)

    def _answer(self, answer: CommandAnswered) -> None:
        self.answers[answer.id] = answer
        if answer.outcome == "done" and answer.command in {"pause", "unpause"}:
            self.paused = answer.command == "pause"
