"""Conversations of other makers in one shape: roles, texts, calls of tools.

Owns the reading of turns. Refuses to know columns and files.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json
from typing_extensions import TypeIs

from academy_desktop.core.datasets.reasons import Reason
from academy_desktop.core.datasets.rows import Messages, Turn

_ROLES = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user", "prompter": "user",
    "assistant": "assistant", "gpt": "assistant", "model": "assistant", "chatgpt": "assistant",
    "function_call": "call", "tool_call": "call",
    "tool": "tool", "function": "tool", "observation": "tool", "function_response": "tool",
}  # fmt: skip
#: A turn of these fields and one of these roles is stored as it stands.
_AS_STORED = ["role", "content"]
_STORED_ROLES = frozenset({"system", "user", "assistant", "tool"})
#: What a turn keeps beside its role and its text.
_KEPT = ("name", "tool_call_id")


def read_turns(value: object) -> Messages | Reason:
    """Read a list of turns, with `role` and `content` or `from` and `value`, or say why it is none."""
    if not isinstance(value, list):
        return Reason.WRONG_TYPE
    messages: Messages = []
    for entry in value:
        turn = entry if _is_as_stored(entry) else read_turn(entry)
        if isinstance(turn, Reason):
            return turn
        messages.append(turn)
    return messages


def _is_as_stored(value: object) -> TypeIs[Turn]:
    """Whether a turn needs no reading: most do not, and a million rows show it."""
    if type(value) is not dict or [*value] != _AS_STORED:
        return False
    role, text = value.values()
    return type(text) is str and type(role) is str and role in _STORED_ROLES


def read_turn(value: object) -> Turn | Reason:
    """Read one turn, or say why it is none."""
    if not isinstance(value, dict):
        return Reason.WRONG_TYPE
    role, text = value.get("role", value.get("from")), value.get("content", value.get("value"))
    calls = value.get("tool_calls")
    if role is None or (text is None and not calls):
        return Reason.MISSING_FIELD
    text = _text(text)
    if not isinstance(role, str) or text is None:
        return Reason.WRONG_TYPE
    known = _ROLES.get(role.strip().casefold())
    if known is None:
        return Reason.BAD_ROLES
    if known == "call":
        return _calling("", _parsed(text))
    if calls:
        return _calling(text, calls)
    return {"role": known, "content": text, **{key: value[key] for key in _KEPT if _is_text(value.get(key))}}


def read_tools(value: object) -> list[dict[str, Any]] | Reason:
    """Read descriptions of tools, as a list or as JSON text; each comes out as `{"type", "function"}`."""
    tools = _parsed(value) if isinstance(value, str) else value
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        return Reason.WRONG_TYPE
    return [tool if "function" in tool else {"type": "function", "function": tool} for tool in tools]


def with_system(messages: Messages, system: str | None) -> Messages:
    """Put a system turn before a conversation that has none."""
    if not system or not system.strip() or (messages and messages[0]["role"] == "system"):
        return messages
    return [{"role": "system", "content": system}, *messages]


def _calling(text: str, calls: object) -> Turn | Reason:
    """An assistant's turn that calls tools; arguments are objects, also where they were written as text."""
    made: list[dict[str, Any]] = []
    for call in calls if isinstance(calls, list) else [calls]:
        if not isinstance(call, dict):
            return Reason.WRONG_TYPE
        function = call.get("function", call)
        if not isinstance(function, dict) or not _is_text(function.get("name")):
            return Reason.WRONG_TYPE
        arguments = function.get("arguments", function.get("parameters", {}))
        arguments = _parsed(arguments) if isinstance(arguments, str) else arguments
        one: dict[str, Any] = {
            "type": "function",
            "function": {"name": function["name"], "arguments": {} if arguments is None else arguments},
        }
        if _is_text(call.get("id")):
            one = {"id": call["id"], **one}
        made.append(one)
    return {"role": "assistant", "content": text, "tool_calls": made}


def _text(value: object) -> str | None:
    """The text of a turn; parts of type text are joined, other parts are none of ours."""
    if value is None:
        return ""
    if isinstance(value, list):
        parts = [part.get("text") for part in value if isinstance(part, dict) and part.get("type") == "text"]
        if len(parts) < len(value) or not all(isinstance(part, str) for part in parts):
            return None
        return "".join(part for part in parts if isinstance(part, str))
    return value if isinstance(value, str) else None


def _parsed(text: str) -> object:
    try:
        return from_json(text)
    except ValueError:
        return text  # as it was written, then


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)
