"""What the guided demo has said so far: six stages, how far each is, the loss, and what came out.

Owns the stages’ order and their words. Refuses to know threads and widgets.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Description, Messages
from academy_desktop.viewmodels.stages import Stages
from trainers.events import Answered, AnyEvent, Certified, Exported, Phase, Progress, Started, Step

if TYPE_CHECKING:  # brings the whole core; the window needs it when the demo starts, not before
    from academy_desktop.core.demo import Outcome

#: Stage → title, and what happens in it; in their order.
STAGES: dict[str, tuple[str, str]] = {
    "model": (N_("The model"), N_("A small language model is fetched, once: 135 million parameters.")),
    "dataset": (N_("The rows"), N_("Requests and commands of an invented language become a dataset.")),
    "training": (N_("Training"), N_("The model learns the language, and the loss falls.")),
    "exporting": (N_("Exports"), N_("What it learned becomes files for llama.cpp and others.")),
    "proving": (N_("Proof"), N_("Each file must answer like the model that was trained.")),
    "scoring": (N_("Questions it has not seen"), N_("Before and after answer the same new requests.")),
}

#: What the model's stage says of itself → words.
_MODEL_STEPS = {
    "downloading": N_("Downloading the model; this takes a minute or two"),
    "unpacking": N_("Unpacking the model"),
}


@dataclass(frozen=True)
class Result:
    """What came out: scores in words, whether all is proven, and where it lies."""

    title: str
    base: str
    tuned: str
    export: str
    proven: bool
    word: str
    sentence: str
    job: str
    folder: str


@dataclass
class _Progress:
    """What the stage in progress has said so far."""

    steps: int = 0
    total_steps: int = 0
    files: int = 0
    passed: int = 0
    answers: dict[str, float] = field(default_factory=dict)


class Story(Stages):
    """One demo, from its first word to its last. `losses`: of each step, in nats per supervised token.

    `failure` says what ended it too early, unless the user did.
    """

    def __init__(
        self,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(STAGES, formats, translate, clock)
        self._messages = messages
        self._so_far = _Progress()
        self.losses: list[float] = []
        self.loss_line = ""
        self.failure: Description | None = None
        self.result: Result | None = None

    def fail(self, why: Description | None) -> None:
        """It ended too early; None: because the user wished so."""
        self.failure = why
        self.loss_line = ""
        if self._current is not None:
            said = self._gettext(N_("You ended it here.")) if why is None else why.title
            self._change(self._current, state="failed", detail=said)

    def finish(self, outcome: Outcome) -> None:
        """It went the whole way."""
        if self._current is not None:
            self._leave(self._current)
        percent = self._formats.percent
        base, tuned = percent(outcome.base_score), percent(outcome.tuned_score)
        export = percent(outcome.export_score)
        said = N_(
            "Of requests that it had never seen, the model answered {base} rightly before and {tuned} after "
            "training; the Q8_0 file answers {export}."
        )
        word = N_("Proven") if outcome.passed else N_("Not proven")
        learned = outcome.tuned_score > outcome.base_score
        title = N_("It has learned the language") if learned else N_("It has not learned the language")
        self.result = Result(
            title=self._gettext(title),
            base=base,
            tuned=tuned,
            export=export,
            proven=outcome.passed,
            word=self._gettext(word),
            sentence=self._gettext(said).format(base=base, tuned=tuned, export=export),
            job=outcome.job,
            folder=str(outcome.exports[0].export.path.parent) if outcome.exports else "",
        )

    def take_progress(self, done: int, total: int, detail: str) -> None:
        """How far a stage without a job is."""
        if self._current is not None:
            words = _MODEL_STEPS.get(detail, N_("Making the model trainable"))
            share = done / total if total else None
            self._change(self._current, detail=self._gettext(words), share_done=share)

    def take_event(self, event: AnyEvent) -> None:
        """The stage's job said something."""
        if self._current is None:
            return
        so_far = self._so_far
        match event.payload:
            case Started(total_steps=total):
                so_far.total_steps = total
            case Phase() as phase:
                # what the training does stands there already, and its loss below
                said = "" if phase.name == "training" else self._messages.phase(phase.name)
                said = f"{said} · {phase.detail}" if phase.detail else said
                self._change(self._current, detail=said, share_done=self._share())
            case Progress() as progress if progress.total and not so_far.total_steps:
                self._change(self._current, share_done=min(progress.done / progress.total, 1.0))
            case Step() as step:
                self._take_step(step)
            case Exported():
                so_far.files += 1
            case Certified() as certified:
                so_far.files += 1
                so_far.passed += certified.passed
            case Answered() as answered:
                so_far.answers[answered.target] = answered.exact_match
            case _:
                pass

    def _take_step(self, step: Step) -> None:
        self._so_far.steps, self._so_far.total_steps = step.step, step.total_steps
        self.losses.append(step.loss)
        said = N_("loss {loss} · step {step} of {total} · {left} left")
        self.loss_line = self._gettext(said).format(
            loss=self._formats.decimal(step.loss, 3),
            step=self._formats.integer(step.step),
            total=self._formats.integer(step.total_steps),
            left=self._formats.brief(step.eta_s),
        )
        self._change("training", share_done=self._share())

    def _share(self) -> float | None:
        so_far = self._so_far
        return min(so_far.steps / so_far.total_steps, 1.0) if so_far.total_steps else None

    def _leave(self, name: str) -> None:
        super()._leave(name)
        self.loss_line = ""

    def _forget(self) -> None:
        self._so_far = _Progress()

    def _summary(self, name: str) -> str:
        """What a stage brought, in a few words."""
        _, so_far = self._gettext, self._so_far
        match name:
            case "training" if self.losses:
                first, last = (self._formats.decimal(self.losses[at], 2) for at in (0, -1))
                return _(N_("The loss fell from {first} to {last}.")).format(first=first, last=last)
            case "exporting":
                return _(N_("{count} exports made.")).format(count=self._formats.integer(so_far.files))
            case "proving":
                return _(N_("{passed} of {count} exports proven.")).format(
                    passed=self._formats.integer(so_far.passed), count=self._formats.integer(so_far.files)
                )
        return ""
