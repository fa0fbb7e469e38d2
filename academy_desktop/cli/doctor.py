"""`academy doctor`: what this computer can do, and what to do about what it cannot."""

import dataclasses
from typing import Any

import typer

from academy_desktop.cli.session import Session
from academy_desktop.core.environment import Check
from academy_desktop.core.environment import Findings as Found
from trainers.errors import ErrorCode

_MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}


def register(app: typer.Typer, session: Session) -> None:
    """Add the command."""
    _ = session.words.gettext

    @app.command(help=_("Look at hardware, drivers, packages and disk, and try a training step."))
    def doctor() -> None:
        with session.screen.progress(_("Examining this computer")) as told:
            told(0, 0, "")
            found = session.workshop.doctor.examine()
        fields = _fields(session, found)
        session.screen.answer(fields, _as_text(session, found))
        if not found.ok:
            raise typer.Exit(1)


def _fields(session: Session, found: Found) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "ok": found.ok,
        "device": found.device,
        "engine": found.engine,
        "trainer": found.trainer,
        "reason": session.words.findings.engine(found.reason),
        "checks": [_check(session, check) for check in found.checks],
        "gpus": [dataclasses.asdict(gpu) for gpu in found.gpus],
        "ram_bytes": found.ram_bytes,
        "disk_free_bytes": found.disk_free_bytes,
        "packages": found.packages,
    }
    broken = next((check for check in fields["checks"] if check["status"] == "fail"), None)
    if broken is not None:
        code = ErrorCode.PACKAGE_MISSING if broken["id"] == "packages" else ErrorCode.TASK_FAILED
        words = {"message": broken["message"], "next_step": broken["next_step"]}
        fields["error"] = {"code": code, **words, "facts": {}}
    return fields


def _check(session: Session, check: Check) -> dict[str, str]:
    said = session.words.findings.check(check.id, check.status, check.facts)
    return {"id": check.id, "status": check.status, "message": said.message, "next_step": said.next_step}


def _as_text(session: Session, found: Found) -> str:
    lines = []
    for check in found.checks:
        said = session.words.findings.check(check.id, check.status, check.facts)
        lines.append(f"{_MARKS[check.status]} {said.message}")
        if said.next_step:
            lines.append(f"  → {said.next_step}")
    lines.append(session.words.findings.engine(found.reason))
    return "\n".join(lines)
