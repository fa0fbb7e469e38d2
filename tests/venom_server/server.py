"""A stand-in for a Venom server: real HTTP on loopback over a real models folder.

Faithful to what is known of Venom's contract: paths, bodies, shapes of errors, order of checks, and the
traps. Everything that was asked is kept in `asked`.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.venom_server.chat import Stream, chat
from tests.venom_server.description import ACADEMY, NEWER, ROUTES, describe, mistakes
from tests.venom_server.state import Refused, VenomState

GUARDED = {
    f"{ACADEMY}/adapters/activate",
    f"{ACADEMY}/adapters/deactivate",
    f"{ACADEMY}/adapters/{{adapter_id}}/sign",
}
LOCALHOST = ("127.0.0.1", "::1", "localhost")
REFUSAL = {
    "decision": "block",
    "reason_code": "PERMISSION_DENIED",
    "user_message": "Access denied",
    "technical_context": {"operation": "academy.localhost_guard"},
    "tags": ["permission", "blocked"],
}
FALSE = {"0", "false", "no", "off"}


@dataclass(frozen=True)
class Asked:
    """One request and its answer. `route`: the path as the description has it."""

    method: str
    route: str
    path: str
    body: Any
    status: int
    answer: Any


class VenomServer:
    """The server in a thread; a context manager. `state` may be changed while it runs."""

    def __init__(self, state: VenomState, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.state = state
        self.asked: list[Asked] = []
        self.guard = threading.Lock()
        self.closing = threading.Event()
        #: Requests from now on until a fault, and which: see `_Handler._respond`.
        self.fault: tuple[int, str] | None = None
        self.struck = 0
        self._http = _Http(("127.0.0.1", port), _Handler, self)
        self._scheme = "http"
        if tls is not None:
            self._scheme = "https"
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._http.server_port}"

    @property
    def port(self) -> int:
        return self._http.server_port

    def __enter__(self) -> VenomServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End; whoever waits for a slow answer gets none."""
        self.closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, address: tuple[str, int], handler: type[_Handler], venom: VenomServer) -> None:
        self.venom = venom
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away in the middle is what tests do."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    # One connection per answer: nothing is left open when a test ends.
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self._respond("GET")

    def do_POST(self) -> None:
        self._respond("POST")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        """Nothing on stderr."""

    def _respond(self, method: str) -> None:
        venom = self.server.venom
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        switches = venom.state.switches
        if parts.path in switches.slow:
            venom.closing.wait(60)
            return
        headers: dict[str, str] = {}
        route = _route(method, parts.path) or parts.path
        body = _parsed(raw)
        fault = ""
        with venom.guard:
            fault = self._fault()
            try:
                if fault == "refused":
                    raise Refused(500, "Internal Server Error")
                if switches.rate_limited > 0 and parts.path != "/openapi.json":
                    switches.rate_limited -= 1
                    status, answer, headers = _too_many(switches.retry_after_s)
                else:
                    status, answer = 200, self._answer(method, parts.path, parse_qs(parts.query), body)
            except Refused as refused:
                status, answer = refused.status, {"detail": refused.detail}
            venom.asked.append(Asked(method, route, parts.path, body, status, answer))
        if fault == "lost":  # it is done, and nobody hears of it
            return
        if fault == "garbled":
            status, answer = 502, {"detail": "Bad Gateway"}
        content = b"" if isinstance(answer, Stream) else json.dumps(answer).encode()
        kind = "application/json"
        if isinstance(answer, Stream):
            content, kind = answer.events, "text/event-stream; charset=utf-8"
        self.send_response(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _fault(self) -> str:
        """What goes wrong with this request: `refused` undone, or done and `lost` or `garbled`."""
        venom = self.server.venom
        if venom.fault is None:
            return ""
        left, kind = venom.fault
        venom.fault = (left - 1, kind) if left > 0 else None
        venom.struck += left <= 0
        return kind if left <= 0 else ""

    def _answer(self, method: str, path: str, query: dict[str, list[str]], body: object) -> object:
        state = self.server.venom.state
        if path == "/openapi.json":
            return describe(older=state.switches.older)
        route = _route(method, path)
        if route is None or (state.switches.older and route in NEWER):
            raise Refused(404, "Not Found")
        schema = ROUTES[method, route]
        if schema is not None and (wrong := mistakes(schema, body)):
            raise Refused(422, wrong)
        if route.startswith(ACADEMY) and route != f"{ACADEMY}/status":
            state.require_academy()
        if route in GUARDED and (state.switches.remote or self._client() not in LOCALHOST):
            raise Refused(403, REFUSAL)
        return _done(state, route, path, query, body if isinstance(body, dict) else {})

    def _client(self) -> str:
        """Who asks: uvicorn believes a proxy on its own computer."""
        peer = str(self.client_address[0])
        forwarded = self.headers.get("X-Forwarded-For")
        return forwarded.partition(",")[0].strip() if forwarded and peer in LOCALHOST else peer


def _done(
    state: VenomState, route: str, path: str, query: dict[str, list[str]], body: dict[str, Any]
) -> object:
    """Do what a route does."""
    match route.removeprefix(ACADEMY):
        case "/healthz":
            return {"status": "ok", "component": "venom-core"}
        case "/status":
            return state.status()
        case "/jobs":
            return {"count": len(state.jobs), "jobs": state.jobs[: int(query.get("limit", ["50"])[0])]}
        case "/adapters":
            return state.adapters()
        case "/adapters/audit":
            return state.audit(_first(query, "runtime_id"), _first(query, "model_id"))
        case "/adapters/activate":
            return state.activate(body)
        case "/adapters/deactivate":
            deploy = (_first(query, "deploy_to_chat_runtime") or "true").lower() not in FALSE
            return state.deactivate(deploy=deploy)
        case "/adapters/{adapter_id}/sign":
            return state.sign(unquote(path.split("/")[-2]), body)
        case "/api/v1/system/llm-servers/active":
            return state.active_server()
        case "/api/v1/system/llm-runtime/options":
            return state.runtime_options()
        case "/api/v1/lessons":
            return state.told_lessons(int(query.get("limit", ["10"])[0]), query.get("tags", [""])[0])
        case "/api/v1/models":
            return state.models()
        case "/api/v1/models/activate":
            return state.activate_model(body)
        case "/api/v1/llm/simple/stream":
            return chat(state, body)
        case "/api/v1/config/runtime":
            config = {"ACADEMY_MODELS_DIR": str(state.models_dir)}
            return {"status": "success", "config": config, "config_sources": {}}
    raise Refused(404, "Not Found")


def _route(method: str, path: str) -> str | None:
    """The path as the description has it; None where there is no such route."""
    for known, route in ROUTES:
        pattern = re.escape(route).replace(r"\{adapter_id\}", "[^/]+")
        if known == method and re.fullmatch(pattern, path):
            return route
    return None


def _too_many(retry_after_s: int) -> tuple[int, object, dict[str, str]]:
    said = {
        "error": "rate_limit_exceeded",
        "message": "Too many requests",
        "retry_after_seconds": retry_after_s,
    }
    return 429, said, {"Retry-After": str(retry_after_s)}


def _first(query: dict[str, list[str]], name: str) -> str | None:
    return query.get(name, [None])[0]


def _parsed(raw: bytes) -> object:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
