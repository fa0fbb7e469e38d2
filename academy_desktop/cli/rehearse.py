"""`academy rehearse`: the whole way of a recipe in about a minute, before hours are spent on it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from academy_desktop.cli.session import Session
from academy_desktop.cli.stage_narrator import StageNarrator
from academy_desktop.core.rehearsal import Rehearsal
from academy_desktop.core.rehearsal_record import STAGES, RehearsalRecord
from academy_desktop.text.rehearsals import RehearsalWords
from trainers.errors import ErrorCode


def register(app: typer.Typer, session: Session) -> None:
    """Add the command."""
    _ = session.words.gettext

    @app.command(help=_("Go a recipe’s whole way once with a small model: rows, training, export, proof."))
    def rehearse(recipe: Annotated[Path, typer.Argument(help=_("Recipe file."))]) -> None:
        shop = session.workshop
        words = RehearsalWords(session.words.gettext, session.words.formats, session.words.messages)
        audience = StageNarrator(session, {name: words.title(name) for name in STAGES})
        try:
            record = Rehearsal(shop, audience).run(shop.recipes.read(recipe, here=False))
        finally:
            audience.close()
        _answer(session, words, record)


def _answer(session: Session, words: RehearsalWords, record: RehearsalRecord) -> None:
    """Say what it came to; a rehearsal that found something serious ends the command with 1."""
    fields, text = _fields(words, record), "\n".join(_lines(session, words, record))
    if record.ok:
        session.screen.answer(fields, text)
        return
    if not session.screen.as_json:
        session.screen.answer(fields, text)
    serious = [words.problem(one) for one in record.problems if one.serious]
    facts = {"problems": len(serious), "detail": serious[0].rstrip(".") if serious else None}
    session.screen.failure(ErrorCode.REHEARSAL_FAILED, facts, fields)
    raise typer.Exit(1)


def _fields(words: RehearsalWords, record: RehearsalRecord) -> dict[str, Any]:
    return {
        "job": record.job,
        "ok": record.ok,
        "problems": [
            {**one.model_dump(mode="json", exclude={"v"}), "message": words.problem(one)}
            for one in record.problems
        ],
        "stages": [stage.model_dump(mode="json", exclude={"v"}) for stage in record.stages],
        "model": record.small_model.model_dump(mode="json", exclude={"v"}) if record.small_model else None,
        "changes": [
            {**one.model_dump(mode="json", exclude={"v"}), "message": words.change(one)}
            for one in record.changes
        ],
        "jobs": list(record.jobs),
        "seconds": record.seconds,
        "forecast": record.outlook.model_dump(mode="json", exclude={"v"}) if record.outlook else None,
    }


def _lines(session: Session, words: RehearsalWords, record: RehearsalRecord) -> Sequence[str]:
    _, formats = session.words.gettext, session.words.formats
    marks = {"done": "✓", "failed": "✗", "left_out": "–"}
    lines = [
        f"{marks[stage.outcome]} {words.title(stage.name)} · {formats.brief(stage.seconds)}"
        for stage in record.stages
    ]
    if record.small_model is not None:
        lines.append(words.small_model(record.small_model))
    if record.changes:
        lines.append(words.changes(record.changes))
    lines += [f"• {words.problem(one)}" for one in record.problems]
    lines.append(f"{words.verdict(ok=record.ok, problems=len(record.problems))}. ")
    if record.ok:
        lines[-1] += words.next_step(ok=True)
    if record.outlook is not None:
        lines.append(words.outlook(record.outlook))
    return [line.rstrip() for line in lines]
