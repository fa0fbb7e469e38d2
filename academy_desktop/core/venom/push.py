"""Sends one adapter to a Venom server, in steps that can be watched.

Owns the order of the steps and what is undone when one fails. Each step can be repeated: a push that was
interrupted anywhere is finished by pushing again. Refuses to know screens.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from academy_desktop.core.jobs import Jobs
from academy_desktop.core.states import JobState
from academy_desktop.core.venom.activation import Seen, chat_model, look, restore
from academy_desktop.core.venom.answers import Activated, same_model
from academy_desktop.core.venom.connections import Activation, Before, Connections
from academy_desktop.core.venom.journal import Writer
from academy_desktop.core.venom.names import DEFAULT_RUNTIME, Naming, resolve
from academy_desktop.core.venom.packing import LORA_GGUF, FinishedRun, Packing
from academy_desktop.core.venom.placement import Parcel, Placement
from academy_desktop.core.venom.reach import Reach
from academy_desktop.core.venom.steps import PLACING, SIGNER, Listener, Order, Sent, Step, StepName
from trainers.errors import AcademyError, ErrorCode, Fact
from trainers.exporting.record import Export

#: A network drive may show a new folder late: looks at the list, and seconds between them.
LOOKS: Final = 5
LOOK_S: Final = 1.0
#: After one of these nobody here knows whether the server did what it was asked.
_UNSURE: Final = frozenset(
    {
        ErrorCode.VENOM_UNREACHABLE,
        ErrorCode.VENOM_TIMEOUT,
        ErrorCode.VENOM_FAILED,
        ErrorCode.VENOM_ANSWER_INVALID,
        ErrorCode.VENOM_NOT_VENOM,
        ErrorCode.VENOM_SSH_LOST,
        ErrorCode.VENOM_SSH_UNREACHABLE,
    }
)


@dataclass(frozen=True)
class Means:
    """What a push works with. `owner`: names this data directory among the users of a models folder."""

    jobs: Jobs
    packing: Packing
    connections: Connections
    owner: str
    look_s: float = LOOK_S


class _CancelledError(Exception):
    """Somebody wants the push to end here."""


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
        self.sent = Sent(runtime=order.runtime)
        self._means = means
        self._reach = reach
        self._connection = reach.connection
        self._client = reach.client
        self._writer = writer
        self._is_unsure = False
        self._order = order
        self._listener = listener
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """End before the next step; what was placed stays, what is being activated is finished first."""
        self._cancelled.set()

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
        except _CancelledError:
            self.sent.cancelled = True
        except AcademyError as error:
            self._end(error)
            raise
        self._end(None)
        return self.sent

    def _end(self, error: AcademyError | None) -> None:
        """Close the journal's entry, unless the server may be halfway: the next start looks again then."""
        if self._writer is None:
            return
        if error is None:
            self._writer.end("cancelled" if self.sent.cancelled else "done", self.sent)
        elif error.code is not ErrorCode.VENOM_ROLLBACK_FAILED and not self._is_unsure:
            # what stopped the push is told, whatever becomes of the journal
            with contextlib.suppress(AcademyError):
                self._writer.end("undone" if self.sent.rolled_back else "failed", self.sent, error.code)

    def _put_to_use(self, adapter_id: str) -> None:
        """Activate an adapter that lies on the server."""
        self.sent.adapter_id = adapter_id
        known = next((one for one in self._client.adapters() if one.adapter_id == adapter_id), None)
        if known is None:
            raise AcademyError(ErrorCode.VENOM_ADAPTER_GONE, path=adapter_id)
        _, naming = self._connect(adapter_id, [known.base_model])
        self.sent.placed = True
        self._audit(adapter_id, naming)
        self._activate(adapter_id, naming)

    def _run(self) -> None:
        run = self._means.packing.open(self._order.job)
        self.sent.adapter_id = run.adapter_id
        placement = Placement(self._reach.folder(), self._means.owner)
        self.sent.path = placement.path(run.adapter_id)
        seen, naming = self._connect(run.adapter_id, run.base_names)
        if self._order.dry_run:
            self._plan(run, naming, seen, placement)
            return
        parcel = self._means.packing.parcel(run, self._export(run), naming, self._order.runtime)
        self._place(placement, parcel)
        self._list(parcel)
        self._audit(parcel.adapter_id, naming)
        if self._order.activate:
            self._activate(parcel.adapter_id, naming)

    # steps that change nothing

    def _connect(self, adapter_id: str, base_names: Sequence[str]) -> tuple[Seen, Naming]:
        """Make sure that every later step can work, as far as that can be known before."""
        with self._step("connect") as facts:
            self._client.greet()
            if not self._client.academy_status().enabled:
                raise AcademyError(ErrorCode.VENOM_DISABLED, url=self._client.url)
            self._require_features()
            seen = look(self._client)
            models = self._client.models().of(self._order.runtime)
            naming = resolve(base_names, self._order.runtime, self._order.model_id, models)
            if self._order.activate:
                self._require_runtime(naming, models)
            if self._order.activate and not self._order.dry_run and not self._client.takes_changes():
                raise AcademyError(ErrorCode.VENOM_REMOTE, url=self._client.url)
            self.sent.base_model, self.sent.model_id = naming.base_model, naming.model_id
            self.sent.previous = self._before(adapter_id, seen)
            facts.update(
                url=self._client.url, model=seen.model, base_model=naming.base_model, model_id=naming.model_id
            )
        return seen, naming

    def _require_features(self) -> None:
        features = self._client.features()
        missing = list(features.missing) if features else []
        if not self._order.activate:
            missing = [name for name in missing if name == "audit"]
        if missing:
            raise AcademyError(ErrorCode.VENOM_OLDER, url=self._client.url, missing=", ".join(missing))

    def _require_runtime(self, naming: Naming, models: tuple[str, ...]) -> None:
        """Refuse what would only fail at the deployment, after the server has forgotten what was active."""
        runtime = self._order.runtime
        options = self._client.runtimes().runtimes
        known = next((one for one in options if one.runtime_id == runtime), None)
        if options and (known is None or known.adapter_deploy_supported is False):
            names = ", ".join(one.runtime_id for one in options if one.adapter_deploy_supported)
            raise AcademyError(ErrorCode.VENOM_RUNTIME_UNSUITABLE, runtime=runtime, known=names)
        if known is not None and known.available is False:
            raise AcademyError(ErrorCode.VENOM_RUNTIME_DOWN, runtime=runtime)
        missing = bool(models) and not any(same_model(naming.model_id, name) for name in models)
        if missing and runtime == DEFAULT_RUNTIME:
            raise AcademyError(
                ErrorCode.VENOM_MODEL_MISSING,
                runtime=runtime,
                model=naming.model_id,
                known=", ".join(models),
                pull=naming.model_id,
            )

    def _before(self, adapter_id: str, seen: Seen) -> Before:
        """What to come back to: of a push that is repeated, what its first try found."""
        known = self._connection.activation_of(adapter_id)
        if known is None:
            return seen.as_before()
        halfway = seen.adapter_id is None and same_model(seen.model, known.before.model)
        return known.before if halfway or seen.uses(adapter_id) else seen.as_before()

    def _plan(self, run: FinishedRun, naming: Naming, seen: Seen, placement: Placement) -> None:
        """Tell what each step would do."""
        gguf = self._means.packing.gguf(run)
        there = False
        if gguf is not None:
            parcel = self._means.packing.parcel(run, gguf, naming, self._order.runtime)
            there = placement.holds(parcel)
        kept: dict[StepName, bool] = {
            "export": gguf is not None,
            "place": there,
            "sign": seen.uses(run.adapter_id),
            "activate": seen.uses(run.adapter_id),
        }
        for name in self._order.steps[1:]:
            facts = self._planned_facts(name, run, naming)
            self._listener.started(name)
            self._over(Step(name, "kept" if kept.get(name) else "planned", facts))

    def _planned_facts(self, name: StepName, run: FinishedRun, naming: Naming) -> dict[str, Fact]:
        facts: dict[StepName, dict[str, Fact]] = {
            "export": {"export": LORA_GGUF.name},
            "place": {"path": self.sent.path},
            "list": {"adapter": run.adapter_id},
            "audit": {"base_model": naming.base_model, "model_id": naming.model_id},
            "sign": {"signer": SIGNER},
            "activate": {"runtime": self._order.runtime, "chat_model": chat_model(run.adapter_id)},
            "verify": {"chat_model": chat_model(run.adapter_id)},
        }
        return facts[name]

    # steps that place

    def _export(self, run: FinishedRun) -> Export:
        with self._step("export", {"export": LORA_GGUF.name}) as facts:
            found = self._means.packing.gguf(run)
            if found is not None:
                facts["kept"] = True
            else:
                self._follow(self._means.packing.order_gguf(run))
                found = self._means.packing.gguf(run)
            if found is None:
                raise AcademyError(ErrorCode.EXPORT_UNKNOWN, job=run.summary.id, export=LORA_GGUF.name)
        return found

    def _follow(self, job: str) -> None:
        """Wait for an export; one that nobody waits for any more is stopped."""
        try:
            for event in self._means.jobs.follow(job):
                self._listener.event(event)
                self._end_if_cancelled()
            summary = self._means.jobs.wait(job)
        except BaseException:
            self._abandon(job)
            raise
        if summary.state is not JobState.SUCCEEDED:
            known = summary.reason in set(ErrorCode)
            code = ErrorCode(summary.reason) if known else ErrorCode.CRASHED
            raise AcademyError(code, **({"detail": summary.reason} | summary.facts))

    def _abandon(self, job: str) -> None:
        try:
            self._means.jobs.stop(job)
        except AcademyError:
            return  # it is over already

    def _place(self, placement: Placement, parcel: Parcel) -> None:
        with self._step("place", {"path": self.sent.path}) as facts:
            facts["size_bytes"] = parcel.size_bytes
            facts["kept"] = placement.place(parcel, self._listener.progress) == "kept"
        self.sent.placed = True

    def _list(self, parcel: Parcel) -> None:
        """Wait until the server sees the folder, and believes its description."""
        with self._step("list", {"adapter": parcel.adapter_id}):
            for number in range(LOOKS):
                found = next((a for a in self._client.adapters() if a.adapter_id == parcel.adapter_id), None)
                if found is not None:
                    break
                if number < LOOKS - 1:
                    self._cancelled.wait(self._means.look_s)
                    self._end_if_cancelled()
            if found is None:
                server_path = self._client.models_folder()
                raise AcademyError(ErrorCode.VENOM_NOT_LISTED, path=self.sent.path, server_path=server_path)
            if found.metadata_status != "canonical":
                reason = found.metadata_reason_code
                raise AcademyError(ErrorCode.VENOM_METADATA_REFUSED, adapter=parcel.adapter_id, reason=reason)

    def _audit(self, adapter_id: str, naming: Naming) -> None:
        about: dict[str, Fact] = {"base_model": naming.base_model, "model_id": naming.model_id}
        with self._step("audit", about):
            verdicts = self._client.audit(self._order.runtime, naming.model_id).adapters
            verdict = next((one for one in verdicts if one.adapter_id == adapter_id), None)
            if verdict is None:
                raise AcademyError(ErrorCode.VENOM_NOT_LISTED, path=self.sent.path)
            if verdict.category != "compatible":
                raise AcademyError(
                    ErrorCode.VENOM_BASE_MISMATCH,
                    base=naming.base_model,
                    model=naming.model_id,
                    reason=verdict.reason_code,
                )
        self.sent.audited = True

    # steps that activate

    def _activate(self, adapter_id: str, naming: Naming) -> None:
        seen = look(self._client)
        before = self._before(adapter_id, seen)
        self.sent.previous = before
        if seen.uses(adapter_id):
            # Deploying it again would make the server forget what was before it.
            self.sent.previous = before if before.adapter_id != adapter_id else None
            self._keep_active(adapter_id)
            return
        with self._step("sign", {"signer": SIGNER}):
            self._client.sign(adapter_id, self._order.runtime, naming.model_id, SIGNER)
        self.sent.signed = True
        self._end_if_cancelled()
        self._means.connections.begin_activation(
            self._connection.name, Activation(adapter_id=adapter_id, before=before)
        )
        try:
            self._deploy(adapter_id, naming)
            self._verify(adapter_id)
        except AcademyError as error:
            self._roll_back(before, error)
            raise

    def _keep_active(self, adapter_id: str) -> None:
        """Tell that the chat uses the adapter already."""
        for name in ("sign", "activate"):
            with self._step(name, {"chat_model": chat_model(adapter_id)}) as facts:
                facts["kept"] = True
        self.sent.signed = self.sent.activated = self.sent.deployed = True
        self.sent.chat_model = chat_model(adapter_id)
        self._verify(adapter_id)

    def _deploy(self, adapter_id: str, naming: Naming) -> None:
        runtime = self._order.runtime
        with self._step("activate", {"runtime": runtime}) as facts:
            said = self._activated(adapter_id, naming)
            if said.deployed is None:
                raise AcademyError(ErrorCode.VENOM_OLDER, url=self._client.url, missing="deploy")
            if not said.deployed:
                raise AcademyError(ErrorCode.VENOM_RUNTIME_UNSUITABLE, runtime=runtime, detail=said.reason)
            self.sent.chat_model = facts["chat_model"] = said.chat_model or chat_model(adapter_id)
        self.sent.activated = self.sent.deployed = True

    def _activated(self, adapter_id: str, naming: Naming) -> Activated:
        """Have the server activate it; where the answer is lost, look whether it did: never ask it twice."""
        try:
            return self._client.activate(adapter_id, self._order.runtime, naming.model_id, naming.base_model)
        except AcademyError as error:
            if error.code not in _UNSURE:
                raise
            self._is_unsure = True
            if not self._comes_true(adapter_id):
                raise
            self._is_unsure = False
            return Activated(success=True, deployed=True)

    def _comes_true(self, adapter_id: str) -> bool:
        """Whether the server uses the adapter, now or after a moment."""
        for number in range(LOOKS):
            if number:
                self._cancelled.wait(self._means.look_s)
            with contextlib.suppress(AcademyError):
                if look(self._client).uses(adapter_id):
                    return True
        return False

    def _verify(self, adapter_id: str) -> None:
        with self._step("verify", {"chat_model": self.sent.chat_model}):
            seen = look(self._client)
            if not same_model(seen.model, self.sent.chat_model):
                raise AcademyError(
                    ErrorCode.VENOM_NOT_VERIFIED, found=seen.model, expected=self.sent.chat_model
                )
            if seen.adapter_id != adapter_id:
                raise AcademyError(ErrorCode.VENOM_NOT_VERIFIED, found=seen.adapter_id, expected=adapter_id)
        self.sent.verified = True

    def _roll_back(self, before: Before, cause: AcademyError) -> None:
        """Bring the server back after an activation that failed.

        Raises:
            AcademyError: `venom_rollback_failed`.
        """
        self.sent.activated = self.sent.deployed = False
        self.sent.chat_model = None
        with self._step("rollback", {"model": before.model}):
            try:
                restore(self._client, before)
            except AcademyError as error:
                raise AcademyError(
                    ErrorCode.VENOM_ROLLBACK_FAILED,
                    expected=before.model,
                    found=error.facts.get("found"),
                    detail=error.facts.get("detail"),
                ) from cause
        self.sent.rolled_back = True
        self._means.connections.end_activation(self._connection.name, self.sent.adapter_id)

    # inside

    @contextmanager
    def _step(self, name: StepName, known: dict[str, Fact] | None = None) -> Iterator[dict[str, Fact]]:
        """Tell that a step begins and how it ends; the body adds facts, `kept` where nothing was to do."""
        if name in PLACING or name == "sign":  # from the activation on, all is finished or undone
            self._end_if_cancelled()
        if self._writer is not None:
            self._writer.note(name, self.sent)
        self._listener.started(name)
        facts = dict(known or {})
        try:
            yield facts
        except AcademyError as error:
            step = Step(name, "failed", dict(error.facts), str(error.code))
            self.sent.steps.append(step)
            self._listener.failed(step)
            raise
        kept = bool(facts.pop("kept", False))
        self._over(Step(name, "kept" if kept else "done", facts))

    def _over(self, step: Step) -> None:
        self.sent.steps.append(step)
        self._listener.done(step)

    def _end_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise _CancelledError
