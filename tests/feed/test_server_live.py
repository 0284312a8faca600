"""A real server on a real socket: garbage, slow clients, certificates, and what its log tells."""

from __future__ import annotations

import io
import logging
import random
import socket
import ssl
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from feed_server import QUICK, live, made, packed, scopes, serving
from waiting import wait_until

from feed.bundle.manifest import etag_of
from feed.server.auth import CertificateAuthority, Role, TokenAuthority, add_token, read_tokens
from feed.server.logs import JsonLines, redacted
from feed.server.running import Tls, address_of, is_loopback, tls_context
from router_core.errors import BadInputError

FIRST, SECOND = scopes()[:2]


def ask(port: int, data: bytes, wait_s: float = 5.0) -> bytes:
    """Send bytes and return what comes back until the server closes, or says no more."""
    with socket.create_connection(("127.0.0.1", port), wait_s) as line:
        parts = []
        try:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            while part := line.recv(65_536):
                parts.append(part)
        except (ConnectionError, TimeoutError):
            pass
        return b"".join(parts)


def garbage(drawn: random.Random) -> bytes:
    """Requests that are nearly right, and bytes that are nothing."""
    good = f'GET /v1/bundles/{FIRST} HTTP/1.1\r\nHost: x\r\nIf-None-Match: "1"\r\n\r\n'.encode()
    post = b"POST /v1/telemetry HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{}"
    chunked = b"POST /v1/status HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n0\r\n\r\n"
    odd = [
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%ff%00/\xe4 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/bundles/%f0%28 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/rollout?\xff=1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /v1/bundles HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /v1/bundles HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /metrics HTTP/1.0\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ]
    data = bytearray(drawn.choice([good, post, chunked, *odd, good + post + good]))
    for _ in range(drawn.choice((0, 0, 1, 3, 10))):
        place = drawn.randrange(len(data))
        match drawn.randrange(3):
            case 0:
                data[place] = drawn.randrange(256)
            case 1:
                del data[place : place + drawn.randrange(1, 9)]
                data = data or bytearray(b"\0")
            case _:
                data[place:place] = drawn.randbytes(drawn.randrange(1, 9))
    return bytes(data)


def test_garbage_is_answered_in_one_form_and_harms_nothing(tmp_path: Path) -> None:
    setting = replace(QUICK, header_s=2.0, body_s=2.0, stranger_rate=1e5, stranger_burst=1e5)
    with serving(tmp_path, setting=setting) as service, live(service) as port:
        service.publish(made(1), at_once=True)
        before = service.state
        for seed in range(400):
            answer = ask(port, garbage(random.Random(seed)))
            for line in answer.split(b"\r\n"):
                assert not line.startswith(b"HTTP/1.1 5"), (seed, answer)
            assert not answer or answer.startswith(b"HTTP/1.1 "), (seed, answer)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            assert client.get("/healthz").json() == {"status": "ok"}
            assert client.get("/readyz").json()["epoch"] == 1
        assert service.state.epoch == before.epoch


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nlong: " + b"x" * 17_000, b"431"),
        (b"GET /" + b"x" * 17_000, b"431"),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: %s\r\n" % (n, b"x" * 600) for n in range(40)) + b"\r\n", b"431"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
    ids=["many", "long", "url-open", "url", "sum", "nonsense"],
)
def test_heads_beyond_their_bounds_are_refused(tmp_path: Path, data: bytes, code: bytes) -> None:
    with serving(tmp_path) as service, live(service) as port:
        answer = ask(port, data)
        assert answer.startswith(b"HTTP/1.1 " + code), answer
        assert b'"next": ' in answer


def test_who_dawdles_is_sent_away(tmp_path: Path) -> None:
    setting = replace(QUICK, header_s=0.2, body_s=0.2)
    head = b"POST /v1/status HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"
    with serving(tmp_path, setting=setting) as service, live(service) as port:
        for sent in (b"", b"GET / HT", head + b"{"):
            with socket.create_connection(("127.0.0.1", port), 5) as line:
                line.sendall(sent)
                answer = b"".join(iter(lambda line=line: line.recv(65_536), b""))
            assert answer.startswith(b"HTTP/1.1 408"), (sent, answer)


