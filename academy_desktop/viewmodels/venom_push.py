"""Sending an adapter from the Venom page: the way from what is chosen to an outcome, and out of it.

Owns one push at a time. Refuses to know widgets and how a step is done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event
from typing import Literal

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.venom.connections import Route
from academy_desktop.core.venom.push import Push
from academy_desktop.core.venom.service import Venom
from academy_desktop.core.venom.steps import OVERRIDABLE, Order, Sent
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.text.venom import VenomWords
from academy_desktop.viewmodels.background import in_thread
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.viewmodels.venom import VenomServers
from academy_desktop.viewmodels.venom_choice import VenomChoice
from academy_desktop.viewmodels.venom_steps import StepLine, StepList, Watch
from trainers.errors import AcademyError, ErrorCode

OutcomeKind = Literal["active", "placed", "cancelled", "failed"]


@dataclass(frozen=True)
class Outcome:
    """How a push ended, and what can be done now.

    Attributes:
        undone: what became of what it had done.
        can_override: the user may say that it is sent without a proof.
    """

    kind: OutcomeKind
    title: str
    sentence: str
    undone: str = ""
    next_step: str = ""
    can_override: bool = False


@dataclass
class _Going:
    """A push, from its order to its end."""

    server: str
    route: Route
    order: Order
    steps: StepList
    title: str
    push: Push | None = None
    is_over: bool = False
    outcome: Outcome | None = None


class VenomPush(QObject):
    """Signals: `changed()` for what can be done now, `moved()` for the push in progress."""

    changed = Signal()
    moved = Signal()

    def __init__(
        self,
        venom: Venom,
        servers: VenomServers,
        choice: VenomChoice,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        clock: Callable[[], float] = time.monotonic,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.choice = choice
        self._venom = venom
        self._servers = servers
        self._messages = messages
        self._formats = formats
        self._gettext = translate
        self._supervisor = supervisor
        self._clock = clock
        self._words = VenomWords(translate, messages)
        self._going: _Going | None = None
        self._give_up = Event()
        choice.changed.connect(self.changed)

    # before

    @property
    def can_start(self) -> bool:
        """Whether all that is needed is known."""
        return self.choice.is_ready and not self.is_busy

    @property
    def why_not(self) -> str:
        """Why nothing can be sent, where no trouble of the plan says it."""
        if self.is_busy and not self.is_here:
            said = N_("An adapter is being sent to “{name}” at this moment.")
            return self._gettext(said).format(name=self._going.server if self._going else "")
        standing = self._servers.standing
        if standing is not None and not standing.can_place and not self._servers.is_looking:
            return self._gettext(N_("Nothing can be sent until what is said above is mended."))
        return ""

    def show_push(self, job_id: str) -> None:
        """Have the choice ready to send this run, for a user who was sent here with it."""
        self.put_away()
        self.choice.runs.choose(job_id)

    # the push

    @property
    def is_busy(self) -> bool:
        """Whether a push is in progress, to whatever server."""
        return self._going is not None and not self._going.is_over

    @property
    def is_here(self) -> bool:
        """Whether the push that is in progress, or was last, leads to the server that is shown."""
        shown = self._servers.shown
        return self._going is not None and shown is not None and self._going.server == shown.name

    @property
    def title(self) -> str:
        """What is sent, or was: `Sending “Replies” to home`."""
        going = self._going
        if going is None:
            return ""
        said = N_("“{run}” to {server}") if going.is_over else N_("Sending “{run}” to {server}")
        return self._gettext(said).format(run=going.title, server=going.server)

    @property
    def steps(self) -> tuple[StepLine, ...]:
        """The steps of the push that is in progress, or was last."""
        return self._going.steps.lines() if self._going else ()

    @property
    def outcome(self) -> Outcome | None:
        """How the last push ended."""
        return self._going.outcome if self._going else None

    @property
    def can_cancel(self) -> bool:
        """Whether a push in progress can still be ended."""
        return self.is_busy and not self._give_up.is_set() and bool(self._going and self._going.steps.can_end)

    @property
    def cancel_words(self) -> str:
        """What cancelling can undo now, and what not."""
        if not self.is_busy or self._going is None:
            return ""
        if not self._going.steps.can_end:
            said = N_("From here on it cannot be cancelled: it is finished, or undone as a whole.")
        elif self._give_up.is_set():
            said = N_("Ending before the next step …")
        elif not self._going.steps.has_sent:
            said = N_("Cancel ends before the next step. Nothing is changed on the server so far.")
        else:
            said = N_(
                "Cancel ends before the next step. What lies on the server by then stays there, unused; the "
                "chat stays as it is."
            )
        return self._gettext(said)

    @property
    def override_question(self) -> str:
        """What the user is asked before an adapter is sent that nothing proves."""
        said = N_(
            "Nothing shows that Venom’s chat would answer as the model that you trained. The adapter is sent "
            "all the same, and its description on the server says that it was not proven."
        )
        return self._gettext(said)

    def start(self) -> None:
        """Send what is chosen to the server that is shown."""
        shown = self._servers.shown
        if shown is not None and self.can_start:
            self._begin(shown.name, shown.route, self.choice.order, self.choice.runs.chosen_title)

    def again(self) -> None:
        """Repeat the push that ended; it goes on from what was done already."""
        going = self._going
        if going is not None and going.is_over:
            self._begin(going.server, going.route, going.order, going.title)

    def override(self) -> None:
        """Repeat the push that ended for want of a proof, without one: the user has said so."""
        going = self._going
        if going is not None and going.outcome is not None and going.outcome.can_override:
            order = replace(going.order, uncertified=True)
            self._begin(going.server, going.route, order, going.title)

    def put_away(self) -> None:
        """Show the choice again, instead of the push that ended."""
        if self._going is not None and self._going.is_over:
            self._going = None
            self.moved.emit()
            self.changed.emit()

    def cancel(self) -> None:
        """End before the next step."""
        if self.can_cancel:
            self._give_up.set()
            self._pass_on()
            self.moved.emit()

    # inside

    def _begin(self, server: str, route: Route, order: Order, title: str) -> None:
        if self.is_busy:
            return
        names = order.steps_on(route)
        steps = StepList(names, self._words, self._messages, self._formats, self._gettext, self._clock)
        going = self._going = _Going(server, route, order, steps, title)
        self._give_up = Event()
        self.moved.emit()
        self.changed.emit()
        self._supervisor.start(self._push(going, self._give_up), "venom push")

    async def _push(self, going: _Going, give_up: Event) -> None:
        watch = Watch(self._clock)

        def tick() -> None:
            watch.collect(going.steps)
            self.moved.emit()

        def work() -> Sent:
            with self._venom.pushing(going.server, going.order, watch) as push:
                going.push = push
                if give_up.is_set():
                    push.cancel()
                return push.run()

        try:
            sent = await in_thread(work, give_up, tick)
            going.outcome = self._went_well(sent)
        except AcademyError as error:
            going.outcome = self._failed(error, going.push.sent if going.push else Sent())
        except asyncio.CancelledError:  # the window goes
            self._pass_on()
            raise
        finally:
            watch.collect(going.steps)
            going.steps.stop()
            going.is_over = True
            self.moved.emit()
            self.changed.emit()
        self._servers.look_at(going.server)

    def _pass_on(self) -> None:
        """Tell the push, where there is one by now, that it shall end."""
        if self._going is not None and self._going.push is not None:
            self._going.push.cancel()

    def _went_well(self, sent: Sent) -> Outcome:
        _ = self._gettext
        if sent.cancelled:
            return Outcome("cancelled", _(N_("Cancelled")), self._left_there(sent))
        if sent.verified:
            said = _(N_("Venom’s chat uses {model}.")).format(model=sent.chat_model)
            return Outcome("active", _(N_("Active and verified")), said)
        said = _(N_("Venom has {adapter} and takes it for “{model}”. The chat stays as it is."))
        said = said.format(adapter=sent.adapter_id, model=sent.model_id)
        return Outcome("placed", _(N_("In place")), said)

    def _failed(self, error: AcademyError, sent: Sent) -> Outcome:
        said = self._servers.describe(error)
        undone = "" if error.code is ErrorCode.VENOM_ROLLBACK_FAILED else self._left_there(sent)
        can_override = error.code in OVERRIDABLE
        return Outcome("failed", said.title, said.sentence, undone, said.next_step, can_override)

    def _left_there(self, sent: Sent) -> str:
        """What a push that did not come to its end has left on the server."""
        _ = self._gettext
        if sent.rolled_back and sent.previous is not None:
            said = N_("Venom’s chat uses {model} again, as before. The adapter stays there, unused.")
            if not sent.placed:
                said = N_("Venom’s chat uses {model} again, as before. The adapter is gone from there.")
            return _(said).format(model=sent.previous.model)
        if sent.activated:  # as it was before the push
            return _(N_("Venom’s chat still uses this adapter. Roll back to use what was before it."))
        over = {step.name for step in sent.steps if step.state in {"done", "kept"}}
        if "upload" in over and "list" not in over:
            return _(
                N_("What was sent lies in the Ollama of this connection, unused. The chat is as it was.")
            )
        if sent.placed and sent.route == "ollama":
            return _(N_("The adapter lies in Venom’s Ollama, unused. The chat is as it was."))
        if sent.placed:
            return _(N_("The adapter lies in the models folder, unused. The chat is as it was."))
        return _(N_("Nothing was changed on the server."))
