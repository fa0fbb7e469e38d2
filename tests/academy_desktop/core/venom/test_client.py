from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from academy_desktop.core.venom.client import ADAPTERS, PATIENCE_S, VenomClient
from academy_desktop.core.venom.connections import Limits
from tests.academy_desktop.core.venom.making import refusal
from tests.venom_server.server import REFUSAL, VenomServer
from trainers.errors import AcademyError, ErrorCode

BRIEF = Limits(connect_s=0.3, read_s=0.3, activate_s=0.3)


@pytest.fixture
def client(server: VenomServer) -> Iterator[VenomClient]:
    with VenomClient(server.url) as client:
        yield client


@contextmanager
def answering(status: int, body: object = "", **headers: str) -> Iterator[str]:
    """A server that has one answer to everything; yields its address."""
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - by the method's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join()


@contextmanager
def talking(*words: bytes, then_wait: bool = False) -> Iterator[str]:
    """Something that accepts connections and says `words`, whatever it is asked; yields its address."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    for word in words:
                        connection.sendall(word)
                    if then_wait:
                        over.wait(30)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


# who is there


def test_a_venom_server_is_known_by_its_greeting(client: VenomClient) -> None:
    client.greet()
    assert client.academy_status().enabled


def test_nobody_there_is_said_with_the_system_s_reason() -> None:
    with VenomClient("http://127.0.0.1:9") as client, refusal(ErrorCode.VENOM_UNREACHABLE) as facts:
        client.greet()
    assert facts == {"url": "http://127.0.0.1:9", "detail": "Connection refused"}


def test_a_name_that_leads_nowhere_is_said() -> None:
    with VenomClient("http://venom.invalid:8000") as client, refusal(ErrorCode.VENOM_UNREACHABLE) as facts:
        client.greet()
    assert facts["detail"]


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/academy/adapters"])
def test_a_slow_server_is_not_waited_for_without_end(server: VenomServer, path: str) -> None:
    server.state.switches.slow = frozenset({path})
    with VenomClient(server.url, BRIEF) as client, refusal(ErrorCode.VENOM_TIMEOUT) as facts:
        client.greet()
        client.adapters()
    assert facts == {"url": server.url, "patience": 0.3}


def test_an_answer_that_only_drips_is_not_waited_for_without_end() -> None:
    head = b"HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\n"
    with (
        talking(head, b"{", then_wait=True) as url,
        VenomClient(url, BRIEF) as client,
        refusal(ErrorCode.VENOM_TIMEOUT),
    ):
        client.greet()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "<html>It works!</html>"),
        (200, {"status": "ok"}),
        (200, {"status": "ok", "component": "something-else"}),
        (200, []),
        (404, {"detail": "Not Found"}),
        (404, "no"),
        (200, "[" * 100_000),
    ],
)
def test_another_web_server_is_not_taken_for_venom(status: int, body: object) -> None:
    with answering(status, body) as url, VenomClient(url) as client:
        with refusal(ErrorCode.VENOM_NOT_VENOM) as facts:
            client.greet()
        assert facts == {"url": url, "detail": f"HTTP {status}"}


def test_what_speaks_no_http_is_not_taken_for_venom() -> None:
    words = b"220 mail.example ESMTP\r\n\r\n"
    with talking(words) as url, VenomClient(url) as client, refusal(ErrorCode.VENOM_NOT_VENOM):
        client.greet()


def test_a_connection_that_is_cut_is_no_answer() -> None:
    with talking() as url, VenomClient(url) as client, refusal(ErrorCode.VENOM_UNREACHABLE):
        client.greet()


def test_an_endless_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("academy_desktop.core.venom.wire.ANSWER_BYTES", 1000)
    with answering(200, "x" * 5000) as url, VenomClient(url) as client:
        with refusal(ErrorCode.VENOM_ANSWER_INVALID) as facts:
            client.greet()
        assert facts["detail"] == "more than 1000 bytes"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_told_and_not_followed(server: VenomServer, status: int) -> None:
    with answering(status, "", Location=f"{server.url}/healthz") as url, VenomClient(url) as client:
        with refusal(ErrorCode.VENOM_REDIRECTED) as facts:
            client.greet()
        assert facts == {"url": url, "location": f"{server.url}/healthz"}
        with refusal(ErrorCode.VENOM_REDIRECTED):
            client.activate("a", "ollama", "m", "b")
    assert server.asked == []


@pytest.mark.parametrize("status", [401, 403, 407])
def test_a_proxy_that_wants_a_login_is_not_called_another_server(status: int) -> None:
    with answering(status, "login") as url, VenomClient(url) as client:
        with refusal(ErrorCode.VENOM_REFUSED) as facts:
            client.greet()
        assert facts["status"] == status


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_proxy_whose_venom_is_down_says_so(status: int) -> None:
    with answering(status, "<html>Bad Gateway</html>") as url, VenomClient(url) as client:
        with refusal(ErrorCode.VENOM_FAILED) as facts:
            client.greet()
        assert facts["status"] == status


def test_plain_http_behind_https_is_a_failure_of_the_secure_connection(server: VenomServer) -> None:
    url = server.url.replace("http:", "https:")
    with VenomClient(url) as client, refusal(ErrorCode.VENOM_TLS) as facts:
        client.greet()
    assert facts["url"] == url
    assert facts["detail"]


def test_a_certificate_that_nobody_vouches_for_is_refused_until_it_is_trusted(
    tmp_path: Path, server: VenomServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = _self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with VenomServer(server.state, tls=context) as secure:
        with VenomClient(secure.url) as client, refusal(ErrorCode.VENOM_TLS) as facts:
            client.greet()
        assert "self-signed" in facts["detail"].replace("self signed", "self-signed")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with VenomClient(secure.url) as client:
            client.greet()


def _self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "venom")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_no_proxy_stands_between_us_and_the_server(
    server: VenomServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with VenomClient(server.url) as client:
        client.greet()


# pauses


def test_a_pause_is_kept_as_long_as_the_server_wants() -> None:
    paused: list[float] = []
    said = {"error": "rate_limit_exceeded", "message": "Too many", "retry_after_seconds": 25}
    with (
        answering(429, said) as url,
        VenomClient(url, pause=paused.append) as client,
        refusal(ErrorCode.VENOM_BUSY) as facts,
    ):
        client.greet()
    assert facts == {"pause": 25}
    assert paused == [25.0, 25.0]
    assert sum(paused) <= PATIENCE_S


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        ("", "7", 7.0),
        ({"retry_after_seconds": 3}, "9", 3.0),
        ("", "soon", 1.0),
        ({"retry_after_seconds": -4}, "2", 0.0),
    ],
)
def test_a_pause_is_read_from_the_body_or_the_header(
    server: VenomServer, body: object, header: str, expected: float
) -> None:
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        raise KeyboardInterrupt

    headers = {"Retry-After": header}
    with (
        answering(429, body, **headers) as url,
        VenomClient(url, pause=pause) as client,
        pytest.raises(KeyboardInterrupt),
    ):
        client.greet()
    assert paused == [expected]


# refusals, in all their shapes


def told(status: int, body: object, ask: Callable[[VenomClient], object]) -> tuple[ErrorCode, dict[str, Any]]:
    """What an answer to a request is taken for."""
    with answering(status, body) as url, VenomClient(url) as client, pytest.raises(AcademyError) as caught:
        ask(client)
    facts = dict(caught.value.facts)
    facts.pop("url", None)
    return caught.value.code, facts


def activate(client: VenomClient) -> object:
    return client.activate("mine-1", "ollama", "gemma3:4b", "google/gemma-3-4b-it")


def coded(code: str) -> dict[str, Any]:
    return {"detail": {"error": code, "message": "Po polsku", "reason_code": code, "adapter_id": "mine-1"}}


@pytest.mark.parametrize(
    ("status", "reason", "code", "facts"),
    [
        (
            400, "ADAPTER_BASE_MODEL_MISMATCH", ErrorCode.VENOM_BASE_MISMATCH,
            {"base": "google/gemma-3-4b-it", "model": "gemma3:4b"},
        ),
        (
            400, "ADAPTER_RUNTIME_MODEL_MISSING", ErrorCode.VENOM_MODEL_MISSING,
            {"runtime": "ollama", "model": "gemma3:4b"},
        ),
        (
            400, "ADAPTER_RUNTIME_INCOMPATIBLE", ErrorCode.VENOM_RUNTIME_UNSUITABLE,
            {"runtime": "ollama"},
        ),
        (
            400, "ADAPTER_BASE_MODEL_NOT_AVAILABLE_LOCALLY", ErrorCode.VENOM_MODEL_MISSING,
            {"runtime": "ollama", "model": "gemma3:4b"},
        ),
        (400, "ADAPTER_METADATA_INCOMPLETE", ErrorCode.VENOM_METADATA_REFUSED, {"adapter": "mine-1"}),
        (400, "ADAPTER_METADATA_INCONSISTENT", ErrorCode.VENOM_METADATA_REFUSED, {"adapter": "mine-1"}),
        (400, "ADAPTER_NOT_SIGNED_FOR_CHAT", ErrorCode.VENOM_NOT_SIGNED, {"adapter": "mine-1"}),
        (400, "ADAPTER_SIGNATURE_RUNTIME_MISMATCH", ErrorCode.VENOM_NOT_SIGNED, {"adapter": "mine-1"}),
        (400, "ADAPTER_SIGNATURE_MODEL_MISMATCH", ErrorCode.VENOM_NOT_SIGNED, {"adapter": "mine-1"}),
        (
            500, "ADAPTER_ACTIVATION_FAILED", ErrorCode.VENOM_DEPLOY_FAILED,
            {"adapter": "mine-1", "runtime": "ollama"},
        ),
        (
            500, "ADAPTER_RUNTIME_DEPLOY_FAILED", ErrorCode.VENOM_DEPLOY_FAILED,
            {"adapter": "mine-1", "runtime": "ollama"},
        ),
        (
            500, "ADAPTER_RUNTIME_DEPLOY_ARTIFACT_MISSING", ErrorCode.VENOM_DEPLOY_FAILED,
            {"adapter": "mine-1", "runtime": "ollama"},
        ),
        (
            503, "ADAPTER_RUNTIME_SERVICE_UNAVAILABLE", ErrorCode.VENOM_RUNTIME_DOWN,
            {"runtime": "ollama"},
        ),
        (400, "ADAPTER_RUNTIME_REQUIRED", ErrorCode.VENOM_REFUSED, {"status": 400, "detail": ""}),
        (500, "ADAPTER_SIGNATURE_FAILED", ErrorCode.VENOM_FAILED, {"status": 500, "detail": ""}),
    ],
)  # fmt: skip
def test_a_reason_code_is_told_with_what_is_known_here(
    status: int, reason: str, code: ErrorCode, facts: dict[str, Any]
) -> None:
    assert told(status, coded(reason), activate) == (code, {**facts, "reason": reason})


@pytest.mark.parametrize(
    ("status", "body", "code", "facts"),
    [
        (403, {"detail": REFUSAL}, ErrorCode.VENOM_REMOTE, {}),
        (404, {"detail": "Adapter not found"}, ErrorCode.VENOM_NOT_LISTED, {"path": "mine-1"}),
        (404, {"detail": "Not Found"}, ErrorCode.VENOM_OLDER, {"missing": f"{ADAPTERS}/activate"}),
        (405, {"detail": "Method Not Allowed"}, ErrorCode.VENOM_OLDER, {"missing": f"{ADAPTERS}/activate"}),
        (503, {"detail": "Academy is disabled in config"}, ErrorCode.VENOM_DISABLED, {}),
        (
            503, {"detail": "ModelManager not available for adapter activation"}, ErrorCode.VENOM_NOT_READY,
            {"detail": "ModelManager not available for adapter activation"},
        ),
        (
            400, {"detail": "Academy adapter supports only local runtimes (ollama/vllm/onnx); got 'openai'."},
            ErrorCode.VENOM_RUNTIME_UNSUITABLE, {"runtime": "ollama"},
        ),
        (
            400, {"detail": "Invalid adapter_id 'x': outside of models directory."},
            ErrorCode.VENOM_REFUSED,
            {"status": 400, "reason": "", "detail": "Invalid adapter_id 'x': outside of models directory."},
        ),
        (
            422,
            {"detail": [{"type": "missing", "loc": ["body", "adapter_id"], "msg": "Field required"}]},
            ErrorCode.VENOM_REQUEST_INVALID, {"field": "adapter_id", "detail": "Field required"},
        ),
        (422, {"detail": []}, ErrorCode.VENOM_REQUEST_INVALID, {"field": "", "detail": ""}),
        (
            403, {"detail": "Nieautoryzowane źródło"}, ErrorCode.VENOM_REFUSED,
            {"status": 403, "reason": "", "detail": "Nieautoryzowane źródło"},
        ),
        (500, "Internal Server Error", ErrorCode.VENOM_FAILED, {"status": 500, "reason": "", "detail": ""}),
        (500, {"detail": None}, ErrorCode.VENOM_FAILED, {"status": 500, "reason": "", "detail": ""}),
        (
            500, {"detail": {"reason_code": 7}}, ErrorCode.VENOM_FAILED,
            {"status": 500, "reason": "", "detail": ""},
        ),
        (418, [1, 2], ErrorCode.VENOM_REFUSED, {"status": 418, "reason": "", "detail": ""}),
    ],
)  # fmt: skip
def test_every_shape_of_a_refusal_is_understood(
    status: int, body: object, code: ErrorCode, facts: dict[str, Any]
) -> None:
    assert told(status, body, activate) == (code, facts)


def test_a_long_complaint_is_cut() -> None:
    _, facts = told(400, {"detail": "x" * 10_000}, activate)
    assert len(facts["detail"]) == 300


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "{}", '{"success": "perhaps"}', '{"success": true, "deployed": "so"}', "\xff"]
)
def test_an_answer_that_is_not_what_it_should_be_is_said(body: str) -> None:
    code, facts = told(200, body, activate)
    assert code is ErrorCode.VENOM_ANSWER_INVALID
    assert facts["path"] == f"{ADAPTERS}/activate"
    assert facts["detail"]


def test_unknown_fields_of_a_newer_server_are_ignored() -> None:
    answer = [
        {"adapter_id": "a", "adapter_path": "/a", "base_model": "b", "created_at": "c", "new": {"x": 1}}
    ]
    with answering(200, answer) as url, VenomClient(url) as client:
        assert [one.adapter_id for one in client.adapters()] == ["a"]


# what it can do


def test_what_a_server_can_do_is_seen_from_its_paths(server: VenomServer, client: VenomClient) -> None:
    features = client.features()
    assert features is not None
    assert features.missing == ()
    server.state.switches.older = True
    features = client.features()
    assert features is not None
    assert features.missing == ("audit", "sign", "deploy")


@pytest.mark.parametrize(("status", "body"), [(404, ""), (200, "<html>"), (200, {"paths": []}), (200, {})])
def test_a_server_that_hides_its_description_may_be_able_to_do_anything(status: int, body: object) -> None:
    with answering(status, body) as url, VenomClient(url) as client:
        assert client.features() is None


def test_a_server_says_whether_it_would_take_changes_from_here(
    server: VenomServer, client: VenomClient
) -> None:
    assert client.takes_changes()
    server.state.runtime = "openai"
    assert client.takes_changes()
    server.state.switches.remote = True
    assert not client.takes_changes()
    assert server.state.active is None
    server.state.switches.academy = False
    with refusal(ErrorCode.VENOM_DISABLED):
        client.takes_changes()


def test_an_id_is_one_part_of_a_path(server: VenomServer, client: VenomClient) -> None:
    with refusal(ErrorCode.VENOM_NOT_LISTED):
        client.sign("a b", "ollama", "m", "me")
    with refusal(ErrorCode.VENOM_REFUSED):
        client.sign("../x", "ollama", "m", "me")
    assert server.asked[-1].path == f"{ADAPTERS}/..%2Fx/sign"
