"""The stand-in's chat: what goes wrong behind it comes in the stream, after a 200."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.venom_server.state import PREFIX, Refused, VenomState


@dataclass(frozen=True)
class Stream:
    """An answer that is no JSON: server-sent events."""

    events: bytes


def chat(state: VenomState, body: dict[str, Any]) -> Stream:
    """`/llm/simple/stream`."""
    said = state.switches.chat
    if said is None:
        raise Refused(503, "Brak endpointu LLM.")
    state.switches.restarting -= 1
    if not state.switches.runtime_up or state.switches.restarting >= 0:
        problem = {"code": "llm_connection_error", "message": f"Błąd połączenia z LLM ({state.runtime})"}
        return _events(("start", {}), ("error", problem))
    model = _model(state, str(body.get("model") or ""))
    if model.removesuffix(":latest") not in {one.removesuffix(":latest") for one in state.ollama}:
        problem = {"code": "llm_http_error", "message": f"Błąd LLM ({state.runtime}): 404"}
        return _events(("start", {}), ("error", problem))
    words = [("content", {"text": f"{word} "}) for word in said.split()]
    return _events(("start", {}), *words, ("done", {}))


def _model(state: VenomState, wanted: str) -> str:
    """Which model the chat asks its runtime for: an adapter that the registry names wins."""
    if state.active is None:
        return wanted or state.model
    if wanted.startswith(PREFIX):
        return wanted
    return state.model if state.model.startswith(PREFIX) else f"{PREFIX}{state.active}"


def _events(*said: tuple[str, dict[str, Any]]) -> Stream:
    lines = (f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in said)
    return Stream("".join(lines).encode())
