"""A stand-in for the Ollama that a Venom uses: real HTTP on loopback, its models the same as Venom lists.

Faithful to Ollama's API as far as models are made over it: blobs by their hash, `create` from a base model
and an adapter, streams of JSON lines, `{"error": …}` with a status before the first line and without one
after it.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_DIGEST = re.compile(r"/api/blobs/(sha256:[0-9a-f]{64})")


class No(Exception):  # noqa: N818 - an answer, no error of ours
    """An answer other than success."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(status, said)
        self.status = status
        self.said = said


@dataclass(frozen=True)
class Model:
    """A model that was made here."""

    base: str
    adapters: tuple[str, ...]
    parameters: dict[str, Any]


@dataclass
class OllamaState:
    """One Ollama. `models`: the names that there are, with a tag; the same list as its Venom's.

    `takes_adapters`: later versions do not any more. `makes`: how a `create` ends that was begun.
    """

    models: list[str]
    version: str = "0.24.0"
    takes_adapters: bool = True
    makes: bool = True
    blobs: dict[str, bytes] = field(default_factory=dict)
    made: dict[str, Model] = field(default_factory=dict)

    def named(self, name: object) -> str:
        """The name with its tag; refuses one that there is not."""
        wanted = _tagged(str(name))
        if wanted not in map(_tagged, self.models):
            raise No(404, f"model '{name}' not found")
        return wanted

    def tags(self) -> dict[str, Any]:
        details = {"format": "gguf", "family": "llama", "parameter_size": "1B"}
        rows = [{"name": name, "model": name, "size": 1000, "details": details} for name in self.models]
        return {"models": rows}

    def show(self, body: dict[str, Any]) -> dict[str, Any]:
        name = self.named(body.get("model"))
        made = self.made.get(name)
        lines = [f"FROM /models/blobs/sha256-{'0' * 64}"]
        lines += [f"ADAPTER /models/blobs/{one.replace(':', '-')}" for one in made.adapters] if made else []
        details = {"parent_model": made.base if made else "", "format": "gguf", "family": "llama"}
        return {"modelfile": "\n".join(lines) + "\n", "details": details, "model_info": {}}

    def store(self, digest: str, content: bytes) -> int:
        """Keep a blob; returns the status."""
        if digest in self.blobs:
            return 200
        found = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if found != digest:
            raise No(400, f'digest mismatch, expected "{digest}", got "{found}"')
        self.blobs[digest] = content
        return 201

    def create(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Refuses at once what the request says wrong; the rest comes line by line."""
        adapters = body.get("adapters") or {}
        if adapters and not self.takes_adapters:
            raise No(400, "LoRA adapters are no longer supported")
        if not body.get("from"):
            raise No(400, "neither 'from' or 'files' was specified")
        base = self.named(body["from"])  # the real one would fetch it
        if len(adapters) > 1:
            raise No(400, "only one adapter is currently supported")
        for digest in adapters.values():
            if digest not in self.blobs:
                raise No(400, f"blob {digest} not found")
            if self.blobs[digest][:4] != b"GGUF":
                raise No(400, "supplied file was not in GGUF format")
        return self._creating(_tagged(str(body["model"])), base, tuple(adapters.values()), body)

    def _creating(
        self, name: str, base: str, adapters: tuple[str, ...], body: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        yield {"status": "using existing layer sha256:" + "0" * 64}
        for digest in adapters:
            yield {"status": f"using existing layer {digest}"}
        if not self.makes:
            yield {"error": "write /models/manifests: no space left on device"}
            return
        yield {"status": "writing manifest"}
        self.made[name] = Model(base, adapters, body.get("parameters") or {})
        if name not in self.models:
            self.models.append(name)
        yield {"status": "success"}

    def delete(self, body: dict[str, Any]) -> None:
        name = self.named(body.get("model"))
        self.models[:] = [one for one in self.models if _tagged(one) != name]
        self.made.pop(name, None)

    def chat(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The words come one by one, and how it ended last."""
        name = self.named(body.get("model"))
        for word in ("I", "am", "here"):
            yield {"model": name, "message": {"role": "assistant", "content": f"{word} "}, "done": False}
        yield {"model": name, "message": {"role": "assistant", "content": ""}, "done": True}


@dataclass(frozen=True)
class Asked:
    """One request and its answer."""

    method: str
    path: str
    body: Any
    status: int


class OllamaServer:
    """The server in a thread; a context manager. `state` may be changed while it runs.

    Attributes:
        fault: requests from now on until one is `refused` undone, or done and `lost`.
    """

    def __init__(self, state: OllamaState, port: int = 0, host: str = "127.0.0.1") -> None:
        self.state = state
        self.asked: list[Asked] = []
        self.guard = threading.Lock()
        self.fault: tuple[int, str] | None = None
        self.struck = 0
        self._http = _Http((host, port), _Handler, self)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> OllamaServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def strikes(self) -> str:
        """What goes wrong with this request."""
        if self.fault is None:
            return ""
        left, kind = self.fault
        self.fault = (left - 1, kind) if left > 0 else None
        self.struck += left <= 0
        return kind if left <= 0 else ""


class _Http(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, address: tuple[str, int], handler: type[_Handler], ollama: OllamaServer) -> None:
        self.ollama = ollama
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away in the middle is what tests do."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self._respond()

    def do_HEAD(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def do_DELETE(self) -> None:
        self._respond()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        """Nothing on stderr."""

    def _respond(self) -> None:
        ollama = self.server.ollama
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with ollama.guard:
            fault = ollama.strikes()
            try:
                if fault == "refused":
                    raise No(500, "internal server error")
                status, content = self._answer(ollama.state, raw)
            except No as no:
                status, content = no.status, _line({"error": no.said})
            body = None if _DIGEST.fullmatch(self.path) or not raw else json.loads(raw)
            ollama.asked.append(Asked(self.command, self.path, body, status))
        if fault == "lost":  # it is done, and nobody hears of it
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _answer(self, state: OllamaState, raw: bytes) -> tuple[int, bytes]:
        """Status and body."""
        blob = _DIGEST.fullmatch(self.path)
        if blob is not None:
            if self.command != "HEAD":
                return state.store(blob[1], raw), b""
            if blob[1] not in state.blobs:
                raise No(404, f'blob "{blob[1]}" not found')
            return 200, b""
        match self.command, self.path:
            case "GET", "/":
                return 200, b"Ollama is running"
            case "GET", "/api/version":
                return 200, _line({"version": state.version})
            case "GET", "/api/tags":
                return 200, _line(state.tags())
            case "POST", "/api/show":
                return 200, _line(state.show(_parsed(raw)))
            case "POST", "/api/create":
                return 200, b"".join(map(_line, state.create(_parsed(raw))))
            case "POST", "/api/chat":
                return 200, b"".join(map(_line, state.chat(_parsed(raw))))
            case "DELETE", "/api/delete":
                state.delete(_parsed(raw))
                return 200, b""
        raise No(404, "404 page not found")


def _tagged(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _parsed(raw: bytes) -> dict[str, Any]:
    """Refuses what is no JSON object, as gin does."""
    try:
        found = json.loads(raw) if raw else None
    except ValueError as error:
        raise No(400, str(error)) from error
    if not isinstance(found, dict):
        raise No(400, "missing request body")
    return found
