"""The server by HTTP: bounded in time and size, by certificate or token, and quiet about both."""

from __future__ import annotations

import json
import re
import ssl
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx

from feed.agent.link import Fetched, Stations, Taken, Unavailable, Unchanged
from feed.signing.guarded_files import read_private
from router_core.errors import BadInputError

BUNDLE_TYPE: Final = "application/vnd.exchange-router.bundle"
DELTA_TYPE: Final = "application/vnd.exchange-router.delta"
TOKEN_BYTES_MAX: Final = 4_096
ANSWER_BYTES_MAX: Final = 1 << 20
CONNECT_S: Final = 5.0
READ_S: Final = 20.0
RETRY_S_MAX: Final = 3_600.0
REFUSAL_BYTES_MAX: Final = 4_096
# The server lets go of an idle connection after one and a half minutes.
IDLE_S: Final = 60.0
# Answers that asking again will not change.
FINAL: Final = frozenset({400, 404, 405, 409, 413, 415, 422})
_ETAG: Final = re.compile(r'(?:W/)?"([0-9a-f-]{1,100})"')
_Answer = TypeVar("_Answer")
_CODE: Final = re.compile(r'"error": ?"([a-z-]{1,40})"')
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


def read_token(path: Path) -> str:
    """Return the token of a file that its owner alone can read; raises `BadInputError`, which never tells it."""
    text = read_private(path, TOKEN_BYTES_MAX).decode("ascii", "replace").strip()
    if not _TOKEN.fullmatch(text):
        raise BadInputError("token", "must be one line of printable ASCII", f"{len(text)} characters", str(path))
    return text


