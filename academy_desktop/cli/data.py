"""`academy data`: datasets, and what a model would learn from them."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from academy_desktop.cli.data_making import register_making
from academy_desktop.cli.data_options import (
    columns_option,
    encoding_option,
    form_option,
    name_option,
    profile_option,
    seed_option,
    share_option,
)
from academy_desktop.cli.data_peek import check_form, mapping_of, register_peek
from academy_desktop.cli.data_words import as_text, fields_of
from academy_desktop.cli.session import Session
from academy_desktop.core.datasets.audit import Report, count_of, problem_counts
from academy_desktop.core.datasets.encodings import Encoding
from academy_desktop.core.datasets.near import NearDups
from academy_desktop.core.datasets.quality import Profile
from academy_desktop.core.datasets.xray import Preview, preview_row
from trainers.recipe import Training
from trainers.rendering import Renderer
from trainers.rendering.defects import DefectCode

#: Columns of the longest bar of a histogram.
BAR_WIDTH = 40
MAX_LENGTH: int = Training.model_fields["max_seq_length"].default


def register(app: typer.Typer, session: Session) -> None:
    """Add the group."""
    _ = session.words.gettext
    group = typer.Typer(help=_("Datasets: import, look, audit."), no_args_is_help=True)
    app.add_typer(group, name="data")
    _register_import(group, session)
    register_peek(group, session)
    register_making(group, session)
    _register_views(group, session)
    _register_xray(group, session)


def _register_import(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command(
        "import",
        help=_("Make a dataset of files or folders: JSON, CSV, Parquet, Arrow, text, PDF, Word; also .gz."),
    )
    def import_files(
        files: Annotated[list[Path], typer.Argument(help=_("Files with rows, or folders of them."))],
        name: Annotated[str, name_option(_)],
        form: Annotated[str, form_option(_)] = "auto",
        columns: Annotated[list[str] | None, columns_option(_)] = None,
        profile: Annotated[Profile, profile_option(_)] = Profile.BALANCED,
        share: Annotated[float, share_option(_)] = 0.1,
        eval_file: Annotated[
            list[Path] | None, typer.Option(help=_("File whose rows are all held out, instead of a share."))
        ] = None,
        seed: Annotated[int, seed_option(_)] = 3407,
        dedup: Annotated[bool, typer.Option("--dedup/--no-dedup", help=_("Drop repeated rows."))] = True,
        near_dups: Annotated[
            NearDups,
            typer.Option(help=_("Rows that are nearly the same: keep, keep on one side (apart), or drop.")),
        ] = NearDups.APART,
        encoding: Annotated[Encoding, encoding_option(_)] = Encoding.AUTO,
    ) -> None:
        check_form(session, form)
        with session.screen.progress(_("Importing")) as told:
            manifest = session.workshop.datasets.import_files(
                files,
                name,
                format=form,
                mapping=mapping_of(columns or []),
                profile=profile,
                eval_fraction=share,
                seed=seed,
                dedup=dedup,
                near_dups=near_dups,
                encoding=encoding,
                eval_files=eval_file or (),
                progress=lambda done, total: told(done, total, ""),
            )
        session.screen.answer(fields_of(manifest), as_text(session, manifest))


def _register_views(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command("list", help=_("List all datasets."))
    def list_datasets() -> None:
        found = session.workshop.datasets.list()
        headings = (_("Id"), _("Form"), _("Rows to learn"), _("Held out"))
        rows = [(one.id, one.format.value, f"{one.train_rows:,}", f"{one.eval_rows:,}") for one in found]
        empty = _("No dataset yet. Make one with “academy data import FILE --name NAME”.")
        session.screen.answer(
            {"datasets": [fields_of(one) for one in found]},
            session.screen.table(headings, rows) if rows else empty,
        )

    @group.command(help=_("Show where a dataset came from and what was dropped."))
    def show(dataset: Annotated[str, typer.Argument(help=_("Id or name."))]) -> None:
        manifest = session.workshop.datasets.get(dataset)
        session.screen.answer(fields_of(manifest), as_text(session, manifest))


def _register_xray(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext
    model_option = typer.Option(help=_("Model whose chat template and tokenizer are used."))

    @group.command(help=_("Count the tokens of every row."))
    def stats(dataset: str, model: Annotated[str, model_option]) -> None:
        found = _audit(session, dataset, model, MAX_LENGTH)
        bars = found.histogram()
        fields = {
            "count": found.rendered_rows,
            "tokens": {
                "mean": found.mean,
                "p50": found.percentile(0.50),
                "p95": found.percentile(0.95),
                "max": found.longest,
                "histogram": {str(bar.start): bar.rows for bar in bars},
            },
            "supervised_tokens": found.all_supervised_tokens,
        }
        text = _("{rows} rows, {mean} tokens on average, 95 % have at most {p95}, the longest {longest}.")
        said = text.format(
            rows=found.rendered_rows,
            mean=round(found.mean),
            p95=found.percentile(0.95),
            longest=found.longest,
        )
        most = max((bar.rows for bar in bars), default=0)
        drawn = [
            f"{bar.start:>8}  {'█' * -(-bar.rows * BAR_WIDTH // most):{BAR_WIDTH}}  {bar.rows:,}"
            for bar in bars
        ]
        session.screen.answer(fields, "\n".join([said, *drawn]))

    @group.command("audit", help=_("Render every row and name what would go wrong in training."))
    def audit_rows(
        dataset: str,
        model: Annotated[str, model_option],
        max_length: Annotated[
            int, typer.Option(min=1, help=_("Tokens after which a row is cut."))
        ] = MAX_LENGTH,
        mend: Annotated[
            bool, typer.Option("--mend", help=_("Mend what can be mended, as a new version of the dataset."))
        ] = False,
    ) -> None:
        found = _audit(session, dataset, model, max_length)
        fields, lines = _audited(session, found)
        if mend:
            made, changed = session.workshop.inspection.mend(dataset, _model_folder(session, model), found)
            fields |= {"mended_rows": changed, "mended": made.id if made else None}
            lines.append(
                _("{rows} rows mended: the new version is {id}.").format(rows=changed, id=made.id)
                if made
                else _("There is nothing that can be mended.")
            )
        session.screen.answer(fields, "\n".join(lines))

    @group.command("preview", help=_("Show one row as the model sees it; what is trained is marked."))
    def show_row(
        dataset: str,
        model: Annotated[str, model_option],
        row: Annotated[int, typer.Option(min=1, help=_("Number of the row, from 1."))] = 1,
    ) -> None:
        rows = session.workshop.inspection.rows(dataset)
        number = rows.number_of(row)
        if number is None:
            raise typer.BadParameter(_("there is no such row"), param_hint="--row")
        wanted = rows.row(number)
        shown, *others = preview_row(_renderer(session, model), wanted)
        fields, lines = _rendered(shown), [_marked(shown)]
        for other in others:
            fields["rejected"] = _rendered(other)
            lines += ["", _("With the worse answer, learned to be avoided:"), "", _marked(other)]
        if wanted.label is not None:
            fields["label"] = wanted.label
            good, bad = _("This answer was found good."), _("This answer was found bad.")
            lines += ["", good if wanted.label else bad]
        session.screen.answer(fields, "\n".join(lines))


def _rendered(shown: Preview) -> dict[str, Any]:
    return {
        "text": shown.text,
        "spans": [dataclasses.asdict(stretch) for stretch in shown.stretches],
        "tokens": len(shown.tokens),
        "token_ids": [token.id for token in shown.tokens],
        "supervised_tokens": shown.supervised_tokens,
    }


def _marked(shown: Preview) -> str:
    return "".join(
        f"⟦{shown.text[one.start : one.end]}⟧" if one.trained else shown.text[one.start : one.end]
        for one in shown.stretches
    )


def _audit(session: Session, dataset: str, model: str, max_length: int) -> Report:
    folder = _model_folder(session, model)
    with session.screen.progress(session.words.gettext("Auditing")) as told:
        return session.workshop.inspection.audit(
            dataset, folder, max_length, lambda done, total, _detail: told(done, total, "")
        )


def _audited(session: Session, found: Report) -> tuple[dict[str, Any], list[str]]:
    """What an audit found, as fields and as lines."""
    _ = session.words.gettext
    words = session.words.findings
    problems = [
        {"row": one.row, "code": one.code, "message": words.defect(one.code, one.facts)}
        for one in found.problems()
    ]
    fields = {
        "rows": found.rows,
        "supervised_tokens": found.supervised_tokens,
        "truncated": found.cut(found.max_length).rows,
        "zero_label": count_of(found, DefectCode.NOTHING_SUPERVISED),
        "missing_eos": count_of(found, DefectCode.MISSING_END_OF_TURN),
        "double_bos": count_of(found, DefectCode.DOUBLE_BOS),
        "defects": problem_counts(found),
        "problems": problems,
    }
    lines = [_("row {row}: {message}").format(**problem) for problem in problems]
    lines += [f"{count:>8,}  {words.defect_name(code)}" for code, count in problem_counts(found).items()]
    summary = _("{rows} rows, {tokens} trained tokens, {problems} problems.")
    lines.append(summary.format(rows=found.rows, tokens=found.supervised_tokens, problems=len(problems)))
    return fields, lines


def _model_folder(session: Session, model: str) -> Path:
    """The folder of a model, or one that holds no more than a tokenizer."""
    folder = Path(model).expanduser()
    return folder.resolve() if folder.is_dir() else Path(session.workshop.models.get(model).path)


def _renderer(session: Session, model: str) -> Renderer:
    return Renderer.load(_model_folder(session, model))
