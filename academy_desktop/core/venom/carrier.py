"""What a push does differently on each way to a server: how an adapter gets there, how the chat is switched.

Owns the interface, and what is common to all ways. Refuses to know the order of the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from academy_desktop.core.venom.activation import Seen
from academy_desktop.core.venom.connections import Before
from academy_desktop.core.venom.names import Naming
from academy_desktop.core.venom.placement import Parcel
from academy_desktop.core.venom.stepping import UNSURE, Stepping
from academy_desktop.core.venom.steps import Order, StepName
from trainers.errors import AcademyError, Fact

#: A network drive may show a new folder late: looks at the list, and seconds between them.
LOOKS: Final = 5
LOOK_S: Final = 1.0


@dataclass(frozen=True)
class Errand:
    """What a carrier has to know of its push. `owner`: this data directory among the users of a folder."""

    order: Order
    owner: str
    look_s: float = LOOK_S


class Carrier(Protocol):
    """One way to one server, for one push; `place` to `undo` are steps, or raise what stops one."""

    def path(self, adapter_id: str) -> str:
        """Where an adapter lies there, for people."""

    def look(self) -> Seen:
        """What the server's chat uses."""

    def require(self, base_names: Sequence[str], seen: Seen) -> Naming:
        """Make sure that every later step can work, as far as that can be known before.

        Returns:
            What the server calls the base model.
        """

    def base_of(self, adapter_id: str) -> str:
        """The base model of an adapter that lies there.

        Raises:
            AcademyError: `venom_adapter_gone`.
        """

    def uses(self, seen: Seen, adapter_id: str) -> bool:
        """Whether the chat uses this adapter, by all accounts."""

    def kept(self, parcel: Parcel, naming: Naming) -> frozenset[StepName]:
        """The steps for which nothing would be to do."""

    def planned(self, step: StepName, adapter_id: str, naming: Naming) -> dict[str, Fact] | None:
        """What the sentence on a step needs that would be taken; None where this way does not know it."""

    def place(self, parcel: Parcel, naming: Naming) -> None:
        """Have the adapter lie there."""

    def list(self, adapter_id: str) -> None:
        """Wait until the server sees it."""

    def audit(self, adapter_id: str, naming: Naming) -> None:
        """Have the server judge whether adapter and model fit."""

    def sign(self, adapter_id: str, naming: Naming, *, kept: bool) -> None:
        """Have the server sign it for the chat; `kept`: the chat uses it already, so it was signed."""

    def activate(self, adapter_id: str, naming: Naming) -> str:
        """Have the chat use it; returns the name of the chat's model. No step of its own."""

    def verify(self, seen: Seen, adapter_id: str) -> None:
        """Refuse what the chat's model alone does not show. No step of its own."""

    def undo(self, before: Before, adapter_id: str) -> None:
        """Bring the server back. No step of its own."""


def settle(error: AcademyError, carrier: Carrier, stepping: Stepping, adapter_id: str, look_s: float) -> None:
    """Where the answer to an activation is lost, look whether it came true: it is never asked for twice.

    Raises:
        AcademyError: the error, where it says no, or where the chat does not use the adapter after a moment.
    """
    if error.code not in UNSURE:
        raise error
    stepping.is_unsure = True
    for number in range(LOOKS):
        if number:
            stepping.wait(look_s)
        with suppress(AcademyError):
            if carrier.uses(carrier.look(), adapter_id):
                stepping.is_unsure = False
                return
    raise error