def tls_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Return how the server is recognised, and how it recognises the agent.

    Raises
    ------
    BadInputError
        If a file is missing or no such file, or a key can be read by others.
    """
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ssl.SSLError) as error:
        raise BadInputError("--ca", "must be certificates in PEM", str(error), str(ca)) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None and key is not None:
        read_private(key, 1 << 20)
        try:
            # A key that asks for a password would stop an agent at its start, for ever.
            context.load_cert_chain(certificate, key, password=lambda: b"")
        except (OSError, ssl.SSLError) as error:
            raise BadInputError("--tls-cert", "must be a certificate and its key, in PEM", str(error)) from None
    return context


class HttpLink:
    """`ServerLink` over HTTP.

    Parameters
    ----------
    server : str
        ``https://host:port``, or ``http://`` where the way there is private.
    token : str, optional
    tls : ssl.SSLContext, optional
    bytes_max : int
        Of an answer.
    transport : httpx.BaseTransport, optional
        What carries the requests; tests give an application here.

    Raises
    ------
    BadInputError
        If the address is none, or would carry a token over a network in the clear.
    """

    def __init__(
        self,
        server: str,
        *,
        token: str | None = None,
        tls: ssl.SSLContext | None = None,
        bytes_max: int = 64 << 20,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        try:
            url = httpx.URL(server)
        except (httpx.InvalidURL, TypeError, ValueError):
            url = httpx.URL("")
        if url.scheme not in ("http", "https") or not url.host or url.userinfo:
            raise BadInputError("--server", "must be an address such as https://centre:8443", "another text")
        if token is not None and url.scheme == "http" and url.host not in ("localhost", "127.0.0.1", "::1"):
            raise BadInputError("--server", "must be https where a token is shown to it", f"http://{url.host}")
        self._bytes_max = bytes_max
        self._stations_etag: str | None = None
        self._client = httpx.Client(
            base_url=url,
            headers={"Accept-Encoding": "gzip"} | ({} if token is None else {"Authorization": f"Bearer {token}"}),
            verify=tls if tls is not None else transport is None and url.scheme == "https",
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=IDLE_S),
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def fetch(self, scope: str, etag: str | None, base: str | None, wait_s: float) -> Fetched | Unchanged | Unavailable:
        """As in `ServerLink`."""
        query: dict[str, str] = {"wait_s": f"{wait_s:g}"}
        if base is not None:
            query["base"] = base
        headers = {} if etag is None else {"If-None-Match": f'"{etag}"'}
        path = f"/v1/bundles/{quote(scope, safe='')}"
        timeout = httpx.Timeout(READ_S + wait_s, connect=CONNECT_S)

        def answer(response: httpx.Response) -> Fetched | Unchanged | Unavailable:
            if response.status_code in (204, 304):
                return Unchanged()
            kind = response.headers.get("content-type", "").split(";")[0].strip()
            if response.status_code != 200 or kind not in (BUNDLE_TYPE, DELTA_TYPE):
                return self._refusal(response, f"content type {kind[:60]!r}")
            data = _body(response, self._bytes_max)
            if data is None:
                return Unavailable(f"the answer has more than {self._bytes_max:,} bytes")
            found = _ETAG.fullmatch(response.headers.get("etag", ""))
            return Fetched(data, "bundle" if kind == BUNDLE_TYPE else "delta", found[1] if found else "")

        return self._ask("GET", path, answer, params=query, headers=headers, timeout=timeout)

    def report(self, status: dict[str, Any]) -> Taken | Unavailable:
        """As in `ServerLink`."""
        return self._ask("POST", "/v1/status", self._taken, json=status)

    def telemetry(self, batch: dict[str, Any]) -> Taken | Unavailable:
        """As in `ServerLink`."""
        return self._ask("POST", "/v1/telemetry", self._taken, json=batch)

    def stations(self) -> Stations | Unchanged | Unavailable:
        """As in `ServerLink`."""
        headers = {} if self._stations_etag is None else {"If-None-Match": self._stations_etag}

        def answer(response: httpx.Response) -> Stations | Unchanged | Unavailable:
            if response.status_code == 304:
                return Unchanged()
            if response.status_code != 200:
                return self._refusal(response, "no list of stations")
            data = _body(response, ANSWER_BYTES_MAX)
            if data is None:
                return Unavailable(f"the answer has more than {ANSWER_BYTES_MAX:,} bytes")
            down = json.loads(data)["down"]
            if not isinstance(down, list) or not all(isinstance(name, str) for name in down):
                return Unavailable("stations: must be a list of names")
            self._stations_etag = response.headers.get("etag")
            return Stations(frozenset(down))

        return self._ask("GET", "/v1/stations", answer, headers=headers)

    def _taken(self, response: httpx.Response) -> Taken | Unavailable:
        if response.is_success:
            return Taken()
        if response.status_code in FINAL:
            return Taken(f"HTTP {response.status_code}")
        return self._refusal(response, "")

    def _refusal(self, response: httpx.Response, what: str) -> Unavailable:
        text = response.headers.get("retry-after", "")
        retry_s = min(float(text), RETRY_S_MAX) if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) else None
        # The server's own word for it, such as unauthenticated: the one thing that an operator can go by.
        code = _CODE.search((_body(response, REFUSAL_BYTES_MAX) or b"").decode("latin-1"))
        return Unavailable(f"HTTP {response.status_code} {code[1] if code else what}".strip(), retry_s)

    def _ask(
        self, method: str, path: str, answer: Callable[[httpx.Response], _Answer], **more: Any
    ) -> _Answer | Unavailable:
        """Ask and understand the answer; whatever goes wrong on the way is an answer too."""
        try:
            with self._client.stream(method, path, **more) as response:
                found = answer(response)
                # What is left unread would cost the connection, and the next request a handshake.
                if not response.is_stream_consumed:
                    _body(response, ANSWER_BYTES_MAX)
                return found
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # an address that it would send us on to may be none
            return Unavailable(f"{type(error).__name__}")
        except (ValueError, KeyError, TypeError, RecursionError, ssl.SSLError) as error:
            return Unavailable(f"the answer cannot be understood: {type(error).__name__}")


def _body(response: httpx.Response, bytes_max: int) -> bytes | None:
    """Read an answer, None if it is longer than allowed: what is beyond that is never held in memory.

    It is unfolded here: the library would unfold each piece whole, and one encoding inside the other, so that a few
    kilobytes could fill the memory.

    Raises
    ------
    ValueError
        If it is encoded in another way than asked for, or not whole.
    """
    if response.is_stream_consumed:  # a transport in memory gives answers whole
        return response.content if len(response.content) <= bytes_max else None
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise ValueError(f"content-encoding {encoding[:20]!r}")
    unfolding = zlib.decompressobj(16 + zlib.MAX_WBITS) if encoding == "gzip" else None
    parts, size = [], 0
    for raw in response.iter_raw(64 << 10):
        try:
            part = raw if unfolding is None else unfolding.decompress(raw, bytes_max - size + 1)
        except zlib.error as error:
            raise ValueError(str(error)) from None
        size += len(part)
        if size > bytes_max:
            return None
        parts.append(part)
    if unfolding is not None and not unfolding.eof:
        raise ValueError("cut off")
    return b"".join(parts)
