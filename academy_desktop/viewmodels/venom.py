"""The Venom page: which servers there are, how the one that is shown stands, and the way back on it.

Owns the list, the selection, and the changes on a server, each of which may take long and none of which
holds anything up. Refuses to know widgets and requests.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.venom.connections import Connection
from academy_desktop.core.venom.service import RolledBack, Unwatched, Venom
from academy_desktop.core.venom.steps import Order
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Description, Messages
from academy_desktop.text.venom import VenomWords
from academy_desktop.text.venom_window import VenomWindowWords
from academy_desktop.viewmodels.background import in_thread
from academy_desktop.viewmodels.connection_form import ConnectionForm
from academy_desktop.viewmodels.records import Record, Records
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.viewmodels.venom_looks import ServerLooks
from academy_desktop.viewmodels.venom_standing import Standing, Standings
from trainers.errors import AcademyError


@dataclass(frozen=True)
class _WayBack:
    """A change in progress: on which server, to what, since when; `said` where it is no rollback."""

    name: str
    model: str
    since: float
    said: str = ""


class VenomServers(QObject):
    """Signals: `changed()`, `looked(name)` after a server was looked at, `told(Description)`."""

    changed = Signal()
    looked = Signal(str)
    told = Signal(object)

    def __init__(
        self,
        venom: Venom,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        clock: Callable[[], float] = time.monotonic,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.records = Records(self)
        self._venom = venom
        self._words = VenomWindowWords(translate, messages)
        self._way_words = VenomWords(translate, messages)
        self._standings = Standings(self._words, formats, translate)
        self._formats = formats
        self._gettext = translate
        self._supervisor = supervisor
        self._clock = clock
        self._connections: tuple[Connection, ...] | None = None
        self._looks = ServerLooks(venom, supervisor, self)
        self._shown = ""
        self._news: tuple[str, str] = ("", "")
        self._way_back: _WayBack | None = None
        self._due = asyncio.Event()
        self._due.set()
        self._looks.changed.connect(self._refresh)
        self._looks.looked.connect(self.looked)

    # what is shown

    @property
    def is_known(self) -> bool:
        """Whether the connections were read yet."""
        return self._connections is not None

    @property
    def all(self) -> tuple[Connection, ...]:
        """The connections, by name."""
        return self._connections or ()

    @property
    def shown(self) -> Connection | None:
        """The connection that is shown."""
        return next((one for one in self.all if one.name == self._shown), None)

    @property
    def standing(self) -> Standing | None:
        """How its server stands; None while nobody knows."""
        report = self._looks.report(self._shown)
        return self._standings.of(report) if report else None

    @property
    def reached(self) -> str:
        """Where it answers, and on which way its adapters are reached."""
        return self._standings.reached(self.shown) if self.shown else ""

    @property
    def is_looking(self) -> bool:
        """Whether its server is being looked at now."""
        return self._looks.is_going(self._shown)

    @property
    def news(self) -> str:
        """What just happened on the server that is shown."""
        name, said = self._news
        return said if name == self._shown else ""

    def count_words(self, count: int) -> str:
        """A number, as people write it."""
        return self._formats.integer(count)

    # what the user does

    def refresh(self) -> None:
        """Read the connections and look at the servers at the next chance."""
        self._due.set()

    async def follow(self) -> None:
        """Read and look whenever that is due, until cancelled."""
        self._supervisor.start(self._recover(), "venom recovery")
        while True:
            await self._due.wait()
            self._due.clear()
            await self._read()
            self._looks.look(self._shown)
            if len(self.all) > 1:
                self._looks.look_around(self._shown)

    def take(self, found: Sequence[Connection]) -> None:
        """Take the connections that there are; what was found of one at another address is forgotten."""
        self._connections = tuple(found)
        known = {one.name: one for one in found}
        self._looks.take(known)
        if self._shown not in known:
            self._shown = next(iter(known), "")
        self._refresh()

    def select(self, name: str) -> None:
        """Show this server, and look at it where that was not done in full yet."""
        if name == self._shown or name not in {one.name for one in self.all}:
            return
        self._shown = name
        self._news = ("", "")
        report = self._looks.report(name)
        if report is None or report.can_activate is None:
            self._looks.look(name)
        self._refresh()

    def look(self) -> None:
        """Look again at the server that is shown."""
        self.look_at(self._shown)

    def look_at(self, name: str) -> None:
        """Look again at this server: something was done there."""
        self._looks.look(name)

    def log_in(self, secret: str) -> None:
        """Look again at the server that is shown, with this password or passphrase until the program ends."""
        if self.shown is not None and self.shown.ssh is not None and secret:
            self._venom.secrets.hold(self.shown.ssh, secret)
            self.look()

    def new_form(self) -> ConnectionForm:
        """A form for one more connection."""
        return self._form(None)

    def edit_form(self) -> ConnectionForm:
        """A form for the connection that is shown."""
        return self._form(self.shown)

    def remove(self) -> None:
        """Forget the connection that is shown; nothing happens on its server."""
        if self.shown is not None:
            self._supervisor.start(self._remove(self._shown), "remove connection")

    # the way back

    @property
    def is_going_back(self) -> bool:
        """Whether a rollback is in progress anywhere."""
        return self._way_back is not None

    @property
    def can_go_back(self) -> bool:
        """Whether the server that is shown uses an adapter, as far as a look that is over has found."""
        standing = self.standing
        is_settled = not self.is_looking and not self.is_going_back
        return is_settled and standing is not None and bool(standing.active_adapter)

    @property
    def way_back(self) -> str:
        """What the rollback on the server that is shown does now, and for how long."""
        going = self._way_back
        if going is None or going.name != self._shown:
            return ""
        said = going.said or (N_("Going back to {model} …") if going.model else N_("Going back …"))
        took = self._clock() - going.since
        parts = [self._gettext(said).format(model=going.model)]
        return " ".join([*parts, self._formats.brief(round(took))] if took >= 1 else parts)

    @property
    def back_question(self) -> str:
        """What the user is asked before a rollback."""
        standing = self.standing
        if standing is not None and standing.back_to:
            said = N_("Venom’s chat will use {model} again. The adapter {adapter} stays on the server.")
        else:
            said = N_(
                "Venom’s chat will use again what the server remembers from before, or else the base model "
                "of {adapter}, which stays on the server."
            )
        adapter = standing.active_adapter if standing else ""
        model = standing.back_to if standing else ""
        return self._gettext(said).format(model=model, adapter=adapter)

    def roll_back(self) -> None:
        """Bring the server that is shown back to what it used before its active adapter."""
        standing = self.standing
        if standing is None or not self.can_go_back:
            return
        self._way_back = _WayBack(self._shown, standing.back_to, self._clock())
        self._news = ("", "")
        self.changed.emit()
        self._supervisor.start(self._roll_back(self._shown), "rollback")

    # single adapters

    @property
    def can_change(self) -> bool:
        """Whether nothing else is being looked at or changed on the server that is shown."""
        return not self.is_looking and not self.is_going_back

    def put_to_use(self, adapter_id: str) -> None:
        """Let the chat of the server that is shown use an adapter that lies there."""
        name, order = self._shown, Order(activate=True, adapter_id=adapter_id)

        def work() -> str:
            with self._venom.pushing(name, order, Unwatched()) as push:
                sent = push.run()
            return self._gettext(N_("Venom’s chat uses {model} now.")).format(model=sent.chat_model)

        self._change(adapter_id, N_("Putting {model} to use …"), work)

    def remove_adapter(self, adapter_id: str) -> None:
        """Take an adapter off the server that is shown."""
        name = self._shown

        def work() -> str:
            self._venom.remove_adapter(name, adapter_id)
            return self._gettext(N_("{adapter} is no longer on the server.")).format(adapter=adapter_id)

        self._change(adapter_id, N_("Removing {model} …"), work)

    # inside

    def _change(self, adapter_id: str, said: str, work: Callable[[], str]) -> None:
        if self.shown is not None and self.can_change:
            self._way_back = _WayBack(self._shown, adapter_id, self._clock(), said)
            self._news = ("", "")
            self.changed.emit()
            self._supervisor.start(self._do(self._shown, work), "venom adapter")

    async def _do(self, name: str, work: Callable[[], str]) -> None:
        try:
            self._news = (name, await in_thread(work, Event(), self.changed.emit))
        except AcademyError as error:
            self._tell(error)
        finally:
            self._way_back = None
            self.changed.emit()
        self._looks.look(name)

    def _form(self, connection: Connection | None) -> ConnectionForm:
        form = ConnectionForm(
            self._venom,
            connection,
            [one.name for one in self.all],
            self._words,
            self._way_words,
            self._standings,
            self._gettext,
            self._supervisor,
            self,
        )
        form.saved.connect(self._take_saved)
        return form

    def _take_saved(self, made: Connection, replaced: str) -> None:
        others = (one for one in self.all if one.name not in {made.name, replaced})
        self._shown = made.name
        self.take(sorted((*others, made), key=lambda one: one.name))
        self._looks.look(made.name)

    async def _read(self) -> None:
        try:
            self.take(await asyncio.to_thread(self._venom.connections.all))
        except AcademyError as error:
            self.take(())
            self._tell(error)

    async def _recover(self) -> None:
        """Settle what a push left halfway when the program last ended; servers may take long to answer."""
        try:
            settled = await in_thread(self._venom.recover, Event(), lambda: None)
        except AcademyError as error:
            self._tell(error)
            return
        if settled:
            self.refresh()

    async def _remove(self, name: str) -> None:
        try:
            await asyncio.to_thread(self._venom.connections.remove, name)
        except AcademyError as error:
            self._tell(error)
        self.refresh()

    async def _roll_back(self, name: str) -> None:
        try:
            found = await in_thread(lambda: self._venom.rollback(name), Event(), self.changed.emit)
            self._news = (name, self._said_of(found))
        except AcademyError as error:
            self._tell(error)
        finally:
            self._way_back = None
            self.changed.emit()
        self._looks.look(name)

    def _said_of(self, found: RolledBack) -> str:
        return self._gettext(N_("Venom’s chat uses {model} again.")).format(model=found.model)

    def _refresh(self) -> None:
        self.records.update([self._record(one) for one in self.all])
        self.changed.emit()

    def _record(self, one: Connection) -> Record:
        report = self._looks.report(one.name)
        if report is None:
            return Record(one.name, one.name, one.url, badge=self._gettext(N_("Looking …")))
        standing = self._standings.of(report)
        detail = report.active_model or ""
        return Record(one.name, one.name, one.url, detail, standing.badge, standing.tone)

    def _tell(self, error: AcademyError) -> None:
        self.told.emit(self.describe(error))

    def describe(self, error: AcademyError) -> Description:
        """What a trouble with Venom is called in the window."""
        return self._words.describe(error.code, error.facts)
