"""HTTP to one address: requests, time limits, answers within bounds.

Owns how an answer comes, and which error says that none did. Follows no redirects and uses no proxy: a server
tells its own computer by the source address. Refuses to know what is asked.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from academy_desktop.core.venom.connections import Limits
from academy_desktop.core.venom.refusals import Reply
from trainers.errors import AcademyError, ErrorCode

Enough = Callable[[bytes], bool]

#: No answer is as long; whatever streams without end is no Venom.
ANSWER_BYTES: Final = 16 * 1024 * 1024


class Wire:
    """One address, kept until `close`.

    Args:
        url: address without a slash at its end.
        limits: seconds that a connection may take.
        door: gives a port of this computer that leads to the server; asked before each request, for a
            connection that broke is made again then.
    """

    def __init__(self, url: str, limits: Limits, door: Callable[[], int] | None = None) -> None:
        self.url = url
        self._door = door
        self._limits = limits
        # The system's certificates, so that a home network's own authority counts.
        secure = ssl.create_default_context() if url.startswith("https:") else False
        self._http = httpx.Client(verify=secure, trust_env=False, follow_redirects=False)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def ask(self, method: str, path: str, limit_s: float, enough: Enough | None = None, **sent: Any) -> Reply:
        """Send one request, once, and read its answer whole.

        Args:
            method: as HTTP calls it.
            path: below the address.
            limit_s: seconds from the request to the end of the answer.
            enough: says of what has come of the answer whether no more is wanted.
            sent: as httpx takes it: json, params, content, headers.

        Raises:
            AcademyError: `venom_unreachable`, `venom_timeout`, `venom_tls`, `venom_not_venom`,
                `venom_answer_invalid`; as the door.
        """
        request = self._request(method, path, **sent)
        # an answer may take long to make, but whatever takes none of what is sent has gone
        limits = self._limits
        timeout = httpx.Timeout(
            limit_s, connect=min(limit_s, limits.connect_s), write=min(limit_s, limits.read_s)
        )
        request.extensions["timeout"] = timeout.as_dict()
        deadline = time.monotonic() + limit_s
        try:
            response = self._http.send(request, stream=True)
            try:
                body = self._body(response, deadline, enough)
            finally:
                response.close()
        except (httpx.TimeoutException, TimeoutError) as error:
            raise AcademyError(ErrorCode.VENOM_TIMEOUT, url=self.url, patience=limit_s) from error
        except httpx.ProtocolError as error:
            if any(word in str(error) for word in ("disconnected", "closed")):
                raise self._unreachable("the connection was cut") from error
            raise AcademyError(ErrorCode.VENOM_NOT_VENOM, url=self.url, detail="no HTTP") from error
        except httpx.DecodingError as error:
            raise AcademyError(ErrorCode.VENOM_ANSWER_INVALID, path=request.url.path) from error
        except httpx.TransportError as error:
            raise self._transport_error(error) from error
        return Reply(response.status_code, dict(response.headers), body)

    # inside

    def _request(self, method: str, path: str, **sent: Any) -> httpx.Request:
        if self._door is None:
            return self._http.build_request(method, f"{self.url}{path}", **sent)
        parts = urlsplit(self.url)
        at = parts._replace(netloc=f"127.0.0.1:{self._door()}").geturl()
        request = self._http.build_request(method, f"{at}{path}", **sent)
        # a certificate is the server's own, not that of the door
        request.extensions["sni_hostname"] = parts.hostname
        return request

    def _body(self, response: httpx.Response, deadline: float, enough: Enough | None) -> bytes:
        """Read an answer whole, within bounds of size and time."""
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > ANSWER_BYTES:
                detail = f"more than {ANSWER_BYTES} bytes"
                raise AcademyError(
                    ErrorCode.VENOM_ANSWER_INVALID, path=response.request.url.path, detail=detail
                )
            if enough is not None and enough(bytes(body)):
                break
            if time.monotonic() > deadline:
                raise TimeoutError
        return bytes(body)

    def _transport_error(self, error: httpx.TransportError) -> AcademyError:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLError):
                detail = getattr(cause, "verify_message", "") or cause.reason
                return AcademyError(ErrorCode.VENOM_TLS, url=self.url, detail=detail)
            if isinstance(cause, OSError) and cause.strerror:
                return self._unreachable(cause.strerror)
            cause = cause.__cause__ or cause.__context__
        return self._unreachable(str(error))

    def _unreachable(self, detail: str) -> AcademyError:
        return AcademyError(ErrorCode.VENOM_UNREACHABLE, url=self.url, detail=detail)
