"""Targets: what reaches the server, by document and by the wire."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from feed.live.windows import TelemetryWindows
from feed.refusals import RefusedBundleError
from feed.server.errors import ApiError, invalid
from feed.server.figures import SERVED_BYTES, STATIONS, UP, UTILISATION, WAITING, WINDOW, WINDOW_END
from feed.server.reports import Names, RawStations, RollbackRequest, StatusReport, TelemetryBatch, raw_of
from feed.server.telemetry_parse import quick, stations_of, thorough
from fuzzing.http_world import NOW_NS, SCOPES, application, etag, network, wire
from fuzzing.mutating import scratched
from fuzzing.target import Target, hold
from fuzzing.texts import changed_lines
from fuzzing.trees import changed_json
from router_core.errors import BadInputError

_ModelT = TypeVar("_ModelT", bound=BaseModel)
_ANSWER = (ApiError,)


@cache
def _names() -> Names:
    return Names(network())


def _taken_in(raw: RawStations, batch: TelemetryBatch | None) -> object:
    """What the server does with a report: names are looked up, and the centre's windows take what is left."""
    accepted = None if batch is None else batch.accepted
    rows = len(raw.names) + (0 if accepted is None else len(accepted.tasks))
    for scope in (None, SCOPES[0]):
        usable = _names().usable(raw, accepted, scope)
        told = usable.used + usable.unknown + usable.foreign + usable.repeated
        hold("every row is used, unknown, foreign or repeated", told == rows, usable, rows)
        windows = TelemetryWindows(network(), NOW_NS - 600 * 10**9)
        if usable.stations is not None:
            windows.stations(usable.stations)
        if usable.accepted is not None:
            windows.accepted(usable.accepted)
        windows.close(900 * 10**9)
    return raw


