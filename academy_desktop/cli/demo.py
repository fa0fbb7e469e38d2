"""`academy demo`: the whole way once, in a data directory of its own."""

import time
from typing import Annotated, Any

import typer

from academy_desktop.cli.exports import answer_proof, certificate_fields, certificate_lines, export_fields
from academy_desktop.cli.session import Session
from academy_desktop.cli.stage_narrator import StageNarrator
from academy_desktop.core.demo import STAGES, Demo, Outcome, StageName
from academy_desktop.core.samples import DEFAULT_SEED
from academy_desktop.core.workshop import RESOURCES, Workshop, open_workshop


def register(app: typer.Typer, session: Session) -> None:
    """Add the command."""
    _ = session.words.gettext

    @app.command(help=_("Teach a small model an invented language, export it, and prove the export."))
    def demo(
        fast: Annotated[bool, typer.Option("--fast", help=_("Fewer passes: about four minutes."))] = False,
        seed: Annotated[int, typer.Option(help=_("Draws other rows."))] = DEFAULT_SEED,
    ) -> None:
        workshop = _own_workshop(session)
        audience = _narrator(session)
        begun = time.monotonic()
        try:
            outcome = Demo(workshop, RESOURCES / "samples", audience).run(seed, fast=fast)
        finally:
            audience.close()
        seconds = time.monotonic() - begun
        text = _text(session, workshop, outcome, seconds)
        answer_proof(session, outcome.exports, _fields(workshop, outcome, seconds), text)


def _own_workshop(session: Session) -> Workshop:
    """Open the demo's own data directory; the demo model is the one of the user's."""
    own = session.workshop
    return open_workshop(own.data.root / "demo", session.offline, own.models, own.demo_model)


def _narrator(session: Session) -> StageNarrator:
    """Tells the stages on the screen."""
    _ = session.words.gettext
    titles: dict[StageName, str] = {
        "model": _("The model"),
        "dataset": _("The rows"),
        "training": _("Training"),
        "exporting": _("Exports"),
        "proving": _("Proof"),
        "scoring": _("Questions it has not seen"),
    }
    return StageNarrator(session, {name: titles[name] for name in STAGES})


def _fields(workshop: Workshop, outcome: Outcome, seconds: float) -> dict[str, Any]:
    finished = {one.export.path.name: one for one in outcome.exports}
    exports = []
    for said in outcome.exported:
        one = finished[said.path.rpartition("/")[2]]
        exports.append(export_fields(one, said, one.export.path))
    return {
        "dataset": outcome.dataset.id,
        "job": outcome.job,
        "base_score": outcome.base_score,
        "tuned_score": outcome.tuned_score,
        "export_score": outcome.export_score,
        "exports": exports,
        "certificate": certificate_fields(outcome.exports),
        "data_dir": str(workshop.data.root),
        "seconds": seconds,
    }


def _text(session: Session, workshop: Workshop, outcome: Outcome, seconds: float) -> str:
    _, formats = session.words.gettext, session.words.formats
    lines = certificate_lines(session, outcome.exports)
    lines.append(
        _(
            "Right answers to unseen requests: {base} before, {tuned} after, {export} from the Q8_0 file."
        ).format(
            base=formats.percent(outcome.base_score),
            tuned=formats.percent(outcome.tuned_score),
            export=formats.percent(outcome.export_score),
        )
    )
    lines.append(
        _("Done in {time}. Everything lies in {folder}.").format(
            time=formats.duration(seconds), folder=workshop.data.root
        )
    )
    return "\n".join(lines)
