"""What state a job is in: one pure function from facts to state (PROTOCOL.md, "Job states").

Owns the table. Refuses to know where the facts come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from trainers.errors import ErrorCode
from trainers.layout import ExitRecord

#: A launch without a host is still young, not lost, for this long.
HOST_START_S = 10.0


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in {JobState.SUCCEEDED, JobState.STOPPED, JobState.FAILED, JobState.INTERRUPTED}

    @property
    def can_resume(self) -> bool:
        """Whether a new attempt may go on from the last checkpoint."""
        return self in {JobState.STOPPED, JobState.FAILED, JobState.INTERRUPTED}


@dataclass(frozen=True)
class Facts:
    """What is known about the newest attempt of a job."""

    launched: bool = True
    ended: Literal["succeeded", "stopped", "failed"] | None = None
    ended_reason: str = ""
    exit: ExitRecord | None = None
    host_alive: bool = False
    host_state: Literal["waiting", "running", "ended"] | None = None
    launch_age_s: float = 0.0
    stop_pending: bool = False
    started: bool = False
    paused: bool = False
    stalled: str = ""
    held: str = ""
    waits: str = ""


@dataclass(frozen=True)
class Verdict:
    """A state, and why."""

    state: JobState
    reason: str = ""


def derive(facts: Facts) -> Verdict:
    """Return the state that follows from the facts; the first row of the table that fits wins."""
    if not facts.launched:
        return Verdict(JobState.INTERRUPTED, "not_started")
    if facts.held and facts.host_alive and (facts.ended, facts.ended_reason) == ("stopped", "suspended"):
        return Verdict(JobState.QUEUED, facts.held)
    if facts.ended is not None:
        return Verdict(JobState(facts.ended), facts.ended_reason)
    if facts.exit is not None:
        return _from_exit(facts.exit)
    if not facts.host_alive:
        if facts.host_state is None and facts.launch_age_s < HOST_START_S:
            return Verdict(JobState.QUEUED)
        return Verdict(JobState.INTERRUPTED, "host_lost")
    if facts.waits:
        return Verdict(JobState.PAUSED, facts.waits)
    if facts.host_state in {None, "waiting"}:
        return Verdict(JobState.QUEUED, facts.held)
    return Verdict(_while_running(facts), facts.stalled or facts.held)


def _from_exit(record: ExitRecord) -> Verdict:
    if record.out_of_memory:
        return Verdict(JobState.FAILED, ErrorCode.OUT_OF_MEMORY)
    match record.reason:
        case "stopped_in_queue":
            return Verdict(JobState.STOPPED, "user")
        case "not_started":
            return Verdict(JobState.FAILED, ErrorCode.HOST_FAILED)
        case "signalled":
            return Verdict(JobState.INTERRUPTED, record.signal or "signal")
        case "exited":
            return Verdict(JobState.FAILED, ErrorCode.CRASHED)


def _while_running(facts: Facts) -> JobState:
    if facts.stop_pending:
        return JobState.STOPPING
    if not facts.started:
        return JobState.STARTING
    return JobState.PAUSED if facts.paused else JobState.RUNNING