def _read(model: type[_ModelT], data: bytes) -> _ModelT:
    """Read a body as the application does: what breaks a rule becomes an answer, which is one line of UTF-8."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        answer = invalid(error)
    json.dumps(answer.document(), ensure_ascii=False).encode()
    raise answer


def _telemetry(data: bytes) -> object:
    batch = _read(TelemetryBatch, data)
    hold("a batch is written as it was read", TelemetryBatch.model_validate_json(batch.model_dump_json()) == batch)
    return _taken_in(raw_of(batch), batch)


def _telemetry_seeds() -> list[bytes]:
    names = network().station_name
    rows = [{"name": name, "utilisation": 0.25, "waiting": 3, "served_bytes": 1_000, "up": True} for name in names[:4]]
    tasks = [
        {"target": target, "mode": 1, "kind": 1, "priority": 3, "exchanges": 2, "payload_bytes": 100}
        for target in SCOPES
    ]
    begin = {"observed": "2026-04-29T16:04:00Z", "window_s": 60.0}
    return [
        json.dumps(begin | {"stations": rows, "accepted": {"source": SCOPES[0], "tasks": tasks}}).encode(),
        json.dumps(begin | {"stations": rows[:1] * 2}).encode(),
        json.dumps(begin | {"window_s": 0, "accepted": {"source": SCOPES[1], "tasks": []}}).encode(),
    ]


def _openmetrics(data: bytes) -> object:
    raw = stations_of(data, 1_000)
    text = data.decode()
    by_hand = quick(text)
    if by_hand is not None:
        try:
            library: object = thorough(text)
        except BadInputError as refusal:
            library = refusal
        hold("the quick way reads what the library reads", by_hand == library, by_hand, library)
    return _taken_in(raw, None)


def _openmetrics_seeds() -> list[bytes]:
    def family(name: str, values: dict[str, str]) -> str:
        rows = "".join(f"{name}{label} {value}\n" for label, value in values.items())
        return f"# HELP {name} What it is.\n# TYPE {name} gauge\n{rows}"

    stations = network().station_name[:3]
    figures = {UTILISATION: "0.5", WAITING: "3", SERVED_BYTES: "1000", UP: "1"}
    text = family(WINDOW_END.metric, {"": "1777478640"}) + family(WINDOW.metric, {"": "60"})
    for figure in STATIONS:
        text += family(figure.metric, {f'{{station="{name}"}}': figures[figure] for name in stations})
    odd = 'a\\"b\\\\c\\nd'
    stamped = "".join(f"{line} 1777478640\n" if line[0] != "#" else f"{line}\n" for line in text.splitlines())
    return [f"{one}# EOF\n".encode() for one in (text, text.replace(stations[0], odd), stamped)]


def _status(data: bytes) -> object:
    report = _read(StatusReport, data)
    hold("a report is written as it was read", StatusReport.model_validate_json(report.model_dump_json()) == report)
    return report


def _status_seeds() -> list[bytes]:
    report = {"scope": SCOPES[0], "epoch": 2, "etag": etag(), "result": "ack", "at": "2026-04-29T16:05:00Z"}
    return [
        json.dumps(report).encode(),
        json.dumps(report | {"result": "nack", "refusal": "guard", "detail": "x"}).encode(),
    ]


def _rollback(data: bytes) -> object:
    return _read(RollbackRequest, data)


def _requests() -> list[bytes]:
    """One of each kind that a client makes; bodies are the other targets' seeds."""
    who = "Host: x\r\nAuthorization: Bearer {}.secret\r\n"
    agent, admin = who.format("agent"), who.format("admin")
    gets = [
        (f"/v1/bundles/{SCOPES[0]}", agent),
        (f"/v1/bundles/{SCOPES[0]}?wait_s=0", agent + f'If-None-Match: "{etag()}"\r\n'),
        (f"/v1/bundles/{SCOPES[0]}?base={etag(1)}&wait_s=0.001", agent + "Accept-Encoding: gzip\r\n"),
        ("/v1/stations?wait_s=0", admin),
        (f"/v1/route?source={SCOPES[0]}&target={SCOPES[1]}&exchange=7&attempt=1", admin),
        ("/v1/capacity", admin),
        ("/v1/rollout", admin),
        ("/metrics", admin),
        ("/healthz", ""),
        ("/openapi.json", admin),
    ]
    found = [f"GET {path} HTTP/1.1\r\n{head}\r\n".encode() for path, head in gets]
    bodies = [
        ("/v1/telemetry", agent, "application/json", _telemetry_seeds()[0]),
        ("/v1/telemetry", admin, "application/openmetrics-text; version=1.0.0", _openmetrics_seeds()[0]),
        ("/v1/status", agent, "application/json", _status_seeds()[0]),
        ("/v1/rollback", admin, "application/json", b'{"epoch":1,"at_once":true}'),
        ("/v1/bundles?at_once=false", admin, "application/vnd.exchange-router.bundle", b"PK\x03\x04"),
    ]
    for path, head, media, body in bodies:
        text = f"POST {path} HTTP/1.1\r\n{head}Content-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n"
        found.append(text.encode() + body)
    chunked = f"POST /v1/status HTTP/1.1\r\n{agent}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = _status_seeds()[0]
    found.append(chunked.encode() + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    found.append(found[0] + found[10] + found[3])
    return found


def _changed_request(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Change head or body; the length is made right most of the time."""
    head, gap, body = data.partition(b"\r\n\r\n")
    if not gap or random.random() < 0.2:
        return scratched(data, random, others)
    if body and random.random() < 0.6:
        body = (changed_json if body[:1] == b"{" else changed_lines)(body, random, ())
    else:
        head = changed_lines(head, random, [one.partition(b"\r\n\r\n")[0] for one in others[:20]])
    if random.random() < 0.85:
        lines = head.split(b"\r\n")
        lines = [
            b"Content-Length: %d" % len(body) if one.lower().startswith(b"content-length") else one for one in lines
        ]
        head = b"\r\n".join(lines)
    return head + gap + body


TARGETS = (
    Target(
        "telemetry",
        "telemetry as JSON, `feed.server.reports` and `feed.live.windows`",
        _telemetry,
        _telemetry_seeds,
        changed_json,
        _ANSWER,
        0.2,
    ),
    Target(
        "openmetrics",
        "telemetry as text, `feed.server.telemetry_parse`",
        _openmetrics,
        _openmetrics_seeds,
        changed_lines,
        (BadInputError,),
        0.3,
    ),
    Target("status", "a status report, `feed.server.reports`", _status, _status_seeds, changed_json, _ANSWER, 0.05),
    Target(
        "rollback",
        "a rollback, `feed.server.reports`",
        _rollback,
        lambda: [b'{"epoch":1,"at_once":true}', b'{"epoch":2}'],
        changed_json,
        _ANSWER,
        0.05,
    ),
    Target(
        "http-wire",
        "bytes of a connection, `feed.server.protocol` and the whole server behind it",
        wire,
        _requests,
        _changed_request,
        (),
        2.0,
    ),
    Target(
        "http-app",
        "a request by ASGI, `feed.server.app.make_app`",
        application,
        _requests,
        _changed_request,
        (RefusedBundleError,),
        2.0,
    ),
)
