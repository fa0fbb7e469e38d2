"""The stand-in's `openapi.json`, and the checks of request bodies that FastAPI would make by it."""

from __future__ import annotations

import copy
from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
TEXT_OR_NOTHING: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "null"}]}
FLAG: dict[str, Any] = {"type": "boolean", "default": False}

ACTIVATE: dict[str, Any] = {
    "properties": {
        "adapter_id": TEXT,
        "adapter_path": TEXT,
        "runtime_id": TEXT_OR_NOTHING,
        "model_id": TEXT_OR_NOTHING,
        "deploy_to_chat_runtime": FLAG,
        "require_chat_signature": FLAG,
    },
    "required": ["adapter_id", "adapter_path"],
}
SIGN: dict[str, Any] = {
    "properties": {
        "runtime_id": TEXT,
        "model_id": TEXT_OR_NOTHING,
        "signer": {"anyOf": [{"type": "string", "maxLength": 128}, {"type": "null"}]},
        "conversion_mode": {"type": "string", "enum": ["none", "merge_export", "gguf"]},
    },
    "required": ["runtime_id"],
}
ACTIVATE_MODEL: dict[str, Any] = {
    "properties": {
        "name": TEXT,
        "runtime": TEXT,
        "switch_source": TEXT_OR_NOTHING,
        "ownership_token": TEXT_OR_NOTHING,
    },
    "required": ["name", "runtime"],
}


def _or_nothing(kind: str) -> dict[str, Any]:
    return {"anyOf": [{"type": kind}, {"type": "null"}]}


CHAT: dict[str, Any] = {
    "properties": {
        "content": {"type": "string", "maxLength": 50000, "minLength": 1},
        **{name: _or_nothing("string") for name in ("model", "session_id")},
        **{name: _or_nothing("boolean") for name in ("think", "stream", "logprobs")},
        "temperature": _or_nothing("number"),
        "max_tokens": _or_nothing("integer"),
        # not told apart by anybody here
        **{
            name: {}
            for name in ("top_p", "top_logprobs", "response_format", "format", "tools", "tool_choice")
        },
    },
    "required": ["content"],
}

ACADEMY = "/api/v1/academy"
#: (method, path) → schema of the body, or None.
ROUTES: dict[tuple[str, str], dict[str, Any] | None] = {
    ("GET", "/healthz"): None,
    ("GET", f"{ACADEMY}/status"): None,
    ("GET", f"{ACADEMY}/jobs"): None,
    ("GET", f"{ACADEMY}/adapters"): None,
    ("GET", f"{ACADEMY}/adapters/audit"): None,
    ("POST", f"{ACADEMY}/adapters/activate"): ACTIVATE,
    ("POST", f"{ACADEMY}/adapters/deactivate"): None,
    ("POST", f"{ACADEMY}/adapters/{{adapter_id}}/sign"): SIGN,
    ("GET", "/api/v1/system/llm-servers/active"): None,
    ("GET", "/api/v1/system/llm-runtime/options"): None,
    ("GET", "/api/v1/lessons"): None,
    ("GET", "/api/v1/models"): None,
    ("POST", "/api/v1/models/activate"): ACTIVATE_MODEL,
    ("GET", "/api/v1/config/runtime"): None,
    ("POST", "/api/v1/llm/simple/stream"): CHAT,
}
#: Not in servers from before March 2026.
NEWER = (f"{ACADEMY}/adapters/audit", f"{ACADEMY}/adapters/{{adapter_id}}/sign")


def describe(*, older: bool) -> dict[str, Any]:
    """The document."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path in ROUTES:
        if not (older and path in NEWER):
            paths.setdefault(path, {})[method.lower()] = {"responses": {"200": {}}}
    activate = copy.deepcopy(ACTIVATE)
    if older:
        for name in ("deploy_to_chat_runtime", "require_chat_signature", "runtime_id", "model_id"):
            del activate["properties"][name]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Venom Core", "version": "1.5.0"},
        "paths": paths,
        "components": {"schemas": {"ActivateAdapterRequest": activate}},
    }


def mistakes(schema: dict[str, Any], body: object) -> list[dict[str, Any]]:
    """What is wrong with a body, in the words of pydantic; fields that the schema has not are dropped."""
    if not isinstance(body, dict):
        return [{"type": "model_attributes_type", "loc": ["body"], "msg": "Input should be an object"}]
    found: list[dict[str, Any]] = [
        {"type": "missing", "loc": ["body", name], "msg": "Field required", "input": body}
        for name in schema["required"]
        if name not in body
    ]
    for name, value in body.items():
        rule = schema["properties"].get(name)
        if rule is not None and not fits(rule, value):
            found.append(
                {"type": "wrong", "loc": ["body", name], "msg": "Input is not valid", "input": value}
            )
    return found


KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def fits(rule: dict[str, Any], value: object, schemas: dict[str, Any] | None = None) -> bool:
    """Whether a value keeps to a JSON schema, as far as OpenAPI documents of FastAPI use the language."""
    if "$ref" in rule:
        return fits((schemas or {})[rule["$ref"].rpartition("/")[2]], value, schemas)
    if "anyOf" in rule:
        return any(fits(one, value, schemas) for one in rule["anyOf"])
    if "enum" in rule and value not in rule["enum"]:
        return False
    if isinstance(value, str) and not rule.get("minLength", 0) <= len(value) <= rule.get("maxLength", 1e9):
        return False
    if "type" in rule and not isinstance(value, KINDS[rule["type"]]):
        return False
    if isinstance(value, list) and "items" in rule:
        return all(fits(rule["items"], one, schemas) for one in value)
    if isinstance(value, dict):
        properties = rule.get("properties", {})
        known = all(fits(properties[name], one, schemas) for name, one in value.items() if name in properties)
        return known and set(rule.get("required", ())) <= set(value)
    return True
