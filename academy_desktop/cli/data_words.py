"""What `academy data` says about a dataset, for programs and for people."""

from typing import Any

from academy_desktop.cli.session import Session
from academy_desktop.core.datasets.manifest import DatasetManifest
from academy_desktop.text.forms import FORM_NAMES, sureness


def fields_of(manifest: DatasetManifest) -> dict[str, Any]:
    """Everything about a dataset, as the command line tells it to programs."""
    return {
        "dataset": manifest.id,
        **manifest.model_dump(mode="json", exclude={"v", "id"}),
        "kind": manifest.kind,
        "near_dups": manifest.near_dups,
        "conflicting_rows": manifest.conflicting_rows,
        "near_rows": manifest.near_rows,
        "confidence": manifest.confidence,
        "seconds": manifest.seconds,
    }


def as_text(session: Session, manifest: DatasetManifest) -> str:
    """The same for people."""
    _ = session.words.gettext
    said = _("{id}: {train} rows to learn, {held} held out, of {total} in the form “{form}” ({word}).")
    lines = [
        said.format(
            id=manifest.id,
            train=manifest.train_rows,
            held=manifest.eval_rows,
            total=manifest.rows_in,
            form=_(FORM_NAMES[manifest.format]),
            word=_(sureness(manifest.confidence)),
        )
    ]
    for reason, count in manifest.dropped.items():
        words = session.words.messages.drop_reason(reason)
        lines.append(_("{count} dropped: {reason}").format(count=count, reason=words))
    if manifest.conflicting_rows:
        said = _("{count} rows answer a question that another row answers differently; they were kept.")
        lines.append(said.format(count=manifest.conflicting_rows))
    if manifest.near_rows:
        said = _("{count} rows are nearly the same as others; they stand on one side, kept or held out.")
        lines.append(said.format(count=manifest.near_rows))
    if manifest.few_rows is not None:
        lines.append(_("That is few: {count} rows or more are advisable.").format(count=manifest.few_rows))
    return "\n".join(lines)
