"""How a Venom server stands: looks at everything that a push needs, and names each trouble.

Owns what is looked at. Changes nothing on the server, but for one line in its audit log when it is asked
whether it takes changes and refuses. Refuses to know sentences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from academy_desktop.core.venom.activation import adapter_of
from academy_desktop.core.venom.activation import look as look_at_accounts
from academy_desktop.core.venom.answers import AcademyStatus, ActiveModel, Adapter, Features, ServerJob
from academy_desktop.core.venom.connections import Before, Connection
from academy_desktop.core.venom.journal import Entry
from academy_desktop.core.venom.names import DEFAULT_RUNTIME
from academy_desktop.core.venom.ollama_carrier import made_adapters
from academy_desktop.core.venom.reach import Reach
from trainers.errors import AcademyError, ErrorCode

if TYPE_CHECKING:
    from academy_desktop.core.venom.client import VenomClient
    from academy_desktop.core.venom.ollama import OllamaClient

T = TypeVar("T")

#: Of the trainings that a server did itself, so many are asked for.
MOST_JOBS: Final = 5

#: After one of these no further request can succeed.
_HOPELESS = frozenset(
    {
        ErrorCode.VENOM_UNREACHABLE,
        ErrorCode.VENOM_TIMEOUT,
        ErrorCode.VENOM_TLS,
        ErrorCode.VENOM_REDIRECTED,
        ErrorCode.VENOM_BUSY,
        ErrorCode.VENOM_SSH_UNREACHABLE,
        ErrorCode.VENOM_SSH_HOST_UNKNOWN,
        ErrorCode.VENOM_SSH_HOST_CHANGED,
        ErrorCode.VENOM_SSH_KEY_UNREADABLE,
        ErrorCode.VENOM_SSH_PASSPHRASE_WRONG,
        ErrorCode.VENOM_SSH_AGENT_EMPTY,
        ErrorCode.VENOM_SSH_REFUSED,
        ErrorCode.VENOM_SSH_SECRET_NEEDED,
        ErrorCode.VENOM_SSH_LOST,
    }
)


@dataclass
class Report:
    """What was found.

    Attributes:
        reachable: a Venom server answers.
        can_activate: whether it would activate an adapter for us; None when it was not asked.
        status: its parts, graphics cards, lessons and jobs; None when it did not say.
        jobs: the newest trainings that it did itself; none where it was not asked.
        verdicts: what it thinks of each adapter, by id.
        sent: the newest push from here of each adapter, by id.
        features: what it can do; None when it does not say.
        told_folder: its models folder in its own words; empty when it was not asked or does not say.
        troubles: what is wrong, the most important first.
    """

    connection: Connection
    reachable: bool = False
    academy_enabled: bool = False
    components: dict[str, bool] = field(default_factory=dict)
    features: Features | None = None
    can_activate: bool | None = None
    active_runtime: str | None = None
    active_model: str | None = None
    adapters: tuple[Adapter, ...] = ()
    status: AcademyStatus | None = None
    jobs: tuple[ServerJob, ...] = ()
    verdicts: dict[str, str] = field(default_factory=dict)
    sent: dict[str, Entry] = field(default_factory=dict)
    told_folder: str = ""
    troubles: list[AcademyError] = field(default_factory=list)

    @property
    def active_adapter(self) -> str | None:
        """The adapter that the registry names, or else the one that the chat's model was made from."""
        named = next((one.adapter_id for one in self.adapters if one.is_active), None)
        return named or adapter_of(self.active_model or "")

    @property
    def before(self) -> Before | None:
        """What a rollback brings back; None where no adapter is active, or only the server knows."""
        known = self.connection.activation_of(self.active_adapter or "")
        return known.before if known else None


