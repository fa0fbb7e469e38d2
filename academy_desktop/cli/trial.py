"""The trial of `academy estimate --trial`: real steps, told while they are taken, and what they took."""

from typing import Any

from academy_desktop.cli.following import Following
from academy_desktop.cli.session import Session
from academy_desktop.core.trial import Trial, run_trial
from academy_desktop.text.trials import TrialWords
from trainers.events import AnyEvent
from trainers.recipe import TrainRecipe


def try_steps(session: Session, recipe: TrainRecipe) -> Trial:
    """Take the steps; Ctrl-C ends them.

    Raises:
        AcademyError: as `run_trial`.
    """
    title = session.words.messages.kind("trial")
    with Following(session.screen, session.words, title) as following:
        return run_trial(session.workshop, recipe, _Listener(following))


def trial_fields(found: Trial) -> dict[str, Any]:
    """Return what a program is told of a trial."""
    return {
        "device": found.device,
        "engine": found.engine,
        "peak_bytes": found.peak_bytes,
        "step_s": round(found.step_s, 3),
        "tokens": found.tokens,
        "steps": found.steps,
    }


def trial_text(session: Session, found: Trial) -> str:
    """Return what a person reads of it."""
    words = TrialWords(session.words.gettext, session.words.formats)
    return words.outcome(found, found.estimate.forecast.seconds)


class _Listener:
    """Shows what the trial's job says."""

    def __init__(self, following: Following) -> None:
        self._following = following

    def job(self, job: str) -> None:
        """The job was queued."""

    def event(self, event: AnyEvent) -> None:
        """It said something."""
        self._following.event(event)
