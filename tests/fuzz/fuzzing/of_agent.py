"""Targets: what reaches a front-end's agent, and recordings of a live run."""

from __future__ import annotations

import json
import ssl
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

import httpcore
import httpx
import numpy as np

from feed.agent.alarms import ALARMS_FILE, read_alarms
from feed.agent.http_link import BUNDLE_TYPE, DELTA_TYPE, HttpLink
from feed.agent.link import Fetched, Stations, Taken, Unavailable, Unchanged
from feed.agent.nifi_handoff import TOLD, NifiHandoff
from feed.agent.spool import IN, REFUSED, Spool
from feed.agent.tasks import TaskReader
from fuzzing.mutating import scratched
from fuzzing.of_scenarios import toy
from fuzzing.target import Target, as_file, hold, own_folder
from fuzzing.texts import changed_lines
from fuzzing.trees import changed_json
from router_core.catalogue import SharingRule
from router_core.errors import BadInputError

_LIMIT: Final = 4 << 20


@cache
def _transport() -> httpx.HTTPTransport:
    return httpx.HTTPTransport(verify=_context())


def _link(data: bytes) -> HttpLink:
    """A link over the real HTTP client, whose network brings these bytes and then ends."""
    transport = _transport()
    pieces = [data[:300], data[300:]] if data else []
    transport._pool = httpcore.ConnectionPool(network_backend=httpcore.MockBackend(pieces), ssl_context=_context())
    return HttpLink("http://centre", bytes_max=_LIMIT, transport=transport)


@cache
def _context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _server_answer(data: bytes) -> object:
    taken: object = None
    for ask, wanted in (
        (lambda link: link.fetch("a", None, None, 0.0), (Fetched, Unchanged, Unavailable)),
        (lambda link: link.stations(), (Stations, Unchanged, Unavailable)),
        (lambda link: link.report({"a": 1}), (Taken, Unavailable)),
    ):
        link = _link(data)
        try:
            found = ask(link)
        finally:
            link.close()
        hold("every answer is one of the link's", isinstance(found, wanted), found)
        if isinstance(found, Fetched):
            hold("no answer is longer than allowed", len(found.data) <= _LIMIT, len(found.data))
        if isinstance(found, Unavailable):
            hold("a reason is one line", len(found.reason.splitlines()) <= 1, found.reason)
            hold("nobody is sent away for ever", found.retry_s is None or 0 <= found.retry_s <= 3_600, found)
        else:
            taken = found
    return taken


def _answers() -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n"
    body, bomb = b"PK\x03\x04" * 50, zlib.compress(bytes(64 << 20), 9, 31)
    stations = b'{"down":["a.router","b"]}'
    zipped = zlib.compress(body, 6, 31)
    return [
        head % BUNDLE_TYPE.encode() + b'ETag: "2-00ff"\r\nContent-Length: %d\r\n\r\n%b' % (len(body), body),
        head % DELTA_TYPE.encode()
        + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;a=b\r\nxyz\r\n0\r\nA: b\r\n\r\n",
        head % BUNDLE_TYPE.encode() + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(zipped), zipped),
        head % BUNDLE_TYPE.encode() + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(bomb), bomb),
        head % b"application/json" + b'ETag: "1"\r\nContent-Length: %d\r\n\r\n%b' % (len(stations), stations),
        b'HTTP/1.1 304 Not Modified\r\nETag: "2-00ff"\r\n\r\n',
        b'HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2.5\r\nContent-Length: 20\r\n\r\n{"error": "too-often"',
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.0 503 x\r\nConnection: close\r\n\r\nabc",
        b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n",
    ]


