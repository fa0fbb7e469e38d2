"""`academy train`: queue a recipe, run it, and watch."""

from pathlib import Path
from typing import Annotated

import typer

from academy_desktop.cli.following import Following
from academy_desktop.cli.session import Session
from academy_desktop.cli.verdicts import finish, job_fields

_INTERRUPTED = 130


def register(app: typer.Typer, session: Session) -> None:
    """Add the command."""
    _ = session.words.gettext

    @app.command(help=_("Queue a recipe, run it and follow; Ctrl-C leaves it running."))
    def train(
        recipe: Annotated[Path, typer.Argument(help=_("Recipe file, as “academy recipe init” writes it."))],
        detach: Annotated[bool, typer.Option("--detach", help=_("Do not follow."))] = False,
    ) -> None:
        jobs = session.workshop.jobs
        job = jobs.queue(session.workshop.recipes.read(recipe))
        if detach:
            session.screen.answer(
                {"job": job, **job_fields(jobs.get(job))},
                _("Queued as {job}. Watch it with “academy jobs follow {job}”.").format(job=job),
            )
            return
        watch(session, job)


def watch(session: Session, job: str) -> None:
    """Follow a job to its end and answer with how it ended; Ctrl-C leaves it running."""
    _ = session.words.gettext
    jobs = session.workshop.jobs
    try:
        with Following(session.screen, session.words, job) as following:
            for event in jobs.follow(job, look=following.look):
                following.event(event)
    except KeyboardInterrupt:
        said = _(
            "{job} goes on. Come back with “academy jobs follow {job}”, "
            "end it with “academy jobs stop {job}”."
        )
        session.screen.note(said.format(job=job))
        raise typer.Exit(_INTERRUPTED) from None
    finish(session, jobs.wait(job))
