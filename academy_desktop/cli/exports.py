"""`academy export`, `certify` and `evaluate`: from a finished run to files that are proven."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from academy_desktop.cli.following import Following
from academy_desktop.cli.session import Session
from academy_desktop.cli.verdicts import require_success
from academy_desktop.core.exports import FinishedExport
from academy_desktop.core.reader import JobSummary
from trainers.errors import AcademyError, ErrorCode
from trainers.evaluation import Evaluation
from trainers.events import AnyEvent, Exported
from trainers.exporting.record import companions
from trainers.recipe import MIXED_QUANTS, ExportFormat, ExportItem, Quant

FORMATS: tuple[str, ...] = get_args(ExportFormat)
QUANTS: tuple[str, ...] = get_args(Quant)
_IMPORTANCE = ExportItem.model_fields["importance"].description or ""


def register(app: typer.Typer, session: Session) -> None:
    """Add the commands."""
    _register_export(app, session)
    _register_certify(app, session)
    _register_evaluate(app, session)


def _register_export(app: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @app.command(help=_("Make files from a finished run."))
    def export(
        job: Annotated[str, typer.Argument(help=_("A finished training job."))],
        form: Annotated[
            list[str], typer.Option("--format", metavar="|".join(FORMATS), help=_("May be repeated."))
        ],
        quant: Annotated[
            list[str] | None,
            typer.Option(metavar="|".join(QUANTS), help=_("Number format of the weights; may be repeated.")),
        ] = None,
        importance: Annotated[bool, typer.Option("--importance", help=_(_IMPORTANCE))] = False,
        out: Annotated[
            Path | None, typer.Option(help=_("Folder to copy them to; they stay in the run as well."))
        ] = None,
    ) -> None:
        workshop = session.workshop
        parent = workshop.jobs.resolve(job)
        order = workshop.exports.queue(parent, _items(session, form, quant or ["f16"], importance))
        summary, events = run(session, order)
        require_success(session, summary)
        told = [event.payload for event in events if isinstance(event.payload, Exported)]
        finished = workshop.exports.finished(parent, [Path(one.path).name for one in told])
        fields = [
            export_fields(one, said, workshop.exports.copy(one.export, out) if out else one.export.path)
            for one, said in zip(finished, told, strict=True)
        ]
        lines = [f"{one['path']} · {session.words.formats.size(one['bytes'])}" for one in fields]
        session.screen.answer({"job": order, "exports": fields}, "\n".join(lines))


def _register_certify(app: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @app.command(help=_("Prove that exports behave like the model that was trained."))
    def certify(
        job: Annotated[str, typer.Argument(help=_("A finished training job."))],
        exports: Annotated[
            list[str] | None, typer.Argument(help=_("Names or files of exports; all without any."))
        ] = None,
    ) -> None:
        workshop = session.workshop
        parent = workshop.jobs.resolve(job)
        given = exports or []
        names = [workshop.exports.name_of(parent, one) for one in given]
        order = workshop.exports.queue_certificate(parent, names)
        summary, _events = run(session, order)
        require_success(session, summary)
        finished = workshop.exports.finished(parent, names)
        for path, one in zip(given, finished, strict=False):
            if Path(path).name != path and Path(path).parent.resolve() != one.export.path.parent.resolve():
                workshop.exports.copy(one.export, Path(path).parent)
        fields = {"job": order, **certificate_fields(finished)}
        answer_proof(session, finished, fields, "\n".join(certificate_lines(session, finished)))


def _register_evaluate(app: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @app.command(help=_("Let base and tuned model answer held-out rows, side by side."))
    def evaluate(
        job: Annotated[str, typer.Argument(help=_("A finished training job."))],
        rows: Annotated[int, typer.Option(min=1, max=10_000, help=_("How many rows."))] = 50,
        export: Annotated[
            list[str] | None, typer.Option(help=_("A GGUF export to ask as well; may be repeated."))
        ] = None,
        max_new_tokens: Annotated[int, typer.Option(min=1, max=4096, help=_("Longest answer."))] = 64,
    ) -> None:
        workshop = session.workshop
        parent = workshop.jobs.resolve(job)
        targets = ("base", "tuned", *(workshop.exports.name_of(parent, one) for one in export or ()))
        order = workshop.exports.queue_evaluation(parent, targets, rows, max_new_tokens)
        summary, _events = run(session, order)
        require_success(session, summary)
        found = workshop.exports.evaluation(order)
        session.screen.answer(_evaluation_fields(order, found), _evaluation_text(session, found))


def run(session: Session, job: str) -> tuple[JobSummary, Sequence[AnyEvent]]:
    """Follow a job that belongs to this command; Ctrl-C ends it, for nothing is lost with it."""
    jobs = session.workshop.jobs
    events: list[AnyEvent] = []
    try:
        with Following(
            session.screen, session.words, session.words.messages.kind(jobs.get(job).kind)
        ) as shown:
            for event in jobs.follow(job):
                events.append(event)
                shown.event(event)
        return jobs.wait(job), events
    except KeyboardInterrupt:
        if not jobs.get(job).state.is_over:
            jobs.stop(job)
        raise


def export_fields(finished: FinishedExport, said: Exported, path: Path) -> dict[str, Any]:
    """Return what a program is told of an export."""
    record = finished.export.record
    modelfile, card = companions(path)
    return {
        "path": str(path),
        "format": record.format,
        "quant": record.quant,
        "importance": record.importance,
        "bytes": record.size_bytes,
        "sha256": record.sha256,
        "seconds": said.seconds,
        "peak_rss_bytes": said.peak_rss_bytes,
        "modelfile": str(modelfile) if finished.has_modelfile else None,
        "card": str(card) if finished.has_card else None,
    }


def certificate_fields(finished: Sequence[FinishedExport]) -> dict[str, Any]:
    """Return what a program is told of certificates."""
    proven = [one for one in finished if one.certificate is not None]
    exports = []
    for one in proven:
        assert one.certificate is not None
        fields = one.certificate.model_dump(mode="json", exclude={"v", "export"})
        exports.append({"path": str(one.export.path), "name": one.export.name, **fields})
    return {"passed": bool(exports) and all(one["passed"] for one in exports), "exports": exports}


def certificate_lines(session: Session, finished: Sequence[FinishedExport]) -> list[str]:
    """Return a line for each certificate, and one for each check that failed."""
    _, formats = session.words.gettext, session.words.formats
    lines = []
    for one in finished:
        verdict = one.certificate
        if verdict is None:
            lines.append(_("? {name}: no certificate").format(name=one.export.name))
            continue
        mark = "✓" if verdict.passed else "✗"
        said = _(
            "{mark} {name}: {top1} the same next token, {greedy} the same answers, "
            "perplexity {own} against {reference}"
        )
        lines.append(
            said.format(
                mark=mark,
                name=one.export.name,
                top1=formats.percent(verdict.top1_agreement),
                greedy=formats.percent(verdict.greedy_equal),
                own=formats.decimal(verdict.perplexity, 3),
                reference=formats.decimal(verdict.reference_perplexity, 3),
            )
        )
        lines += [f"    {_(check.meaning)} {check.detail}" for check in verdict.checks if not check.passed]
    return lines


def answer_proof(
    session: Session, finished: Sequence[FinishedExport], fields: Mapping[str, Any], text: str
) -> None:
    """Give an answer that hangs on a proof: one that failed ends the command with 1."""
    if certificate_fields(finished)["passed"]:
        session.screen.answer(fields, text)
        return
    if not session.screen.as_json:
        session.screen.answer(fields, text)
    failed = [one for one in finished if one.certificate is None or not one.certificate.passed]
    facts = {"export": ", ".join(one.export.name for one in failed)}
    session.screen.failure(ErrorCode.CERTIFICATE_FAILED, facts, fields)
    raise typer.Exit(1)


def _items(
    session: Session, forms: Sequence[str], quants: Sequence[str], importance: bool
) -> list[ExportItem]:
    """Return every format in every quantization; an adapter has only its own.

    Raises:
        AcademyError: `quant_unsupported`.
    """
    _ = session.words.gettext
    items: dict[ExportItem, None] = {}
    for form in forms:
        if form not in FORMATS:
            known = _("one of {known}").format(known=", ".join(FORMATS))
            raise typer.BadParameter(known, param_hint="--format")
        for quant in quants:
            if quant not in QUANTS:
                raise AcademyError(ErrorCode.QUANT_UNSUPPORTED, quant=quant, detail=", ".join(QUANTS))
            item = ExportItem.model_validate({"format": form, "quant": "f16" if form == "adapter" else quant})
            weighed = importance and item.can_weigh
            items[item.model_copy(update={"importance": True}) if weighed else item] = None
    if importance and not any(item.importance for item in items):
        needed = _("needs --format gguf with --quant {known}").format(known="|".join(MIXED_QUANTS))
        raise typer.BadParameter(needed, param_hint="--importance")
    return list(items)


def _evaluation_fields(job: str, found: Evaluation) -> dict[str, Any]:
    targets = {name: score.model_dump(mode="json", exclude={"v"}) for name, score in found.targets.items()}
    rows = [row.model_dump(mode="json", exclude={"v"}) for row in found.rows]
    return {"job": job, **targets, "rows": rows}


def _evaluation_text(session: Session, found: Evaluation) -> str:
    _, formats = session.words.gettext, session.words.formats
    lines = []
    for row in found.rows:
        lines.append(f"{row.prompt}\n  = {row.expected}")
        lines += [f"  {target}: {answer}" for target, answer in row.answers.items()]
    said = _("{target}: {share} of {rows} answers as expected, {ended} ended by themselves")
    for target, score in found.targets.items():
        lines.append(
            said.format(
                target=target,
                share=formats.percent(score.exact_match),
                rows=score.rows,
                ended=formats.percent(score.end_of_turn_rate),
            )
        )
    return "\n".join(lines)
