"""`academy data peek`: what files hold, before they are imported; and what `--format` and `--map` mean."""

from pathlib import Path
from typing import Annotated, Any

import typer

from academy_desktop.cli.data_options import (
    FORMATS,
    columns_option,
    encoding_option,
    form_option,
    profile_option,
)
from academy_desktop.cli.session import Session
from academy_desktop.core.datasets.encodings import Encoding
from academy_desktop.core.datasets.forms import Form, field_names
from academy_desktop.core.datasets.peeking import Peek, Reading, SampleRow, peek
from academy_desktop.core.datasets.quality import Profile
from academy_desktop.core.datasets.rows import conversations
from academy_desktop.text.forms import FIELD_NAMES, FORM_NAMES, sureness
from trainers.errors import AcademyError, ErrorCode

#: More of one turn is not shown, in characters.
MOST_CHARACTERS = 200


def register_peek(group: typer.Typer, session: Session) -> None:
    """Add the command to the group."""
    _ = session.words.gettext

    @group.command("peek", help=_("Show what files hold and how rows would be stored; imports nothing."))
    def peek_files(
        files: Annotated[list[Path], typer.Argument(help=_("Files with rows, or folders of them."))],
        form: Annotated[str, form_option(_)] = "auto",
        columns: Annotated[list[str] | None, columns_option(_)] = None,
        profile: Annotated[Profile, profile_option(_)] = Profile.BALANCED,
        encoding: Annotated[Encoding, encoding_option(_)] = Encoding.AUTO,
    ) -> None:
        check_form(session, form)
        wanted = None if form == "auto" else Form(form)
        found = peek(files, Reading(wanted, mapping_of(columns or []), profile, encoding))
        session.screen.answer(_fields(found), "\n".join(_lines(session, found)))


def check_form(session: Session, form: str) -> None:
    """Refuse a form that there is not, naming those that there are."""
    if form not in FORMATS:
        known = session.words.gettext("one of {known}").format(known=", ".join(FORMATS))
        raise typer.BadParameter(known, param_hint="--format")


def mapping_of(pairs: list[str]) -> dict[str, str] | None:
    """Read FIELD=COLUMN pairs; FIELD= leaves a field out.

    Raises:
        AcademyError: `mapping_invalid`.
    """
    mapping = {}
    for pair in pairs:
        key, equals, column = pair.partition("=")
        if not (key and equals):
            raise AcademyError(ErrorCode.MAPPING_INVALID, key=pair, detail="FIELD=COLUMN")
        mapping[key] = column
    return mapping or None


def _fields(found: Peek) -> dict[str, Any]:
    detection = found.detection
    return {
        "file": found.file,
        "files": found.files,
        "columns": list(found.columns),
        "format": detection.form.value if detection else None,
        "confidence": detection.confidence if detection else 0.0,
        "mapping": detection.mapping if detection else {},
        "looked_at": found.looked_at,
        "dropped": {reason.value: count for reason, count in found.dropped.items()},
        "rows": [{"row": one.row, "reason": one.reason, "content": one.content} for one in found.rows],
    }


def _lines(session: Session, found: Peek) -> list[str]:
    _ = session.words.gettext
    detection = found.detection
    lines = [_("Columns of {file}: {columns}").format(file=found.file, columns=", ".join(found.columns))]
    if detection is None:
        unknown = _("They fit no form that is known: name one with --format, and columns with --map.")
        return [*lines, unknown]
    said = _("Form: {form} ({word}, {percent} of the first {rows} rows)")
    lines.append(
        said.format(
            form=_(FORM_NAMES[detection.form]),
            word=_(sureness(detection.confidence)),
            percent=session.words.formats.percent(detection.confidence),
            rows=found.looked_at,
        )
    )
    for name in field_names(detection.form):
        column = detection.mapping.get(name, "–")
        lines.append(f"  {name}={column}  ({_(FIELD_NAMES[name])})")
    for one in found.rows:
        lines += ["", _("Row {row}").format(row=one.row), *_row(session, one)]
    lines.append("")
    for reason, count in found.dropped.items():
        words = session.words.messages.drop_reason(reason)
        lines.append(_("{count} dropped: {reason}").format(count=count, reason=words))
    return lines if found.dropped else lines[:-1]


def _row(session: Session, one: SampleRow) -> list[str]:
    if one.content is None:
        return [f"  {session.words.messages.drop_reason(one.reason or '')}"]
    if "text" in one.content:
        return [f"  {_short(one.content['text'])}"]
    said = []
    for number, messages in enumerate(conversations(one.content)):
        said += ["  ✗"] * bool(number)
        said += [f"  {turn['role']}: {_short(str(turn.get('content') or '…'))}" for turn in messages]
    return said


def _short(text: str) -> str:
    return " ".join(text[:MOST_CHARACTERS].split()) + " …" * (len(text) > MOST_CHARACTERS)
