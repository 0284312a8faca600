"""What somebody tries who may write into a folder, answers in the server's place, or listens to what is said."""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
import tracemalloc
import zlib

import httpx
import pytest
from feed_agent import NOW_NS, FakeServer, agent, bundle, rounds
from feed_server import packed, serving
from feed_tasks import document, given_task, task_desk
from learnt_toy import toy

from exchange_router import console
from feed.agent.http_link import BUNDLE_TYPE, HttpLink
from feed.agent.link import Fetched, Unavailable
from feed.agent.nifi_handoff import NifiHandoff
from feed.agent.spool import Spool
from feed.agent.state import AgentState
from feed.clock import SetClock
from feed.durable import write_durably
from feed.server.running import bound
from feed.signing.sm2 import Sm2Signer, Sm2Verifier, new_pair
from router_core.errors import BadInputError


def streamed(data: bytes, **headers: str) -> httpx.Response:
    class Pieces(httpx.SyncByteStream):
        def __iter__(self):
            yield from (data[place : place + 4_096] for place in range(0, len(data), 4_096))

    return httpx.Response(200, stream=Pieces(), headers={"Content-Type": BUNDLE_TYPE, "ETag": '"1-aa"'} | headers)


def fetched(answer: httpx.Response, **more) -> object:
    link = HttpLink("https://centre:8443", transport=httpx.MockTransport(lambda _: answer), **more)
    return link.fetch("a", None, None, 0)


# --- answers in the server's place


def test_a_compressed_answer_is_unfolded_and_one_cut_off_is_none() -> None:
    data = os.urandom(20_000)
    whole = gzip.compress(data)
    assert fetched(streamed(whole, **{"Content-Encoding": "gzip"})) == Fetched(data, "bundle", "1-aa")
    assert isinstance(fetched(streamed(whole[:-9], **{"Content-Encoding": "gzip"})), Unavailable)


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "deflate", "br", "zstd"])
def test_what_unfolds_to_gigabytes_fills_no_memory(encoding: str) -> None:
    bomb = bytes(64 << 20)
    for name in encoding.split(", "):
        bomb = gzip.compress(bomb) if name == "gzip" else zlib.compress(bomb)
    tracemalloc.start()
    found = fetched(streamed(bomb, **{"Content-Encoding": encoding}), bytes_max=1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(found, Unavailable)
    assert peak < 8 << 20


def test_an_answer_that_nests_without_end_is_none() -> None:
    deep = httpx.Response(200, content=b'{"down":' + b"[" * 200_000)
    link = HttpLink("https://centre:8443", transport=httpx.MockTransport(lambda _: deep))
    assert isinstance(link.stations(), Unavailable)


def test_a_refusal_is_told_by_the_servers_word_and_by_nothing_else_that_it_says() -> None:
    answer = httpx.Response(401, json={"error": "unauthenticated", "detail": "\x1b[31m agent.secret"})
    assert fetched(answer) == Unavailable("HTTP 401 unauthenticated")
    assert fetched(httpx.Response(401, json={"error": "\x1b[31m"})) == Unavailable(
        "HTTP 401 content type 'application/json'"
    )


# --- folders that others write into


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "socket"])
def test_no_outcome_holds_up_the_agent(tmp_path, kind: str) -> None:
    handoff = NifiHandoff(tmp_path, toy().network)
    for _ in range(2):  # the second finds the name taken in `strange/`
        path = tmp_path / "outcome" / "t.0.json"
        match kind:
            case "pipe":
                os.mkfifo(path)
            case "folder":
                path.mkdir()
                (path / "x").touch()
            case "link":
                path.symlink_to("/dev/zero")
            case _:
                with socket.socket(socket.AF_UNIX) as line:
                    folder = os.open(path.parent, os.O_RDONLY)
                    try:  # a socket's path has a short limit
                        line.bind(f"/proc/self/fd/{folder}/{path.name}")
                    finally:
                        os.close(folder)
        assert handoff.outcomes() == []
        assert not os.path.lexists(path)
    assert handoff.strange == 2


def test_a_payload_that_is_exchanged_while_it_is_taken_is_refused(tmp_path, monkeypatch) -> None:
    """Between the look at a payload and its rename somebody puts a link to a secret in its place."""
    secret = tmp_path / "secret"
    secret.write_text("a key")
    spool = Spool(tmp_path / "tasks")
    payload = tmp_path / "tasks" / "in" / "t.bin"
    payload.write_text("payload")
    plain = os.replace

    def exchanged(source, target):
        payload.unlink()
        payload.symlink_to(secret)
        plain(source, target)

    monkeypatch.setattr(os, "replace", exchanged)
    with pytest.raises(BadInputError, match="must stay the same file"):
        spool.hold("t", "t.bin")
    assert not os.path.lexists(spool.payload("t"))
    assert secret.read_text() == "a key"


