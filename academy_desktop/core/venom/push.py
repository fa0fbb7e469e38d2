"""Sends one adapter to a Venom server, in steps that can be watched.

Owns the order of the steps and what is undone when one fails. Each step can be repeated: a push that was
interrupted anywhere is finished by pushing again. Refuses to know screens, and how each way does a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from academy_desktop.core.jobs import Jobs
from academy_desktop.core.venom.activation import Seen, chat_model
from academy_desktop.core.venom.carrier import LOOK_S, Carrier, Errand
from academy_desktop.core.venom.connections import Connections
from academy_desktop.core.venom.folder_carrier import FolderCarrier
from academy_desktop.core.venom.going_live import GoingLive
from academy_desktop.core.venom.journal import Writer
from academy_desktop.core.venom.names import Naming
from academy_desktop.core.venom.ollama_carrier import OllamaCarrier
from academy_desktop.core.venom.packing import LORA_GGUF, FinishedRun, Packing
from academy_desktop.core.venom.proof import Proof
from academy_desktop.core.venom.reach import Reach
from academy_desktop.core.venom.stepping import CancelledError, Stepping
from academy_desktop.core.venom.steps import Listener, Order, Sent, Step, StepName, StepState
from trainers.errors import AcademyError, ErrorCode, Fact


@dataclass(frozen=True)
class Means:
    """What a push works with. `owner`: names this data directory among the users of a models folder."""

    jobs: Jobs
    packing: Packing
    connections: Connections
    owner: str
    look_s: float = LOOK_S


class Push:
    """One push; `run` blocks and is called once.

    Args:
        writer: keeps its entry in the journal; None for one that changes nothing.

    Attributes:
        sent: how far it came.
    """

    def __init__(
        self, means: Means, reach: Reach, order: Order, listener: Listener, writer: Writer | None = None
    ) -> None:
        self.sent = Sent(runtime=order.runtime, route=reach.connection.route)
        self._means = means
        self._client = reach.client
        self._order = order
        self._route = reach.connection.route
        self._stepping = Stepping(self.sent, listener, writer)
        self._carrier = _carrier(reach, Errand(order, means.owner, means.look_s), self._stepping)
        self._live = GoingLive(
            reach.client, self._carrier, self._stepping, reach.connection, means.connections, means.look_s
        )

    def cancel(self) -> None:
        """End before the next step; what was placed stays, what is being activated is finished first."""
        self._stepping.cancel()

    def run(self) -> Sent:
        """Take all steps; returns early, with `cancelled`, after `cancel`.

        Raises:
            AcademyError: what stopped a step. If an activation failed, the server is back at what it used
                before; `venom_rollback_failed` when that failed too.
        """
        try:
            if self._order.adapter_id:
                self._put_to_use(self._order.adapter_id)
            else:
                self._run()
        except CancelledError:
            self.sent.cancelled = True
        except AcademyError as error:
            self._stepping.end(error)
            raise
        self._stepping.end(None)
        return self.sent

    def _put_to_use(self, adapter_id: str) -> None:
        """Activate an adapter that lies on the server."""
        self.sent.adapter_id = adapter_id
        base = self._carrier.base_of(adapter_id)
        _, naming = self._connect(adapter_id, [base])
        self.sent.placed = True
        self._carrier.audit(adapter_id, naming)
        self._live.run(adapter_id, naming)

    def _run(self) -> None:
        packing, carrier, order = self._means.packing, self._carrier, self._order
        run = packing.open(order.job)
        self.sent.adapter_id = run.adapter_id
        self.sent.path = carrier.path(run.adapter_id)
        seen, naming = self._connect(run.adapter_id, run.base_names)
        if order.dry_run:
            self._plan(run, naming, seen)
            return
        proof = Proof(self._means.jobs, packing, self._stepping)
        gguf = proof.export(run)
        certificate = proof.certify(run, gguf, may_fail=order.uncertified)
        parcel = packing.parcel(run, gguf, naming, order.runtime, certificate)
        carrier.place(parcel, naming)
        self.sent.placed = True
        carrier.list(parcel.adapter_id)
        carrier.audit(parcel.adapter_id, naming)
        if order.activate:
            self._live.run(parcel.adapter_id, naming)

    def _connect(self, adapter_id: str, base_names: Sequence[str]) -> tuple[Seen, Naming]:
        """Make sure that every later step can work, as far as that can be known before."""
        with self._stepping.step("connect") as facts:
            self._client.greet()
            if self._route != "ollama" and not self._client.academy_status().enabled:
                raise AcademyError(ErrorCode.VENOM_DISABLED, url=self._client.url)
            seen = self._carrier.look()
            naming = self._carrier.require(base_names, seen)
            self.sent.base_model, self.sent.model_id = naming.base_model, naming.model_id
            self.sent.previous = self._live.before(adapter_id, seen)
            facts.update(
                url=self._client.url, model=seen.model, base_model=naming.base_model, model_id=naming.model_id
            )
        return seen, naming

    # looking ahead

    def _plan(self, run: FinishedRun, naming: Naming, seen: Seen) -> None:
        """Tell what each step would do."""
        kept = self._kept(run, naming, seen)
        for name in self._order.steps_on(self._route)[1:]:
            facts = self._planned_facts(name, run, naming)
            self._stepping.listener.started(name)
            state: StepState = "skipped" if "reason" in facts else "kept" if name in kept else "planned"
            self._stepping.over(Step(name, state, facts))

    def _kept(self, run: FinishedRun, naming: Naming, seen: Seen) -> frozenset[StepName]:
        packing = self._means.packing
        found: set[StepName] = set()
        gguf = packing.gguf(run)
        if gguf is not None:
            found.add("export")
            certificate = packing.certificate(gguf)
            if certificate is not None and certificate.passed:
                found.add("certify")
            parcel = packing.parcel(run, gguf, naming, self._order.runtime, certificate)
            found |= self._carrier.kept(parcel, naming)
        if self._carrier.uses(seen, run.adapter_id):
            found |= {"sign", "activate"}
        return frozenset(found)

    def _planned_facts(self, name: StepName, run: FinishedRun, naming: Naming) -> dict[str, Fact]:
        model = chat_model(run.adapter_id)
        known = self._carrier.planned(name, run.adapter_id, naming)
        match name:
            case "export":
                return {"export": LORA_GGUF.name}
            case "certify" if self._order.uncertified:
                return {"export": LORA_GGUF.name, "reason": "overridden"}
            case "certify":
                return {"export": LORA_GGUF.name}
            case "activate":
                return {"runtime": self._order.runtime, "chat_model": model}
            case _:
                return known if known is not None else {"chat_model": model}


def _carrier(reach: Reach, errand: Errand, stepping: Stepping) -> Carrier:
    if reach.ollama is not None:
        return OllamaCarrier(reach.client, reach.ollama, errand, stepping)
    return FolderCarrier(reach, errand, stepping)
