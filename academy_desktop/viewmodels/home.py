"""The Home page: what this computer can do, what can be done next, and the runs of late.

Owns the choice of next steps. Refuses to know widgets and how a device is found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from academy_desktop.text.findings import Findings
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.job_table import FirstRows, JobTable, title
from academy_desktop.viewmodels.ports import CapacityFacts, CheckFacts, MachineFacts
from trainers.errors import Fact

#: Runs shown on the page.
RECENT_RUNS = 5

#: Next steps offered at a time.
MOST_STEPS = 3

#: The worst first.
_STATUSES = ("fail", "warn", "ok")

#: What these say when all is well stands in the sentence on the device.
_IN_SENTENCE = frozenset({"processor", "gpu", "memory"})


@dataclass(frozen=True)
class Device:
    """What this computer trains on; sizes in bytes."""

    kind: Literal["cpu", "cuda"]
    name: str
    cores: int
    ram_bytes: int
    memory_bytes: int | None = None

    @classmethod
    def of(cls, machine: MachineFacts) -> Device:
        """The device that the doctor's findings describe."""
        facts = {check.id: check.facts for check in machine.checks}
        processor, gpu = facts.get("processor", {}), facts.get("gpu", {})
        cuda = machine.device == "cuda"
        name = str((gpu.get("gpu") if cuda else processor.get("name")) or "")
        return cls(
            kind="cuda" if cuda else "cpu",
            name=name,
            cores=_whole(processor, "cores") or 1,
            ram_bytes=_whole(facts.get("memory", {}), "ram_bytes"),
            memory_bytes=_whole(gpu, "memory_bytes") if cuda else None,
        )


@dataclass(frozen=True)
class Finding:
    """One thing that was found out about this computer; the next step may be empty."""

    status: Literal["ok", "warn", "fail"]
    sentence: str
    next_step: str


