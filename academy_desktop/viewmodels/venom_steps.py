"""The steps of a push as a list that fills while it goes: waiting, running, done, failed.

Owns what is collected from the thread that pushes, and the words of each step. Refuses to know why a push
runs and what becomes of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from academy_desktop.core.history import History
from academy_desktop.core.venom.steps import UNDIVIDED, Step, StepName
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.text.venom import VenomWords
from academy_desktop.text.venom_window import UNDO
from trainers.events import AnyEvent

#: Shorter steps do not say how long they took.
LONG_S: Final = 1.0

#: After one of these something lies on the server, used or not.
SENDING: Final[frozenset[StepName]] = frozenset({"place", "upload", "create"})

LineState = Literal["waiting", "running", "done", "skipped", "failed"]


@dataclass(frozen=True)
class StepLine:
    """One step, as it is shown. `undo`: how what it did can be undone, where it did something there."""

    name: str
    title: str
    state: LineState
    sentence: str = ""
    took: str = ""
    undo: str = ""


@dataclass
class _Course:
    """What is known of one step."""

    name: StepName
    began: float | None = None
    ended: float | None = None
    bytes: tuple[int, int] = (0, 0)
    history: History = field(default_factory=History)
    over: Step | None = None


class Watch:
    """Takes what a push tells, in the thread that runs it; the window's thread collects it later."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: deque[tuple[float, Callable[[StepList, float], None]]] = deque()

    def collect(self, steps: StepList) -> None:
        """Hand on what was told since the last call; called in the window's thread."""
        while self._told:
            when, tell = self._told.popleft()
            tell(steps, when)

    def started(self, step: StepName) -> None:
        """A step begins."""
        self._note(lambda steps, when: steps.begin(step, when))

    def progress(self, done: int, total: int) -> None:
        """Bytes of the step."""
        self._note(lambda steps, _when: steps.count(done, total))

    def event(self, event: AnyEvent) -> None:
        """A job of the step said something."""
        self._note(lambda steps, _when: steps.fold(event))

    def done(self, step: Step) -> None:
        """A step is over and went well."""
        self._note(lambda steps, when: steps.end(step, when))

    def failed(self, step: Step) -> None:
        """A step failed."""
        self.done(step)

    def _note(self, tell: Callable[[StepList, float], None]) -> None:
        self._told.append((self._clock(), tell))


class StepList:
    """The steps of one push."""

    def __init__(
        self,
        names: Sequence[StepName],
        words: VenomWords,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        clock: Callable[[], float],
    ) -> None:
        self._courses = {name: _Course(name) for name in names}
        self._words = words
        self._messages = messages
        self._formats = formats
        self._gettext = translate
        self._clock = clock
        self._going: StepName | None = None

    @property
    def going(self) -> StepName | None:
        """The step that is being done now."""
        return self._going

    @property
    def can_end(self) -> bool:
        """Whether the push would still end before its next step."""
        return not self._has_begun(UNDIVIDED)

    @property
    def has_sent(self) -> bool:
        """Whether something may lie on the server by now."""
        return self._has_begun(SENDING)

    def lines(self) -> tuple[StepLine, ...]:
        """All steps, in their order."""
        return tuple(self._line(course) for course in self._courses.values())

    # what is told

    def begin(self, name: StepName, when: float) -> None:
        """A step begins; the way back after a failure is one more."""
        course = self._courses.setdefault(name, _Course(name))
        course.began = when
        self._going = name

    def count(self, done: int, total: int) -> None:
        """The step that is going has so many of its bytes."""
        if self._going is not None:
            self._courses[self._going].bytes = (done, total)

    def fold(self, event: AnyEvent) -> None:
        """The job of the step that is going said something."""
        if self._going is not None:
            self._courses[self._going].history.fold_all([event])

    def end(self, step: Step, when: float) -> None:
        """A step is over."""
        course = self._courses.setdefault(step.name, _Course(step.name, when))
        course.over, course.ended = step, when
        self._going = None

    def stop(self) -> None:
        """The push is over: what was going then was not finished."""
        if self._going is not None:
            self._courses[self._going].began = None
            self._going = None

    # inside

    def _has_begun(self, names: frozenset[StepName]) -> bool:
        return any(one.began is not None for name, one in self._courses.items() if name in names)

    def _line(self, course: _Course) -> StepLine:
        title, step = self._words.step(course.name), course.over
        if step is not None:
            state: LineState = "failed" if step.code else "skipped" if step.state == "skipped" else "done"
            said = self._words.outcome(step.name, step.state, step.facts, step.code)
            undo = self._gettext(UNDO[step.name]) if state == "done" and step.name in UNDO else ""
            return StepLine(course.name, title, state, said, self._took(course), undo)
        if course.began is None:
            return StepLine(course.name, title, "waiting")
        return StepLine(course.name, title, "running", self._progress(course), self._took(course))

    def _took(self, course: _Course) -> str:
        if course.began is None:
            return ""
        took = (self._clock() if course.ended is None else course.ended) - course.began
        return self._formats.brief(round(took)) if took >= LONG_S else ""

    def _progress(self, course: _Course) -> str:
        """What a step does that is going, where it is long enough for that to matter."""
        done, total = course.bytes
        if total:
            sizes = self._formats.size(done), self._formats.size(total)
            return self._gettext(N_("{done} of {total}")).format(done=sizes[0], total=sizes[1])
        phase, progress = course.history.phase, course.history.progress
        if phase is not None:
            parts = [self._messages.phase(phase.name)]
            if progress is not None and progress.total:
                parts.append(self._formats.percent(progress.done / progress.total))
            return " · ".join(parts)
        if course.name in {"export", "certify"}:
            return self._gettext(N_("This is done once for a run."))
        if course.name in {"activate", "rollback"}:
            return self._gettext(N_("Venom does this by itself; it may take minutes."))
        return ""
