"""The server over HTTP, in this process: what each client gets, and what each refusal tells."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from feed_bundles import network_of
from feed_server import NOW, NOW_NS, QUICK, Keyed, Sink, as_role, client_of, made, packed, scopes, serving
from own_loop import run_apart

from feed.bundle.archive import pack, unpack
from feed.bundle.bundle import Bundle
from feed.bundle.delta import apply
from feed.bundle.manifest import etag_of
from feed.bundle.package import package
from feed.clock import SetClock
from feed.server.rollout import Stage
from feed.server.service import FeedService
from feed.server.setting import ServerSetting
from router_core.errors import BadInputError

BUNDLE = {"content-type": "application/vnd.exchange-router.bundle"}
FIRST, SECOND, THIRD = scopes()[:3]


@asynccontextmanager
async def asking(folder: Path, **more: Any):
    """A service with epoch 1 at all, and a client of it."""
    with serving(folder, **more) as service:
        async with service.running(), client_of(service) as client:
            yield service, client


def run(coroutine) -> None:
    run_apart(lambda: coroutine)


def status(scope: str, bundle: Bundle, result: str = "ack", **more: Any) -> dict[str, Any]:
    about = {"scope": scope, "epoch": bundle.manifest.epoch, "etag": etag_of(bundle), "result": result}
    return about | {"at": NOW.isoformat()} | more


async def fetch(client: httpx.AsyncClient, scope: str, have: str | None = None, **query: Any) -> httpx.Response:
    headers = as_role("agent", scope) | ({} if have is None else {"if-none-match": f'"{have}"'})
    return await client.get(f"/v1/bundles/{scope}", headers=headers, params=query)


def problem(answer: httpx.Response, code: int, error: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (code, error), answer.text
    assert set(answer.json()) == {"error", "detail", "next"}
    assert answer.json()["next"]
    assert "\n" not in answer.json()["detail"]


def test_a_package_is_fetched_confirmed_and_then_unchanged(tmp_path: Path) -> None:
    async def story() -> None:
        async with asking(tmp_path) as (service, client):
            problem(await fetch(client, FIRST), 404, "no-policy")
            answer = await client.post("/v1/bundles", content=packed(1), headers=as_role("admin") | BUNDLE)
            assert answer.status_code == 201
            assert answer.json()["epoch"] == 1
            answer = await fetch(client, FIRST)
            assert answer.status_code == 200
            assert answer.headers["etag"] == f'"{etag_of(made(1))}"'
            assert answer.content == pack(package(made(1), FIRST))
            assert unpack(answer.content, package=True).manifest.epoch == 1
            for _ in range(2):
                answer = await client.post("/v1/status", json=status(FIRST, made(1)), headers=as_role("agent", FIRST))
                assert answer.status_code == 200, answer.text
            assert service.state.acked == {FIRST}
            assert "exchange_router_acks_total 1.0" in service.metrics.text().decode()
            for query in ({}, {"wait_s": 0}, {"wait_s": 0.01}):
                answer = await fetch(client, FIRST, etag_of(made(1)), **query)
                assert (answer.status_code, answer.content) == (304, b"")
                assert answer.headers["etag"] == f'"{etag_of(made(1))}"'

    run(story())


def test_packages_travel_compressed_and_as_deltas(tmp_path: Path) -> None:
    async def story() -> None:
        async with asking(tmp_path) as (service, client):
            for epoch, seed in ((1, 0), (2, 1)):
                await service.publish_packed(packed(epoch, seed), at_once=True)
            headers = as_role("agent", FIRST) | {"accept-encoding": "gzip"}
            answer = await client.get(f"/v1/bundles/{FIRST}", headers=headers)
            assert answer.headers["content-encoding"] == "gzip"
            assert answer.content == pack(package(made(2, 1), FIRST))
            assert service._shelf.package(2, FIRST).gzipped == gzip.compress(answer.content, 5, mtime=0)
            answer = await fetch(client, FIRST, etag_of(made(1)), base=etag_of(made(1)))
            assert answer.headers["content-type"] == "application/vnd.exchange-router.delta"
            assert pack(apply(answer.content, package(made(1), FIRST))) == pack(package(made(2, 1), FIRST))
            # A base that this server has not is no ground to build on.
            answer = await fetch(client, FIRST, base=f"1-{'0' * 16}")
            assert answer.headers["content-type"] == "application/vnd.exchange-router.bundle"

    run(story())


def test_nobody_outside_the_stage_gets_the_new_epoch_and_a_refusal_halts(tmp_path: Path) -> None:
    async def story() -> None:
        async with asking(tmp_path) as (service, client):
            await service.publish_packed(packed(1), at_once=True)
            for scope in scopes():
                await fetch(client, scope)
                await client.post("/v1/status", json=status(scope, made(1)), headers=as_role("agent", scope))
            assert service.state.stage == Stage.DONE
            await service.publish_packed(packed(2, 1))
            (canary,) = service.state.members
            assert not service.rolling, "nobody has it yet"
            for scope in scopes():
                answer = await fetch(client, scope, etag_of(made(1)))
                assert answer.status_code == (200 if scope == canary else 304)
            assert service.rolling
            other = next(scope for scope in scopes() if scope != canary)
            answer = await client.post("/v1/status", json=status(other, made(2, 1)), headers=as_role("agent", other))
            problem(answer, 409, "not-offered")
            refusal = status(canary, made(2, 1), "nack", refusal="guard", detail="moved\ntoo much")
            for _ in range(2):
                answer = await client.post("/v1/status", json=refusal, headers=as_role("agent", canary))
                assert answer.status_code == 200
            assert service.state.halted == f"refused: {canary}"
            assert not service.rolling
            assert (await fetch(client, other, etag_of(made(1)))).status_code == 304
            told = (await client.get("/v1/rollout", headers=as_role("reader"))).json()
            assert told["nacked"] == [{"scope": canary, "refusal": "guard", "detail": "moved too much"}]
            assert (told["epoch"], told["good"], told["kept"]) == (2, 1, [1, 2])
            assert 'exchange_router_nacks_total{refusal="guard"} 1.0' in service.metrics.text().decode()

    run(story())


def test_a_whole_rollout_by_answers_alone(tmp_path: Path) -> None:
    async def story() -> None:
        async with asking(tmp_path) as (service, client):
            await service.publish_packed(packed(1))

            async def front_end(scope: str) -> None:
                while (answer := await fetch(client, scope, wait_s=5)).status_code == 404:
                    pass
                assert answer.status_code == 200
                answer = await client.post("/v1/status", json=status(scope, made(1)), headers=as_role("agent", scope))
                assert answer.status_code == 200

            await asyncio.wait_for(asyncio.gather(*map(front_end, scopes())), 10)
            assert service.state.stage == Stage.DONE
            assert service.state.acked == set(scopes())

    run(story())


def test_a_rollout_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    async def first() -> None:
        async with asking(tmp_path) as (service, client):
            await service.publish_packed(packed(1), at_once=True)
            await fetch(client, FIRST)
            await client.post("/v1/status", json=status(FIRST, made(1)), headers=as_role("agent", FIRST))
            await service.publish_packed(packed(2, 1))

    async def second() -> None:
        async with asking(tmp_path) as (service, client):
            assert (service.state.epoch, service.state.good, service.state.stage) == (2, 1, Stage.ONE)
            assert service.next_epoch() == 3
            (canary,) = service.state.members
            assert canary == FIRST  # who was alive when it was published
            answer = await fetch(client, SECOND)
            assert unpack(answer.content, package=True).manifest.epoch == 1 or service.state.members == {SECOND}

    run(first())
    run(second())


def test_a_rollback_is_a_new_epoch_with_old_content(tmp_path: Path) -> None:
    async def story() -> None:
        async with asking(tmp_path, republisher=Keyed()) as (service, client):
            for epoch, seed in ((3, 0), (5, 1)):
                await service.publish_packed(packed(epoch, seed))
            answer = await client.post("/v1/rollback", json={"epoch": 3, "at_once": True}, headers=as_role("admin"))
            assert (answer.status_code, answer.json()["epoch"]) == (201, 6)
            bundle = service._shelf.bundle(6).bundle
            assert (bundle.manifest.restores, bundle.manifest.content) == (3, made(3).manifest.content)
            problem(
                await client.post("/v1/rollback", json={"epoch": 4}, headers=as_role("admin")), 404, "unknown-epoch"
            )

    async def without_keys() -> None:
        async with asking(tmp_path) as (_, client):
            problem(await client.post("/v1/rollback", json={"epoch": 3}, headers=as_role("admin")), 409, "no-keys")

    run(story())
    run(without_keys())


@pytest.mark.parametrize(
    ("name", "make", "code"),
    [
        ("unsigned", lambda: pack(made(9, by=None)), 422),
        ("unknown-key", lambda: pack(made(9, by=3)), 422),
        ("malformed", lambda: b"no bundle", 422),
        ("malformed", lambda: packed(9)[:-10], 422),
        ("altered", lambda: packed(9).replace(b'"hold_ns_max":1', b'"hold_ns_max":2'), 422),
        ("wrong-topology", lambda: pack(made(9, topology="0" * 64)), 409),
        ("expired", lambda: pack(made(9, soft_expiry=NOW, hard_expiry=NOW)), 422),
        ("not-yet-valid", lambda: pack(made(9, valid_from=NOW + timedelta(minutes=2))), 422),
        ("epoch-rolled-back", lambda: packed(4), 409),
        ("replayed", lambda: packed(5, 1), 409),
    ],
)
def test_what_may_not_be_published_is_refused_and_changes_nothing(tmp_path: Path, name: str, make, code: int) -> None:
    async def story() -> None:
        async with asking(tmp_path) as (service, client):
            await service.publish_packed(packed(5))
            before, data = service.state, make()
            answer = await client.post("/v1/bundles", content=data, headers=as_role("admin") | BUNDLE)
            if name == "altered":
                assert answer.json()["error"] in ("altered", "malformed"), "a checksum of the zip may see it first"
            else:
                problem(answer, code, name)
            assert service.state == before
            assert [one.epoch for one in service.stored()] == [5]
            # The same again is no other bundle.
            answer = await client.post("/v1/bundles", content=packed(5), headers=as_role("admin") | BUNDLE)
            assert (answer.status_code, answer.json()["again"]) == (200, True)

    run(story())


def test_a_disk_that_fails_refuses_and_everything_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes, mode: int) -> None:
        raise OSError(28, "No space left on device", str(path))

    async def story() -> None:
        async with asking(tmp_path) as (service, client):
            await service.publish_packed(packed(1), at_once=True)
            with monkeypatch.context() as patch:
                patch.setattr("feed.disk.write_durably", full)
                answer = await client.post("/v1/bundles", content=packed(2, 1), headers=as_role("admin") | BUNDLE)
                problem(answer, 503, "store-unavailable")
            assert (service.state.epoch, service.next_epoch()) == (1, 2)
            assert (await fetch(client, FIRST)).headers["etag"] == f'"{etag_of(made(1))}"'
            # Another content may have that epoch then.
            await service.publish_packed(packed(2, 2), at_once=True)
            assert (await fetch(client, FIRST)).content == pack(package(made(2, 2), FIRST))

    run(story())


def test_epochs_beyond_those_kept_are_forgotten_but_never_the_good_one(tmp_path: Path) -> None:
    setting = ServerSetting(epochs_kept=3)
    with serving(tmp_path, setting=setting) as service:
        service.publish(made(1), at_once=True)
        for epoch in range(2, 8):
            service.publish(made(epoch))
        assert service.state.good == 1
        assert [one.epoch for one in service.stored()] == [1, 5, 6, 7]
    with serving(tmp_path, setting=setting) as service:
        assert [one.epoch for one in service.stored()] == [1, 5, 6, 7]
        assert len(list((tmp_path / "bundles").iterdir())) == 4


ROLES = ("", "agent", "telemetry", "reader", "admin")
MAY = {
    ("GET", f"/v1/bundles/{FIRST}"): {"agent", "reader", "admin"},
    ("GET", f"/v1/bundles/{SECOND}"): {"reader", "admin"},
    ("POST", "/v1/bundles"): {"admin"},
    ("POST", "/v1/rollback"): {"admin"},
    ("POST", "/v1/status"): {"agent", "admin"},
    ("POST", "/v1/telemetry"): {"agent", "telemetry", "admin"},
    ("GET", "/v1/stations"): {"agent", "telemetry", "reader", "admin"},
    ("GET", f"/v1/route?source={FIRST}&target={SECOND}"): {"agent", "telemetry", "reader", "admin"},
    ("GET", "/v1/rollout"): {"reader", "admin"},
    ("GET", "/metrics"): {"reader", "admin"},
    ("GET", "/healthz"): set(ROLES),
    ("GET", "/readyz"): set(ROLES),
}


def test_every_role_may_what_it_may_and_no_more(tmp_path: Path) -> None:
    async def story() -> None:
        async with asking(tmp_path) as (service, client):
            await service.publish_packed(packed(1), at_once=True)
            for (method, path), allowed in MAY.items():
                for role in ROLES:
                    headers = as_role(role, FIRST if role == "agent" else "") if role else {}
                    answer = await client.request(method, path, headers=headers)
                    expected = None if role in allowed else 403 if role else 401
                    assert (answer.status_code in (401, 403)) == (expected is not None), (method, path, role)
                    if expected:
                        problem(answer, expected, "forbidden" if role else "unauthenticated")
            answer = await client.post("/v1/status", json=status(SECOND, made(1)), headers=as_role("agent", FIRST))
            problem(answer, 403, "forbidden")
            # Who looks on is given a package, and counts for nothing.
            answer = await client.get(f"/v1/bundles/{THIRD}", headers=as_role("reader"))
            assert answer.status_code == 200
            assert not service.alive(THIRD)
            assert service.state.given == {FIRST, SECOND}, "an operator may stand in for an agent"

    run(story())


def rows(*stations: str, **more: Any) -> dict[str, Any]:
    row = {"utilisation": 0.5, "waiting": 2, "served_bytes": 10**9, "up": True}
    listed = [{"name": name} | row for name in stations]
    return {"observed": NOW.isoformat(), "window_s": 1.0, "stations": listed} | more


def test_telemetry_reaches_the_sink_by_index_and_agents_speak_for_their_own(tmp_path: Path) -> None:
    network = network_of("toy")
    node = network.node_index[FIRST]
    own = network.station_name[network.node_station[node]]
    line = network.station_name[network.access_station[node, network.homes[node][0]]]
    other = network.station_name[network.node_station[network.node_index[SECOND]]]
    task = {"mode": 1, "kind": 0, "priority": 3, "exchanges": 4, "payload_bytes": 900}

    async def story() -> None:
        sink = Sink()
        async with asking(tmp_path, sink=sink) as (service, client):
            accepted = {"source": FIRST, "tasks": [{"target": SECOND} | task, {"target": "nobody"} | task]}
            batch = rows(own, line, other, "nothing", own, accepted=accepted)
            answer = await client.post("/v1/telemetry", json=batch, headers=as_role("agent", FIRST))
            assert (answer.status_code, answer.json()) == (202, {"used": 3, "unknown": 2, "foreign": 1, "repeated": 1})
            (samples,), (tasks,) = sink.samples, sink.tasks
            assert [network.station_name[one] for one in samples.station] == [own, line]
            assert (samples.observed_ns, samples.window_ns) == (NOW_NS, 10**9)
            assert (samples.utilisation.dtype, samples.waiting.dtype, samples.up.dtype) == ("f8", "i8", "?")
            assert (tasks.source, tasks.target.tolist(), tasks.exchanges.tolist()) == (
                node, [network.node_index[SECOND]], [4],
            )  # fmt: skip
            answer = await client.post("/v1/telemetry", json=rows(other), headers=as_role("agent", FIRST))
            problem(answer, 422, "nothing-usable")
            accepted["source"] = SECOND
            answer = await client.post(
                "/v1/telemetry", json=rows(own, accepted=accepted), headers=as_role("agent", FIRST)
            )
            assert answer.json() == {"used": 1, "unknown": 0, "foreign": 2, "repeated": 0}
            assert len(sink.tasks) == 1
            answer = await client.post("/v1/telemetry", json=rows(other), headers=as_role("telemetry"))
            assert answer.json()["used"] == 1
            text = service.metrics.text().decode()
            assert f'exchange_router_station_utilisation{{station="{own}"}} 0.5' in text
            assert "exchange_router_telemetry_age_seconds 0.0" in text

    run(story())


def test_a_window_of_no_length_tells_only_who_works(tmp_path: Path) -> None:
    name = network_of("toy").station_name[0]

    async def story() -> None:
        sink = Sink()
        async with asking(tmp_path, sink=sink) as (service, client):
            await client.post("/v1/telemetry", json=rows(name), headers=as_role("telemetry"))
            still = rows(name, window_s=0)
            still["stations"][0] |= {"utilisation": 0.0, "waiting": 0, "up": False}
            answer = await client.post("/v1/telemetry", json=still, headers=as_role("telemetry"))
            assert answer.status_code == 202
            assert [samples.window_ns for samples in sink.samples] == [10**9, 0]
            text = service.metrics.text().decode()
            assert f'exchange_router_station_utilisation{{station="{name}"}} 0.5' in text
            assert f'exchange_router_station_up{{station="{name}"}} 0.0' in text

    run(story())


@pytest.mark.parametrize(
    "harm",
    [
        {"observed": "2026-04-30T00:00:00"},
        {"window_s": -1},
        {"window_s": float("inf")},
        {"more": 1},
        {"stations": [{"name": "x", "utilisation": float("nan"), "waiting": 0, "served_bytes": 0, "up": True}]},
        {"stations": [{"name": "x", "utilisation": 0.5, "waiting": -1, "served_bytes": 0, "up": True}]},
        {"stations": [{"name": "x", "utilisation": 0.5, "waiting": 1, "served_bytes": 2**63, "up": True}]},
        {"stations": [{"name": "x", "utilisation": 0.5, "waiting": 1, "served_bytes": 0, "up": 1}]},
        {"accepted": {"source": "x", "tasks": [{"target": "y", "mode": 9}]}},
    ],
    ids=str,
)
def test_telemetry_that_breaks_a_rule_is_refused(tmp_path: Path, harm: dict[str, Any]) -> None:
    import json  # noqa: PLC0415 - it writes NaN, which the client's own does not

    async def story() -> None:
        sink = Sink()
        async with asking(tmp_path, sink=sink) as (_, client):
            body = json.dumps(rows(network_of("toy").station_name[0]) | harm)
            headers = as_role("telemetry") | {"content-type": "application/json"}
            answer = await client.post("/v1/telemetry", content=body, headers=headers)
            problem(answer, 422, "invalid")
            assert not sink.samples

    run(story())


def test_routes_are_those_of_the_documents_and_leave_out_what_is_down(tmp_path: Path) -> None:
    network = network_of("toy")

    async def story() -> None:
        clock = SetClock(NOW_NS)
        async with asking(tmp_path, clock=clock) as (service, client):
            problem(
                await client.get("/v1/route", params={"source": FIRST, "target": SECOND}, headers=as_role("reader")),
                404,
                "no-policy",
            )
            await service.publish_packed(packed(1), at_once=True)
            parsed = service._shelf.parsed(1, FIRST)
            group, to = (int(network.node_group[network.node_index[name]]) for name in (FIRST, SECOND))
            entry = next(entry for entry in parsed.routes[group].targets if entry.target == to)
            ways: set[tuple[str, ...]] = set()
            for exchange in range(30):
                query = {"source": FIRST, "target": SECOND, "exchange": exchange}
                answer = await client.get("/v1/route", params=query, headers=as_role("reader"))
                told = answer.json()
                assert (told["epoch"], told["layer"], told["live"]) == (1, "dynamic", True)
                trunk = tuple(network.station_name.index(name) for name in told["stations"][2:-2])
                assert trunk == entry.ways[told["way"]].stations
                ways.add(tuple(told["stations"]))
            down = np.zeros(network.station_count, dtype=np.bool_)
            hit = next(iter(ways))[1]
            down[network.station_name.index(hit)] = True
            service.down.set(down)
            answer = await client.get("/v1/route", params=query, headers=as_role("reader"))
            single = len(network.homes[network.node_index[FIRST]]) == 1
            assert (hit in answer.json()["stations"]) == single
            clock.advance(2 * 3600 * 10**9)
            answer = await client.get("/v1/route", params=query, headers=as_role("reader"))
            assert answer.json()["layer"] == "static"
            query["target"] = "nobody"
            problem(await client.get("/v1/route", params=query, headers=as_role("reader")), 404, "unknown-scope")

    run(story())


def test_what_telemetry_says_stopped_is_told_to_front_ends_until_it_returns(tmp_path: Path) -> None:
    """The newest word counts, in whatever order words come; a clock that is ahead has no say."""
    names = network_of("toy").station_name
    words = [
        (0, {3: False, 5: False}, [3, 5]),
        (20, {3: True}, [5]),
        (10, {3: False, 7: True}, [5]),
        (20, {3: False}, [5]),
        (86_400, {3: False}, [5]),
        (30, {5: True}, []),
    ]

    async def story() -> None:
        async with asking(tmp_path) as (_, client):
            for after_s, states, down in words:
                rows = [
                    {"name": names[station], "utilisation": 0.0, "waiting": 0, "served_bytes": 0, "up": up}
                    for station, up in states.items()
                ]
                batch = {
                    "observed": (NOW - timedelta(seconds=60) + timedelta(seconds=after_s)).isoformat(),
                    "window_s": 0.0,
                    "stations": rows,
                }
                answer = await client.post("/v1/telemetry", json=batch, headers=as_role("telemetry"))
                assert answer.status_code == 202
                told = await client.get("/v1/stations", headers=as_role("agent", FIRST))
                assert told.json() == {"down": [names[station] for station in down]}

    run(story())


def test_stations_that_are_down_by_etag_and_by_long_poll(tmp_path: Path) -> None:
    network = network_of("toy")

    async def story() -> None:
        async with asking(tmp_path) as (service, client):
            answer = await client.get("/v1/stations", headers=as_role("reader"))
            assert answer.json() == {"down": []}
            have = as_role("reader") | {"if-none-match": answer.headers["etag"]}
            assert (await client.get("/v1/stations", headers=have)).status_code == 304
            waiting = asyncio.create_task(client.get("/v1/stations", headers=have, params={"wait_s": 30}))
            await asyncio.sleep(0.05)
            down = np.zeros(network.station_count, dtype=np.bool_)
            down[[3, 5]] = True
            service.down.set(down)
            answer = await asyncio.wait_for(waiting, 5)
            assert answer.json() == {"down": [network.station_name[3], network.station_name[5]]}

    run(story())


@pytest.mark.parametrize(
    ("method", "path", "more", "code"),
    [
        ("GET", "/nowhere", {}, 404),
        ("DELETE", "/v1/bundles", {}, 405),
        ("GET", f"/v1/bundles/{FIRST}?wait_s=61", {}, 422),
        ("GET", f"/v1/bundles/{FIRST}?wait_s=nan", {}, 422),
        ("GET", f"/v1/bundles/{FIRST}?base=1", {}, 422),
        ("GET", "/v1/bundles/nobody", {}, 404),
        ("GET", f"/v1/route?source={FIRST}&target={SECOND}&exchange=99999999999999999999", {}, 422),
        ("POST", "/v1/status", {"content": b"{"}, 415),
        ("POST", "/v1/status", {"content": b"{", "headers": {"content-type": "application/json"}}, 422),
        ("POST", "/v1/status", {"content": b"\xff", "headers": {"content-type": "application/json"}}, 422),
        ("POST", "/v1/status", {"content": b" " * 20_000, "headers": {"content-type": "application/json"}}, 413),
        ("POST", "/v1/telemetry", {"content": b"x", "headers": {"content-type": "application/openmetrics-text"}}, 422),
        ("POST", "/v1/bundles", {"content": b"x", "headers": BUNDLE | {"content-encoding": "gzip"}}, 415),
    ],
)  # fmt: skip
def test_bad_requests_get_a_problem_and_never_a_5xx(tmp_path: Path, method, path, more, code) -> None:
    async def story() -> None:
        async with asking(tmp_path) as (_, client):
            headers = as_role("admin") | more.get("headers", {})
            answer = await client.request(method, path, content=more.get("content"), headers=headers)
            assert answer.status_code == code, answer.text
            problem(answer, code, answer.json()["error"])

    run(story())


def test_who_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    async def story() -> None:
        setting = ServerSetting(agent_rate=0.5, agent_burst=3, stranger_rate=0.5, stranger_burst=2)
        async with asking(tmp_path, setting=setting) as (_, client):
            codes = [(await fetch(client, FIRST)).status_code for _ in range(4)]
            assert codes == [404, 404, 404, 429]
            answer = await fetch(client, FIRST)
            problem(answer, 429, "too-often")
            assert 1 <= int(answer.headers["retry-after"]) <= 3
            assert (await fetch(client, SECOND)).status_code == 404
            codes = [(await client.get("/v1/rollout")).status_code for _ in range(3)]
            assert codes == [401, 401, 429]

    run(story())


def test_an_agent_that_is_ahead_of_the_server_is_left_alone(tmp_path: Path) -> None:
    async def story() -> None:
        async with asking(tmp_path) as (service, client):
            await service.publish_packed(packed(5), at_once=True)
            for wait_s in (0, 0.01):
                answer = await fetch(client, FIRST, f"9-{'a' * 16}", wait_s=wait_s)
                assert answer.status_code == 304
            answer = await fetch(client, FIRST, f"5-{'a' * 16}")
            assert answer.status_code == 200

    run(story())


def test_a_long_poll_wakes_when_its_epoch_comes(tmp_path: Path) -> None:
    async def story() -> None:
        async with asking(tmp_path) as (service, client):
            await service.publish_packed(packed(1), at_once=True)
            await fetch(client, FIRST)
            waiting = asyncio.create_task(fetch(client, FIRST, etag_of(made(1)), wait_s=30))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            await service.publish_packed(packed(2, 1))
            answer = await asyncio.wait_for(waiting, 5)
            assert answer.headers["etag"] == f'"{etag_of(made(2, 1))}"'
            # A server that stops lets go of who waits.
            waiting = asyncio.create_task(fetch(client, FIRST, etag_of(made(2, 1)), wait_s=30))
            await asyncio.sleep(0.05)
            service.release()
            assert (await asyncio.wait_for(waiting, 5)).status_code == 304

    run(story())


def test_silence_after_a_package_halts_by_the_clock(tmp_path: Path) -> None:
    clock = SetClock(NOW_NS)

    async def story(service: FeedService) -> None:
        async with service.running(), client_of(service) as client:
            await service.publish_packed(packed(1))
            assert (await fetch(client, FIRST)).status_code == 200
            clock.advance(round(QUICK.stage_s * 1e9) + 1)
            while service.state.halted is None:
                await asyncio.sleep(0.05)
            assert service.state.halted == f"silent: {FIRST}"

    with serving(tmp_path, clock=clock) as service:
        run_apart(lambda: asyncio.wait_for(story(service), 10))


@pytest.mark.parametrize("name", ["canary_share", "alive_s", "header_s", "body_bytes_max", "agent_rate", "epochs_kept"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_settings_are_finite_and_above_0(name: str, value: float) -> None:
    with pytest.raises(BadInputError, match=f"server.{name}: must be finite and above 0"):
        ServerSetting(**{name: value})
