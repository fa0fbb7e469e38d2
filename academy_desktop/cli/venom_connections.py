"""`academy venom`: the servers that there are, how each is reached and how it stands."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from academy_desktop.cli.session import Session
from academy_desktop.cli.venom_narrator import venom_words
from academy_desktop.cli.venom_views import adapter_fields
from academy_desktop.core.venom.connections import Connection
from academy_desktop.core.venom.report import Report
from academy_desktop.core.venom.ssh_route import SshRoute, fingerprint, parse_route
from academy_desktop.core.venom.ways import Way
from trainers.errors import AcademyError, ErrorCode

Name = Annotated[str, typer.Argument(metavar="NAME", help="")]
#: How a way is marked that works, that could, and that does not lead there.
_MARKS = {"works": "✓", "could": "·", "no": "–"}


def register(group: typer.Typer, session: Session) -> None:
    """Add the commands."""
    _register_kept(group, session)
    _register_looks(group, session)


def _register_kept(group: typer.Typer, session: Session) -> None:
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
        ollama: Annotated[
            str,
            typer.Option(
                metavar="URL",
                help=_(
                    "The address of Venom’s Ollama, such as http://venom.home:11434: a way for where neither "
                    "its folder nor SSH can be had."
                ),
            ),
        ] = "",
    ) -> None:
        use_terminal(session)
        if ollama and (ssh or models_dir):
            told = _("goes without --ssh and --models-dir: it is a way of its own")
            raise typer.BadParameter(told, param_hint="--ollama")
        if ssh:
            route = parse_route(ssh, key, by_password=password)
            place = str(models_dir) if models_dir else None
            confirm = partial(_confirm_host, session, trust)
            session.workshop.venom.connect_over_ssh(name, url, place, route, confirm)
        else:
            session.workshop.venom.connections.add(name, url, models_dir, ollama=ollama or None)
        try:
            report = session.workshop.venom.report(name)
        except AcademyError as trouble:  # out of bounds now; it is remembered all the same
            report = Report(session.workshop.venom.connections.get(name), troubles=[trouble])
        ways = _ways(session, report.connection) if report.troubles else ()
        session.screen.answer(_report_fields(session, report, ways), _report_text(session, report, ways))

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


def _register_looks(group: typer.Typer, session: Session) -> None:
    _ = session.words.gettext

    @group.command("list", help=_("List the servers, and ask each whether it is there."))
    def list_connections() -> None:
        use_terminal(session)
        reports = session.workshop.venom.reports()
        headings = (_("Name"), _("Address"), _("Way"), _("Model in use"), "")
        rows = [
            (
                one.connection.name,
                one.connection.url,
                _way_in_use(session, one.connection),
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

    @group.command(help=_("Say how a server stands, and what is in the way of sending to it."))
    def status(name: Name) -> None:
        use_terminal(session)
        report = session.workshop.venom.report(name)
        ways = _ways(session, report.connection)
        fields, text = _report_fields(session, report, ways), _report_text(session, report, ways)
        if report.reachable:
            session.screen.answer(fields, text)
            return
        first = report.troubles[0]
        session.screen.failure(first.code, first.facts, fields)
        for line in _way_lines(session, [one for one in ways if one.fit != "no"]):
            session.screen.note(line)
        raise typer.Exit(1)


def _connection_fields(connection: Connection) -> dict[str, Any]:
    route = connection.ssh
    return {
        "name": connection.name,
        "url": connection.url,
        "route": connection.route,
        "models_dir": connection.models_dir,
        "ollama": connection.ollama,
        "ssh": {
            "address": route.address,
            "login": route.login,
            "key_file": route.key_file,
            "fingerprint": fingerprint(route.host_key) or None,
        }
        if route
        else None,
    }


def use_terminal(session: Session) -> None:
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


def _report_fields(session: Session, report: Report, ways: Sequence[Way] = ()) -> dict[str, Any]:
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
        "adapters": [adapter_fields(one) for one in report.adapters],
        "lessons": report.status.lessons.total_lessons if report.status else None,
        "gpus": [one.model_dump(mode="json") for one in report.status.gpu.gpus] if report.status else [],
        "jobs": report.status.jobs.model_dump(mode="json") if report.status else None,
        "troubles": [_trouble_fields(session, one) for one in report.troubles],
        "ways": [_way_fields(session, one) for one in ways],
    }


def _ways(session: Session, connection: Connection) -> Sequence[Way]:
    """The ways that lead to a server; none where the network is out of bounds."""
    with suppress(AcademyError):
        return session.workshop.venom.ways(connection).ways
    return ()


def _way_fields(session: Session, way: Way) -> dict[str, Any]:
    said = venom_words(session).way(way.name, way.reason, way.facts)
    return {"route": way.name, "fit": way.fit, "message": said, **way.facts}


def _way_in_use(session: Session, connection: Connection) -> str:
    """How an adapter gets to a server: `SSH: ada@venom.home`."""
    route = connection.route
    place = connection.ssh.address if connection.ssh else connection.ollama or connection.models_dir
    return f"{venom_words(session).way_title(route)}: {place}" if route != "folder" else place or "–"


def _trouble_fields(session: Session, trouble: AcademyError) -> dict[str, str]:
    said = session.words.messages.describe(trouble.code, trouble.facts)
    return {"code": trouble.code, "message": said.sentence, "next_step": said.next_step}


def _reason(session: Session, report: Report) -> str:
    """The first trouble in a sentence; empty where there is none."""
    if not report.troubles:
        return ""
    first = report.troubles[0]
    return session.words.messages.describe(first.code, first.facts).sentence


def _report_text(session: Session, report: Report, ways: Sequence[Way] = ()) -> str:
    _ = session.words.gettext
    way = _way_in_use(session, report.connection)
    lines = [" · ".join([report.connection.name, report.connection.url, *([way] if way != "–" else [])])]
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
    return "\n".join([*lines, *_way_lines(session, ways)])


def _way_lines(session: Session, ways: Sequence[Way]) -> Sequence[str]:
    _, words = session.words.gettext, venom_words(session)
    told = [f"  {_MARKS[one.fit]} {words.way(one.name, one.reason, one.facts)}" for one in ways]
    return [_("Ways to send an adapter there, the best first:"), *told] if told else ()
