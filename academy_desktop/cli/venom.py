"""`academy venom`: servers, what they answer, adapters sent to them, and the way back."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from academy_desktop.cli.session import Session
from academy_desktop.cli.venom_narrator import Narrator, venom_words
from academy_desktop.core.venom.answers import Adapter
from academy_desktop.core.venom.connections import Connection
from academy_desktop.core.venom.journal import Entry
from academy_desktop.core.venom.names import DEFAULT_RUNTIME
from academy_desktop.core.venom.report import Report
from academy_desktop.core.venom.ssh_route import SshRoute, fingerprint, parse_route
from academy_desktop.core.venom.steps import Order, Sent
from trainers.errors import AcademyError, ErrorCode

Name = Annotated[str, typer.Argument(metavar="NAME", help="")]


def register(app: typer.Typer, session: Session) -> None:
    """Add the group."""
    _ = session.words.gettext
    group = typer.Typer(help=_("Venom servers: connect, send adapters, go back."), no_args_is_help=True)
    app.add_typer(group, name="venom")
    _register_connections(group, session)
    _register_views(group, session)
    _register_changes(group, session)


def _register_connections(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command(help=_("Remember a server, and look how it stands."))
    def add(
        name: Annotated[str, typer.Argument(metavar="NAME", help=_("What to call it."))],
        url: Annotated[
            str, typer.Argument(metavar="URL", help=_("Its address, such as http://127.0.0.1:8000."))
        ],
        models_dir: Annotated[
            Path | None,
            typer.Option(
                help=_(
                    "The folder that Venom calls ACADEMY_MODELS_DIR, as seen from here; with --ssh, as seen "
                    "there, and found by itself where Venom says it."
                )
            ),
        ] = None,
        ssh: Annotated[
            str,
            typer.Option(
                metavar="USER@HOST[:PORT]",
                help=_("Reach the server’s computer over SSH: then it can be changed from here too."),
            ),
        ] = "",
        key: Annotated[
            Path | None,
            typer.Option(help=_("Private key file for --ssh; without it the SSH agent’s keys are used.")),
        ] = None,
        password: Annotated[
            bool, typer.Option("--password", help=_("Log in over --ssh with a password, which is asked for."))
        ] = False,
        trust: Annotated[
            str,
            typer.Option(
                metavar="SHA256:…", help=_("The fingerprint of the SSH host’s key, which you compared.")
            ),
        ] = "",
    ) -> None:
        _use_terminal(session)
        if ssh:
            route = parse_route(ssh, key, by_password=password)
            place = str(models_dir) if models_dir else None
            confirm = partial(_confirm_host, session, trust)
            session.workshop.venom.connect_over_ssh(name, url, place, route, confirm)
        else:
            session.workshop.venom.connections.add(name, url, models_dir)
        try:
            report = session.workshop.venom.report(name)
        except AcademyError as trouble:  # out of bounds now; it is remembered all the same
            report = Report(session.workshop.venom.connections.get(name), troubles=[trouble])
        session.screen.answer(_report_fields(session, report), _report_text(session, report))

    @group.command("list", help=_("List the servers, and ask each whether it is there."))
    def list_connections() -> None:
        _use_terminal(session)
        reports = session.workshop.venom.reports()
        headings = (_("Name"), _("Address"), _("Models folder"), _("Model in use"), "")
        rows = [
            (
                one.connection.name,
                one.connection.url,
                one.connection.models_dir or "–",
                one.active_model or "–",
                _reason(session, one),
            )
            for one in reports
        ]
        empty = _("No connection yet. Make one with “academy venom add NAME URL --models-dir DIR”.")
        session.screen.answer(
            {"connections": [_report_fields(session, one) for one in reports]},
            session.screen.table(headings, rows) if rows else empty,
        )

    @group.command(
        help=_("Give the password or passphrase of a connection’s SSH login to this computer’s keyring.")
    )
    def secret(
        name: Name,
        forget: Annotated[bool, typer.Option("--forget", help=_("Take it out of the keyring."))] = False,
    ) -> None:
        route = session.workshop.venom.connections.get(name).ssh
        if route is None or route.login == "agent":
            text = _("{name} needs no password and no passphrase.").format(name=name)
            session.screen.answer({"name": name, "kept": False}, text)
            return
        if forget:
            session.workshop.venom.secrets.forget(route)
            text = _("The secret of {name} is forgotten.").format(name=name)
            session.screen.answer({"name": name, "kept": False}, text)
            return
        session.workshop.venom.secrets.keep(
            route, _ask_secret(session, route) or sys.stdin.readline().rstrip("\n")
        )
        session.screen.answer(
            {"name": name, "kept": True}, _("The keyring keeps it. Nothing else does.").format(name=name)
        )

    @group.command(help=_("Forget a server. Nothing happens on it."))
    def remove(name: Name) -> None:
        gone = session.workshop.venom.connections.remove(name)
        said = _("{name} is forgotten. Nothing was changed at {url}.").format(name=gone.name, url=gone.url)
        session.screen.answer(_connection_fields(gone), said)


def _register_views(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command(help=_("Say how a server stands, and what is in the way of sending to it."))
    def status(name: Name) -> None:
        _use_terminal(session)
        report = session.workshop.venom.report(name)
        fields, text = _report_fields(session, report), _report_text(session, report)
        if report.reachable:
            session.screen.answer(fields, text)
            return
        first = report.troubles[0]
        session.screen.failure(first.code, first.facts, fields)
        raise typer.Exit(1)

    @group.command(help=_("List the adapters that a server finds."))
    def adapters(name: Name) -> None:
        _use_terminal(session)
        found = session.workshop.venom.adapters(name)
        sent = session.workshop.venom.journal.latest(session.workshop.venom.connections.get(name))
        headings = (_("Adapter"), _("Base model"), _("Runtime"), _("Made"), _("Sent by"), _("Active"))
        rows = [
            (
                one.adapter_id,
                one.base_model,
                one.target_runtime or "–",
                one.created_at,
                _sender(session, sent.get(one.adapter_id)),
                _("yes") if one.is_active else "",
            )
            for one in found
        ]
        empty = _("The server has no adapters yet. Send one with “academy venom push”.")
        session.screen.answer(
            {"adapters": [_adapter_fields(one, sent.get(one.adapter_id)) for one in found]},
            session.screen.table(headings, rows) if rows else empty,
        )


def _register_changes(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    def run(name: str, order: Order) -> Sent:
        """Take all steps of an order, and tell them."""
        _use_terminal(session)
        narrator = Narrator(session, order)
        with session.workshop.venom.pushing(name, order, narrator) as push:
            try:
                return push.run()
            except AcademyError as error:
                session.screen.failure(error.code, error.facts, _sent_fields(session, push.sent))
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
    ) -> None:
        parent = session.workshop.jobs.resolve(job)
        order = Order(parent, activate, runtime, model_id, dry_run)
        sent = run(to, order)
        session.screen.answer(_sent_fields(session, sent), _sent_text(session, to, order, sent))

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
        session.screen.answer(_sent_fields(session, sent), _sent_text(session, name, order, sent))

    @group.command(help=_("Take an adapter that is not in use off a server."))
    def delete(
        name: Name,
        adapter: Annotated[str, typer.Argument(help=_("As “academy venom adapters” calls it."))],
    ) -> None:
        _use_terminal(session)
        session.workshop.venom.remove_adapter(name, adapter)
        said = _("{adapter} is no longer on the server.").format(adapter=adapter)
        session.screen.answer({"adapter_id": adapter, "removed": True}, said)

    @group.command(help=_("Bring a server back to what it used before the active adapter."))
    def rollback(name: Name) -> None:
        _use_terminal(session)
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


def _connection_fields(connection: Connection) -> dict[str, Any]:
    route = connection.ssh
    return {
        "name": connection.name,
        "url": connection.url,
        "models_dir": connection.models_dir,
        "ssh": {
            "address": route.address,
            "login": route.login,
            "key_file": route.key_file,
            "fingerprint": fingerprint(route.host_key) or None,
        }
        if route
        else None,
    }


def _use_terminal(session: Session) -> None:
    """Have secrets that the keyring does not have asked for on the terminal, if there is one."""
    session.workshop.venom.secrets.ask = partial(_ask_secret, session)


def _ask_secret(session: Session, route: SshRoute) -> str | None:
    if not sys.stdin.isatty():
        return None
    _ = session.words.gettext
    said = _("Passphrase of {key}") if route.login == "key" else _("Password of {address}")
    text = said.format(key=route.key_file, address=route.address)
    answer = typer.prompt(text, hide_input=True, err=True, default="", show_default=False)
    return str(answer) or None


def _confirm_host(session: Session, trusted: str, host: str, found: str) -> bool:
    """Whether the user trusts a host's key: by the fingerprint given, or on the terminal."""
    if trusted:
        if trusted.removeprefix("SHA256:") != found.removeprefix("SHA256:"):
            raise AcademyError(ErrorCode.VENOM_SSH_HOST_CHANGED, host=host, fingerprint=found, known=trusted)
        return True
    if not sys.stdin.isatty():
        return False
    _ = session.words.gettext
    question = _("{host} shows the key {fingerprint}. Is that the one that it has?")
    return typer.confirm(question.format(host=host, fingerprint=found), err=True)