def examine(reach: Reach, *, ask_for_changes: bool) -> Report:
    """Look at a server; never raises for what it finds there."""
    client = reach.client
    look = _Look(client)
    report = Report(reach.connection, troubles=look.troubles)
    look.at(client.greet)
    report.reachable = not look.troubles
    if not report.reachable:
        report.can_activate = False
        return report
    report.status = look.at(client.academy_status)
    status = report.status or AcademyStatus(enabled=False)
    report.academy_enabled, report.components = status.enabled, status.components
    report.features = look.at(client.features)
    if ask_for_changes:
        report.told_folder = look.at(client.models_folder) or ""
    active = look.at(client.active_model) or ActiveModel()
    report.active_runtime, report.active_model = active.runtime or None, active.active_model
    if reach.ollama is not None:
        _examine_ollama(report, look, reach.ollama, ask_for_changes=ask_for_changes)
        return report
    if not status.enabled:
        if not look.troubles:
            look.troubles.append(AcademyError(ErrorCode.VENOM_DISABLED, url=client.url))
        report.can_activate = False
    else:
        _examine_academy(report, look, ask_for_changes=ask_for_changes)
    if ask_for_changes or reach.link is None:  # on another computer it takes a trial to know
        look.at(reach.folder)
    return report


def _examine_academy(report: Report, look: _Look, *, ask_for_changes: bool) -> None:
    client = look.client
    before = len(look.troubles)
    report.adapters = look.at(client.adapters) or ()
    if report.adapters and (report.features is None or report.features.audit):
        audit = look.at(lambda: client.audit(report.active_runtime or DEFAULT_RUNTIME))
        report.verdicts = {one.adapter_id: one.category for one in audit.adapters} if audit else {}
    if ask_for_changes and report.status is not None and report.status.jobs.total:
        report.jobs = look.at(lambda: client.jobs(MOST_JOBS)) or ()
    missing = report.features.missing if report.features else ()
    if missing:
        look.troubles.append(AcademyError(ErrorCode.VENOM_OLDER, url=client.url, missing=", ".join(missing)))
    if len(look.troubles) > before:
        report.can_activate = False
    elif ask_for_changes:
        report.can_activate = bool(look.at(client.takes_changes))
        if not report.can_activate and len(look.troubles) == before:
            look.troubles.append(AcademyError(ErrorCode.VENOM_REMOTE, url=client.url))


def _examine_ollama(report: Report, look: _Look, ollama: OllamaClient, *, ask_for_changes: bool) -> None:
    """Of a server whose Ollama is the way, the Academy may be off."""
    before = len(look.troubles)
    look.at(ollama.version)
    if ask_for_changes:
        report.adapters = look.at(lambda: _adapters_over(look.client, ollama)) or ()
        report.can_activate = len(look.troubles) == before


def adapters_on(reach: Reach) -> tuple[Adapter, ...]:
    """Return the adapters on a server: those that its Academy finds, and on that way those that Ollama has.

    Raises:
        AcademyError: what is wrong with the server.
    """
    if reach.ollama is None:
        return reach.client.adapters()
    return _adapters_over(reach.client, reach.ollama)


def _adapters_over(client: VenomClient, ollama: OllamaClient) -> tuple[Adapter, ...]:
    seen = look_at_accounts(client, registry=False)
    made = {one.adapter_id: one for one in made_adapters(ollama, seen.model)}
    if seen.adapter_id in made:  # active by the registry, whatever the chat uses
        made[seen.adapter_id] = made[seen.adapter_id].model_copy(update={"is_active": True})
    return (*made.values(), *(one for one in seen.adapters if one.adapter_id not in made))


class _Look:
    """Asks one thing after another and keeps what went wrong."""

    def __init__(self, client: VenomClient) -> None:
        self.client = client
        self.troubles: list[AcademyError] = []

    def at(self, ask: Callable[[], T]) -> T | None:
        if any(trouble.code in _HOPELESS for trouble in self.troubles):
            return None
        try:
            return ask()
        except AcademyError as trouble:
            if trouble.code not in {known.code for known in self.troubles}:
                self.troubles.append(trouble)
            return None
