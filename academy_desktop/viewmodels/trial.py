"""The trial in the forecast: a few real steps of what the form shows, and what they took.

Owns when one can begin, and what is said of it. Refuses to know threads, widgets and how a trial is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.text.trials import TrialWords
from academy_desktop.viewmodels.rehearsal import Page
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.viewmodels.walk import Errand, Walk
from trainers.errors import AcademyError
from trainers.events import AnyEvent, Phase, Step
from trainers.recipe import TrainRecipe

if TYPE_CHECKING:  # brings the whole core; the window needs it when a trial starts, not before
    from academy_desktop.core.trial import Audience, Trial
    from academy_desktop.core.workshop import Workshop


class TrialWay(Protocol):
    """Takes steps; every call may block and belongs into a thread."""

    def run(self, recipe: TrainRecipe, audience: Audience) -> Trial:
        """Take them; what the audience raises ends it."""
        ...

    def stop(self, job: str) -> object:
        """Ask the trial's job to end."""
        ...


class WorkshopTrial:
    """Trials in a workshop, opened when the first begins."""

    def __init__(self, workshop: Callable[[], Workshop]) -> None:
        self._workshop = workshop

    def run(self, recipe: TrainRecipe, audience: Audience) -> Trial:
        """Take a few real steps; blocks.

        Raises:
            AcademyError: as `run_trial`.
        """
        from academy_desktop.core.trial import run_trial

        return run_trial(self._workshop(), recipe, audience)

    def stop(self, job: str) -> object:
        """Ask the trial's job to end.

        Raises:
            AcademyError: as `Jobs.stop`.
        """
        return self._workshop().jobs.stop(job)


class Trying(QObject):
    """One trial at a time. `changed()` after anything did; `learned()` when the forecast may be another."""

    changed = Signal()
    learned = Signal()

    def __init__(
        self,
        page: Page,
        way: TrialWay,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._page = page
        self._way = way
        self._messages = messages
        self._words = TrialWords(translate, formats)
        self._gettext = translate
        self._supervisor = supervisor
        self._walk: Walk[Trial] = Walk(supervisor, self.changed.emit, "trial")
        self._preparing = False
        self._tried: TrainRecipe | None = None
        self._found: Trial | None = None
        self._text = ""
        self._next_step = ""

    # what is shown

    @property
    def is_running(self) -> bool:
        """Whether a trial is in progress."""
        return self._preparing or self._walk.is_running

    @property
    def is_cancelling(self) -> bool:
        """Whether it ends as soon as it can."""
        return self._walk.is_cancelling

    @property
    def can_start(self) -> bool:
        """Whether what the form shows can be tried now."""
        return self._page.can_start and not self.is_running

    @property
    def text(self) -> str:
        """What it does now, what it took, or why it failed; nothing where that was another recipe."""
        if self.is_running:
            return self._text
        draft = self._draft()
        if _of_any_length(draft) != _of_any_length(self._tried):
            return ""
        if self._found is None:
            return self._text
        seconds = self._found.estimate.forecast.seconds if draft == self._tried else None
        return self._words.outcome(self._found, seconds)

    @property
    def next_step(self) -> str:
        """What can be done where it failed; else nothing."""
        return self._next_step if self.text else ""

    # what the user does

    def start(self) -> None:
        """Take a few real steps of what the form shows."""
        if self.can_start:
            self._preparing = True
            self._tried, self._found = self._draft(), None
            self._say(N_("Starting; this takes a few seconds."))
            self.changed.emit()
            self._supervisor.start(self._begin(), "trial begins")

    def cancel(self) -> None:
        """End it after its step."""
        self._walk.cancel()

    # what the trial says

    def begin(self, name: Any) -> None:
        """A trial has no stages."""

    def take_progress(self, done: int, total: int, detail: str) -> None:
        """All that a trial does is its job's."""

    def take_job(self, job: str) -> None:
        """The job was queued: it may have to wait for another run."""
        self._say(N_("Waiting for its turn …"))

    def take_event(self, event: AnyEvent) -> None:
        """The job said something."""
        match event.payload:
            case Phase() as phase:
                self._text = f"{self._messages.phase(phase.name)} …"
            case Step() as step:
                said = self._gettext(N_("Step {step} of {total} …"))
                self._text = said.format(step=step.step, total=step.total_steps)
            case _:
                pass

    # inside

    def _draft(self) -> TrainRecipe | None:
        """What the form shows, whatever the run is called."""
        draft = self._page.draft
        return draft.model_copy(update={"name": ""}) if draft is not None else None

    async def _begin(self) -> None:
        try:
            recipe = await self._page.made()
        except AcademyError as error:
            self._fail(error)
            return
        finally:
            self._preparing = False
            self.changed.emit()
        errand: Errand[Trial] = Errand(
            lambda ear: self._way.run(recipe, ear), self._way.stop, self._finish, self._fail
        )
        self._walk.start(self, errand)

    def _finish(self, found: Trial) -> None:
        self._found = found
        self.learned.emit()

    def _fail(self, error: AcademyError | None) -> None:
        if error is None:
            self._say(N_("You ended the trial."))
            return
        said = self._messages.describe(error.code, error.facts)
        self._text, self._next_step = said.sentence, said.next_step

    def _say(self, text: str) -> None:
        self._text, self._next_step = self._gettext(text), ""


def _of_any_length(recipe: TrainRecipe | None) -> TrainRecipe | None:
    """A recipe but for how long it goes on, which a trial does not look at."""
    if recipe is None:
        return None
    length = {"num_epochs": 1, "max_steps": None, "warmup_steps": 0, "warmup_ratio": None}
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=length)})
