"""What is to be sent to the server that is shown: which run, how, and what Venom will call its base model.

Owns the choice, and the look ahead that says what would come of it. Refuses to know widgets and the way of a
push.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.venom.names import DEFAULT_RUNTIME
from academy_desktop.core.venom.service import Venom
from academy_desktop.core.venom.steps import Order, Sent
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Description
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.viewmodels.venom import VenomServers
from academy_desktop.viewmodels.venom_runs import SendableRuns
from trainers.errors import AcademyError, ErrorCode

#: After one of these the user says which of the server's models is meant.
ASK_FOR_MODEL = frozenset(
    {ErrorCode.VENOM_BASE_UNKNOWN, ErrorCode.VENOM_BASE_MISMATCH, ErrorCode.VENOM_MODEL_MISSING}
)


@dataclass(frozen=True)
class _Plan:
    """What a push would tell the server, or why it would fail at once."""

    sent: Sent | None = None
    trouble: AcademyError | None = None
    models: Sequence[str] = ()


class VenomChoice(QObject):
    """Signals: `changed()`."""

    changed = Signal()

    def __init__(
        self,
        venom: Venom,
        servers: VenomServers,
        runs: SendableRuns,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.runs = runs
        self._venom = venom
        self._servers = servers
        self._gettext = translate
        self._supervisor = supervisor
        self._activate = True
        self._model_id = ""
        self._models: Sequence[str] = ()
        self._subject: tuple[object, ...] = ()
        self._considered: tuple[object, ...] = ()
        self._plans = 0
        self._plan: _Plan | None = None
        servers.changed.connect(self._consider)
        servers.looked.connect(self._reconsider)
        runs.changed.connect(self._consider)

    @property
    def activate(self) -> bool:
        """Whether the chat shall use the adapter, where the server allows that."""
        return self._activate and self.can_activate

    @property
    def can_activate(self) -> bool:
        """Whether the server that is shown would activate an adapter, as far as anybody knows."""
        standing = self._servers.standing
        return standing is None or standing.can_activate

    @property
    def models(self) -> tuple[str, ...]:
        """The server's models to choose from, where the right one is not known."""
        return tuple(self._models)

    @property
    def model_id(self) -> str:
        """The one that was chosen."""
        return self._model_id

    @property
    def is_planning(self) -> bool:
        """Whether it is being found out what Venom calls the base model."""
        return self._plan is None and bool(self._considered)

    @property
    def base_sentence(self) -> str:
        """What Venom will call the base model."""
        sent = self._plan.sent if self._plan else None
        if sent is None:
            return ""
        if sent.base_model == sent.model_id:
            return self._gettext(N_("Venom calls the base model “{model}”.")).format(model=sent.model_id)
        said = N_("Venom calls the base model “{base}”; the adapter is added to “{model}”.")
        return self._gettext(said).format(base=sent.base_model, model=sent.model_id)

    @property
    def trouble(self) -> Description | None:
        """Why this run cannot be sent to this server."""
        trouble = self._plan.trouble if self._plan else None
        return self._servers.describe(trouble) if trouble else None

    @property
    def is_ready(self) -> bool:
        """Whether it is known that nothing stands in the way."""
        return self._plan is not None and self._plan.sent is not None

    @property
    def order(self) -> Order:
        """What is chosen, as a push takes it."""
        return Order(self.runs.chosen, self.activate, DEFAULT_RUNTIME, self._model_id)

    def set_activate(self, wanted: bool) -> None:
        """Let the chat use the adapter as well, or only place it."""
        self._activate = wanted
        self._consider()

    def choose_model(self, model_id: str) -> None:
        """Add the adapter to this model of the server."""
        self._model_id = model_id
        self._consider()

    # inside

    def _reconsider(self, name: str) -> None:
        """The server was looked at again: what it said before may no longer hold."""
        shown = self._servers.shown
        if shown is not None and shown.name == name:
            self._considered = ()
            self._consider()

    def _consider(self) -> None:
        """Find out what the server would be told, whenever what decides about it has changed."""
        shown, standing = self._servers.shown, self._servers.standing
        chosen = self.runs.chosen
        way = (shown.name, shown.url, shown.models_dir, shown.ssh, shown.ollama) if shown else ()
        subject = (*way, chosen) if way else ()
        if subject != self._subject:  # another run or server: another model of it
            self._subject, self._models, self._model_id = subject, (), ""
        is_possible = bool(chosen) and standing is not None and standing.can_place
        key = (subject, self.activate, self._model_id) if is_possible else ()
        if key != self._considered:
            self._considered = key
            self._plan = None
            self._plans += 1
            if key and shown is not None:
                self._supervisor.start(self._find_out(shown.name, self.order, self._plans), "venom plan")
        self.changed.emit()

    async def _find_out(self, name: str, order: Order, number: int) -> None:
        plan = await asyncio.to_thread(self._planned, name, order)
        if number == self._plans:
            self._plan = plan
            if plan.models:
                self._models = plan.models
            self.changed.emit()

    def _planned(self, name: str, order: Order) -> _Plan:
        """Blocks, belongs into a thread."""
        try:
            return _Plan(sent=self._venom.plan(name, order))
        except AcademyError as error:
            trouble = error
        found: Sequence[str] = ()
        if trouble.code in ASK_FOR_MODEL:
            with suppress(AcademyError):  # then there is nothing to choose from
                found = self._venom.models(name, order.runtime)
        return _Plan(trouble=trouble, models=found)