def test_payloads_that_were_accepted_are_the_agents_alone(tmp_path) -> None:
    Spool(tmp_path / "tasks")
    assert (tmp_path / "tasks" / "held").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["../../out", "a/b", ".hidden", "", "x" * 200, "a\x00b", "a\nb", "..", "/etc/passwd"])
def test_no_name_in_a_task_leads_out_of_its_folder(tmp_path, name: str) -> None:
    server, at = FakeServer(), SetClock(NOW_NS)
    server.publish(bundle(1))
    handoff = NifiHandoff(tmp_path / "nifi", toy().network)
    one = agent(tmp_path, server, at, desk=task_desk(tmp_path, handoff))
    rounds(one, at, 1)
    given_task(tmp_path, "good")
    before = sorted(tmp_path.parent.iterdir())
    for field in ("id", "payload"):
        text = json.dumps(document("bad") | {field: name})
        (tmp_path / "tasks" / "in" / f"bad-{field}.json").write_text(text)
    rounds(one, at, 1)
    assert len(list((tmp_path / "tasks" / "refused").glob("*.reason.json"))) == 2
    assert [path.name for path in (tmp_path / "nifi" / "in").glob("*.json")] == ["good.0.json"]
    assert sorted(tmp_path.parent.iterdir()) == before


# --- files of our own


def test_the_servers_state_is_its_owners_alone_whatever_the_umask(tmp_path) -> None:
    before = os.umask(0)
    try:
        with serving(tmp_path / "state") as service:
            service.publish_bytes(packed(1))
    finally:
        os.umask(before)
    found = [tmp_path / "state", *(tmp_path / "state").rglob("*")]
    assert len(found) > 3
    assert [path for path in found if path.stat().st_mode & 0o077] == []


def test_server_and_agent_leave_each_others_bundles_alone(tmp_path) -> None:
    """Each removes from its folder what it does not know: a mistyped `--state` must not cost the other its policies."""
    with serving(tmp_path / "server") as service:
        service.publish_bytes(packed(1))
    AgentState(tmp_path / "agent").accept(1, "1-00", b"x", NOW_NS, {})
    held = sorted(tmp_path.rglob("*.bundle"))
    assert len(held) == 2
    with pytest.raises(BadInputError, match="not of an agent"):
        AgentState(tmp_path / "server")
    with pytest.raises(BadInputError, match="not of a server"), serving(tmp_path / "agent"):
        pass
    assert sorted(tmp_path.rglob("*.bundle")) == held


@pytest.mark.parametrize("place", ["pipe", "folder", "."])
def test_a_file_never_takes_the_place_of_what_is_none(tmp_path, place: str) -> None:
    """A rename onto a device would leave a file where the machine's device was."""
    path = tmp_path / place
    if place == "pipe":
        os.mkfifo(path)
    elif place == "folder":
        path.mkdir()
    before = path.stat().st_mode
    with pytest.raises(OSError) as told:  # noqa: PT011 - the kind differs, the file is named
        write_durably(path, b"x")
    assert told.value.filename == str(path)
    assert path.stat().st_mode == before
    assert not list(tmp_path.glob(".*"))


def test_an_address_that_is_taken_is_told(tmp_path) -> None:
    with bound("127.0.0.1", 0) as line, pytest.raises(BadInputError, match="must be a free address"):
        bound("127.0.0.1", line.getsockname()[1])


# --- what is said


def test_text_of_others_steers_neither_tables_nor_the_terminal(capsys) -> None:
    console.emit({}, False, console.facts("[/x] of [red]", [("name", "[/nope] \x1b[2J\x9b31m :smile:\nnext")]))
    shown = capsys.readouterr().out
    assert "[/nope]" in shown
    assert ":smile:" in shown
    assert "\x1b[2J" not in shown
    assert "\x9b" not in shown


def test_a_bad_signature_leaves_stderr_as_it_was() -> None:
    told = (
        "from feed.signing.sm2 import *; pair = new_pair(); sign = Sm2Signer(*pair).sign(b'x'); "
        "import sys; print(Sm2Verifier(pair[1]).verifies(b'y', sign)); sys.stderr.write('after')"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "after")


def test_without_stderr_signatures_are_verified_all_the_same() -> None:
    private, public = new_pair()
    signature = Sm2Signer(private, public).sign(b"x")
    kept = os.dup(2)
    os.close(2)
    try:
        found = [Sm2Verifier(public).verifies(message, signature) for message in (b"x", b"y")]
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert found == [True, False]
