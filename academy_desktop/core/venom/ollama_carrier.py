"""Over the Ollama that Venom uses: it makes a model of base model and adapter, and Venom's chat takes that.

Owns what Ollama and Venom are asked on this way. Venom's Academy has no part in it: it neither finds such an
adapter nor checks nor signs it, and what it holds for active would win in the chat. Refuses to know the order
of the steps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from academy_desktop.core.venom.activation import Seen, adapter_of, chat_model, look, restore
from academy_desktop.core.venom.answers import CHAT_PREFIX, Adapter, same_model
from academy_desktop.core.venom.carrier import LOOKS, Errand, settle
from academy_desktop.core.venom.connections import Before
from academy_desktop.core.venom.names import DEFAULT_RUNTIME, Naming, resolve
from academy_desktop.core.venom.placement import GGUF, Parcel, Part
from academy_desktop.core.venom.stepping import Stepping
from academy_desktop.core.venom.steps import StepName
from trainers.errors import AcademyError, ErrorCode, Fact

if TYPE_CHECKING:
    from academy_desktop.core.venom.client import VenomClient
    from academy_desktop.core.venom.ollama import OllamaClient

#: Why a step is left out on this way.
NOT_IN_ACADEMY = "not_in_academy"


class OllamaCarrier:
    """A `Carrier`, whose methods say what they do."""

    def __init__(self, client: VenomClient, ollama: OllamaClient, errand: Errand, stepping: Stepping) -> None:
        self._client = client
        self._ollama = ollama
        self._order = errand.order
        self._errand = errand
        self._stepping = stepping
        self._is_new = False

    # looking

    def path(self, adapter_id: str) -> str:
        """As `Carrier`; so are the others."""
        return f"{self._ollama.url}: {chat_model(adapter_id)}"

    def look(self) -> Seen:
        """As `Carrier`."""
        return look(self._client, registry=False)

    def require(self, base_names: Sequence[str], seen: Seen) -> Naming:
        """As `Carrier`."""
        order = self._order
        if order.runtime != DEFAULT_RUNTIME:
            raise AcademyError(
                ErrorCode.VENOM_RUNTIME_UNSUITABLE, runtime=order.runtime, known=DEFAULT_RUNTIME
            )
        self._ollama.version()
        models = [one for one in self._ollama.models() if not one.startswith(CHAT_PREFIX)]
        if order.adapter_id:  # it has its base model in it already
            naming = Naming(base_names[0], base_names[0])
        else:
            naming = resolve(base_names, order.runtime, order.model_id, models)
            self._require_model(naming, models)
        wins = order.activate and seen.adapter_id is not None
        if wins and not order.dry_run and not self._client.takes_changes():
            raise AcademyError(ErrorCode.VENOM_OTHER_ADAPTER, adapter=seen.adapter_id)
        return naming

    def base_of(self, adapter_id: str) -> str:
        """As `Carrier`."""
        made = self._ollama.show(chat_model(adapter_id))
        if made is None:
            raise AcademyError(ErrorCode.VENOM_ADAPTER_GONE, path=adapter_id)
        return made.base

    def uses(self, seen: Seen, adapter_id: str) -> bool:
        """As `Carrier`."""
        return seen.adapter_id is None and adapter_of(seen.model) == adapter_id

    def kept(self, parcel: Parcel, naming: Naming) -> frozenset[StepName]:
        """As `Carrier`."""
        sha256 = _gguf(parcel).digest
        found: set[StepName] = set()
        if self._ollama.has_blob(sha256):
            found.add("upload")
        if self._is_made(parcel.adapter_id, naming, sha256):
            found |= {"upload", "create"}
        return frozenset(found)

    def planned(self, step: StepName, adapter_id: str, naming: Naming) -> dict[str, Fact] | None:
        """As `Carrier`."""
        match step:
            case "upload":
                return {"url": self._ollama.url}
            case "create":
                return {"model": chat_model(adapter_id), "base_model": naming.model_id}
            case "list":
                return {"adapter": chat_model(adapter_id)}
            case "audit" | "sign":
                return {"reason": NOT_IN_ACADEMY}
        return None

    # steps

    def place(self, parcel: Parcel, naming: Naming) -> None:
        """As `Carrier`, in two steps: the file, and the model that is made of it."""
        gguf = _gguf(parcel)
        made = self._is_made(parcel.adapter_id, naming, gguf.digest)
        with self._stepping.step("upload", {"url": self._ollama.url}) as facts:
            facts["size_bytes"] = gguf.size_bytes
            if not made:
                self._require_unused(parcel.adapter_id)
            if made or self._ollama.has_blob(gguf.digest):
                facts["kept"] = True
            else:
                assert gguf.source is not None
                self._ollama.send_blob(gguf.source, gguf.digest, self._told)
        model = chat_model(parcel.adapter_id)
        with self._stepping.step("create", {"model": model, "base_model": naming.model_id}) as facts:
            facts["kept"] = made
            if not made:
                self._create(parcel.adapter_id, naming, gguf.digest)

    def list(self, adapter_id: str) -> None:
        """As `Carrier`: Venom has to list the model, or it uses another Ollama."""
        model = chat_model(adapter_id)
        with self._stepping.step("list", {"adapter": model}):
            for number in range(LOOKS):
                if any(same_model(model, one.name) for one in self._client.models().models):
                    return
                if number < LOOKS - 1:
                    self._stepping.wait(self._errand.look_s)
                    self._stepping.end_if_cancelled()
            raise AcademyError(ErrorCode.VENOM_OLLAMA_OTHER, url=self._ollama.url, model=model)

    def audit(self, adapter_id: str, naming: Naming) -> None:
        """As `Carrier`: nobody can be asked."""
        self._stepping.skip("audit", NOT_IN_ACADEMY)

    def sign(self, adapter_id: str, naming: Naming, *, kept: bool) -> None:
        """As `Carrier`: nobody can be asked."""
        self._stepping.skip("sign", NOT_IN_ACADEMY)

    # the chat

    def activate(self, adapter_id: str, naming: Naming) -> str:
        """As `Carrier`; what the Academy holds for active is cleared first, for it would win."""
        if self.look().adapter_id is not None:
            self._client.deactivate(deploy=False)
        model = chat_model(adapter_id)
        try:
            self._client.activate_model(f"{model}:latest", DEFAULT_RUNTIME)
        except AcademyError as error:
            settle(error, self, self._stepping, adapter_id, self._errand.look_s)
        return model

    def verify(self, seen: Seen, adapter_id: str) -> None:
        """As `Carrier`: the registry must not name another one."""
        if seen.adapter_id is not None:
            raise AcademyError(ErrorCode.VENOM_NOT_VERIFIED, found=seen.adapter_id, expected=adapter_id)

    def undo(self, before: Before, adapter_id: str) -> None:
        """As `Carrier`; a model that this push made goes away again."""
        restore(self._client, before, registry=False)
        if self._is_new:
            with contextlib.suppress(AcademyError):  # it is in nobody's way
                self._ollama.delete(chat_model(adapter_id))
                self._stepping.sent.placed = False

    # inside

    def _told(self, done: int, total: int) -> None:
        self._stepping.end_if_cancelled()
        self._stepping.listener.progress(done, total)

    def _require_model(self, naming: Naming, models: Sequence[str]) -> None:
        """Refuse a base model that is not there: Ollama would fetch it from the internet unasked."""
        if not any(same_model(naming.model_id, name) for name in models):
            raise AcademyError(
                ErrorCode.VENOM_MODEL_MISSING,
                runtime=DEFAULT_RUNTIME,
                model=naming.model_id,
                known=", ".join(models),
                pull=naming.model_id,
            )

    def _require_unused(self, adapter_id: str) -> None:
        """Refuse to make a model anew while the chat uses it: nothing would lead back to what it was.

        Raises:
            AcademyError: `venom_adapter_in_use`.
        """
        if adapter_of(self.look().model) == adapter_id:
            raise AcademyError(ErrorCode.VENOM_ADAPTER_IN_USE, adapter=adapter_id)

    def _is_made(self, adapter_id: str, naming: Naming, sha256: str) -> bool:
        made = self._ollama.show(chat_model(adapter_id))
        return made is not None and made.is_of(naming.model_id, sha256)

    def _create(self, adapter_id: str, naming: Naming, sha256: str) -> None:
        """Have the model made; where the answer is lost, look whether it was."""
        self._is_new = self._ollama.show(chat_model(adapter_id)) is None
        try:
            self._ollama.create(chat_model(adapter_id), naming.model_id, sha256)
        except AcademyError as error:
            with contextlib.suppress(AcademyError):
                if self._is_made(adapter_id, naming, sha256):
                    return
            raise error


def made_adapters(ollama: OllamaClient, active: str | None) -> tuple[Adapter, ...]:
    """Return the adapters of which an Ollama has models, in the words of the Academy; `active`: in the chat.

    Raises:
        AcademyError: as `OllamaClient`.
    """
    found = []
    for model in ollama.models():
        adapter_id = adapter_of(model)
        made = ollama.show(model) if adapter_id is not None else None
        if adapter_id is not None and made is not None:
            one = Adapter(
                adapter_id=adapter_id,
                adapter_path=model,
                base_model=made.base,
                target_runtime=DEFAULT_RUNTIME,
                source_flow=DEFAULT_RUNTIME,
                is_active=same_model(model, active),
            )
            found.append(one)
    return tuple(found)


def _gguf(parcel: Parcel) -> Part:
    return next(part for part in parcel.parts if part.name == GGUF)