def _report_fields(session: Session, report: Report) -> dict[str, Any]:
    features = report.features
    return {
        **_connection_fields(report.connection),
        "reachable": report.reachable,
        "academy_enabled": report.academy_enabled,
        "components": report.components,
        "features": {"audit": features.audit, "sign": features.sign, "deploy": features.deploy}
        if features
        else None,
        "can_activate": report.can_activate,
        "reason": _reason(session, report),
        "active_runtime": report.active_runtime,
        "active_model": report.active_model,
        "adapters": [_adapter_fields(one) for one in report.adapters],
        "lessons": report.status.lessons.total_lessons if report.status else None,
        "gpus": [one.model_dump(mode="json") for one in report.status.gpu.gpus] if report.status else [],
        "jobs": report.status.jobs.model_dump(mode="json") if report.status else None,
        "troubles": [_trouble_fields(session, one) for one in report.troubles],
    }


def _trouble_fields(session: Session, trouble: AcademyError) -> dict[str, str]:
    said = session.words.messages.describe(trouble.code, trouble.facts)
    return {"code": trouble.code, "message": said.sentence, "next_step": said.next_step}


def _reason(session: Session, report: Report) -> str:
    """The first trouble in a sentence; empty where there is none."""
    if not report.troubles:
        return ""
    first = report.troubles[0]
    return session.words.messages.describe(first.code, first.facts).sentence


