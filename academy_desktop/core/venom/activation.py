"""What a server's chat uses, and the way back to what it used before.

The server keeps two accounts that must agree: a registry that names one active adapter, and the model of the
chat. A deployment that fails there clears the registry and leaves the model, and then the server's own way
back says that no adapter is active; so the way back here looks at both and mends what differs. Refuses to
know files and connections.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from academy_desktop.core.venom.answers import CHAT_PREFIX, Adapter, same_model
from academy_desktop.core.venom.connections import Before
from trainers.errors import AcademyError, ErrorCode

if TYPE_CHECKING:
    from academy_desktop.core.venom.client import VenomClient

#: Runtimes that the server can switch between by itself.
LOCAL_RUNTIMES: Final = frozenset({"ollama", "vllm", "onnx"})


@dataclass(frozen=True)
class Seen:
    """Both accounts at one moment. `adapter_id`: what the registry names."""

    runtime: str
    model: str
    adapter_id: str | None
    adapters: tuple[Adapter, ...]

    @property
    def agrees(self) -> bool:
        """Whether registry and chat mean the same."""
        if self.adapter_id is None:
            return adapter_of(self.model) is None
        return same_model(self.model, chat_model(self.adapter_id))

    def uses(self, adapter_id: str) -> bool:
        """Whether registry and chat both mean this adapter."""
        return self.adapter_id == adapter_id and self.agrees

    def base_of(self, adapter_id: str) -> str:
        """The base model that the server reads of an adapter; empty when it does not know it."""
        return next((one.base_model for one in self.adapters if one.adapter_id == adapter_id), "")

    def as_before(self) -> Before:
        """What to come back to; an adapter that the chat does not use is none."""
        return Before(
            runtime=self.runtime, model=self.model, adapter_id=self.adapter_id if self.agrees else None
        )


def chat_model(adapter_id: str) -> str:
    """Return the name of the model that the server makes from an adapter."""
    return f"{CHAT_PREFIX}{adapter_id}"


def adapter_of(model: str) -> str | None:
    """Return the adapter that a model of the server was made from; None for a model that is its own."""
    return model.removeprefix(CHAT_PREFIX).removesuffix(":latest") if model.startswith(CHAT_PREFIX) else None


def look(client: VenomClient) -> Seen:
    """Ask the server for both accounts."""
    active = client.active_model()
    adapters = client.adapters()
    named = next((one.adapter_id for one in adapters if one.is_active), None)
    return Seen(active.runtime, active.active_model or "", named, adapters)


def restore(client: VenomClient, before: Before) -> Seen:
    """Bring the server back to what it used, both accounts; does nothing where nothing differs.

    Raises:
        AcademyError: `venom_rollback_failed`; whatever the server refuses on the way.
    """
    seen = look(client)
    if seen.adapter_id is not None and seen.adapter_id != before.adapter_id:
        # The server's own way back, where the chat uses the adapter; else its registry alone is cleared.
        client.deactivate(deploy=seen.agrees)
        seen = look(client)
    if not _chat_is_back(seen, before):
        if before.runtime not in LOCAL_RUNTIMES or not before.model:
            raise _failed(before, seen)
        client.activate_model(before.model, before.runtime)
        seen = look(client)
    if before.adapter_id is not None and seen.adapter_id != before.adapter_id:
        client.mark_active(before.adapter_id, before.runtime)
        seen = look(client)
    if not _chat_is_back(seen, before) or seen.adapter_id != before.adapter_id:
        raise _failed(before, seen)
    return seen


def mend(client: VenomClient, adapter_id: str, before: Before | None) -> bool:
    """Make registry and chat agree after a push that nobody saw the end of.

    Returns:
        Whether the server uses the adapter now. Else it uses what it used before, or what somebody else
        has chosen since, which is left alone.

    Raises:
        AcademyError: as `restore`.
    """
    seen = look(client)
    if seen.uses(adapter_id):
        return True
    if not seen.agrees or adapter_of(seen.model) == adapter_id:
        restore(client, before or seen.as_before())
    return False


def _chat_is_back(seen: Seen, before: Before) -> bool:
    return same_model(seen.model, before.model) and seen.runtime == before.runtime


def _failed(before: Before, seen: Seen) -> AcademyError:
    return AcademyError(ErrorCode.VENOM_ROLLBACK_FAILED, expected=before.model, found=seen.model)
