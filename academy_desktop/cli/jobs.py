"""`academy jobs`: every run of the data folder, to look at, to command and to keep."""

import textwrap
import time
from typing import Annotated, Any

import typer

from academy_desktop.cli import considerate
from academy_desktop.cli.following import MOST_SHOWN, Following
from academy_desktop.cli.session import Session
from academy_desktop.cli.train import watch
from academy_desktop.cli.verdicts import finish, job_fields, outcome
from academy_desktop.core.reader import JobSummary
from trainers.errors import AcademyError, ErrorCode
from trainers.events import CommandAnswered
from trainers.layout import CommandName

#: A trainer looks for commands between two steps: one step of a large model may take minutes.
ANSWER_WAIT_S = 600.0
#: Between two looks at a log that is followed.
_LOOK_S = 0.3

Job = Annotated[str, typer.Argument(metavar="JOB", help="")]


def register(app: typer.Typer, session: Session) -> None:
    """Add the group."""
    _ = session.words.gettext
    group = typer.Typer(
        help=_("Jobs: look, command, keep. A job is named by its id, the beginning of one, or “last”."),
        no_args_is_help=True,
    )
    app.add_typer(group, name="jobs")
    _register_views(group, session)
    _register_following(group, session)
    _register_ends(group, session)
    _register_commands(group, session)
    _register_keeping(group, session)
    _register_index(group, session)
    considerate.register_jobs(group, session)


