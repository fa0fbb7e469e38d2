"""`academy data`: datasets, and what a model would learn from them."""

import dataclasses
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from academy_desktop.cli.session import Session
from academy_desktop.core.datasets.forms import Form
from academy_desktop.core.datasets.library import Row
from academy_desktop.core.datasets.manifest import DatasetManifest
from academy_desktop.core.datasets.quality import Profile
from academy_desktop.core.datasets.xray import audit, lengths, preview
from trainers.errors import AcademyError, ErrorCode
from trainers.recipe import Training
from trainers.rendering import Renderer

FORMATS = ("auto", *(form.value for form in Form))
MAX_LENGTH: int = Training.model_fields["max_seq_length"].default


def register(app: typer.Typer, session: Session) -> None:
    """Add the group."""
    _ = session.words.gettext
    group = typer.Typer(help=_("Datasets: import, look, audit."), no_args_is_help=True)
    app.add_typer(group, name="data")
    _register_import(group, session)
    _register_views(group, session)
    _register_xray(group, session)


def _register_import(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command("import", help=_("Make a dataset of JSON, JSONL or CSV files."))
    def import_files(
        files: Annotated[list[Path], typer.Argument(help=_("Files with rows."))],
        name: Annotated[str, typer.Option(help=_("Name of the dataset."))],
        form: Annotated[
            str, typer.Option("--format", help=_("Form of the rows."), metavar="|".join(FORMATS))
        ] = "auto",
        columns: Annotated[
            list[str] | None,
            typer.Option("--map", metavar="FIELD=COLUMN", help=_("Which column is which; may be repeated.")),
        ] = None,
        profile: Annotated[
            Profile, typer.Option(help=_("How strictly rows are checked."))
        ] = Profile.BALANCED,
        share: Annotated[
            float, typer.Option("--eval", min=0.0, max=0.9, help=_("Share of the rows that is held out."))
        ] = 0.1,
        eval_file: Annotated[
            list[Path] | None, typer.Option(help=_("File whose rows are all held out, instead of a share."))
        ] = None,
        seed: Annotated[int, typer.Option(help=_("Decides which rows are held out."))] = 3407,
        dedup: Annotated[bool, typer.Option("--dedup/--no-dedup", help=_("Drop repeated rows."))] = True,
    ) -> None:
        if form not in FORMATS:
            raise typer.BadParameter(
                _("one of {known}").format(known=", ".join(FORMATS)), param_hint="--format"
            )
        with session.screen.progress(_("Importing")) as told:
            manifest = session.workshop.datasets.import_files(
                files,
                name,
                format=form,
                mapping=_mapping(columns or []),
                profile=profile,
                eval_fraction=share,
                seed=seed,
                dedup=dedup,
                eval_files=eval_file or (),
                progress=lambda done, total: told(done, total, ""),
            )
        session.screen.answer(_fields(manifest), _as_text(session, manifest))


def _register_views(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command("list", help=_("List all datasets."))
    def list_datasets() -> None:
        found = session.workshop.datasets.list()
        headings = (_("Id"), _("Form"), _("Rows to learn"), _("Held out"))
        rows = [(one.id, one.format.value, f"{one.train_rows:,}", f"{one.eval_rows:,}") for one in found]
        empty = _("No dataset yet. Make one with “academy data import FILE --name NAME”.")
        session.screen.answer(
            {"datasets": [_fields(one) for one in found]},
            session.screen.table(headings, rows) if rows else empty,
        )

    @group.command(help=_("Show where a dataset came from and what was dropped."))
    def show(dataset: Annotated[str, typer.Argument(help=_("Id or name."))]) -> None:
        manifest = session.workshop.datasets.get(dataset)
        session.screen.answer(_fields(manifest), _as_text(session, manifest))


def _register_xray(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext
    model_option = typer.Option(help=_("Model whose chat template and tokenizer are used."))

    @group.command(help=_("Count the tokens of every row."))
    def stats(dataset: str, model: Annotated[str, model_option]) -> None:
        found = lengths(_renderer(session, model), _rows(session, dataset))
        tokens = {"mean": found.mean, "p50": found.p50, "p95": found.p95, "max": found.longest}
        fields = {
            "count": found.count,
            "tokens": {**tokens, "histogram": {str(start): rows for start, rows in found.histogram.items()}},
            "supervised_tokens": found.supervised_tokens,
        }
        text = _("{rows} rows, {mean} tokens on average, 95 % have at most {p95}, the longest {longest}.")
        session.screen.answer(
            fields,
            text.format(rows=found.count, mean=round(found.mean), p95=found.p95, longest=found.longest),
        )

    @group.command("audit", help=_("Render every row and name what would go wrong in training."))
    def audit_rows(
        dataset: str,
        model: Annotated[str, model_option],
        max_length: Annotated[
            int, typer.Option(min=1, help=_("Tokens after which a row is cut."))
        ] = MAX_LENGTH,
    ) -> None:
        found = audit(_renderer(session, model), _rows(session, dataset), max_length)
        fields = dataclasses.asdict(found)
        words = session.words.findings
        fields["problems"] = [
            {"row": one.row, "code": one.code, "message": words.defect(one.code, one.facts)}
            for one in found.problems
        ]
        lines = [_("row {row}: {message}").format(**problem) for problem in fields["problems"]]
        summary = _("{rows} rows, {tokens} trained tokens, {problems} problems.")
        lines.append(
            summary.format(rows=found.rows, tokens=found.supervised_tokens, problems=len(found.problems))
        )
        session.screen.answer(fields, "\n".join(lines))

    @group.command("preview", help=_("Show one row as the model sees it; what is trained is marked."))
    def preview_row(
        dataset: str,
        model: Annotated[str, model_option],
        row: Annotated[int, typer.Option(min=1, help=_("Number of the row, from 1."))] = 1,
    ) -> None:
        wanted = next((one for one in _rows(session, dataset) if one.id == row), None)
        if wanted is None:
            raise typer.BadParameter(_("there is no such row"), param_hint="--row")
        shown = preview(_renderer(session, model), wanted)
        spans = [dataclasses.asdict(stretch) for stretch in shown.stretches]
        marked = "".join(
            f"⟦{shown.text[one.start : one.end]}⟧" if one.trained else shown.text[one.start : one.end]
            for one in shown.stretches
        )
        session.screen.answer(
            {
                "text": shown.text,
                "spans": spans,
                "tokens": shown.tokens,
                "supervised_tokens": shown.supervised_tokens,
            },
            marked,
        )


def _mapping(pairs: list[str]) -> dict[str, str] | None:
    """Read FIELD=COLUMN pairs.

    Raises:
        AcademyError: `mapping_invalid`.
    """
    mapping = {}
    for pair in pairs:
        key, equals, column = pair.partition("=")
        if not (key and equals and column):
            raise AcademyError(ErrorCode.MAPPING_INVALID, key=pair, detail="FIELD=COLUMN")
        mapping[key] = column
    return mapping or None


def _rows(session: Session, dataset: str) -> Iterator[Row]:
    library = session.workshop.datasets
    return chain(library.rows(dataset, "train"), library.rows(dataset, "eval"))


def _renderer(session: Session, model: str) -> Renderer:
    """Load the renderer of a model, or of a folder that holds no more than a tokenizer."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        folder = Path(session.workshop.models.get(model).path)
    return Renderer.load(folder)


def _fields(manifest: DatasetManifest) -> dict[str, Any]:
    return {
        "dataset": manifest.id,
        **manifest.model_dump(mode="json", exclude={"v", "id"}),
        "confidence": manifest.confidence,
        "seconds": manifest.seconds,
    }


def _as_text(session: Session, manifest: DatasetManifest) -> str:
    _ = session.words.gettext
    said = _("{id}: {train} rows to learn, {held} held out, of {total} in the form “{form}”.")
    lines = [
        said.format(
            id=manifest.id,
            train=manifest.train_rows,
            held=manifest.eval_rows,
            total=manifest.rows_in,
            form=manifest.format.value,
        )
    ]
    for reason, count in manifest.dropped.items():
        words = session.words.messages.drop_reason(reason)
        lines.append(_("{count} dropped: {reason}").format(count=count, reason=words))
    if manifest.few_rows is not None:
        lines.append(_("That is few: {count} rows or more are advisable.").format(count=manifest.few_rows))
    return "\n".join(lines)
