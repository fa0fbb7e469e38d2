"""Over a models folder: Venom's Academy finds the adapter there, judges it, signs it, and deploys it.

Owns what the Academy is asked on this way. Refuses to know the order of the steps.
"""

from __future__ import annotations

from collections.abc import Sequence

from academy_desktop.core.venom.activation import Seen, chat_model, look, restore
from academy_desktop.core.venom.answers import same_model
from academy_desktop.core.venom.carrier import LOOKS, Errand, settle
from academy_desktop.core.venom.connections import Before
from academy_desktop.core.venom.names import DEFAULT_RUNTIME, Naming, resolve
from academy_desktop.core.venom.placement import Parcel, Placement
from academy_desktop.core.venom.reach import Reach
from academy_desktop.core.venom.stepping import Stepping
from academy_desktop.core.venom.steps import SIGNER, StepName
from trainers.errors import AcademyError, ErrorCode, Fact


class FolderCarrier:
    """A `Carrier`, whose methods say what they do."""

    def __init__(self, reach: Reach, errand: Errand, stepping: Stepping) -> None:
        self._reach = reach
        self._client = reach.client
        self._order = errand.order
        self._errand = errand
        self._stepping = stepping
        self._opened: Placement | None = None

    # looking

    def path(self, adapter_id: str) -> str:
        """As `Carrier`; so are the others."""
        return self._placement().path(adapter_id)

    def look(self) -> Seen:
        """As `Carrier`."""
        return look(self._client)

    def require(self, base_names: Sequence[str], seen: Seen) -> Naming:
        """As `Carrier`."""
        order = self._order
        self._require_features()
        models = self._client.models().of(order.runtime)
        naming = resolve(base_names, order.runtime, order.model_id, models)
        if order.activate:
            self._require_runtime(naming, models)
        if order.activate and not order.dry_run and not self._client.takes_changes():
            raise AcademyError(ErrorCode.VENOM_REMOTE, url=self._client.url)
        return naming

    def base_of(self, adapter_id: str) -> str:
        """As `Carrier`."""
        known = next((one for one in self._client.adapters() if one.adapter_id == adapter_id), None)
        if known is None:
            raise AcademyError(ErrorCode.VENOM_ADAPTER_GONE, path=adapter_id)
        return known.base_model

    def uses(self, seen: Seen, adapter_id: str) -> bool:
        """As `Carrier`."""
        return seen.uses(adapter_id)

    def kept(self, parcel: Parcel, naming: Naming) -> frozenset[StepName]:
        """As `Carrier`."""
        return frozenset({"place"}) if self._placement().holds(parcel) else frozenset()

    def planned(self, step: StepName, adapter_id: str, naming: Naming) -> dict[str, Fact] | None:
        """As `Carrier`."""
        match step:
            case "place":
                return {"path": self.path(adapter_id)}
            case "list":
                return {"adapter": adapter_id}
            case "audit":
                return {"base_model": naming.base_model, "model_id": naming.model_id}
            case "sign":
                return {"signer": SIGNER}
        return None

    # steps

    def place(self, parcel: Parcel, naming: Naming) -> None:
        """As `Carrier`."""
        with self._stepping.step("place", {"path": self.path(parcel.adapter_id)}) as facts:
            facts["size_bytes"] = parcel.size_bytes
            told = self._stepping.listener.progress
            facts["kept"] = self._placement().place(parcel, told) == "kept"

    def list(self, adapter_id: str) -> None:
        """As `Carrier`; it also has to believe the description."""
        with self._stepping.step("list", {"adapter": adapter_id}):
            for number in range(LOOKS):
                found = next((a for a in self._client.adapters() if a.adapter_id == adapter_id), None)
                if found is not None:
                    break
                if number < LOOKS - 1:
                    self._stepping.wait(self._errand.look_s)
                    self._stepping.end_if_cancelled()
            if found is None:
                raise AcademyError(
                    ErrorCode.VENOM_NOT_LISTED,
                    path=self.path(adapter_id),
                    server_path=self._client.models_folder(),
                )
            if found.metadata_status != "canonical":
                reason = found.metadata_reason_code
                raise AcademyError(ErrorCode.VENOM_METADATA_REFUSED, adapter=adapter_id, reason=reason)

    def audit(self, adapter_id: str, naming: Naming) -> None:
        """As `Carrier`."""
        about: dict[str, Fact] = {"base_model": naming.base_model, "model_id": naming.model_id}
        with self._stepping.step("audit", about):
            verdicts = self._client.audit(self._order.runtime, naming.model_id).adapters
            verdict = next((one for one in verdicts if one.adapter_id == adapter_id), None)
            if verdict is None:
                raise AcademyError(ErrorCode.VENOM_NOT_LISTED, path=self._stepping.sent.path)
            if verdict.category != "compatible":
                raise AcademyError(
                    ErrorCode.VENOM_BASE_MISMATCH,
                    base=naming.base_model,
                    model=naming.model_id,
                    reason=verdict.reason_code,
                )
        self._stepping.sent.audited = True

    def sign(self, adapter_id: str, naming: Naming, *, kept: bool) -> None:
        """As `Carrier`."""
        with self._stepping.step("sign", {"signer": SIGNER, "kept": kept}):
            if not kept:
                self._client.sign(adapter_id, self._order.runtime, naming.model_id, SIGNER)
        self._stepping.sent.signed = True

    # the chat

    def activate(self, adapter_id: str, naming: Naming) -> str:
        """As `Carrier`."""
        order = self._order
        try:
            said = self._client.activate(adapter_id, order.runtime, naming.model_id, naming.base_model)
        except AcademyError as error:
            settle(error, self, self._stepping, adapter_id, self._errand.look_s)
            return chat_model(adapter_id)
        if said.deployed is None:
            raise AcademyError(ErrorCode.VENOM_OLDER, url=self._client.url, missing="deploy")
        if not said.deployed:
            raise AcademyError(ErrorCode.VENOM_RUNTIME_UNSUITABLE, runtime=order.runtime, detail=said.reason)
        return said.chat_model or chat_model(adapter_id)

    def verify(self, seen: Seen, adapter_id: str) -> None:
        """As `Carrier`: the registry has to name it."""
        if seen.adapter_id != adapter_id:
            raise AcademyError(ErrorCode.VENOM_NOT_VERIFIED, found=seen.adapter_id, expected=adapter_id)

    def undo(self, before: Before, adapter_id: str) -> None:
        """As `Carrier`; the adapter stays in the folder."""
        restore(self._client, before)

    # inside

    def _placement(self) -> Placement:
        if self._opened is None:
            self._opened = Placement(self._reach.folder(), self._errand.owner)
        return self._opened

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
