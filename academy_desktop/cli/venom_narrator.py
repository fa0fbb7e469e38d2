"""Tells the steps of a push on the terminal as they happen."""

from __future__ import annotations

from academy_desktop.cli.following import Following
from academy_desktop.cli.session import Session
from academy_desktop.core.venom.connections import Route
from academy_desktop.core.venom.steps import Order, Step, StepName
from academy_desktop.text.venom import VenomWords
from trainers.events import AnyEvent

_MARKS = {"done": "✓", "kept": "✓", "planned": "·", "skipped": "–", "failed": "✗"}


class Narrator:
    """Tells the steps on the screen as they happen."""

    def __init__(self, session: Session, order: Order, route: Route) -> None:
        self._session = session
        self._words = venom_words(session)
        self._steps = order.steps_on(route)
        self._step: StepName = self._steps[0]
        self._shown: Following | None = None

    def started(self, step: StepName) -> None:
        """A step begins."""
        self._step = step
        place = f"[{self._steps.index(step) + 1}/{len(self._steps)}]" if step in self._steps else "[!]"
        self._session.screen.note(f"{place} {self._words.step(step)} …")

    def progress(self, done: int, total: int) -> None:
        """Bytes of the step."""
        self._following().progress(done, total, "")

    def event(self, event: AnyEvent) -> None:
        """A job of the step said something."""
        self._following().event(event)

    def done(self, step: Step) -> None:
        """A step is over and went well."""
        self.close()
        said = self._words.outcome(step.name, step.state, step.facts)
        self._session.screen.note(f"  {_MARKS[step.state]} {said}")

    def failed(self, step: Step) -> None:
        """A step failed."""
        self.close()
        said = self._words.outcome(step.name, step.state, step.facts, step.code)
        self._session.screen.note(f"  {_MARKS[step.state]} {said}")

    def close(self) -> None:
        """Take the bar away."""
        if self._shown is not None:
            self._shown.__exit__(None, None, None)
            self._shown = None

    def _following(self) -> Following:
        if self._shown is None:
            title = self._words.step(self._step)
            self._shown = Following(self._session.screen, self._session.words, title)
            self._shown.__enter__()
        return self._shown


def venom_words(session: Session) -> VenomWords:
    """The words for steps, in the user's language."""
    return VenomWords(session.words.gettext, session.words.messages)
