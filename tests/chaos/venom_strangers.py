"""Servers that send us elsewhere, or that cannot prove who they are: nobody else is told anything.

Owns redirects and bad certificates. Every request that reaches the stranger counts as a failure.
"""

from __future__ import annotations

import datetime
import ipaddress
import itertools
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from academy_desktop.core.venom.client import VenomClient
from academy_desktop.core.venom.connections import Limits
from academy_desktop.core.venom.ollama import OllamaClient
from tests.chaos.trials import Case, Trial
from trainers.errors import AcademyError, ErrorCode

LIMITS = Limits(connect_s=3.0, read_s=3.0, activate_s=3.0)
STATUSES = (301, 302, 303, 307, 308)
#: How a server says where: `{other}` is a stranger's address.
PLACES = ("{other}{path}", "//{authority}{path}", "{other}/", "{other}@127.0.0.1/")


def _venom(deed: Callable[[VenomClient], object]) -> Callable[[str], object]:
    def done(url: str) -> object:
        with VenomClient(url, LIMITS) as client:
            return deed(client)

    return done


def _ollama(deed: Callable[[OllamaClient], object]) -> Callable[[str], object]:
    def done(url: str) -> object:
        with OllamaClient(url, LIMITS) as client:
            return deed(client)

    return done


#: What a client asks that tells something: everything that changes a server, and a look.
DEEDS: dict[str, Callable[[str], object]] = {
    "greet": _venom(lambda client: client.greet()),
    "adapters": _venom(lambda client: client.adapters()),
    "lessons": _venom(lambda client: client.lessons(10)),
    "chat": _venom(lambda client: client.chat("Are you there?", 16)),
    "sign": _venom(lambda client: client.sign("adapter", "ollama", "gemma3:4b", "signer")),
    "activate": _venom(lambda client: client.activate("adapter", "ollama", "gemma3:4b", "base")),
    "deactivate": _venom(lambda client: client.deactivate(deploy=True)),
    "model": _venom(lambda client: client.activate_model("gemma3:4b", "ollama")),
    "blob": _ollama(lambda client: client.has_blob("0" * 64)),
    "upload": _ollama(lambda client: client.send_blob(Path(__file__), "0" * 64, lambda done, total: None)),
    "create": _ollama(lambda client: client.create("model", "gemma3:4b", "0" * 64)),
    "delete": _ollama(lambda client: client.delete("model")),
}
CASES = tuple(itertools.product(STATUSES, PLACES, DEEDS))


@dataclass
class _Web:
    """An HTTP server in a thread. `redirect`: status and place of every answer; None: it only listens."""

    redirect: tuple[int, str] | None = None
    tls: ssl.SSLContext | None = None
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> _Web:
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                web.asked.append(f"{self.command} {self.path}")
                status, place = web.redirect or (200, "")
                self.send_response(status)
                if place:
                    self.send_header("Location", place.replace("{path}", self.path))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.do_GET()

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_DELETE(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
                """Nothing on stderr."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A handshake that fails is what is wanted."""

        self._http = Server(("127.0.0.1", 0), Handler)
        if self.tls is not None:
            self._http.socket = self.tls.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self._http.server_port}"


def redirects(root: Path) -> Trial:
    """Each status, place and deed in turn: no request goes where a redirect leads."""

    def trial(case: Case) -> str | None:
        status, place, deed = CASES[case.number % len(CASES)]
        with _Web() as stranger:
            other = f"http://{stranger.authority}"
            where = place.replace("{other}", other).replace("{authority}", stranger.authority)
            with _Web((status, where)) as server:
                code = _code_of(lambda: DEEDS[deed](f"http://{server.authority}"))
            if stranger.asked:
                return f"{status} to {place} at {deed}: the stranger was asked {stranger.asked}"
            if code is not ErrorCode.VENOM_REDIRECTED or len(server.asked) != 1:
                return f"{status} to {place} at {deed}: {code}, asked {server.asked}"
        return None

    return trial


def _code_of(work: Callable[[], object]) -> ErrorCode | None:
    try:
        work()
    except AcademyError as error:
        return error.code
    return None


# certificates

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
_HERE = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


