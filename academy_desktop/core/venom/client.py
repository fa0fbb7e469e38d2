"""Talks to one Venom server over HTTP.

Owns what is asked and the reading of answers; every trouble leaves as an `AcademyError`. Refuses to know
adapters' files and the order of a push.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from academy_desktop.core.venom.answers import (
    AcademyStatus,
    Activated,
    ActiveModel,
    Adapter,
    Audit,
    Deactivated,
    Features,
    Lessons,
    RuntimeOptions,
    Said,
    ServerJob,
    ServerJobs,
    ServerModels,
    Signed,
)
from academy_desktop.core.venom.connections import Limits
from academy_desktop.core.venom.refusals import (
    Reply,
    knows_no_such_adapter,
    pause_s,
    refusal,
    refuses_strangers,
)
from academy_desktop.core.venom.wire import Enough, Wire
from trainers.errors import AcademyError, ErrorCode, Fact

T = TypeVar("T")
Facts = dict[str, Fact]

ACADEMY: Final = "/api/v1/academy"
ADAPTERS: Final = f"{ACADEMY}/adapters"
CHAT: Final = "/api/v1/llm/simple/stream"
#: An id that no adapter has: asking for its activation tells whether the server would listen at all.
PROBE_ID: Final = "academy-desktop-probe"
#: Pauses that the server asks for are kept up to this, in all, for one request.
PATIENCE_S: Final = 60.0
#: Characters of an answer of the chat after which no more is wanted.
ANSWER_LENGTH: Final = 100
#: A request that changes nothing is sent this often through a door that breaks.
DOOR_TRIES: Final = 3

_ADAPTER_LIST: TypeAdapter[tuple[Adapter, ...]] = TypeAdapter(tuple[Adapter, ...])


class VenomClient:
    """One server; a context manager that closes the connection.

    Args:
        url: address without a slash at its end.
        limits: seconds that requests may take.
        pause: waits for some seconds, when the server asks for it.
        door: gives a port of this computer that leads to the server; asked before each request, for a
            connection that broke is made again then.
    """

    def __init__(
        self,
        url: str,
        limits: Limits | None = None,
        pause: Callable[[float], None] = time.sleep,
        door: Callable[[], int] | None = None,
    ) -> None:
        self.url = url
        self._limits = limits or Limits()
        self._pause = pause
        self._tries = DOOR_TRIES if door is not None else 1
        self._wire = Wire(url, self._limits, door)

    def __enter__(self) -> VenomClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    # looking

    def greet(self) -> None:
        """Make sure that a Venom server answers.

        Raises:
            AcademyError: `venom_unreachable`, `venom_timeout`, `venom_tls`, `venom_redirected`,
                `venom_refused`, `venom_failed`, `venom_not_venom`.
        """
        reply = self._ask("GET", "/healthz")
        content = reply.content()
        if reply.is_ok and isinstance(content, dict) and content.get("component") == "venom-core":
            return
        if not reply.is_ok and reply.status not in {404, 405}:
            raise refusal(reply, self.url, "/healthz", {})
        raise AcademyError(ErrorCode.VENOM_NOT_VENOM, url=self.url, detail=f"HTTP {reply.status}")

    def academy_status(self) -> AcademyStatus:
        """Return whether the Academy is on; answered even when it is off."""
        return self._get(f"{ACADEMY}/status", AcademyStatus)

    def features(self) -> Features | None:
        """Return what the server can do, or None when it hides its description."""
        reply = self._ask("GET", "/openapi.json")
        if not reply.is_ok:
            return None
        found = reply.content()
        paths = _inner(found, "paths")
        if not paths:
            return None
        request = _inner(found, "components", "schemas", "ActivateAdapterRequest", "properties")
        return Features(
            audit=f"{ADAPTERS}/audit" in paths,
            sign=f"{ADAPTERS}/{{adapter_id}}/sign" in paths,
            deploy="deploy_to_chat_runtime" in request,
        )

    def jobs(self, limit: int) -> tuple[ServerJob, ...]:
        """Return the newest trainings that the server did itself, at most `limit`."""
        return self._get(f"{ACADEMY}/jobs", ServerJobs, params={"limit": str(limit)}).jobs[:limit]

    def active_model(self) -> ActiveModel:
        """Return what the chat uses."""
        return self._get("/api/v1/system/llm-servers/active", ActiveModel)

    def runtimes(self) -> RuntimeOptions:
        """Return the runtimes that the server knows."""
        return self._get("/api/v1/system/llm-runtime/options", RuntimeOptions)

    def models(self) -> ServerModels:
        """Return the models that the server has."""
        return self._get("/api/v1/models", ServerModels)

    def models_folder(self) -> str:
        """Return where the server looks for adapters, in its own words; empty when it does not say."""
        reply = self._ask("GET", "/api/v1/config/runtime")
        found = _inner(reply.content(), "config").get("ACADEMY_MODELS_DIR") if reply.is_ok else None
        return found if isinstance(found, str) else ""

    def adapters(self) -> tuple[Adapter, ...]:
        """Return all adapters that the server finds."""
        return self._read(self._ask("GET", ADAPTERS), ADAPTERS, {}, _ADAPTER_LIST)

    def audit(self, runtime: str, model: str = "") -> Audit:
        """Return what the server thinks of every adapter for a runtime and, if it is named, a base model."""
        params = {"runtime_id": runtime, "model_id": model}
        named = {name: value for name, value in params.items() if value}
        return self._get(f"{ADAPTERS}/audit", Audit, params=named)

    def lessons(self, limit: int, tags: Sequence[str] = ()) -> tuple[dict[str, Any], ...]:
        """Return lessons, at most `limit`; with `tags`, those that have one of them."""
        params = {"limit": str(limit), **({"tags": ",".join(tags)} if tags else {})}
        # a server that is given tags takes no notice of the limit
        return self._get("/api/v1/lessons", Lessons, params=params).lessons[:limit]

    def takes_changes(self) -> bool:
        """Return whether the server would activate an adapter for us: asks for one that there is not.

        Raises:
            AcademyError: whatever else the server said.
        """
        body = {"adapter_id": PROBE_ID, "adapter_path": ""}
        reply = self._ask("POST", f"{ADAPTERS}/activate", json=body, again=True)
        if refuses_strangers(reply):
            return False
        if knows_no_such_adapter(reply):
            return True
        raise refusal(reply, self.url, f"{ADAPTERS}/activate", {})

    def chat(self, question: str, max_tokens: int) -> Said:
        """Ask the chat's model something, as everybody who uses the chat does: without naming a model.

        Of a long answer only the beginning is heard.

        Raises:
            AcademyError: as `greet`; a refusal as it stands.
        """
        body = {"content": question, "max_tokens": max_tokens, "temperature": 0.0, "think": False}
        reply = self._ask(
            "POST", CHAT, json=body, read_s=self._limits.chat_s, again=True, enough=_is_answer_enough
        )
        if not reply.is_ok:
            raise refusal(reply, self.url, CHAT, {})
        return Said.of(reply.body)

    # changing

    def sign(self, adapter: str, runtime: str, model: str, signer: str) -> Signed:
        """Have an adapter with a GGUF file signed for the chat."""
        body = {"runtime_id": runtime, "model_id": model, "signer": signer, "conversion_mode": "gguf"}
        path = f"{ADAPTERS}/{quote(adapter, safe='')}/sign"
        about: Facts = {"adapter": adapter, "runtime": runtime, "model": model}
        return self._post(path, Signed, about, json=body, again=True)

    def activate(self, adapter: str, runtime: str, model: str, base: str) -> Activated:
        """Have a signed adapter deployed to the chat; answers when all is done, which may take long."""
        body = {
            "adapter_id": adapter,
            "adapter_path": "",  # asked for by the server, which finds the adapter by its id
            "runtime_id": runtime,
            "model_id": model,
            "deploy_to_chat_runtime": True,
            "require_chat_signature": True,
        }
        about: Facts = {"adapter": adapter, "runtime": runtime, "model": model, "base": base}
        return self._post(f"{ADAPTERS}/activate", Activated, about, json=body, read_s=self._limits.activate_s)

    def mark_active(self, adapter: str, runtime: str) -> Activated:
        """Have the registry say that an adapter is active, which the chat uses already."""
        body = {"adapter_id": adapter, "adapter_path": "", "runtime_id": runtime}
        about: Facts = {"adapter": adapter, "runtime": runtime}
        return self._post(f"{ADAPTERS}/activate", Activated, about, json=body)

    def deactivate(self, *, deploy: bool) -> Deactivated:
        """Have no adapter active; with `deploy` the chat goes back to the model before it."""
        params = {"deploy_to_chat_runtime": "true" if deploy else "false"}
        limit = self._limits.activate_s if deploy else None
        return self._post(f"{ADAPTERS}/deactivate", Deactivated, {}, params=params, read_s=limit)

    def activate_model(self, model: str, runtime: str) -> None:
        """Have the chat use a model that a runtime has."""
        path = "/api/v1/models/activate"
        body = {"name": model, "runtime": runtime, "switch_source": "ui"}
        reply = self._ask("POST", path, json=body, read_s=self._limits.activate_s)
        if not reply.is_ok:
            raise refusal(reply, self.url, path, {"model": model, "runtime": runtime})

    # inside

    def _get(self, path: str, answer: type[T], *, params: Mapping[str, str] | None = None) -> T:
        about: Facts = {"model": (params or {}).get("model_id"), "runtime": (params or {}).get("runtime_id")}
        return self._read(self._ask("GET", path, params=params), path, about, TypeAdapter(answer))

    def _post(self, path: str, answer: type[T], about: Facts, **sent: Any) -> T:
        return self._read(self._ask("POST", path, **sent), path, about, TypeAdapter(answer))

    def _read(self, reply: Reply, path: str, about: Facts, answer: TypeAdapter[T]) -> T:
        if not reply.is_ok:
            raise refusal(reply, self.url, path, about)
        try:
            return answer.validate_json(reply.body)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            detail = f"{place}: {first['msg']}" if place else first["msg"]
            raise AcademyError(ErrorCode.VENOM_ANSWER_INVALID, path=path, detail=detail) from error

    def _ask(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        read_s: float | None = None,
        again: bool = False,
        enough: Enough | None = None,
    ) -> Reply:
        """Send a request, again after each pause that the server asks for.

        One that only reads, or of which `again` says that it does no harm twice, is sent again where the
        way to the server broke.

        Raises:
            AcademyError: `venom_unreachable`, `venom_timeout`, `venom_tls`, `venom_busy`,
                `venom_answer_invalid`.
        """
        limit_s = self._limits.read_s if read_s is None else read_s
        again = again or method == "GET"
        waited_s = 0.0
        while True:
            reply = self._send_again(
                method, path, limit_s, again=again, enough=enough, json=json, params=params
            )
            if reply.status != 429:
                return reply
            wanted_s = pause_s(reply)
            waited_s += max(wanted_s, 0.1)
            if waited_s > PATIENCE_S:
                raise AcademyError(ErrorCode.VENOM_BUSY, pause=round(wanted_s))
            self._pause(wanted_s)

    def _send_again(self, method: str, path: str, limit_s: float, *, again: bool, **sent: Any) -> Reply:
        """Send a request; one that may come twice is sent again where the way to the server broke."""
        tries = self._tries if again else 1
        for number in range(tries):
            try:
                return self._wire.ask(method, path, limit_s, **sent)
            except AcademyError as error:
                if error.code is not ErrorCode.VENOM_UNREACHABLE or number == tries - 1:
                    raise
        raise AssertionError


def _inner(content: object, *names: str) -> Mapping[str, Any]:
    """Return the object inside objects, by names; empty where it is missing."""
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}


def _is_answer_enough(stream: bytes) -> bool:
    return len(Said.of(stream).text) > ANSWER_LENGTH
