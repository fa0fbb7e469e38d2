"""`academy settings considerate`, and shutting down: when runs have to wait, and what follows the last."""

import time
from typing import Annotated, Literal

import typer

from academy_desktop.cli.session import Session
from academy_desktop.core.considerate import ConsiderateFile
from academy_desktop.text.considerate import ConsiderateWords
from trainers.layout import Considerate, QuietHours

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_OFF = "off"


def register(app: typer.Typer, session: Session) -> None:
    """Add the group `settings`."""
    _ = session.words.gettext
    group = typer.Typer(help=_("What holds for all runs."), no_args_is_help=True)
    app.add_typer(group, name="settings")

    @group.callback()
    def settings() -> None:
        """Keep the group a group, however few commands it has."""

    @group.command(help=_("When runs have to wait; without options says what is in force."))
    def considerate(
        quiet: Annotated[
            str | None,
            typer.Option("--hours", metavar="FROM-TO", help=_("Quiet hours, as 22:00-07:00, or “off”.")),
        ] = None,
        days: Annotated[
            str | None,
            typer.Option(help=_("Days on which they begin, as mon-fri or sat,sun; “all” for every day.")),
        ] = None,
        battery: Annotated[
            bool | None, typer.Option("--battery/--no-battery", help=_("Pause while on battery."))
        ] = None,
        hottest: Annotated[
            str | None,
            typer.Option(metavar="C", help=_("Pause above this heat of an NVIDIA card, in °C, or “off”.")),
        ] = None,
        way: Annotated[
            Literal["pause", "suspend"] | None,
            typer.Option(help=_("Pause keeps a run's memory; suspend saves and gives it back.")),
        ] = None,
    ) -> None:
        file = ConsiderateFile(session.workshop.data.considerate)
        before = file.load()
        rules = before.model_copy(
            update={
                "quiet_hours": _quiet(session, before.quiet_hours, quiet, days),
                "pause_on_battery": before.pause_on_battery if battery is None else battery,
                "most_celsius": before.most_celsius if hottest is None else _heat(session, hottest),
                "way": way or before.way,
            }
        )
        if rules != before:
            file.save(rules)
        said = ConsiderateWords(_, session.words.formats).rules(rules)
        session.screen.answer({**rules.model_dump(mode="json"), "path": str(file.path)}, said)


def register_jobs(group: typer.Typer, session: Session) -> None:
    """Add what concerns jobs to their group."""
    _ = session.words.gettext

    @group.command("shut-down", help=_("Shut the computer down when the last run is over."))
    def shut_down(
        cancel: Annotated[bool, typer.Option("--cancel", help=_("Leave it on after all."))] = False,
    ) -> None:
        shutdown = session.workshop.jobs.shutdown
        if cancel:
            shutdown.cancel()
            session.screen.answer({"shutdown": "off", "at": None}, _("The computer stays on."))
            return
        shutdown.ask()
        status = shutdown.status()
        left_s = status.at - time.time() if status.at is not None else 0.0
        said = ConsiderateWords(_, session.words.formats).shutdown(status.state, left_s)
        more = _("“academy jobs shut-down --cancel” leaves it on.")
        session.screen.answer({"shutdown": status.state, "at": status.at}, f"{said} {more}")


def _quiet(
    session: Session, before: QuietHours | None, hours: str | None, days: str | None
) -> QuietHours | None:
    if hours == _OFF or (hours is None and before is None and days is None):
        return None
    quiet = before or QuietHours()
    if hours is not None:
        begins, _dash, ends = hours.partition("-")
        quiet = _checked(session, quiet, begins=begins.strip(), ends=ends.strip())
    return quiet if days is None else _checked(session, quiet, days=_days(session, days))


def _checked(session: Session, quiet: QuietHours, **changes: object) -> QuietHours:
    _ = session.words.gettext
    try:
        return QuietHours.model_validate({**quiet.model_dump(), **changes})
    except ValueError as error:
        told = "-".join(str(one) for one in changes.values())
        needed = _("{told} is not understood; write it as 22:00-07:00, or “off”").format(told=told)
        raise typer.BadParameter(needed, param_hint="--hours") from error


def _days(session: Session, text: str) -> tuple[int, ...]:
    _ = session.words.gettext
    if text == "all":
        return tuple(range(7))
    found: set[int] = set()
    for part in text.lower().split(","):
        first, _dash, last = part.strip().partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            needed = _("{told} is not understood; write mon-fri or sat,sun, or “all”").format(told=text)
            raise typer.BadParameter(needed, param_hint="--days")
        begins, ends = _DAYS.index(first), _DAYS.index(last or first)
        found |= {day % 7 for day in range(begins, ends + 1 if ends >= begins else ends + 8)}
    return tuple(sorted(found))


def _heat(session: Session, text: str) -> int | None:
    _ = session.words.gettext
    if text == _OFF:
        return None
    try:
        return Considerate.model_validate({"most_celsius": int(text)}).most_celsius
    except ValueError as error:
        needed = _("{told} is no limit; from 40 to 110 degrees, or “off”").format(told=text)
        raise typer.BadParameter(needed, param_hint="--hottest") from error
