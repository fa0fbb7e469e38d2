"""What the view models need from the core, and no more: protocols that the core's classes fit.

Owns the shape of the need, so that a page can be driven by a double. Refuses to know where facts come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from academy_desktop.core.reader import JobSummary
from trainers.events import AnyEvent


class JobSource(Protocol):
    """Lists jobs and takes commands for them; every call may block and belongs into a thread."""

    def list(self) -> Sequence[JobSummary]:
        """All jobs, in any order."""
        ...

    def stop(self, job: str) -> object:
        """Ask a job to save and end."""
        ...

    def resume(self, job: str) -> object:
        """Start a new attempt of a job from its last checkpoint."""
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