def _register_views(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command("list", help=_("List all jobs, the newest last."))
    def list_jobs() -> None:
        found = session.workshop.jobs.list()
        headings = (_("Job"), _("Name"), _("Kind"), _("State"), _("Step"), _("Loss"), _("Left"))
        rows = [_row(session, one) for one in found]
        empty = _("No job yet. “academy demo” goes the whole way once.")
        session.screen.answer(
            {"jobs": [job_fields(one) for one in found]},
            session.screen.table(headings, rows) if rows else empty,
        )

    @group.command(help=_("Show one job."))
    def show(job: Job) -> None:
        found = session.workshop.jobs.get(job)
        headings = (_("Job"), _("Name"), _("Kind"), _("State"), _("Step"), _("Loss"), _("Left"))
        session.screen.answer(
            {"jobs": [job_fields(found)], **job_fields(found), "samples": _samples(session, found)},
            session.screen.table(headings, [_row(session, found)]),
        )
        if not session.screen.as_json:
            session.screen.note(f"{outcome(session, found)}\n{found.run_dir}")


def _brief(text: str | None) -> str:
    return textwrap.shorten(text or "–", MOST_SHOWN, placeholder=" …")


def _samples(session: Session, job: JobSummary) -> list[dict[str, Any]]:
    """The newest answer to each question of a training job, beside the base's."""
    return session.workshop.jobs.history(job.id).timeline.newest()


def _row(session: Session, job: JobSummary) -> tuple[str, ...]:
    words, formats = session.words.messages, session.words.formats
    steps = f"{job.step}/{job.total_steps}" if job.total_steps else "–"
    return (
        job.id,
        job.name,
        words.kind(job.kind),
        words.state(job.state),
        steps,
        formats.decimal(job.loss, 3),
        formats.brief(job.eta_s),
    )


def _register_following(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command(
        help=_("Show a job from its beginning and stay until it is over; Ctrl-C leaves it running.")
    )
    def follow(
        job: Job,
        after: Annotated[int, typer.Option(min=0, help=_("Skip events up to this number."))] = 0,
    ) -> None:
        jobs = session.workshop.jobs
        if not session.screen.as_json:
            watch(session, jobs.resolve(job))
            return
        for event in jobs.follow(job, after_seq=after):
            session.screen.line(event.model_dump(mode="json"))

    @group.command(help=_("Print what the trainer printed."))
    def logs(
        job: Job,
        follow: Annotated[bool, typer.Option("--follow", help=_("Stay until the job is over."))] = False,
    ) -> None:
        jobs = session.workshop.jobs
        tail = jobs.log(job)
        if session.screen.as_json and not follow:
            session.screen.line({"job": jobs.resolve(job), "text": tail.read_new()})
            return
        while True:
            over = jobs.get(job).state.is_over
            text = tail.read_new()
            if session.screen.as_json:
                for line in text.splitlines():
                    session.screen.line({"text": line})
            else:
                session.screen.raw(text)
            if over or not follow:
                return
            time.sleep(_LOOK_S)


def _register_ends(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command(help=_("Save and end a job; it can be resumed."))
    def stop(job: Job) -> None:
        _end(session, job, "stop")

    @group.command(help=_("Save a job and free its memory, to go on later."))
    def suspend(job: Job) -> None:
        _end(session, job, "suspend")

    @group.command(help=_("End a job that does not stop: politely at first, then by force."))
    def kill(job: Job) -> None:
        _end(session, job, "kill")

    @group.command(help=_("Go on from the last good checkpoint."))
    def resume(
        job: Job,
        follow: Annotated[bool, typer.Option("--follow", help=_("Watch it."))] = False,
        shorter: Annotated[
            bool,
            typer.Option(
                "--shorter", help=_("Begin anew, as another job, with rows cut at half the length.")
            ),
        ] = False,
        qlora: Annotated[
            bool,
            typer.Option("--qlora", help=_("Begin anew, as another job, with the model in 4 bit (QLoRA).")),
        ] = False,
    ) -> None:
        jobs = session.workshop.jobs
        if shorter or qlora:
            found = jobs.get(jobs.begin_anew(job, shorter=shorter, qlora=qlora))
            said = _("{job} begins anew with less memory. Watch it with “academy jobs follow {job}”.")
        else:
            jobs.resume(job)
            found = jobs.get(job)
            said = _("{job} goes on. Watch it with “academy jobs follow {job}”.")
        if follow:
            watch(session, found.id)
            return
        session.screen.answer(_answer_fields(session, found), said.format(job=found.id))


def _register_commands(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command(help=_("Write a checkpoint now."))
    def save(job: Job) -> None:
        _command(session, job, "save")

    @group.command(help=_("Ask the model the questions of its recipe now, beside the base."))
    def sample(job: Job) -> None:
        found = _obeyed(session, job, "sample")
        samples = _samples(session, found)
        headings = (_("Question"), _("Before training"), _("Now"))
        rows = [tuple(_brief(one[name]) for name in ("prompt", "base", "tuned")) for one in samples]
        session.screen.answer(
            {**_answer_fields(session, found), "samples": samples}, session.screen.table(headings, rows)
        )

    @group.command(help=_("Let a job wait; it keeps its memory."))
    def pause(job: Job) -> None:
        _command(session, job, "pause")

    @group.command(help=_("Let a paused job go on."))
    def unpause(job: Job) -> None:
        _command(session, job, "unpause")

    @group.command(help=_("Let a job run in spite of quiet hours, battery or heat, while that goes on."))
    def anyway(job: Job) -> None:
        jobs = session.workshop.jobs
        identity = jobs.resolve(job)
        jobs.run_anyway(identity)
        said = _("{job} runs anyway.").format(job=identity)
        session.screen.answer(_answer_fields(session, jobs.get(identity)), said)

    @group.command(help=_("Give a queued job another place among those that wait."))
    def move(
        job: Job, to: Annotated[int, typer.Option(help=_("Its new place; 1 is the next to run."), min=1)]
    ) -> None:
        jobs = session.workshop.jobs
        place = jobs.move(job, to)
        found = jobs.get(job)
        session.screen.answer(
            {**_answer_fields(session, found), "place": place},
            _("{job} is number {place} of those that wait.").format(job=found.id, place=place),
        )


def _register_keeping(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command(help=_("Move a job that is over to the trash."))
    def delete(job: Job) -> None:
        jobs = session.workshop.jobs
        identity = jobs.resolve(job)
        state = jobs.get(identity).state
        jobs.delete(identity)
        said = _("{job} is in the trash. Bring it back with “academy jobs restore {job}”.")
        session.screen.answer(
            {"job": identity, "state": state, "checkpoint": None}, said.format(job=identity)
        )

    @group.command(help=_("Bring a job back from the trash."))
    def restore(job: Job) -> None:
        session.workshop.jobs.restore(job)
        found = session.workshop.jobs.get(job)
        session.screen.answer(_answer_fields(session, found), _("{job} is back.").format(job=found.id))

    @group.command(help=_("Name a job, and note what it is about; what is not given stays."))
    def label(
        job: Job,
        name: Annotated[str | None, typer.Option(help=_("New name."))] = None,
        notes: Annotated[str | None, typer.Option(help=_("Anything worth keeping."))] = None,
        tag: Annotated[
            list[str] | None, typer.Option(help=_("A word to find it by; may be repeated."))
        ] = None,
    ) -> None:
        session.workshop.jobs.relabel(job, name=name, notes=notes, tags=tag)
        found = session.workshop.jobs.get(job)
        session.screen.answer(_answer_fields(session, found), f"{found.id}: {found.name}")


def _end(session: Session, job: str, command: CommandName) -> None:
    """Give a command that ends a job, and wait for the end."""
    jobs = session.workshop.jobs
    identity = jobs.resolve(job)
    jobs.command(identity, command)
    with Following(session.screen, session.words, identity):
        found = jobs.wait(identity)
    fields = _answer_fields(session, found)
    session.screen.answer(fields, f"{found.id}: {outcome(session, found)}")


def _command(session: Session, job: str, command: CommandName) -> None:
    """Give a command that does not end a job, and answer with where it stands then."""
    found = _obeyed(session, job, command)
    if found.state.is_over:
        finish(session, found)
        return
    session.screen.answer(_answer_fields(session, found), f"{found.id}: {outcome(session, found)}")


def _obeyed(session: Session, job: str, command: CommandName) -> JobSummary:
    """Give a command, wait until the trainer has answered it, and return the job as it is then.

    Raises:
        AcademyError: the trainer's reason where it refuses; `job_not_running` where it has ended.
    """
    jobs = session.workshop.jobs
    identity = jobs.resolve(job)
    order = jobs.command(identity, command)
    deadline = time.monotonic() + ANSWER_WAIT_S
    for event in jobs.follow(identity):
        answer = event.payload
        if isinstance(answer, CommandAnswered) and answer.id == order and answer.outcome != "accepted":
            if answer.outcome == "refused":
                code = ErrorCode(answer.code) if answer.code in set(ErrorCode) else ErrorCode.JOB_NOT_RUNNING
                raise AcademyError(code, job=identity, state=jobs.get(identity).state)
            break
        if time.monotonic() > deadline:
            break
    return jobs.get(identity)


def _answer_fields(session: Session, found: JobSummary) -> dict[str, object]:
    checkpoints = session.workshop.jobs.history(found.id).checkpoints
    return {
        "job": found.id,
        "checkpoint": checkpoints[-1].path if checkpoints else None,
        **job_fields(found),
    }


def _register_index(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command("rebuild-index", help=_("Make the list of jobs anew from the run folders."))
    def rebuild_index() -> None:
        count = session.workshop.jobs.rebuild_index()
        session.screen.answer({"jobs": count}, _("{count} jobs are listed.").format(count=count))
