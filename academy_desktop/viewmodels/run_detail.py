"""One run in words and figures: where it stands, what it does now, the numbers that matter.

Owns the newest fact of each kind, from the job's facts and its events. Refuses to know widgets and files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import get_args

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.history import History
from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from academy_desktop.text.formats import MISSING, Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.text.words import HELD_BRIEF
from academy_desktop.viewmodels.figures import Figure, Results
from academy_desktop.viewmodels.job_table import share_done, title
from academy_desktop.viewmodels.run_actions import RunAction, actions_in
from academy_desktop.viewmodels.samples import Samples
from trainers.errors import ErrorCode
from trainers.events import AnyEvent, CheckpointSaved, Evaluated, Step
from trainers.space import Trouble

_TROUBLES = frozenset(get_args(Trouble))
#: Jobs whose numbers are results, not steps.
RESULT_KINDS = frozenset({"export", "certify", "evaluate"})


class RunDetail(QObject):
    """`changed()` after each batch of events and each change of the job's facts; `samples`: its answers."""

    changed = Signal()

    def __init__(
        self,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._messages = messages
        self._formats = formats
        self._gettext = translate
        self._job: JobSummary | None = None
        self._history = History()
        self._results = Results()
        self.samples = Samples(formats, translate, self)

    @property
    def job(self) -> JobSummary | None:
        """The facts of the job that is shown, or None."""
        return self._job

    def show(self, job: JobSummary | None) -> None:
        """Show a job, or new facts about the job that is shown already."""
        if job is None or self._job is None or job.id != self._job.id:
            self._history = History()
            self._results = Results()
            self.samples.clear()
        self._job = job
        self.changed.emit()

    def apply(self, events: Iterable[AnyEvent]) -> None:
        """Take new events in the order in which they were written."""
        new = tuple(events)
        self._history.fold_all(new)
        self._results.fold_all(new)
        self.samples.apply(new)
        self.changed.emit()

    @property
    def title(self) -> str:
        """What the run is called."""
        return title(self._job) if self._job else ""

    @property
    def state(self) -> JobState:
        """Where the run stands."""
        return self._job.state if self._job else JobState.QUEUED

    @property
    def state_word(self) -> str:
        """The state as a word for a badge."""
        return self._messages.state(self.state)

    @property
    def sentence(self) -> str:
        """One sentence on where the run stands and, when it ended badly, what to do."""
        if self._job is None:
            return ""
        return self._messages.outcome(self._job.state, self._job.reason, self._job.facts)

    @property
    def activity(self) -> str:
        """What the run does now: `Loading the model`, or nothing once it is over."""
        phase = self._history.phase
        if self._job is None or self._job.state.is_over or phase is None:
            return ""
        said = self._messages.phase(phase.name)
        progress = self._history.progress
        if progress is None or not progress.total:
            return said
        return f"{said} · {self._formats.percent(progress.done / progress.total)}"

    @property
    def machine(self) -> str:
        """On what the run is computed, and why so."""
        started = self._history.started
        if started is None:
            return ""
        device = started.device_name or (started.device.upper() if self.has_curve else "")
        parts = [device, started.precision, started.reason]
        return " · ".join(part for part in parts if part)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know, one sentence each."""
        said = {one.code: self._messages.warning(one.code, one.facts) for one in self._history.warnings}
        return tuple(said.values())

    @property
    def share_done(self) -> float | None:
        """How much is done, 0 to 1, or None when nobody knows."""
        if self._job and self._job.state is JobState.SUCCEEDED:
            return 1.0
        if self._history.total_steps:
            return min(self._history.step / self._history.total_steps, 1.0)
        progress = self._history.progress
        if not self.has_curve and progress is not None and progress.total:
            return min(progress.done / progress.total, 1.0)
        return share_done(self._job) if self._job else None

    @property
    def can_stop(self) -> bool:
        """Whether stop-and-save means something now."""
        job = self._job
        return job is not None and not job.state.is_over and job.state is not JobState.STOPPING

    @property
    def can_resume(self) -> bool:
        """Whether a new attempt may start from the last checkpoint."""
        return self._job is not None and self._job.state.can_resume

    @property
    def is_held(self) -> bool:
        """Whether a rule of the user's makes the run wait."""
        return self._job is not None and self._job.reason in HELD_BRIEF and not self._job.state.is_over

    @property
    def can_begin_smaller(self) -> bool:
        """Whether the run ended for want of memory, so that less of it is worth an offer."""
        job = self._job
        if job is None or job.kind != "train":
            return False
        return job.state is JobState.FAILED and job.reason == ErrorCode.OUT_OF_MEMORY

    @property
    def actions(self) -> tuple[RunAction, ...]:
        """What else can be done with the job now."""
        if self._job is None:
            return ()
        actions = actions_in(self._job.state, trains=self._job.kind == "train")
        if self._job.state is JobState.PAUSED and self._job.reason in _TROUBLES:  # it goes on by itself
            return tuple(one for one in actions if one not in {RunAction.UNPAUSE, RunAction.SAMPLE})
        return actions

    @property
    def folder(self) -> str:
        """Where the job's files are."""
        return self._job.run_dir if self._job else ""

    @property
    def can_export(self) -> bool:
        """Whether there is a trained adapter to take away."""
        return self._job is not None and self._job.kind == "train" and self._job.state is JobState.SUCCEEDED

    @property
    def has_curve(self) -> bool:
        """Whether a loss belongs to this kind of job."""
        return self._job is None or self._job.kind not in RESULT_KINDS

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The numbers that matter: step, loss, speed, memory, time; or a job's results, and its time."""
        if self._job is not None and not self.has_curve:
            results = self._results.figures(self._job.kind, self._formats, self._gettext)
            return (*results, self._time())
        card = () if self._job is None or self._job.gpu_celsius is None else (self._card(self._job),)
        return (self._step(), self._loss(), self._speed(), self._memory(), *card, self._time())

    @property
    def _last_step(self) -> Step | None:
        return self._history.steps[-1] if self._history.steps else None

    @property
    def _last_evaluation(self) -> Evaluated | None:
        return self._history.evaluations[-1] if self._history.evaluations else None

    @property
    def _last_checkpoint(self) -> CheckpointSaved | None:
        return self._history.checkpoints[-1] if self._history.checkpoints else None

    def _step(self) -> Figure:
        step, total = self._last_step, self._history.total_steps
        value, hint = MISSING, ""
        if step is not None:
            value = f"{self._formats.integer(step.step)} / {self._formats.integer(step.total_steps)}"
            hint = self._say(N_("epoch {epoch}"), epoch=self._formats.decimal(step.epoch, 1))
        elif total:
            value = f"{self._formats.integer(self._history.step)} / {self._formats.integer(total)}"
        return Figure(self._gettext(N_("Step")), value, hint)

    def _loss(self) -> Figure:
        step, evaluated = self._last_step, self._last_evaluation
        value = self._formats.decimal(step.loss if step else None, 3)
        held_out = self._formats.decimal(evaluated.loss if evaluated else None, 3)
        hint = self._say(N_("held-out {loss}"), loss=held_out) if evaluated else ""
        return Figure(self._gettext(N_("Loss")), value, hint)

    def _speed(self) -> Figure:
        speed = self._history.tokens_per_s
        step = self._last_step
        per_step = self._formats.brief(step.step_s if step else None)
        hint = self._say(N_("{duration} a step"), duration=per_step) if step else ""
        value = MISSING if speed is None else self._formats.integer(round(speed))
        return Figure(self._gettext(N_("Tokens/s")), value, hint)

    def _memory(self) -> Figure:
        step = self._last_step
        if step is None:
            return Figure(self._gettext(N_("Memory")), MISSING)
        if step.device_memory_bytes is None:
            return Figure(self._gettext(N_("Memory")), self._formats.size(step.rss_bytes or None))
        hint = self._say(N_("main {size}"), size=self._formats.size(step.rss_bytes))
        return Figure(
            self._gettext(N_("Graphics memory")), self._formats.size(step.device_memory_bytes), hint
        )

    def _card(self, job: JobSummary) -> Figure:
        """How warm the graphics card is, and what it draws."""
        heat = f"{self._formats.decimal(job.gpu_celsius, 0)} °C"
        watts = self._formats.decimal(job.gpu_watts, 0)
        hint = "" if job.gpu_watts is None else self._say(N_("{watts} W"), watts=watts)
        return Figure(self._gettext(N_("Graphics card")), heat, hint)

    def _time(self) -> Figure:
        checkpoint = self._last_checkpoint
        last = self._formats.integer(checkpoint.step if checkpoint else None)
        saved = self._say(N_("saved at {step}"), step=last) if checkpoint else ""
        job, step = self._job, self._last_step
        if job is not None and job.state.is_over:
            took = job.ended_at - job.started_at if job.ended_at and job.started_at else None
            return Figure(self._gettext(N_("Took")), self._formats.brief(took), saved)
        left = self._formats.brief(step.eta_s if step else None)
        return Figure(self._gettext(N_("Time left")), left, saved)

    def _say(self, template: str, **facts: str) -> str:
        return self._gettext(template).format(**facts)
