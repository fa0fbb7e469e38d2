"""What the view models need from the core, and no more: protocols that the core's classes fit.

Owns the shape of the need, so that a page can be driven by a double. Refuses to know where facts come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from academy_desktop.core.reader import JobSummary
from trainers.errors import Fact
from trainers.events import AnyEvent


class JobSource(Protocol):
    """Lists jobs and takes commands for them; every call may block and belongs into a thread."""

    def list(self) -> Sequence[JobSummary]:
        """All jobs, the oldest first."""
        ...

    def stop(self, job: str) -> object:
        """Ask a job to save and end."""
        ...

    def resume(self, job: str) -> object:
        """Start a new attempt of a job from its last checkpoint."""
        ...

    def begin_anew(self, job: str, *, shorter: bool = False, qlora: bool = False) -> str:
        """Queue a job again as another one that takes less memory; returns that one's id."""
        ...

    def save(self, job: str) -> object:
        """Ask a job for a checkpoint now."""
        ...

    def sample(self, job: str) -> object:
        """Ask the model of a job its questions now."""
        ...

    def pause(self, job: str) -> object:
        """Ask a job to wait and keep its memory."""
        ...

    def unpause(self, job: str) -> object:
        """Ask a paused job to go on."""
        ...

    def suspend(self, job: str) -> object:
        """Ask a job to save and give its memory back."""
        ...

    def move(self, job: str, to: int) -> object:
        """Give a queued job the place `to`, from 1, among those that wait."""
        ...

    def run_anyway(self, job: str) -> object:
        """Have a job run in spite of the rule that holds it now."""
        ...

    def kill(self, job: str) -> object:
        """End a job at once."""
        ...

    def relabel(self, job: str, *, name: str) -> object:
        """Call a job otherwise."""
        ...

    def delete(self, job: str) -> object:
        """Move a job that is over to the trash."""
        ...

    def restore(self, job: str) -> object:
        """Bring a job back from the trash."""
        ...


class EventSource(Protocol):
    """Reads a run directory's events from where it left off; blocks, belongs into a thread."""

    def read_new(self) -> Sequence[AnyEvent]:
        """The whole events that were written since the last call."""
        ...


class TextSource(Protocol):
    """Reads a log from where it left off; blocks, belongs into a thread."""

    def read_new(self) -> str:
        """What was written since the last call; may end in the middle of a line."""
        ...


class CheckFacts(Protocol):
    """One finding of the doctor: which, how it went (`ok`, `warn`, `fail`), and what its sentence needs."""

    @property
    def id(self) -> str:
        """Which check."""
        ...

    @property
    def status(self) -> str:
        """`ok`, `warn` or `fail`."""
        ...

    @property
    def facts(self) -> Mapping[str, Fact]:
        """What the sentence needs."""
        ...


class MachineFacts(Protocol):
    """What the doctor found on this computer."""

    @property
    def device(self) -> str:
        """`cuda` or `cpu`."""
        ...

    @property
    def ok(self) -> bool:
        """Whether a model can be trained here."""
        ...

    @property
    def checks(self) -> Sequence[CheckFacts]:
        """All findings."""
        ...


class CapacityFacts(Protocol):
    """How large a model can be trained on this computer, in parameters; 0 where none can."""

    @property
    def lora(self) -> int:
        """With weights as they are."""
        ...

    @property
    def qlora(self) -> int:
        """With weights in 4 bit."""
        ...


class MachineDoctor(Protocol):
    """Looks at this computer; blocks, belongs into a thread."""

    def glance(self) -> MachineFacts:
        """Look without starting anything."""
        ...
