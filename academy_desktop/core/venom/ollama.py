"""Talks to the Ollama that a Venom server uses: blobs, and models made of a base model and an adapter.

Owns requests and the reading of answers; every trouble leaves as an `AcademyError`. Refuses to know Venom.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from academy_desktop.core.venom.answers import same_model
from academy_desktop.core.venom.connections import Limits
from academy_desktop.core.venom.folders import CHUNK
from academy_desktop.core.venom.refusals import Reply
from academy_desktop.core.venom.wire import Wire
from trainers.digest import sha256_of_file
from trainers.errors import AcademyError, ErrorCode

#: An upload that broke off is begun again this often: Ollama keeps no part of one.
UPLOAD_TRIES: Final = 3
#: What Venom gives to a model that it makes of an adapter itself: the chat is the same on every way.
PARAMETERS: Final = {"temperature": 0.7, "top_p": 0.9, "top_k": 40}
#: Longer messages are not for a sentence.
_DETAIL_LENGTH = 300
_BLOB = re.compile(r"^ADAPTER\s.*sha256[-:]([0-9a-f]{64})", re.MULTILINE)
_NO_ADAPTERS = "adapters are no longer supported"

Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Made:
    """A model that Ollama has. `adapters`: SHA-256 of those in it."""

    base: str
    adapters: frozenset[str]

    def is_of(self, base: str, sha256: str) -> bool:
        """Whether it is this adapter on this base model, which Ollama may name in full, or not at all."""
        is_base = not self.base or self.base.endswith(f"/{base}") or same_model(self.base, base)
        return sha256 in self.adapters and is_base


class OllamaClient:
    """One Ollama; a context manager that closes the connection.

    Args:
        url: address without a slash at its end.
        limits: seconds that requests may take; making a model counts as an activation.
    """

    def __init__(self, url: str, limits: Limits | None = None) -> None:
        self.url = url
        self._limits = limits or Limits()
        self._wire = Wire(url, self._limits)

    def __enter__(self) -> OllamaClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wire.close()

    # looking

    def version(self) -> str:
        """Return its version.

        Raises:
            AcademyError: `venom_ollama_unreachable`, `venom_ollama_invalid` for what is no Ollama;
                `venom_ollama_refused`, `venom_redirected`, `venom_tls`. So do all others.
        """
        found = self._content(self._ask("GET", "/api/version")).get("version")
        if not isinstance(found, str):
            raise AcademyError(ErrorCode.VENOM_OLLAMA_INVALID, url=self.url)
        return found

    def models(self) -> tuple[str, ...]:
        """Return the names of its models."""
        found = self._content(self._ask("GET", "/api/tags")).get("models")
        rows = found if isinstance(found, list) else []
        return tuple(str(row["name"]) for row in rows if isinstance(row, dict) and "name" in row)

    def show(self, model: str) -> Made | None:
        """Return what a model is made of; None where there is none of this name."""
        reply = self._ask("POST", "/api/show", json={"model": model}, may=404)
        if reply.status == 404:
            return None
        found = self._content(reply)
        details = found.get("details")
        base = details.get("parent_model") if isinstance(details, dict) else ""
        return Made(str(base or ""), frozenset(_BLOB.findall(str(found.get("modelfile") or ""))))

    def has_blob(self, sha256: str) -> bool:
        """Whether it has a file of this hash."""
        return self._ask("HEAD", f"/api/blobs/sha256:{sha256}", may=404).is_ok

    # changing

    def send_blob(self, path: Path, sha256: str, told: Told) -> None:
        """Send a file, which Ollama takes only if it has this hash when it arrives.

        Args:
            path: the file.
            sha256: the hash that it has to have.
            told: called with the bytes that have gone, and all.

        Raises:
            AcademyError: `venom_upload_damaged`; `export_damaged` where the file is not what it was,
                `file_unreadable`; what `told` raises.
        """
        for number in range(UPLOAD_TRIES):
            try:
                if number == 0 or not self.has_blob(sha256):
                    self._upload(path, sha256, told)
            except AcademyError as error:
                if error.code is not ErrorCode.VENOM_OLLAMA_UNREACHABLE or number == UPLOAD_TRIES - 1:
                    raise
            else:
                return

    def create(self, model: str, base: str, sha256: str) -> None:
        """Make a model of a base model that it has and an adapter that was sent; answers when it is made.

        Raises:
            AcademyError: `venom_ollama_no_adapters` for a version that takes none.
        """
        body = {
            "model": model,
            "from": base,
            "adapters": {"adapter.gguf": f"sha256:{sha256}"},
            "parameters": PARAMETERS,
            "stream": True,
        }
        reply = self._ask("POST", "/api/create", json=body, limit_s=self._limits.activate_s)
        lines = [_object(line) for line in reply.body.splitlines()]
        if any("error" in line for line in lines) or not any(one.get("status") == "success" for one in lines):
            raise self._refusal(Reply(500, {}, reply.body.splitlines()[-1] if lines else b""))

    def delete(self, model: str) -> bool:
        """Delete a model; returns whether there was one."""
        return self._ask("DELETE", "/api/delete", json={"model": model}, may=404).is_ok

    # inside

    def _upload(self, path: Path, sha256: str, told: Told) -> None:
        with self._opened(path) as chunks:
            size = path.stat().st_size
            reply = self._ask(
                "POST",
                f"/api/blobs/sha256:{sha256}",
                content=_counted(chunks, size, told),
                headers={"Content-Length": str(size), "Content-Type": "application/octet-stream"},
                limit_s=self._limits.activate_s,
                may=400,
            )
        if reply.status == 400:
            if sha256_of_file(path) != sha256:
                raise AcademyError(ErrorCode.EXPORT_DAMAGED, path=str(path), detail="sha256")
            raise AcademyError(ErrorCode.VENOM_UPLOAD_DAMAGED, path=f"{self.url}/api/blobs/sha256:{sha256}")

    @contextmanager
    def _opened(self, path: Path) -> Iterator[Iterator[bytes]]:
        try:
            with path.open("rb") as stream:
                yield iter(lambda: stream.read(CHUNK), b"")
        except OSError as error:
            detail = error.strerror or str(error)
            raise AcademyError(ErrorCode.FILE_UNREADABLE, path=str(path), detail=detail) from error

    def _ask(self, method: str, path: str, *, limit_s: float = 0.0, may: int = 0, **sent: Any) -> Reply:
        """Send a request once; `may`: a refusal that says something."""
        try:
            reply = self._wire.ask(method, path, limit_s or self._limits.read_s, **sent)
        except AcademyError as error:
            raise self._as_ollama_s(error) from error
        if reply.is_ok or reply.status == may:
            return reply
        raise self._refusal(reply)

    def _as_ollama_s(self, error: AcademyError) -> AcademyError:
        """The same trouble, of Ollama and not of Venom."""
        match error.code:
            case ErrorCode.VENOM_UNREACHABLE:
                detail = error.facts.get("detail")
                return AcademyError(ErrorCode.VENOM_OLLAMA_UNREACHABLE, url=self.url, detail=detail)
            case ErrorCode.VENOM_TIMEOUT:
                return AcademyError(ErrorCode.VENOM_OLLAMA_UNREACHABLE, url=self.url)
            case ErrorCode.VENOM_NOT_VENOM | ErrorCode.VENOM_ANSWER_INVALID:
                detail = error.facts.get("detail")
                return AcademyError(ErrorCode.VENOM_OLLAMA_INVALID, url=self.url, detail=detail)
            case _:
                return error

    def _refusal(self, reply: Reply) -> AcademyError:
        """What Ollama says no with: `{"error": text}`."""
        if 300 <= reply.status < 400:
            location = reply.headers.get("location")
            return AcademyError(ErrorCode.VENOM_REDIRECTED, url=self.url, location=location)
        said = _object(reply.body).get("error")
        detail = said[:_DETAIL_LENGTH] if isinstance(said, str) else ""
        if _NO_ADAPTERS in detail:
            return AcademyError(ErrorCode.VENOM_OLLAMA_NO_ADAPTERS, url=self.url)
        if not detail and reply.status in {404, 405}:
            return AcademyError(ErrorCode.VENOM_OLLAMA_INVALID, url=self.url, detail=f"HTTP {reply.status}")
        return AcademyError(
            ErrorCode.VENOM_OLLAMA_REFUSED, url=self.url, status=reply.status, detail=detail or None
        )

    def _content(self, reply: Reply) -> dict[str, Any]:
        found = reply.content()
        if not isinstance(found, dict):
            raise AcademyError(ErrorCode.VENOM_OLLAMA_INVALID, url=self.url)
        return found


def _counted(chunks: Iterator[bytes], size: int, told: Told) -> Iterator[bytes]:
    """The same bytes; each is told before it goes, so that whoever is told can end it."""
    done = 0
    for chunk in chunks:
        done += len(chunk)
        told(done, size)
        yield chunk


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