def _adapter_fields(adapter: Adapter, sent: Entry | None = None) -> dict[str, Any]:
    by = {"by": sent.by, "at": sent.begun_at, "job": sent.job} if sent else None
    return adapter.model_dump(mode="json") | {"sent": by}


def _sender(session: Session, sent: Entry | None) -> str:
    """Who sent an adapter from here, and when."""
    return f"{sent.by} · {session.words.formats.moment(sent.begun_at)}" if sent else "–"


def _report_text(session: Session, report: Report) -> str:
    _ = session.words.gettext
    lines = [f"{report.connection.name} · {report.connection.url}"]
    if report.reachable:
        lines.append(_("✓ Venom answers."))
        if report.academy_enabled:
            parts = ", ".join(f"{name} {'✓' if on else '✗'}" for name, on in report.components.items())
            lines.append(_("✓ Its Academy is on.") + (f" {parts}" if parts else ""))
        model = _("The chat uses {model} of {runtime}.")
        if report.active_model:
            lines.append("✓ " + model.format(model=report.active_model, runtime=report.active_runtime or "?"))
        count = _("✓ Adapters there: {count}.")
        lines.append(count.format(count=session.words.formats.integer(len(report.adapters))))
        if report.status is not None:
            lessons = session.words.formats.integer(report.status.lessons.total_lessons)
            lines.append(_("✓ Lessons there: {count}.").format(count=lessons))
        if report.can_activate:
            lines.append(_("✓ It takes changes from here."))
    for trouble in report.troubles:
        said = session.words.messages.describe(trouble.code, trouble.facts)
        lines += [f"✗ {said.sentence}", f"  → {said.next_step}"]
    return "\n".join(lines)


def _sent_fields(session: Session, sent: Sent) -> dict[str, Any]:
    words, before = venom_words(session), sent.previous
    steps = []
    for step in sent.steps:
        message = words.outcome(step.name, step.state, step.facts, step.code)
        one: dict[str, Any] = {"name": step.name, "title": words.step(step.name), "state": step.state}
        steps.append({**one, "code": step.code, "message": message, "facts": step.facts})
    return {
        "adapter_id": sent.adapter_id,
        "path": sent.path,
        "base_model": sent.base_model,
        "model_id": sent.model_id,
        "runtime": sent.runtime,
        "placed": sent.placed,
        "audited": sent.audited,
        "signed": sent.signed,
        "activated": sent.activated,
        "deployed": sent.deployed,
        "verified": sent.verified,
        "rolled_back": sent.rolled_back,
        "chat_model": sent.chat_model,
        "previous": before.model if before else None,
        "previous_runtime": before.runtime if before else None,
        "previous_adapter": before.adapter_id if before else None,
        "steps": steps,
    }


def _sent_text(session: Session, name: str, order: Order, sent: Sent) -> str:
    _ = session.words.gettext
    if order.dry_run:
        return _("Nothing was changed. Leave out --dry-run to do it.")
    if sent.verified:
        said = _("Venom’s chat uses {model}. Go back with “academy venom rollback {name}”.")
        return said.format(model=sent.chat_model, name=name)
    return _("{adapter} is in Venom’s models folder. Let the chat use it with --activate.").format(
        adapter=sent.adapter_id
    )
