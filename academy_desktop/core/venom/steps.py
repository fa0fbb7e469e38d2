"""What a push is asked to do, and what it tells while it does.

Owns the names of the steps and the shapes that the window and the command line show. Refuses to know how
a step is done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from academy_desktop.core.venom.connections import Before
from academy_desktop.core.venom.names import DEFAULT_RUNTIME
from trainers.errors import Fact
from trainers.events import AnyEvent

StepName = Literal["connect", "export", "place", "list", "audit", "sign", "activate", "verify", "rollback"]
#: `planned`: would be done. `kept`: was so already. `skipped`: was not asked for.
StepState = Literal["done", "kept", "planned", "skipped", "failed"]

PLACING: Final[tuple[StepName, ...]] = ("connect", "export", "place", "list", "audit")
ACTIVATING: Final[tuple[StepName, ...]] = ("sign", "activate", "verify")
SIGNER: Final = "Academy Desktop"


@dataclass(frozen=True)
class Step:
    """One step that is over; `facts` are what its sentence needs, of a failure those of the error `code`."""

    name: StepName
    state: StepState
    facts: dict[str, Fact] = field(default_factory=dict)
    code: str = ""


@dataclass(frozen=True)
class Order:
    """What is to be sent, or only put to use.

    Attributes:
        job: the run whose adapter is sent.
        model_id: the server's model to add the adapter to; empty: by its base model.
        adapter_id: one that lies on the server already; nothing is sent then, and `job` counts for nothing.
    """

    job: str = ""
    activate: bool = False
    runtime: str = DEFAULT_RUNTIME
    model_id: str = ""
    dry_run: bool = False
    adapter_id: str = ""

    @property
    def steps(self) -> tuple[StepName, ...]:
        """The steps that it takes."""
        if self.adapter_id:
            return ("connect", "audit", *ACTIVATING)
        return (*PLACING, *ACTIVATING) if self.activate else PLACING


class Listener(Protocol):
    """Whoever watches a push; called from the thread that runs it."""

    def started(self, step: StepName) -> None:
        """A step begins."""

    def progress(self, done: int, total: int) -> None:
        """Bytes of the step."""

    def event(self, event: AnyEvent) -> None:
        """A job of the step said something."""

    def done(self, step: Step) -> None:
        """A step is over and went well."""

    def failed(self, step: Step) -> None:
        """A step failed; the push ends with it, after the rollback if anything was active."""


@dataclass
class Sent:
    """How far a push came; complete when `Push.run` has returned, and after it raised as well."""

    adapter_id: str = ""
    path: str = ""
    base_model: str = ""
    model_id: str = ""
    runtime: str = ""
    placed: bool = False
    audited: bool = False
    signed: bool = False
    activated: bool = False
    deployed: bool = False
    verified: bool = False
    rolled_back: bool = False
    cancelled: bool = False
    chat_model: str | None = None
    previous: Before | None = None
    steps: list[Step] = field(default_factory=list)
