"""From a server's refusal to an error code: all shapes in which Venom, FastAPI and proxies say no.

Owns what the server's statuses and reason codes mean. Its messages are for its own users, many in Polish: a
reason code is told instead where there is one. Refuses to know how requests are sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from trainers.errors import AcademyError, ErrorCode, Fact

#: The server's reason code → ours.
_REASONS = {
    "ADAPTER_BASE_MODEL_MISMATCH": ErrorCode.VENOM_BASE_MISMATCH,
    "ADAPTER_RUNTIME_MODEL_MISSING": ErrorCode.VENOM_MODEL_MISSING,
    "ADAPTER_RUNTIME_INCOMPATIBLE": ErrorCode.VENOM_RUNTIME_UNSUITABLE,
    "ADAPTER_BASE_MODEL_NOT_AVAILABLE_LOCALLY": ErrorCode.VENOM_MODEL_MISSING,
    "ADAPTER_METADATA_INCOMPLETE": ErrorCode.VENOM_METADATA_REFUSED,
    "ADAPTER_METADATA_INCONSISTENT": ErrorCode.VENOM_METADATA_REFUSED,
    "ADAPTER_NOT_SIGNED_FOR_CHAT": ErrorCode.VENOM_NOT_SIGNED,
    "ADAPTER_SIGNATURE_RUNTIME_MISMATCH": ErrorCode.VENOM_NOT_SIGNED,
    "ADAPTER_SIGNATURE_MODEL_MISMATCH": ErrorCode.VENOM_NOT_SIGNED,
    "ADAPTER_ACTIVATION_FAILED": ErrorCode.VENOM_DEPLOY_FAILED,
    "ADAPTER_RUNTIME_DEPLOY_FAILED": ErrorCode.VENOM_DEPLOY_FAILED,
    "ADAPTER_RUNTIME_DEPLOY_ARTIFACT_MISSING": ErrorCode.VENOM_DEPLOY_FAILED,
    "ADAPTER_RUNTIME_SERVICE_UNAVAILABLE": ErrorCode.VENOM_RUNTIME_DOWN,
}
_LOCALHOST_GUARD = "academy.localhost_guard"
_ADAPTER_NOT_FOUND = "Adapter not found"
_CLOUD_RUNTIME = "supports only local runtimes"
_DISABLED = "disabled"
#: What FastAPI says of a path that it does not have, where Venom names what it did not find.
_NO_ROUTE = "Not Found"
#: Longer messages are not for a sentence.
_DETAIL_LENGTH = 300


@dataclass(frozen=True)
class Reply:
    """One answer of the server."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_ok(self) -> bool:
        """Whether the server did what it was asked."""
        return 200 <= self.status < 300

    def content(self) -> Any:
        """The JSON of the body; None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class Refusal:
    """What a refusal says, whatever its shape."""

    status: int
    reason: str
    detail: str
    field: str
    guarded: bool

    @classmethod
    def of(cls, reply: Reply) -> Refusal:
        """Read the shapes of FastAPI (`detail` as text, object or list) and of Venom's rate limit."""
        content = reply.content()
        said = content.get("detail", content) if isinstance(content, dict) else None
        reason = detail = field = ""
        guarded = False
        match said:
            case str():
                detail = said
            case dict():
                reason = _text(said.get("reason_code") or said.get("error"))
                detail = _text(said.get("message") or said.get("user_message"))
                context = said.get("technical_context")
                guarded = isinstance(context, dict) and context.get("operation") == _LOCALHOST_GUARD
            case [dict() as first, *_]:
                detail = _text(first.get("msg"))
                place = first.get("loc")
                field = ".".join(str(part) for part in place[1:]) if isinstance(place, list) else ""
        return cls(reply.status, reason, detail[:_DETAIL_LENGTH], field, guarded)


def refusal(reply: Reply, url: str, path: str, about: dict[str, Fact]) -> AcademyError:
    """Say what a refusal means.

    Args:
        reply: an answer that is none of success.
        url: address of the server.
        path: what was asked for.
        about: what is known here of the adapter, base, model and runtime that the request was about.
    """
    said = Refusal.of(reply)
    if 300 <= said.status < 400:
        location = reply.headers.get("location")
        return AcademyError(ErrorCode.VENOM_REDIRECTED, url=url, location=location)
    match said.status:
        case 403 if said.guarded:
            return AcademyError(ErrorCode.VENOM_REMOTE, url=url)
        case 404 if said.detail == _ADAPTER_NOT_FOUND:
            return AcademyError(ErrorCode.VENOM_NOT_LISTED, path=about.get("adapter"))
        case 404 | 405 if said.detail in {_NO_ROUTE, "Method Not Allowed"}:
            return AcademyError(ErrorCode.VENOM_OLDER, url=url, missing=path)
        case 422:
            return AcademyError(ErrorCode.VENOM_REQUEST_INVALID, field=said.field, detail=said.detail)
        case 503 if not said.reason and said.detail:
            return _unavailable(said, url)
    code = _REASONS.get(said.reason)
    if code is not None:
        return _with_reason(code, said, about)
    if said.status == 400 and _CLOUD_RUNTIME in said.detail:
        return AcademyError(ErrorCode.VENOM_RUNTIME_UNSUITABLE, runtime=about.get("runtime"))
    detail = "" if said.reason else said.detail
    general = ErrorCode.VENOM_REFUSED if said.status < 500 else ErrorCode.VENOM_FAILED
    return AcademyError(general, status=said.status, reason=said.reason, detail=detail)


def refuses_strangers(reply: Reply) -> bool:
    """Whether this is the refusal of everybody but the server's own computer."""
    return reply.status == 403 and Refusal.of(reply).guarded


def knows_no_such_adapter(reply: Reply) -> bool:
    """Whether the server looked for the adapter and did not find it, or stopped at its cloud runtime."""
    said = Refusal.of(reply)
    return (said.status == 404 and said.detail == _ADAPTER_NOT_FOUND) or (
        said.status == 400 and (bool(said.reason) or _CLOUD_RUNTIME in said.detail)
    )


def pause_s(reply: Reply) -> float:
    """How long the server wants to be left alone, in seconds: by the body, else by `Retry-After`, else 1."""
    content = reply.content()
    wanted = content.get("retry_after_seconds") if isinstance(content, dict) else None
    try:
        return max(0.0, float(wanted if wanted is not None else reply.headers.get("retry-after", "1")))
    except (TypeError, ValueError):
        return 1.0


def _unavailable(said: Refusal, url: str) -> AcademyError:
    if _DISABLED in said.detail:
        return AcademyError(ErrorCode.VENOM_DISABLED, url=url)
    return AcademyError(ErrorCode.VENOM_NOT_READY, url=url, detail=said.detail)


def _with_reason(code: ErrorCode, said: Refusal, about: dict[str, Fact]) -> AcademyError:
    """Tell a known reason with those of the facts that its sentence has a place for."""
    places = {
        ErrorCode.VENOM_BASE_MISMATCH: ("base", "model"),
        ErrorCode.VENOM_MODEL_MISSING: ("runtime", "model"),
        ErrorCode.VENOM_RUNTIME_UNSUITABLE: ("runtime",),
        ErrorCode.VENOM_METADATA_REFUSED: ("adapter",),
        ErrorCode.VENOM_NOT_SIGNED: ("adapter",),
        ErrorCode.VENOM_DEPLOY_FAILED: ("adapter", "runtime"),
        ErrorCode.VENOM_RUNTIME_DOWN: ("runtime",),
    }
    facts: dict[str, Fact] = {name: about.get(name) for name in places[code]}
    return AcademyError(code, **facts, reason=said.reason)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