@dataclass(frozen=True)
class NextStep:
    """One thing that can be done now, and the page to do it on, opened at a job where there is one."""

    icon: str
    title: str
    sentence: str
    action: str
    page: str
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
    """`changed()` when the device, the findings or the next steps are others than before."""

    changed = Signal()

    def __init__(
        self,
        table: JobTable,
        findings: Findings,
        formats: Formats,
        translate: Callable[[str], str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._table = table
        self._words = findings
        self._formats = formats
        self._gettext = translate
        self._device: Device | None = None
        self._ok = True
        self._capacity: CapacityFacts | None = None
        self._findings: tuple[Finding, ...] = ()
        self._steps: tuple[NextStep, ...] | None = None
        self.recent = FirstRows(RECENT_RUNS, self)
        self.recent.setSourceModel(table)

    @property
    def knows_jobs(self) -> bool:
        """Whether the jobs were looked at yet; before that nobody knows what to do next."""
        return self._steps is not None

    @property
    def has_runs(self) -> bool:
        """Whether there is any run to show."""
        return self._table.rowCount() > 0

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The way from rows to a proven file, for who has not gone it yet."""
        return tuple(Stage(one.icon, self._gettext(one.title), self._gettext(one.sentence)) for one in STAGES)

    def take(self, machine: MachineFacts) -> None:
        """Take what was found out about this computer."""
        self._device = Device.of(machine)
        self._ok = machine.ok
        told = [self._finding(check) for check in machine.checks if _is_news(check)]
        self._findings = tuple(sorted(told, key=lambda one: _STATUSES.index(one.status)))
        self.changed.emit()

    def take_capacity(self, capacity: CapacityFacts) -> None:
        """Take how large a model can be trained here."""
        self._capacity = capacity
        self.changed.emit()

    @property
    def capacity_sentence(self) -> str:
        """How large a model can be trained here; nothing before that is known."""
        found = self._capacity
        if found is None or not self._ok:
            return ""
        if not max(found.lora, found.qlora):
            said = N_("There is too little memory to train even a small model; close other programs.")
            return self._gettext(said)
        lora = self._formats.parameters(found.lora)
        if found.qlora <= found.lora:
            return self._say(N_("Models up to about {size} parameters fit with LoRA."), size=lora)
        qlora = self._formats.parameters(found.qlora)
        if not found.lora:
            return self._say(N_("Models up to about {size} parameters fit in 4 bit (QLoRA)."), size=qlora)
        both = N_("Models up to about {size} parameters fit with LoRA, up to about {more} in 4 bit (QLoRA).")
        return self._say(both, size=lora, more=qlora)

    def refresh(self) -> None:
        """Choose the next steps anew, after the jobs changed."""
        steps = self._choose()
        if steps != self._steps:
            self._steps = steps
            self.changed.emit()

    @property
    def is_ready(self) -> bool:
        """Whether nothing is known that keeps this computer from training."""
        return self._ok

    @property
    def device_title(self) -> str:
        """What this computer trains on, in a few words."""
        if self._device is None:
            return self._gettext(N_("Looking at this computer …"))
        if not self._ok:
            return self._gettext(N_("Something is missing before you can train here"))
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
        # a bare “x86_64” would tell nobody anything
        named = N_("{name}, {cores} cores and {memory} of memory.")
        bare = N_("{cores} processor cores and {memory} of memory.")
        facts = self._say(
            named if " " in device.name else bare,
            name=device.name,
            cores=self._formats.integer(device.cores),
            memory=self._formats.size(device.ram_bytes),
        )
        advice = N_("Small models learn well on it; an NVIDIA graphics card would make it faster.")
        return f"{facts} {self._gettext(advice)}"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What else was found out, what needs attention first."""
        return self._findings

    @property
    def next_steps(self) -> tuple[NextStep, ...]:
        """What can be done now, the likeliest first; nothing before the jobs were looked at."""
        return self._steps or ()

    def _finding(self, check: CheckFacts) -> Finding:
        said = self._words.check(check.id, check.status, check.facts)
        status: Literal["ok", "warn", "fail"] = "fail"
        match check.status:
            case "ok" | "warn":
                status = check.status
        return Finding(status, said.message, said.next_step)

    def _choose(self) -> tuple[NextStep, ...]:
        jobs = self._table.jobs()
        steps: list[NextStep] = []
        going = next((job for job in jobs if not job.state.is_over), None)
        broken = next((job for job in jobs[:RECENT_RUNS] if job.state is JobState.INTERRUPTED), None)
        done = next((job for job in jobs if job.state is JobState.SUCCEEDED and job.kind == "train"), None)
        exported = {job.parent for job in jobs if job.kind == "export" and job.state is JobState.SUCCEEDED}
        if going is not None:
            steps.append(self._watch(going))
        if broken is not None:
            steps.append(self._go_on(broken))
        if jobs and jobs[0].state is JobState.FAILED:
            steps.append(self._mend(jobs[0]))
        if done is not None and done.id not in exported:
            steps.append(self._export(done))
        if not jobs:
            steps.append(self._demo())
        steps.append(self._own_rows())
        steps.append(self._doctor())
        return tuple(steps[:MOST_STEPS])

    def _watch(self, job: JobSummary) -> NextStep:
        said = N_("“{name}” is in progress. It goes on when you close this window.")
        return self._step("runs", N_("Watch it learn"), said, N_("Open the run"), "runs", job)

    def _go_on(self, job: JobSummary) -> NextStep:
        said = N_("“{name}” was interrupted. Resume it from its last checkpoint.")
        return self._step("resume", N_("Go on where it broke off"), said, N_("Open the run"), "runs", job)

    def _mend(self, job: JobSummary) -> NextStep:
        said = N_("“{name}” ended with an error. Its page says what you can do.")
        return self._step("warning", N_("See what went wrong"), said, N_("Open the run"), "runs", job)

    def _export(self, job: JobSummary) -> NextStep:
        said = N_("“{name}” is trained. Make a GGUF file for llama.cpp or Ollama.")
        return self._step("export", N_("Take your model with you"), said, N_("Export it"), "export", job)

    def _demo(self) -> NextStep:
        said = N_("Trains a small model on sample rows, exports it and proves the result.")
        return self._step("spark", N_("See the whole way in ten minutes"), said, N_("Start the demo"), "demo")

    def _own_rows(self) -> NextStep:
        said = N_("Questions and answers as JSON, JSONL or CSV become a checked dataset.")
        return self._step("datasets", N_("Bring your own rows"), said, N_("Open the datasets"), "datasets")

    def _doctor(self) -> NextStep:
        said = N_("Takes a real trial step, looks at packages and disk, and says what to do.")
        return self._step("doctor", N_("Check this computer"), said, N_("Open the settings"), "settings")

    def _step(
        self, icon: str, name: str, said: str, action: str, page: str, job: JobSummary | None = None
    ) -> NextStep:
        sentence = self._say(said, name=title(job)) if job else self._gettext(said)
        to = job.id if job else ""
        return NextStep(icon, self._gettext(name), sentence, self._gettext(action), page, to)

    def _say(self, template: str, **facts: str) -> str:
        return self._gettext(template).format(**facts)


def _is_news(check: CheckFacts) -> bool:
    return check.status != "ok" or check.id not in _IN_SENTENCE


def _whole(facts: Mapping[str, Fact], name: str) -> int:
    value = facts.get(name)
    return int(value) if isinstance(value, int | float) else 0
