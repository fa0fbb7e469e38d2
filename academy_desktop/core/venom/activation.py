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
#: An Academy that is not there, or not on.
_NO_ACADEMY: Final = frozenset({ErrorCode.VENOM_DISABLED, ErrorCode.VENOM_NOT_READY, ErrorCode.VENOM_OLDER})


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


def look(client: VenomClient, *, registry: bool = True) -> Seen:
    """Ask the server for both accounts.

    Args:
        client: the server.
        registry: its Academy has to answer; without, one that is off has nothing active.
    """
    active = client.active_model()
    try:
        adapters = client.adapters()
    except AcademyError as error:
        if registry or error.code not in _NO_ACADEMY:
            raise
        adapters = ()
    named = next((one.adapter_id for one in adapters if one.is_active), None)
    return Seen(active.runtime, active.active_model or "", named, adapters)


def restore(client: VenomClient, before: Before, *, registry: bool = True) -> Seen:
    """Bring the server back to what it used, both accounts; does nothing where nothing differs.

    `registry`: as `look` takes it.

    Raises:
        AcademyError: `venom_rollback_failed`; whatever the server refuses on the way.
    """
    seen = look(client, registry=registry)
    if seen.adapter_id is not None and seen.adapter_id != before.adapter_id:
        # The server's own way back, where the chat uses the adapter; else its registry alone is cleared.
        client.deactivate(deploy=seen.agrees)
        seen = look(client, registry=registry)
    if not _chat_is_back(seen, before):
        if before.runtime not in LOCAL_RUNTIMES or not before.model:
            raise _failed(before, seen)
        client.activate_model(before.model, before.runtime)
        seen = look(client, registry=registry)
    if before.adapter_id is not None and seen.adapter_id != before.adapter_id:
        client.mark_active(before.adapter_id, before.runtime)
        seen = look(client, registry=registry)
    if not _chat_is_back(seen, before) or seen.adapter_id != before.adapter_id:
        raise _failed(before, seen)
    return seen


def mend(
    client: VenomClient, adapter_id: str, before: Before | None, *, undo: bool = False, registry: bool = True
) -> bool:
    """Make registry and chat agree after a push that nobody saw the end of.

    Args:
        client: the server.
        adapter_id: what the push was about.
        before: what the server used before it.
        undo: the push was on its way back.
        registry: the push went through the Academy; else its model alone counts.

    Returns:
        Whether the server uses the adapter now. Else it uses what it used before, or what somebody else
        has chosen since, which is left alone.

    Raises:
        AcademyError: as `restore`.
    """
    seen = look(client, registry=registry)
    is_in_chat = adapter_of(seen.model) == adapter_id
    if not undo and (seen.uses(adapter_id) if registry else is_in_chat and seen.adapter_id is None):
        return True
    is_half = is_in_chat or (not seen.agrees if registry else _is_cleared(seen, before))
    if is_half:
        restore(client, before or seen.as_before(), registry=registry)
    return False


def _is_cleared(seen: Seen, before: Before | None) -> bool:
    """Whether the registry was cleared for another model, which the chat did not get."""
    return (
        before is not None
        and before.adapter_id is not None
        and seen.adapter_id is None
        and (same_model(seen.model, before.model))
    )


def _chat_is_back(seen: Seen, before: Before) -> bool:
    return same_model(seen.model, before.model) and seen.runtime == before.runtime


def _failed(before: Before, seen: Seen) -> AcademyError:
    return AcademyError(ErrorCode.VENOM_ROLLBACK_FAILED, expected=before.model, found=seen.model)
