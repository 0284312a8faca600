"""The tables for NiFi: one row a key, the way used most first, and the same whoever writes them."""

from __future__ import annotations

import csv
from dataclasses import replace
from io import StringIO

import pytest
from feed_bundles import GUARDS, VALID_FROM, bundle_of, drawn_content, network_of

from feed.bundle.compose import compose
from feed.bundle.documents import NIFI_NAMES_FILE
from feed.bundle.nifi import nifi_csv
from feed.bundle.parsed import Parsed, parse, weights_at
from router_core.vocabulary import Mode, StationRole, TaskKind

WORLDS = ("toy", "province-0", "province-1")


def made(name: str, **more) -> tuple[Parsed, dict[str, bytes]]:
    files = compose(network_of(name), drawn_content(name, 1, **more), GUARDS, VALID_FROM)
    return parse(bundle_of(network_of(name), files)), files


def table(data: bytes) -> dict[str, str]:
    rows = list(csv.reader(StringIO(data.decode())))
    assert rows[0] == ["key", "value"]
    assert all(len(row) == 2 for row in rows)
    result = dict(rows[1:])
    assert len(result) == len(rows) - 1
    return result


@pytest.mark.parametrize("name", WORLDS)
def test_a_bundle_carries_the_table_of_its_first_slot(name: str) -> None:
    parsed, _ = made(name)
    for group in range(len(parsed.platform.groups)):
        assert nifi_csv(network_of(name), parsed, group, 0) == parsed.nifi[group]
    assert any(nifi_csv(network_of(name), parsed, 0, slot) != parsed.nifi[0] for slot in range(1, 30))
    if parsed.now:
        group = next(iter(parsed.now))
        assert nifi_csv(network_of(name), parsed, group, 0, dynamic=False) != parsed.nifi[group]


@pytest.mark.parametrize("name", WORLDS)
def test_a_flow_with_a_target_and_a_class_of_service_finds_its_ways(name: str) -> None:
    network = network_of(name)
    parsed, files = made(name)
    names = table(files[NIFI_NAMES_FILE])
    for group in range(len(parsed.platform.groups)):
        for slot in (0, 11):
            routes = table(nifi_csv(network, parsed, group, slot))
            known = {one.target: one for one in parsed.routes[group].targets}
            for endpoint, target in parsed.platform.endpoints.items():
                for one in parsed.classes.classes:
                    value = routes.get(f"{names[endpoint]}/{one.priority}")
                    assert (value is None) == (target not in known)
                    if value is not None:
                        told(network, parsed, group, known[target], slot, value)
    for mode in Mode:
        for kind in TaskKind:
            for priority in range(8):
                of = parsed.classes.fallback[(mode * len(TaskKind) + kind) * 8 + priority]
                key = f"{mode.name.lower()}/{kind.name.lower()}/{priority}"
                assert names[key] == str(parsed.classes.classes[of].priority)


def told(network, parsed: Parsed, group: int, routes, slot: int, value: str) -> None:
    """A value names the ways that are used, most used first, then the first of those that stand in."""
    weights = weights_at(routes.weights, slot)
    if group in parsed.now:
        weights = dict(parsed.now[group].weights).get(routes.target, weights)
    parts = [part.split(":") for part in value.split(";")]
    given = [int(weight) for weight, _ in parts]
    assert given == sorted(given, reverse=True)
    assert sorted(weight for weight in given if weight) == sorted(weight for weight in weights if weight)
    assert given.count(0) == (1 if 0 in weights else 0)
    ways = {}
    for way, weight in zip(routes.ways, weights, strict=True):
        nodes: list[str] = []
        for station in way.stations:
            if network.station_role[station] != StationRole.LINE:
                name = network.node_name[network.station_owner[station]]
                if not nodes or nodes[-1] != name:
                    nodes.append(name)
        processing = [s for s in way.stations if network.station_role[s] == StationRole.PROCESS]
        ways.setdefault((tuple(nodes), network.node_name[network.station_owner[processing[0]]]), set()).add(weight)
    for weight, nodes in parts:
        starred = [node for node in nodes.split(">") if node.startswith("*")]
        assert len(starred) == 1
        key = tuple(nodes.replace("*", "").split(">")), starred[0][1:]
        assert int(weight) in ways[key]


def test_names_that_hold_separators_cannot_be_misread() -> None:
    network = network_of("toy")
    strange = [f'{name}>;:*%,"' for name in network.node_name]
    other = replace(network, node_name=tuple(strange))
    content = drawn_content("toy", 1)
    content = replace(content, plan=replace(content.plan, topology=other.digest))
    files = compose(other, content, GUARDS, VALID_FROM)
    parsed = parse(bundle_of(other, files))
    names, routes = table(files[NIFI_NAMES_FILE]), table(parsed.nifi[0])
    plain, files = made("toy")
    for key, value in table(plain.nifi[0]).items():
        group, priority = key.split("/")
        escaped = '%3E%3B%3A%2A%25,"'
        found = routes["+".join(f'{home}>;:*%,"' for home in group.split("+")) + f"/{priority}"]
        assert found.replace(escaped, "") == value
    assert set(parsed.platform.endpoints) <= set(names)
