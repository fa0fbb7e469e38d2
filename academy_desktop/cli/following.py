"""Shows a job while it runs: a bar on a terminal, a line now and then elsewhere.

Owns what is worth a line. Refuses to know how a job is started.
"""

from __future__ import annotations

import textwrap
import time
from types import TracebackType
from typing import get_args

from academy_desktop.cli.screen import PACE_S, Screen, Told
from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from academy_desktop.text.language import Words
from trainers.events import (
    Answered,
    AnyEvent,
    Certified,
    CheckpointSaved,
    CheckpointSkipped,
    Evaluated,
    Exported,
    Forgetting,
    Nonfinite,
    Phase,
    Progress,
    Resumed,
    Sampled,
    Started,
    Step,
    Warned,
)
from trainers.space import Trouble

_TROUBLES = frozenset(get_args(Trouble))
#: Of a question and of an answer, a line shows as many characters.
MOST_SHOWN = 100


class Following:
    """A context manager; `event` takes the events of one job in their order."""

    def __init__(self, screen: Screen, words: Words, title: str) -> None:
        self._screen = screen
        self._words = words
        self._gettext = words.gettext
        self._bar = screen.progress(title)
        self._told: Told | None = None
        self._doing = ""
        self._noted_at = float("-inf")
        self._waits = ""

    def __enter__(self) -> Following:
        self._told = self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def progress(self, done: int, total: int, detail: str) -> None:
        """Show how far something is that is no job."""
        self._tell(done, total, detail)

    def look(self, job: JobSummary) -> None:
        """Say once what keeps a job from going on that it cannot say by an event: its disk takes nothing."""
        waits = job.reason if job.state is JobState.PAUSED and job.reason in _TROUBLES else ""
        if waits and waits != self._waits:
            self._screen.note(self._words.messages.outcome(job.state, job.reason, job.facts))
        self._waits = waits

    def event(self, event: AnyEvent) -> None:
        """Show one event."""
        match event.payload:
            case Step() as step:
                self._step(step)
            case Phase() as phase:
                self._doing = f"{self._words.messages.phase(phase.name)} {phase.detail}".strip()
                self._tell(0, 0, self._doing)
            case Progress() as progress:
                self._tell(progress.done, progress.total, self._doing)
            case payload:
                said = self._remark(payload)
                if said:
                    self._screen.note(said)

    def _step(self, step: Step) -> None:
        _ = self._gettext
        rate = step.tokens / step.step_s if step.step_s else 0.0
        said = _("loss {loss} · {rate} tokens/s · {left} left").format(
            loss=self._words.formats.decimal(step.loss, 3),
            rate=self._words.formats.integer(round(rate)),
            left=self._words.formats.brief(step.eta_s),
        )
        if self._screen.is_terminal:
            self._tell(step.step, step.total_steps, said)
            return
        now = time.monotonic()
        if now - self._noted_at >= PACE_S or step.step in {1, step.total_steps}:
            self._noted_at = now
            self._screen.note(
                _("step {step} of {total} · {said}").format(step=step.step, total=step.total_steps, said=said)
            )

    def _tell(self, done: int, total: int, detail: str) -> None:
        if self._told is not None:
            self._told(done, total, detail)

    def _remark(self, payload: object) -> str:
        """Return a line for an event that deserves one."""
        _, formats = self._gettext, self._words.formats
        match payload:
            case Started(kind="train") as started:
                return _("{rows} rows, {steps} steps: {reason}.").format(
                    rows=started.train_rows, steps=started.total_steps, reason=started.reason
                )
            case Resumed() as resumed:
                return _("Going on after step {step}.").format(step=resumed.from_step)
            case Evaluated() as evaluated:
                return _("step {step} · loss on held-out rows {loss}").format(
                    step=evaluated.step, loss=formats.decimal(evaluated.loss, 3)
                )
            case Sampled() as sampled:
                return self._sampled(sampled)
            case Forgetting() as forgetting:
                template = _("before training · loss on everyday questions {base}")
                if forgetting.step:
                    template = _("step {step} · loss on everyday questions {loss}, {base} before training")
                return template.format(
                    step=forgetting.step,
                    loss=formats.decimal(forgetting.loss, 3),
                    base=formats.decimal(forgetting.base_loss, 3),
                )
            case CheckpointSaved() as saved:
                return _("step {step} · saved").format(step=saved.step)
            case CheckpointSkipped() as skipped:
                return self._words.messages.warning(skipped.code, {"path": skipped.path, **skipped.facts})
            case Nonfinite() as broken:
                return _("step {step} · the loss is not a number").format(step=broken.step)
            case Warned() as warned:
                return self._words.messages.warning(warned.code, warned.facts)
            case Exported() as exported:
                return _("{path} · {size}").format(path=exported.path, size=formats.size(exported.size_bytes))
            case Certified() as certified:
                verdict = _("proven") if certified.passed else _("does not behave like the trained model")
                return _("{path} · {verdict}").format(path=certified.path, verdict=verdict)
            case Answered() as answered:
                return _("{target} · {share} answered as expected").format(
                    target=answered.target, share=formats.percent(answered.exact_match)
                )
        return ""

    def _sampled(self, sampled: Sampled) -> str:
        """A question and its answer in a line."""
        _ = self._gettext
        prompt, answer = (
            textwrap.shorten(text, MOST_SHOWN, placeholder=" …") for text in (sampled.prompt, sampled.answer)
        )
        template = _("before training · {prompt} → {answer}")
        if sampled.by == "tuned":
            template = _("step {step} · {prompt} → {answer}")
        return template.format(step=sampled.step, prompt=prompt, answer=answer or _("(no answer)"))
