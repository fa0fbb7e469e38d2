"""`academy estimate`: what a run will need, before it begins."""

from pathlib import Path
from typing import Annotated, Any

import typer

from academy_desktop.cli.session import Session
from academy_desktop.cli.trial import trial_fields, trial_text, try_steps
from academy_desktop.core.estimate.service import Estimate
from academy_desktop.text.estimates import EstimateWords


def register(app: typer.Typer, session: Session) -> None:
    """Add the command."""
    _ = session.words.gettext

    @app.command(help=_("Say what a recipe will need: memory, disk and time, item by item."))
    def estimate(
        file: Annotated[Path, typer.Argument(help=_("The recipe."))],
        trial: Annotated[
            bool, typer.Option("--trial", help=_("Take three real steps over the longest rows first."))
        ] = False,
    ) -> None:
        shop = session.workshop
        recipe = shop.recipes.read(file, here=trial)
        if trial:
            found = try_steps(session, recipe)
            fields = {**_fields(found.estimate), "trial": trial_fields(found)}
            text = f"{trial_text(session, found)}\n\n{_as_text(session, found.estimate)}"
            session.screen.answer(fields, text)
            return
        made = shop.estimates.estimate(recipe)
        session.screen.answer(_fields(made), _as_text(session, made))


def _fields(made: Estimate) -> dict[str, Any]:
    found, nearest = made.forecast, made.nearest
    return {
        "fits": found.fits,
        "tight": found.is_tight,
        "device": found.device,
        "engine": found.engine,
        "precision": found.precision,
        "device_bytes": round(found.device_bytes),
        "host_bytes": round(found.host_bytes),
        "disk_bytes": round(found.disk_bytes),
        "seconds": round(found.seconds, 1),
        "steps": found.steps,
        "terms": {name: round(value) for name, value in vars(found.memory).items()},
        "disk_terms": {name: round(value) for name, value in found.disk.items()},
        "range": {"low": round(found.memory_range.low), "high": round(found.memory_range.high)},
        "seconds_range": {
            "low": round(found.seconds_range.low, 1),
            "high": round(found.seconds_range.high, 1),
        },
        "limit_bytes": found.limit_bytes,
        "disk_free_bytes": found.disk_free_bytes,
        "learned_from": found.runs,
        "rows_counted": found.counted,
        "nearest": dict(nearest.fields) if nearest else None,
    }


def _as_text(session: Session, made: Estimate) -> str:
    words, found = EstimateWords(session.words.gettext, session.words.formats), made.forecast
    lines = [words.verdict(found), words.memory(found), words.time(found), words.disk(found)]
    if made.nearest is not None:
        lines.append(words.nearest(made.nearest.fields))
    lines += ["", *(f"  {title}: {size}" for title, size in words.items(found))]
    lines += ["", words.basis(found)]
    return "\n".join(line for line in lines)