def _changed_answer(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    head, gap, body = data.partition(b"\r\n\r\n")
    if not gap or random.random() < 0.25:
        return scratched(data, random, others)
    if random.random() < 0.4:
        body = changed_json(body, random, ()) if body[:1] == b"{" else scratched(body, random)
        if random.random() < 0.8:
            lines = head.split(b"\r\n")
            head = b"\r\n".join(
                b"Content-Length: %d" % len(body) if one.startswith(b"Content-Length") else one for one in lines
            )
        return head + gap + body
    return changed_lines(head, random, [one.partition(b"\r\n\r\n")[0] for one in others[:20]]) + gap + body


@cache
def _reader() -> TaskReader:
    network = toy().network
    return TaskReader(network, toy().catalogue, int(network.endpoints[0]))


@cache
def _spool() -> tuple[Spool, Path]:
    folder = own_folder() / "tasks"
    return Spool(folder), folder


def _task(data: bytes) -> object:
    """The name of a file in ``in/``, a line end, and what it holds."""
    name, _, text = data.partition(b"\n")
    name = name.replace(b"/", b"").replace(b"\0", b"")[:80]
    spool, folder = _spool()
    try:
        (folder / IN / (name.decode("utf-8", "surrogateescape") + ".json")).write_bytes(text)
    except OSError:
        return None
    taken = None
    try:
        for given in spool.given(10, 0):
            try:
                task = _reader().read(given.data)
            except BadInputError as refusal:
                spool.refuse(given.path, None, refusal, 0)
                continue
            hold("a task is known again", _reader().known(given.data) == task)
            rows = task.as_exchange(0, 0, 1)
            hold("it is one exchange", len(rows) == 1)
            spool.done(given)
            taken = task
        hold(
            "nothing is left lying",
            not any(path.name.endswith(".json") and path.name[0] not in ".!" for path in (folder / IN).iterdir()),
        )
    finally:
        for place in (IN, REFUSED):
            for path in (folder / place).iterdir():
                path.unlink()
    return taken


def _task_seeds() -> list[bytes]:
    platform = toy()
    network, catalogue = platform.network, platform.catalogue
    source = np.full(len(network.endpoints), network.endpoints[0], dtype=np.int32)
    for resource in range(catalogue.resource_count):
        verdict = catalogue.verdict(
            network, source, network.endpoints.astype(np.int32), np.full(len(source), resource, dtype=np.int32)
        )
        if (verdict == SharingRule.PERMITTED).any():
            break
    target = network.node_name[int(network.endpoints[int((verdict == SharingRule.PERMITTED).argmax())])]
    about = {
        "id": "t1",
        "target": target,
        "resource": catalogue.resource_name[resource],
        "mode": "front_end",
        "kind": "exchange",
    }
    about |= {"priority": 3, "payload": "t1.bin"}
    return [b"t1\n" + json.dumps(about | more).encode() for more in ({}, {"deadline": "2026-03-17T10:00:00+08:00"})]


def _changed_named(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    name, _, text = data.partition(b"\n")
    if random.random() < 0.1:
        name = scratched(name, random).replace(b"\n", b"")
    return name + b"\n" + changed_json(text, random, [one.partition(b"\n")[2] for one in others[:8]])


@cache
def _handoff() -> tuple[NifiHandoff, Path]:
    folder = own_folder() / "nifi"
    return NifiHandoff(folder, toy().network), folder


def _outcome(data: bytes) -> object:
    """The name of a file in ``outcome/``, a line end, and what it holds."""
    name, _, text = data.partition(b"\n")
    name = name.replace(b"/", b"").replace(b"\0", b"")[:80]
    handoff, folder = _handoff()
    try:
        (folder / TOLD / (name.decode("utf-8", "surrogateescape") + ".json")).write_bytes(text)
    except OSError:
        return None
    try:
        found = handoff.outcomes()
        handoff.forget(found)
        left = [path for path in (folder / TOLD).iterdir() if path.name[0] not in ".!"]
        hold(
            "what is no outcome lies in strange/",
            (not left and (handoff.strange == 0) == bool(found)) or name[:1] in b".!",
            left,
        )
        return found[0] if found else None
    finally:
        for place in (TOLD, "strange"):
            for path in (folder / place).iterdir():
                path.unlink()


def _outcome_seeds() -> list[bytes]:
    about = {"task": "t1", "attempt": 0, "result": "failed", "station": toy().network.station_name[0], "detail": "x"}
    return [
        b"t1.0\n" + json.dumps(one).encode() for one in (about, {"task": "t1", "attempt": 0, "result": "delivered"})
    ]


def _alarms(data: bytes) -> object:
    as_file(data, ALARMS_FILE)
    found = read_alarms(own_folder())
    for alarm in found:
        hold(
            "an alarm is shown by its words",
            all(isinstance(alarm[name], str) for name in ("alarm", "detail", "next", "next_zh")),
            alarm,
        )
        hold("it is grave or not", isinstance(alarm["grave"], bool), alarm)
    return found


def _alarms_seeds() -> list[bytes]:
    alarm = {
        "alarm": "pinned",
        "grave": False,
        "since": "2026-03-17T02:00:00+00:00",
        "detail": "x",
        "next": "y",
        "next_zh": "z",
    }
    return [json.dumps([alarm, alarm | {"grave": True}]).encode(), b"[]"]


TARGETS = (
    Target(
        "server-answer",
        "a server's answer, `feed.agent.http_link.HttpLink` over the real HTTP client",
        _server_answer,
        _answers,
        _changed_answer,
        (),
        1.5,
        80 << 10,
    ),
    Target(
        "task",
        "a task in a spool folder, `feed.agent.spool` and `feed.agent.tasks`",
        _task,
        _task_seeds,
        _changed_named,
        cost=0.4,
    ),
    Target(
        "outcome",
        "an outcome that NiFi tells, `feed.agent.nifi_handoff`",
        _outcome,
        _outcome_seeds,
        _changed_named,
        (),
        0.3,
    ),
    Target(
        "alarms",
        "the alarms of an agent, `feed.agent.alarms.read_alarms`",
        _alarms,
        _alarms_seeds,
        changed_json,
        cost=0.1,
    ),
)
