"""`academy models`: the base models of this computer, and the demo model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from academy_desktop.cli.session import Session
from academy_desktop.core.models import Model
from trainers.errors import Fact


def register(app: typer.Typer, session: Session) -> None:
    """Add the group."""
    _ = session.words.gettext
    group = typer.Typer(help=_("Base models: what is here, and what can be trained."), no_args_is_help=True)
    app.add_typer(group, name="models")

    @group.command(
        "list", help=_("List the models in the data folder, added ones, and the Hugging Face cache.")
    )
    def list_models() -> None:
        _answer(session, session.workshop.models.list())

    @group.command(help=_("Remember a model folder or GGUF file that lies elsewhere."))
    def add(
        path: Annotated[Path, typer.Argument(help=_("Folder in Hugging Face layout, or GGUF file."))],
    ) -> None:
        _answer(session, [session.workshop.models.add(path)])

    @group.command(help=_("Show one model."))
    def show(model: Annotated[str, typer.Argument(help=_("Id, name or folder."))]) -> None:
        _answer(session, [session.workshop.models.get(model)])

    @group.command(
        "fetch-demo", help=_("Make SmolLM2-135M-Instruct ready to train (about 100 MB to download).")
    )
    def fetch_demo() -> None:
        with session.screen.progress(_("Demo model")) as told:
            model = session.workshop.demo_model.fetch(told)
        _answer(session, [model])


def _answer(session: Session, found: Sequence[Model]) -> None:
    _, formats = session.words.gettext, session.words.formats
    if not found:
        text: str | Table = _("No model is here yet. Get the demo model with “academy models fetch-demo”.")
    else:
        headings = (_("Id"), _("Architecture"), _("Parameters"), _("Size"), _("Trainable"))
        rows = [
            (
                model.id,
                model.architecture,
                f"{model.parameters / 1e6:,.0f} M" if model.parameters else "–",
                formats.size(model.bytes),
                _("yes") if model.trainable else _why_not(session, model),
            )
            for model in found
        ]
        text = session.screen.table(headings, rows)
    session.screen.answer({"models": [_fields(session, model) for model in found]}, text)


def _fields(session: Session, model: Model) -> dict[str, Any]:
    fields = model.model_dump(mode="json")
    return {**fields, "reason_code": model.reason, "reason": _why_not(session, model) if model.reason else ""}


def _why_not(session: Session, model: Model) -> str:
    facts: dict[str, Fact] = {"path": model.path, "architecture": model.architecture}
    return session.words.messages.describe(model.reason, facts).sentence
