"""Several jobs, one after the other, on behalf of somebody who waits for them.

Owns the wait: what is interrupted here is stopped there, for nobody would come back to it. Refuses to know
what the jobs are for.
"""

from __future__ import annotations

from collections.abc import Callable

from academy_desktop.core.jobs import Jobs
from academy_desktop.core.states import JobState
from trainers.errors import AcademyError, ErrorCode
from trainers.events import AnyEvent


def follow_to_end(jobs: Jobs, job: str, heard: Callable[[AnyEvent], None]) -> tuple[AnyEvent, ...]:
    """Wait until a job has succeeded; returns all that it said.

    What `heard` raises, and Ctrl-C, ends the job as well.

    Raises:
        AcademyError: what the job failed of; `crashed` with the reason as `detail` where that has no code.
    """
    events: list[AnyEvent] = []
    try:
        for event in jobs.follow(job):
            events.append(event)
            heard(event)
    except BaseException:
        abandon(jobs, job)
        raise
    summary = jobs.wait(job)
    if summary.state is not JobState.SUCCEEDED:
        known = summary.reason in set(ErrorCode)
        code = ErrorCode(summary.reason) if known else ErrorCode.CRASHED
        raise AcademyError(code, **({"detail": summary.reason} | summary.facts))
    return tuple(events)


def abandon(jobs: Jobs, job: str) -> None:
    """Ask a job to end, if it goes on."""
    try:
        jobs.stop(job)
    except AcademyError:
        return  # it is over already
