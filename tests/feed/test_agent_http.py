"""The link over HTTP: bounded, patient, and quiet about secrets."""

from __future__ import annotations

import json

import httpx
import pytest

from feed.agent.http_link import BUNDLE_TYPE, DELTA_TYPE, HttpLink, read_token
from feed.agent.link import Fetched, Stations, Taken, Unavailable, Unchanged
from router_core.errors import BadInputError

SECRET = "agent.aVerySecretToken"


def link(answer, **more) -> HttpLink:
    return HttpLink("https://centre:8443", transport=httpx.MockTransport(answer), **more)


def test_what_is_asked_and_how_answers_are_understood():
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.headers.get("if-none-match") == '"2-00ff"':
            return httpx.Response(304)
        kind = DELTA_TYPE if "base" in request.url.params else BUNDLE_TYPE
        return httpx.Response(200, content=b"data", headers={"Content-Type": kind, "ETag": '"2-00ff"'})

    one = link(answer, token=SECRET)
    assert one.fetch("a b/c", None, None, 0) == Fetched(b"data", "bundle", "2-00ff")
    assert one.fetch("a", "1-aa", "1-aa", 20) == Fetched(b"data", "delta", "2-00ff")
    assert one.fetch("a", "2-00ff", None, 0) == Unchanged()
    assert asked[0].url.raw_path == b"/v1/bundles/a%20b%2Fc?wait_s=0"
    assert dict(asked[1].url.params) == {"wait_s": "20", "base": "1-aa"}
    assert asked[1].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, content=b"x", headers={"Content-Type": "text/html"}),
        httpx.Response(200, content=b"x"),
        httpx.Response(500, content=b"boom"),
        httpx.Response(302, headers={"Location": "http://elsewhere/"}),
        httpx.Response(401),
        httpx.Response(404),
        httpx.Response(200, content=b"x" * 2_000, headers={"Content-Type": BUNDLE_TYPE}),
    ],
    ids=["html", "no-type", "500", "redirect", "401", "404", "too-long"],
)
def test_what_is_no_answer_is_none(response):
    found = link(lambda request: response, bytes_max=1_000).fetch("a", None, None, 0)
    assert isinstance(found, Unavailable)


def test_an_endless_answer_is_left_off():
    given = []

    class Endless(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                given.append(1)
                yield b"x" * 1_000

    answer = httpx.Response(200, stream=Endless(), headers={"Content-Type": BUNDLE_TYPE})
    found = link(lambda request: answer, bytes_max=100_000).fetch("a", None, None, 0)
    assert isinstance(found, Unavailable)
    assert len(given) < 300
    answer = httpx.Response(200, stream=Endless())
    assert isinstance(link(lambda request: answer).stations(), Unavailable)
    assert len(given) < 3_000


def test_a_connection_serves_one_question_after_another():
    """What is left unread of an answer would cost it."""
    closed = []

    class Body(httpx.SyncByteStream):
        left = True

        def __iter__(self):
            yield b"{}"
            self.left = False

        def close(self):
            closed.append(self.left)

    one = link(lambda request: httpx.Response(202, stream=Body()))
    assert isinstance(one.report({}), Taken)
    assert isinstance(one.telemetry({}), Taken)
    assert closed == [False, False]


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
def test_what_a_network_does_is_no_exception(error):
    def answer(request: httpx.Request) -> httpx.Response:
        raise error(f"while speaking {SECRET}")

    one = link(answer, token=SECRET)
    for found in (one.fetch("a", None, None, 0), one.report({}), one.telemetry({}), one.stations()):
        assert isinstance(found, Unavailable)
        assert SECRET not in found.reason


@pytest.mark.parametrize(
    ("status", "header", "retry_s"),
    [(503, "7", 7.0), (429, "100000", 3_600.0), (503, "tomorrow", None), (503, None, None)],
)
def test_the_server_may_ask_for_patience(status, header, retry_s):
    headers = {} if header is None else {"Retry-After": header}
    found = link(lambda request: httpx.Response(status, headers=headers)).fetch("a", None, None, 0)
    assert isinstance(found, Unavailable)
    assert found.retry_s == retry_s


def test_reports_are_taken_or_told_again_or_never_will_be():
    told = []

    def answer(request: httpx.Request) -> httpx.Response:
        told.append(json.loads(request.content))
        return httpx.Response({"a": 200, "b": 422, "c": 503}[told[-1]["scope"]])

    one = link(answer)
    assert one.report({"scope": "a"}) == Taken()
    assert isinstance(one.report({"scope": "b"}), Taken)
    assert one.report({"scope": "b"}).refused == "HTTP 422"
    assert isinstance(one.report({"scope": "c"}), Unavailable)


def test_stations_are_asked_for_by_etag():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers.get("if-none-match") == '"s1"':
            return httpx.Response(304)
        return httpx.Response(200, json={"down": ["a>b"]}, headers={"ETag": '"s1"'})

    one = link(answer)
    assert one.stations() == Stations(frozenset({"a>b"}))
    assert one.stations() == Unchanged()
    for odd in (b"[]", b'{"down": 3}', b'{"down": [1]}', b"\xff"):
        assert isinstance(link(lambda request, odd=odd: httpx.Response(200, content=odd)).stations(), Unavailable)


@pytest.mark.parametrize("server", ["centre", "ftp://centre", "http://", "https://user:pw@centre", ""])
def test_addresses_that_are_none(server):
    with pytest.raises(BadInputError) as refused:
        HttpLink(server)
    assert "pw" not in str(refused.value)


def test_a_token_is_never_shown_in_the_clear_nor_read_from_an_open_file(tmp_path):
    with pytest.raises(BadInputError, match="https"):
        HttpLink("http://centre.example", token=SECRET)
    HttpLink("http://127.0.0.1:8000", token=SECRET).close()
    path = tmp_path / "token"
    path.write_text(SECRET + "\n")
    path.chmod(0o644)
    with pytest.raises(BadInputError) as refused:
        read_token(path)
    assert SECRET not in str(refused.value)
    path.chmod(0o600)
    assert read_token(path) == SECRET
    path.write_text("two words")
    with pytest.raises(BadInputError) as refused:
        read_token(path)
    assert "two words" not in str(refused.value)
