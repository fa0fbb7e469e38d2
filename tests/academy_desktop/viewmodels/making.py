"""What tests of the window are made from: facts, events, words, and a loop that Qt and asyncio share."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import qasync
from PySide6.QtWidgets import QApplication

from academy_desktop.app import RESOURCES
from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from academy_desktop.text.findings import Findings
from academy_desktop.text.language import Words
from academy_desktop.viewmodels.home import Home
from academy_desktop.viewmodels.job_table import JobTable
from academy_desktop.viewmodels.run_detail import RunDetail
from trainers.events import EVENT, AnyEvent, Payload, Step

T = TypeVar("T")

#: Longest wait for anything: reached only when something is broken.
DEADLINE_S = 60.0

#: What the offscreen platform says of itself.
QT_SAYS = ("This plugin does not support",)


class Clock:
    """A clock that a test moves on."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def words() -> Words:
    """English."""
    return Words.load(RESOURCES / "locale")


def job(number: int, state: JobState = JobState.SUCCEEDED, **facts: Any) -> JobSummary:
    """The facts of a training job; a higher number is a younger one."""
    known: dict[str, Any] = {
        "id": f"20261124-0647{number % 60:02}-{number:06x}",
        "name": f"run {number}",
        "kind": "train",
        "parent": None,
        "state": state,
        "reason": "",
        "facts": {},
        "attempt": 1,
        "created_at": 1_800_000_000.0 - 3600,
        "started_at": 1_800_000_000.0 - 3590,
        "ended_at": 1_800_000_000.0 - 60 if state.is_over else None,
        "step": 30,
        "total_steps": 60,
        "loss": 0.5,
        "eval_loss": 0.6,
        "tokens_per_s": 400.0,
        "eta_s": None if state.is_over else 90.0,
        "run_dir": f"/nowhere/{number}",
    }
    return JobSummary(**known | facts)


def event(seq: int, payload: Payload, attempt: int = 1, t: float = 0.0) -> AnyEvent:
    """An event, as a line of a run directory would give it."""
    raw = {"v": 1, "seq": seq, "attempt": attempt, "t": t or float(seq), "type": payload.event_type}
    return EVENT.validate_python(raw | {"payload": payload.model_dump()})


def step(number: int, loss: float = 1.0, **facts: Any) -> Step:
    """A step's payload."""
    known: dict[str, Any] = {
        "step": number,
        "total_steps": 100,
        "epoch": number / 50,
        "loss": loss,
        "learning_rate": 1e-4,
        "supervised_tokens": 100,
        "tokens": 800,
        "step_s": 2.0,
        "eta_s": 2.0 * (100 - number),
        "rss_bytes": 3 * 1024**3,
    }
    return Step(**known | facts)


def steps(first: int, last: int, seq: int = 1, attempt: int = 1, loss: float = 1.0) -> list[AnyEvent]:
    """Step events from `first` to `last`."""
    return [event(seq + at, step(first + at, loss), attempt) for at in range(last - first + 1)]


def table(clock: Clock | None = None) -> JobTable:
    """An empty job table."""
    said = words()
    return JobTable(said.messages, said.formats, said.gettext, clock or Clock())


def detail() -> RunDetail:
    """A run detail that shows nothing yet."""
    said = words()
    return RunDetail(said.messages, said.formats, said.gettext)


def home(jobs: JobTable) -> Home:
    """A home page's state over a table."""
    said = words()
    findings = Findings(said.translations, said.messages)
    return Home(jobs, findings, said.formats, said.gettext)


class JobsDouble:
    """Jobs that a test decides about; commands are noted."""

    def __init__(self, *jobs: JobSummary) -> None:
        self.jobs: Sequence[JobSummary] = jobs
        self.commands: list[tuple[str, str]] = []
        self.failure: Exception | None = None
        self._trash: Sequence[JobSummary] = ()

    def list(self) -> Sequence[JobSummary]:
        """The oldest first."""
        if self.failure is not None:
            raise self.failure
        return self.jobs

    def stop(self, job_id: str) -> None:
        """Note a stop."""
        self._note("stop", job_id)

    def resume(self, job_id: str) -> None:
        """Note a resume."""
        self._note("resume", job_id)

    def begin_anew(self, job: str, *, shorter: bool = False, qlora: bool = False) -> str:
        """Note a smaller beginning."""
        self._note(f"begin anew, shorter={shorter}, qlora={qlora}", job)
        return job

    def save(self, job_id: str) -> None:
        """Note a wish for a checkpoint."""
        self._note("save", job_id)

    def sample(self, job_id: str) -> None:
        """Note a wish for answers."""
        self._note("sample", job_id)

    def pause(self, job_id: str) -> None:
        """Note a pause."""
        self._note("pause", job_id)

    def unpause(self, job_id: str) -> None:
        """Note the end of a pause."""
        self._note("unpause", job_id)

    def suspend(self, job_id: str) -> None:
        """Note a suspension."""
        self._note("suspend", job_id)

    def move(self, job_id: str, to: int) -> None:
        """Note another place in the queue."""
        self._note(f"move to {to}", job_id)

    def run_anyway(self, job_id: str) -> None:
        """Note a waiver."""
        self._note("run anyway", job_id)

    def kill(self, job_id: str) -> None:
        """Note an end at once."""
        self._note("kill", job_id)

    def relabel(self, job_id: str, *, name: str) -> None:
        """Note a new name, and list the job under it."""
        self._note(f"relabel {name}", job_id)
        self.jobs = [one.model_copy(update={"name": name}) if one.id == job_id else one for one in self.jobs]

    def delete(self, job_id: str) -> None:
        """Note a deletion; the job is in the list no longer."""
        self._note("delete", job_id)
        self._trash = [one for one in self.jobs if one.id == job_id]
        self.jobs = [one for one in self.jobs if one.id != job_id]

    def restore(self, job_id: str) -> None:
        """Note that a job comes back, and list it again."""
        self._note("restore", job_id)
        self.jobs = [*self.jobs, *self._trash]

    def _note(self, name: str, job_id: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.commands.append((name, job_id))


class Silent:
    """A run directory that says nothing."""

    def __init__(self, _path: Path) -> None:
        pass

    def read_new(self) -> list[AnyEvent]:
        """Nothing new."""
        return []


class Wordless:
    """A log that says nothing."""

    def __init__(self, _path: Path) -> None:
        pass

    def read_new(self) -> str:
        """Nothing new."""
        return ""


def in_loop(app: QApplication, work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the loop that the app uses."""

    async def in_time() -> T:
        return await asyncio.wait_for(work, DEADLINE_S)

    app.setQuitOnLastWindowClosed(False)  # as the app does: its session ends the loop
    with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(app)) as runner:
        return runner.run(in_time())


async def seen(look: Callable[[], T | None], what: str = "it") -> T:
    """Wait until a look shows something true; returns that."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S / 2
    while asyncio.get_running_loop().time() < deadline:
        found = look()
        if found:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"waited for {what}")