@dataclass(frozen=True)
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def _authority(name: str) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    return _Authority(key, _signed(name, key, name, key, [], is_authority=True))


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    names: list[x509.GeneralName],
    *,
    begin: datetime.timedelta = -DAY,
    end: datetime.timedelta = DAY,
    is_authority: bool = False,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
) -> x509.Certificate:
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + begin)
        .not_valid_after(NOW + end)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    if not is_authority:
        made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if names:
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return made.sign(issuer_key, hashes.SHA256())


def _dns(*names: str) -> list[x509.GeneralName]:
    return [x509.DNSName(name) for name in names]


#: What is wrong → a certificate for the trusted authority `ours`, its key, and the stranger `theirs`.
Making = Callable[[_Authority, _Authority, ec.EllipticCurvePrivateKey], x509.Certificate]
BAD: dict[str, Making] = {
    "signed by itself": lambda ours, theirs, key: _signed("venom", key, "venom", key, list(_HERE)),
    "an authority that nobody trusts": lambda ours, theirs, key: _signed(
        "venom", key, "theirs", theirs.key, list(_HERE)
    ),
    "an authority of the same name": lambda ours, theirs, key: _signed(
        "venom", key, "ours", theirs.key, list(_HERE)
    ),
    "expired": lambda ours, theirs, key: _signed(
        "venom", key, "ours", ours.key, list(_HERE), begin=-3 * DAY, end=-DAY
    ),
    "expired a minute ago": lambda ours, theirs, key: _signed(
        "venom", key, "ours", ours.key, list(_HERE), end=-datetime.timedelta(minutes=1)
    ),
    "not valid yet": lambda ours, theirs, key: _signed(
        "venom", key, "ours", ours.key, list(_HERE), begin=DAY, end=3 * DAY
    ),
    "for another name": lambda ours, theirs, key: _signed(
        "venom", key, "ours", ours.key, _dns("elsewhere.example")
    ),
    "for another address": lambda ours, theirs, key: _signed(
        "venom", key, "ours", ours.key, [x509.IPAddress(ipaddress.ip_address("127.0.0.9"))]
    ),
    "for everything below a domain": lambda ours, theirs, key: _signed(
        "venom", key, "ours", ours.key, _dns("*.example", "*")
    ),
    "for the address as a name": lambda ours, theirs, key: _signed(
        "venom", key, "ours", ours.key, _dns("127.0.0.1")
    ),
    "with no name at all": lambda ours, theirs, key: _signed("127.0.0.1", key, "ours", ours.key, []),
    "for clients only": lambda ours, theirs, key: _signed(
        "venom", key, "ours", ours.key, list(_HERE), usage=ExtendedKeyUsageOID.CLIENT_AUTH
    ),
}


def certificates(root: Path) -> Trial:
    """Each bad certificate in turn is refused before a request is sent; a good one is not."""
    ours, theirs = _authority("ours"), _authority("theirs")
    trusted = root / "ours.pem"
    trusted.write_bytes(ours.certificate.public_bytes(serialization.Encoding.PEM))

    def trial(case: Case) -> str | None:
        names = list(BAD)
        name = names[case.number % len(names)]
        key = ec.generate_private_key(ec.SECP256R1())
        code, asked = _met(root, trusted, BAD[name](ours, theirs, key), key)
        if code is not ErrorCode.VENOM_TLS or asked:
            return f"{name}: {code}, asked {asked}"
        good = _signed("venom", key, "ours", ours.key, list(_HERE))
        code, asked = _met(root, trusted, good, key)
        return None if asked else f"a good certificate: {code}"

    return trial


def _met(
    root: Path, trusted: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> tuple[ErrorCode | None, list[str]]:
    """What a client that trusts one authority makes of a server, and what that was asked."""
    path = root / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path)
    with _Web(tls=tls) as server, _trusting(trusted):
        with VenomClient(f"https://{server.authority}", LIMITS) as client:
            code = _code_of(client.greet)
        return code, server.asked


@contextmanager
def _trusting(path: Path) -> Iterator[None]:
    """The system's certificates are one authority, as far as OpenSSL is told where they lie."""
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(path)
    try:
        yield
    finally:
        del os.environ["SSL_CERT_FILE"]
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before
