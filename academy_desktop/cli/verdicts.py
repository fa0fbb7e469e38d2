"""How a job's end is told: fields, a sentence, and the exit code.

Owns the step from a job's state to 0 or 1. Refuses to know commands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from academy_desktop.cli.session import Session
from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from trainers.errors import ErrorCode


def job_fields(summary: JobSummary) -> dict[str, Any]:
    """Return what a program is told of a job."""
    return summary.model_dump(mode="json")


def outcome(session: Session, summary: JobSummary) -> str:
    """Return where a job stands and why, in one or two sentences."""
    return session.words.messages.outcome(summary.state, summary.reason, summary.facts)


def require_success(session: Session, summary: JobSummary, fields: Mapping[str, Any] | None = None) -> None:
    """Go on when a job succeeded; else say why it did not, and end the command with 1."""
    if summary.state is JobState.SUCCEEDED:
        return
    about = {"job": summary.id, "state": summary.state.value, **(fields or {})}
    if summary.reason in set(ErrorCode):
        session.screen.failure(summary.reason, summary.facts, about)
    else:
        title = session.words.messages.state(summary.state)
        said = outcome(session, summary)
        session.screen.failed(summary.reason or summary.state, title, said, "", summary.facts, about)
    raise typer.Exit(1)


def finish(session: Session, summary: JobSummary) -> None:
    """Answer with how a job ended; what the user stopped did not fail."""
    fields = {"job": summary.id, **job_fields(summary)}
    if summary.state is not JobState.STOPPED:
        require_success(session, summary, fields)
    session.screen.answer(fields, f"{summary.id}: {outcome(session, summary)}")