def test_connections_beyond_the_bound_are_dropped_and_others_served(tmp_path: Path) -> None:
    with serving(tmp_path, setting=replace(QUICK, connections_max=5)) as service, live(service) as port:
        # They are taken in the order in which they come.
        held = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(5)]
        assert ask(port, b"GET /healthz HTTP/1.1\r\n\r\n") == b""
        held.pop().close()
        wait_until(lambda: ask(port, b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n") != b"")
        assert ask(port, b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200")
        for line in held:
            line.close()


def test_a_long_poll_over_the_wire_wakes_and_who_hung_up_was_given_nothing(tmp_path: Path) -> None:
    with serving(tmp_path) as service, live(service) as port:
        service.publish(made(1), at_once=True)
        have = {"if-none-match": f'"{etag_of(made(1))}"'}
        got: list[httpx.Response] = []

        def wait() -> None:
            url = f"http://127.0.0.1:{port}/v1/bundles/{FIRST}?wait_s=30"
            got.append(httpx.get(url, headers=have, timeout=60))

        gone = socket.create_connection(("127.0.0.1", port), 5)
        head = f'GET /v1/bundles/{SECOND}?wait_s=30 HTTP/1.1\r\nIf-None-Match: "{etag_of(made(1))}"\r\n\r\n'
        gone.sendall(head.encode())
        waiting = threading.Thread(target=wait)
        waiting.start()
        while service.metrics.waiters._value.get() < 2:
            time.sleep(0.01)
        gone.close()
        time.sleep(0.5)
        service.publish(made(2, 1), at_once=True)
        waiting.join(60)
        assert got[0].headers["etag"] == f'"{etag_of(made(2, 1))}"'
        assert service.state.given == {FIRST}


def test_tokens_are_believed_and_never_logged(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    mine = add_token(file, "front-1", Role.AGENT, FIRST)
    admin = add_token(file, "boss", Role.ADMIN, None)
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(JsonLines())
    loggers = [logging.getLogger(name) for name in ("exchange_router", "uvicorn")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    try:
        with (
            serving(tmp_path / "state") as service,
            live(service, TokenAuthority(read_tokens(file))) as port,
            httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
        ):
            service.publish(made(1), at_once=True)
            codes = []
            wrong = mine[:-1] + ("A" if mine[-1] != "A" else "B")
            for path, token in (
                (f"/v1/bundles/{FIRST}", mine),
                (f"/v1/bundles/{SECOND}", mine),
                (f"/v1/bundles/{FIRST}", wrong),
                (f"/v1/bundles/{FIRST}", "nobody." + mine.split(".")[1]),
                ("/v1/rollout", admin),
                (f"/v1/rollout?token={admin}", admin),
                (f"/nowhere/{admin}", admin),
            ):
                codes.append(client.get(path, headers={"authorization": f"Bearer {token}"}).status_code)
            assert codes == [200, 403, 401, 401, 200, 200, 404]
            odd = client.post("/v1/status", content=f'{{"scope": "{mine}"', headers={"authorization": f"Bearer {mine}"})
            assert odd.status_code == 415
            ask(port, b"GARBAGE " + mine.encode() + b"\r\n\r\n")
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET)
    lines = log.getvalue()
    assert "token:front-1" in lines
    assert f'"path": "/v1/bundles/{FIRST}"' in lines
    for token in (mine, admin):
        assert token.split(".")[1] not in lines
        assert token.split(".")[1] not in file.read_text()


def test_what_looks_like_a_token_is_struck_out() -> None:
    secret = "x" * 43
    assert redacted(f"a boss.{secret} b") == "a boss.<redacted> b"
    assert redacted(f"Authorization: Bearer {secret[:9]}") == "Authorization: Bearer <redacted>"
    assert redacted("province-a.bundle 1-0123456789abcdef") == "province-a.bundle 1-0123456789abcdef"


@pytest.mark.parametrize("harm", ["open", "link", "json", "twice", "scopeless", "scoped"])
def test_token_files_that_cannot_be_trusted_are_refused_and_not_told(tmp_path: Path, harm: str) -> None:
    file = tmp_path / "tokens.json"
    secret = add_token(file, "front-1", Role.AGENT, FIRST).split(".")[1]
    text = file.read_text()
    match harm:
        case "open":
            file.chmod(0o640)
        case "link":
            file.rename(tmp_path / "there.json")
            file.symlink_to(tmp_path / "there.json")
        case "json":
            file.write_text(text[:-5])
        case "twice":
            with pytest.raises(BadInputError, match="must be unique"):
                add_token(file, "front-1", Role.AGENT, SECOND)
            assert file.read_text() == text
            return
        case "scopeless":
            file.write_text(text.replace(f'"{FIRST}"', "null"))
        case "scoped":
            file.write_text(text.replace('"agent"', '"reader"'))
    with pytest.raises(BadInputError) as found:
        TokenAuthority(read_tokens(file))
    assert secret not in str(found.value)
    assert "sha256" not in str(found.value)


class Ca:
    """An authority of certificates, for one test."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._made(self.name, self.key, True).public_bytes(serialization.Encoding.PEM))

    def issue(self, common_name: str, unit: str | None = None) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        if unit is not None:
            parts.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
        certificate = self._made(x509.Name(parts), key, False)
        files = self.folder / f"{common_name}-{unit}.crt", self.folder / f"{common_name}-{unit}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].touch(0o600)
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    def _made(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, ca: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .sign(self.key, hashes.SHA256())
        )


def test_certificates_say_who_asks_and_strangers_do_not_get_in(tmp_path: Path) -> None:
    ours, theirs = Ca(tmp_path, "ours"), Ca(tmp_path, "theirs")
    tls = Tls(*ours.issue("server"), ours.file)

    def code(files: tuple[Path, Path] | None, path: str, port: int) -> int:
        context = ssl.create_default_context(cafile=str(ours.file))
        if files is not None:
            context.load_cert_chain(*files)
        with httpx.Client(verify=context) as client:
            return client.get(f"https://127.0.0.1:{port}{path}").status_code

    with serving(tmp_path / "state") as service, live(service, CertificateAuthority(), tls) as port:
        service.publish(made(1), at_once=True)
        assert code(ours.issue(FIRST), f"/v1/bundles/{FIRST}", port) == 200
        assert code(ours.issue(FIRST), f"/v1/bundles/{SECOND}", port) == 403
        assert code(ours.issue("watcher", "reader"), f"/v1/bundles/{SECOND}", port) == 200
        assert code(ours.issue("watcher", "reader"), "/v1/rollout", port) == 200
        assert code(ours.issue("odd", "emperor"), "/v1/rollout", port) == 401
        for stranger in (None, theirs.issue(FIRST)):
            with pytest.raises(httpx.TransportError):
                code(stranger, f"/v1/bundles/{FIRST}", port)
        assert service.state.given == {FIRST}


def test_tls_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    ca = Ca(tmp_path, "ours")
    (certificate, _), (_, other) = ca.issue("a"), ca.issue("b")
    with pytest.raises(BadInputError, match="must be PEM files that fit"):
        tls_context(Tls(certificate, other))
    other.chmod(0o644)
    with pytest.raises(BadInputError, match="chmod 600"):
        tls_context(Tls(certificate, other))


@pytest.mark.parametrize("text", ["", "x", ":80", "host:", "host:99999", "host:-1", "host:８０"])
def test_addresses_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="must be host:port"):
        address_of(text)


def test_addresses() -> None:
    assert address_of("127.0.0.1:8443") == ("127.0.0.1", 8443)
    assert address_of("[::1]:0") == ("::1", 0)
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "0.0.0.0", "localhost", "10.0.0.1")] == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_a_published_epoch_is_served_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as service, live(service) as port:
        url = f"http://127.0.0.1:{port}/v1/bundles"
        headers = {"content-type": "application/vnd.exchange-router.bundle"}
        assert httpx.post(url, content=packed(1), headers=headers, params={"at_once": True}).status_code == 201
        assert httpx.get(f"{url}/{FIRST}").status_code == 200
