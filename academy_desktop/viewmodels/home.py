"""The Home page: what this computer can do, what can be done next, and the runs of late.

Owns the choice of next steps. Refuses to know widgets and how a device is found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.job_table import FirstRows, JobTable, title

#: Runs shown on the page.
RECENT_RUNS = 5


@dataclass(frozen=True)
class Device:
    """What this computer trains on; sizes in bytes."""

    kind: Literal["cpu", "cuda"]
    name: str
    cores: int
    ram_bytes: int
    memory_bytes: int | None = None


@dataclass(frozen=True)
class NextStep:
    """One thing that can be done now: a command to copy, or a job to look at."""

    icon: str
    title: str
    sentence: str
    command: str = ""
    job: str = ""


@dataclass(frozen=True)
class Stage:
    """One stage of the way from rows to a proven file."""

    icon: str
    title: str
    sentence: str


STAGES = (
    Stage("datasets", N_("Rows"), N_("Your questions and answers become a checked dataset.")),
    Stage("models", N_("Model"), N_("A small model from your disk, or the demo’s.")),
    Stage("train", N_("Training"), N_("An adapter learns the answers while you watch the loss fall.")),
    Stage("export", N_("Export"), N_("One file for llama.cpp, Ollama or Venom.")),
    Stage("check", N_("Proof"), N_("A certificate that the file answers like the model you trained.")),
)


class Home(QObject):
    """`changed()` when the device or the next steps are others than before."""

    changed = Signal()

    def __init__(
        self,
        table: JobTable,
        formats: Formats,
        translate: Callable[[str], str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._table = table
        self._formats = formats
        self._gettext = translate
        self._device: Device | None = None
        self._steps: tuple[NextStep, ...] | None = None
        self.recent = FirstRows(RECENT_RUNS, self)
        self.recent.setSourceModel(table)

    @property
    def has_runs(self) -> bool:
        """Whether there is any run to show."""
        return self._table.rowCount() > 0

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The way from rows to a proven file, for who has not gone it yet."""
        return tuple(Stage(one.icon, self._gettext(one.title), self._gettext(one.sentence)) for one in STAGES)

    def set_device(self, device: Device) -> None:
        """Take what was found out about this computer."""
        self._device = device
        self.changed.emit()

    def refresh(self) -> None:
        """Choose the next steps anew, after the jobs changed."""
        steps = self._choose()
        if steps != self._steps:
            self._steps = steps
            self.changed.emit()

    @property
    def device_title(self) -> str:
        """What this computer trains on, in three words."""
        if self._device is None:
            return self._gettext(N_("Looking at this computer …"))
        if self._device.kind == "cuda":
            return self._gettext(N_("Ready to train on the graphics card"))
        return self._gettext(N_("Ready to train on the processor"))

    @property
    def device_sentence(self) -> str:
        """What that means for the user."""
        device = self._device
        if device is None:
            return ""
        if device.kind == "cuda":
            memory = self._formats.size(device.memory_bytes)
            said = N_("{name} with {memory}: training is fast here.")
            return self._say(said, name=device.name, memory=memory)
        return self._say(
            N_(
                "{name}, {cores} cores and {memory} of memory. Small models learn well on it; "
                "an NVIDIA graphics card would make it faster."
            ),
            name=device.name,
            cores=self._formats.integer(device.cores),
            memory=self._formats.size(device.ram_bytes),
        )

    @property
    def next_steps(self) -> tuple[NextStep, ...]:
        """What can be done now, the likeliest first."""
        return self._choose() if self._steps is None else self._steps

    def _choose(self) -> tuple[NextStep, ...]:
        jobs = self._table.jobs()
        steps: list[NextStep] = []
        going = next((job for job in jobs if not job.state.is_over), None)
        broken = next((job for job in jobs[:RECENT_RUNS] if job.state is JobState.INTERRUPTED), None)
        done = next((job for job in jobs if job.state is JobState.SUCCEEDED and job.kind == "train"), None)
        if going is not None:
            steps.append(self._watch(going))
        if broken is not None:
            steps.append(self._go_on(broken))
        if done is not None:
            steps.append(self._export(done))
        if not jobs:
            steps.append(self._demo())
        steps.append(self._own_rows())
        if len(steps) < 3:
            steps.append(self._doctor())
        return tuple(steps[:3])

    def _watch(self, job: JobSummary) -> NextStep:
        return NextStep(
            "runs",
            self._gettext(N_("Watch it learn")),
            self._say(N_("“{name}” is in progress. It goes on when you close this window."), name=title(job)),
            job=job.id,
        )

    def _go_on(self, job: JobSummary) -> NextStep:
        return NextStep(
            "resume",
            self._gettext(N_("Go on where it broke off")),
            self._say(N_("“{name}” was interrupted. Resume it from its last checkpoint."), name=title(job)),
            job=job.id,
        )

    def _export(self, job: JobSummary) -> NextStep:
        return NextStep(
            "export",
            self._gettext(N_("Take your model with you")),
            self._say(N_("“{name}” is trained. Make a GGUF file for llama.cpp or Ollama."), name=title(job)),
            command=f"academy export {job.id} --format gguf --quant q8_0 --out .",
        )

    def _demo(self) -> NextStep:
        return NextStep(
            "spark",
            self._gettext(N_("See the whole way in ten minutes")),
            self._gettext(N_("Trains a small model on sample rows, exports it and proves the result.")),
            command="academy demo",
        )

    def _own_rows(self) -> NextStep:
        return NextStep(
            "datasets",
            self._gettext(N_("Bring your own rows")),
            self._gettext(N_("Questions and answers as JSON, JSONL or CSV become a checked dataset.")),
            command="academy data import FILE --name mine",
        )

    def _doctor(self) -> NextStep:
        return NextStep(
            "doctor",
            self._gettext(N_("Check this computer")),
            self._gettext(N_("Looks at hardware, drivers, packages and disk, and says what to do.")),
            command="academy doctor",
        )

    def _say(self, template: str, **facts: str) -> str:
        return self._gettext(template).format(**facts)
