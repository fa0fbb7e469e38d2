"""`academy venom`: adapters on servers, sent to them, put to use, and the way back."""

from typing import Annotated

import typer

from academy_desktop.cli import venom_connections
from academy_desktop.cli.session import Session
from academy_desktop.cli.venom_connections import Name, use_terminal
from academy_desktop.cli.venom_narrator import Narrator
from academy_desktop.cli.venom_views import adapter_fields, sender, sent_fields, sent_text
from academy_desktop.core.venom.names import DEFAULT_RUNTIME
from academy_desktop.core.venom.steps import Order, Sent
from trainers.errors import AcademyError


def register(app: typer.Typer, session: Session) -> None:
    """Add the group."""
    _ = session.words.gettext
    group = typer.Typer(help=_("Venom servers: connect, send adapters, go back."), no_args_is_help=True)
    app.add_typer(group, name="venom")
    venom_connections.register(group, session)
    _register_adapters(group, session)
    _register_changes(group, session)


def _register_adapters(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command(help=_("List the adapters that a server finds."))
    def adapters(name: Name) -> None:
        use_terminal(session)
        found = session.workshop.venom.adapters(name)
        sent = session.workshop.venom.journal.latest(session.workshop.venom.connections.get(name))
        headings = (_("Adapter"), _("Base model"), _("Runtime"), _("Made"), _("Sent by"), _("Active"))
        rows = [
            (
                one.adapter_id,
                one.base_model,
                one.target_runtime or "–",
                one.created_at or "–",
                sender(session, sent.get(one.adapter_id)),
                _("yes") if one.is_active else "",
            )
            for one in found
        ]
        empty = _("The server has no adapters yet. Send one with “academy venom push”.")
        session.screen.answer(
            {"adapters": [adapter_fields(one, sent.get(one.adapter_id)) for one in found]},
            session.screen.table(headings, rows) if rows else empty,
        )


def _register_changes(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    def run(name: str, order: Order) -> Sent:
        """Take all steps of an order, and tell them."""
        use_terminal(session)
        route = session.workshop.venom.connections.get(name).route
        narrator = Narrator(session, order, route)
        with session.workshop.venom.pushing(name, order, narrator) as push:
            try:
                return push.run()
            except AcademyError as error:
                session.screen.failure(error.code, error.facts, sent_fields(session, push.sent))
                raise typer.Exit(1) from error
            finally:
                narrator.close()

    @group.command(help=_("Send the adapter of a finished run to a server."))
    def push(
        job: Annotated[str, typer.Argument(help=_("A finished training job."))],
        to: Annotated[str, typer.Option(metavar="NAME", help=_("Name of the connection."))],
        activate: Annotated[
            bool, typer.Option("--activate", help=_("Let the server’s chat use it as well."))
        ] = False,
        runtime: Annotated[str, typer.Option(help=_("The server’s runtime."))] = DEFAULT_RUNTIME,
        model_id: Annotated[
            str, typer.Option(help=_("The server’s model to add it to; by default that of the base model."))
        ] = "",
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help=_("Show the steps and change nothing."))
        ] = False,
        uncertified: Annotated[
            bool,
            typer.Option(
                "--uncertified",
                help=_("Send it though nothing proves that it behaves like the trained model."),
            ),
        ] = False,
    ) -> None:
        parent = session.workshop.jobs.resolve(job)
        order = Order(parent, activate, runtime, model_id, dry_run, uncertified=uncertified)
        sent = run(to, order)
        session.screen.answer(sent_fields(session, sent), sent_text(session, to, order, sent))

    @group.command(help=_("Let a server’s chat use an adapter that lies there already."))
    def activate(
        name: Name,
        adapter: Annotated[str, typer.Argument(help=_("As “academy venom adapters” calls it."))],
        runtime: Annotated[str, typer.Option(help=_("The server’s runtime."))] = DEFAULT_RUNTIME,
        model_id: Annotated[
            str, typer.Option(help=_("The server’s model to add it to; by default that of the base model."))
        ] = "",
    ) -> None:
        order = Order(activate=True, runtime=runtime, model_id=model_id, adapter_id=adapter)
        sent = run(name, order)
        session.screen.answer(sent_fields(session, sent), sent_text(session, name, order, sent))

    @group.command(help=_("Take an adapter that is not in use off a server."))
    def delete(
        name: Name,
        adapter: Annotated[str, typer.Argument(help=_("As “academy venom adapters” calls it."))],
    ) -> None:
        use_terminal(session)
        session.workshop.venom.remove_adapter(name, adapter)
        said = _("{adapter} is no longer on the server.").format(adapter=adapter)
        session.screen.answer({"adapter_id": adapter, "removed": True}, said)

    @group.command(help=_("Bring a server back to what it used before the active adapter."))
    def rollback(name: Name) -> None:
        use_terminal(session)
        try:
            found = session.workshop.venom.rollback(name)
        except AcademyError as error:
            model = error.facts.get("model") or error.facts.get("found")
            session.screen.failure(error.code, error.facts, {"rolled_back": False, "active_model": model})
            raise typer.Exit(1) from error
        fields = {
            "rolled_back": True,
            "active_model": found.model,
            "active_runtime": found.runtime,
            "active_adapter": found.adapter_id,
        }
        session.screen.answer(fields, _("The server uses {model} again.").format(model=found.model))
