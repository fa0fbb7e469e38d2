"""`academy data import-git`, `import-venom`, `edit`, `mix`, `export`: from elsewhere, and back."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic_core import from_json

from academy_desktop.cli.data_options import name_option, profile_option, seed_option, share_option
from academy_desktop.cli.data_words import as_text, fields_of
from academy_desktop.cli.session import Session
from academy_desktop.core.datasets.commits import Limits, read_commits
from academy_desktop.core.datasets.handing_out import OutForm, write_out
from academy_desktop.core.datasets.manifest import DatasetManifest
from academy_desktop.core.datasets.quality import Profile
from academy_desktop.core.datasets.sources import write_lines
from academy_desktop.core.work_folder import work_folder
from trainers.errors import AcademyError, ErrorCode


def register_making(group: typer.Typer, session: Session) -> None:
    """Add the commands to the group."""
    _register_elsewhere(group, session)
    _register_mix(group, session)
    _register_export(group, session)


def _register_elsewhere(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command("import-git", help=_("Make a dataset of commits: the change asks, its message answers."))
    def import_git(
        repository: Annotated[Path, typer.Argument(help=_("Folder of a Git repository."))],
        name: Annotated[str, name_option(_)],
        limit: Annotated[int, typer.Option(min=1, help=_("Most commits, the newest first."))] = 500,
        diff_bytes: Annotated[
            int, typer.Option(min=100, max=1_000_000, help=_("Longest change; the rest is cut off."))
        ] = 20_000,
        profile: Annotated[Profile, profile_option(_)] = Profile.BALANCED,
        share: Annotated[float, share_option(_)] = 0.1,
        seed: Annotated[int, seed_option(_)] = 3407,
    ) -> None:
        commits = read_commits(repository, Limits(limit, diff_bytes))
        rows = (commit.row() for commit in commits)
        manifest = _made(
            session, rows, "commits.jsonl", name, profile=profile, eval_fraction=share, seed=seed
        )
        session.screen.answer(fields_of(manifest), as_text(session, manifest))

    @group.command("import-venom", help=_("Make a dataset of the lessons that a Venom server has learned."))
    def import_venom(
        connection: Annotated[str, typer.Argument(help=_("Name of the connection."))],
        name: Annotated[str, name_option(_)],
        limit: Annotated[int, typer.Option(min=1, max=100_000, help=_("Most lessons."))] = 1000,
        tag: Annotated[
            list[str] | None, typer.Option(help=_("Only lessons with this tag; may be repeated."))
        ] = None,
        profile: Annotated[Profile, profile_option(_)] = Profile.BALANCED,
        share: Annotated[float, share_option(_)] = 0.1,
        seed: Annotated[int, seed_option(_)] = 3407,
    ) -> None:
        rows = session.workshop.venom.lessons(connection, limit, tag or ())
        manifest = _made(
            session, rows, "lessons.jsonl", name, profile=profile, eval_fraction=share, seed=seed
        )
        session.screen.answer(fields_of(manifest), as_text(session, manifest))


def _register_mix(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command(
        help=_("Make a new version of a dataset with rows left out or changed; the old one stays.")
    )
    def edit(
        dataset: Annotated[str, typer.Argument(help=_("Id or name."))],
        exclude: Annotated[
            list[str] | None,
            typer.Option(
                metavar="ROWS", help=_("Numbers of rows to leave out, as in 3,7-9; may be repeated.")
            ),
        ] = None,
        change: Annotated[
            list[str] | None,
            typer.Option(
                "--set",
                metavar="ROW=JSON",
                help=_('New fields of a row, such as 4={"messages": […]}; may be repeated.'),
            ),
        ] = None,
        name: Annotated[str, typer.Option(help=_("Name of the version, if not the same."))] = "",
    ) -> None:
        edits = {**dict(map(_changed, change or ())), **dict.fromkeys(_numbers(exclude or ()))}
        manifest = session.workshop.datasets.edit(dataset, edits, name)
        session.screen.answer(fields_of(manifest), as_text(session, manifest))

    @group.command(help=_("Make a dataset of several, each with a weight."))
    def mix(
        parts: Annotated[list[str], typer.Argument(metavar="ID=WEIGHT…", help=_("Datasets and weights."))],
        name: Annotated[str, name_option(_)],
        seed: Annotated[int, typer.Option(help=_("Decides which rows a weight takes."))] = 3407,
    ) -> None:
        manifest = session.workshop.datasets.mix([_weighed(part) for part in parts], name, seed)
        session.screen.answer(fields_of(manifest), as_text(session, manifest))


def _register_export(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command("export", help=_("Write a dataset as JSON Lines; “alpaca” is what Venom’s upload takes."))
    def export_rows(
        dataset: Annotated[str, typer.Argument(help=_("Id or name."))],
        out: Annotated[Path, typer.Option(help=_("File to write."))],
        form: Annotated[OutForm, typer.Option("--format", help=_("Form of the rows."))] = OutForm.ALPACA,
    ) -> None:
        written, left_out = write_out(session.workshop.datasets, dataset, form, out)
        said = _("{written} rows written to {path}; {left_out} do not fit the form and were left out.")
        session.screen.answer(
            {"path": str(out), "rows": written, "left_out": left_out},
            said.format(written=written, path=out, left_out=left_out),
        )


def _made(
    session: Session, rows: Iterable[Mapping[str, Any]], file: str, name: str, **options: Any
) -> DatasetManifest:
    with work_folder(session.workshop.data.tmp, "rows.") as folder:
        path = write_lines(folder / file, rows)
        return session.workshop.datasets.import_files([path], name, **options)


def _numbers(ranges: Iterable[str]) -> Iterator[int]:
    """Read numbers of rows, which people count from 1, as numbers from 0."""
    for part in ",".join(ranges).split(",") if ranges else ():
        first, _, last = part.partition("-")
        try:
            yield from range(int(first) - 1, int(last or first))
        except ValueError as error:
            raise AcademyError(ErrorCode.MAPPING_INVALID, key=part, detail="3,7-9") from error


def _changed(pair: str) -> tuple[int, Mapping[str, Any]]:
    row, _, text = pair.partition("=")
    try:
        fields = from_json(text)
        if not isinstance(fields, dict):
            raise TypeError(text)
        return int(row) - 1, fields
    except (ValueError, TypeError) as error:
        raise AcademyError(ErrorCode.MAPPING_INVALID, key=pair, detail="ROW=JSON") from error


def _weighed(part: str) -> tuple[str, float]:
    key, equals, weight = part.rpartition("=")
    try:
        return (key, float(weight)) if equals else (part, 1.0)
    except ValueError as error:
        raise AcademyError(ErrorCode.MAPPING_INVALID, key=part, detail="ID=WEIGHT") from error
