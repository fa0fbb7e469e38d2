"""What a push is asked to do, and what it tells while it does.

Owns the names of the steps and the shapes that the window and the command line show. Refuses to know how
a step is done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from academy_desktop.core.venom.connections import Before, Route
from academy_desktop.core.venom.names import DEFAULT_RUNTIME
from trainers.errors import ErrorCode, Fact
from trainers.events import AnyEvent

StepName = Literal[
    "connect", "export", "certify", "place", "upload", "create", "list", "audit",
    "sign", "activate", "verify", "canary", "rollback",
]  # fmt: skip
#: `planned`: would be done. `kept`: was so already. `skipped`: is not done, and the fact `reason` says why.
StepState = Literal["done", "kept", "planned", "skipped", "failed"]

PLACING: Final[tuple[StepName, ...]] = ("connect", "export", "certify", "place", "list", "audit")
#: The same where only Venom's Ollama can be reached.
CREATING: Final[tuple[StepName, ...]] = (
    "connect", "export", "certify", "upload", "create", "list", "audit",
)  # fmt: skip
ACTIVATING: Final[tuple[StepName, ...]] = ("sign", "activate", "verify", "canary")
#: Once one of these has begun, a push is finished, or undone as a whole.
UNDIVIDED: Final[frozenset[StepName]] = frozenset({"activate", "verify", "canary", "rollback"})
SIGNER: Final = "Academy Desktop"
#: What ended with one of these can be sent all the same, if the user says so: `Order.uncertified`.
OVERRIDABLE: Final = frozenset({ErrorCode.VENOM_NOT_CERTIFIED, ErrorCode.VENOM_NOT_PROVABLE})


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
        uncertified: send it though nothing proves that it behaves like the trained model.
    """

    job: str = ""
    activate: bool = False
    runtime: str = DEFAULT_RUNTIME
    model_id: str = ""
    dry_run: bool = False
    adapter_id: str = ""
    uncertified: bool = False

    @property
    def steps(self) -> tuple[StepName, ...]:
        """The steps that it takes over a models folder."""
        return self.steps_on("folder")

    def steps_on(self, route: Route) -> tuple[StepName, ...]:
        """The steps that it takes on this way."""
        if self.adapter_id:
            return ("connect", "audit", *ACTIVATING)
        placing = CREATING if route == "ollama" else PLACING
        return (*placing, *ACTIVATING) if self.activate else placing


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
    """How far a push came; complete when `Push.run` has returned, and after it raised as well.

    Attributes:
        certified: a certificate proves the adapter; False where it was sent without; None before that.
        answer: what the chat said when it was asked something; empty where it was not.
    """

    adapter_id: str = ""
    path: str = ""
    base_model: str = ""
    model_id: str = ""
    runtime: str = ""
    route: Route = "folder"
    certified: bool | None = None
    placed: bool = False
    audited: bool = False
    signed: bool = False
    activated: bool = False
    deployed: bool = False
    verified: bool = False
    rolled_back: bool = False
    cancelled: bool = False
    chat_model: str | None = None
    answer: str = ""
    previous: Before | None = None
    steps: list[Step] = field(default_factory=list)
