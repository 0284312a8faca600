"""Policies and forecasts for tests of the policy check: good ones, and such with a planted violation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

import numpy as np
from feed_bundles import BEGIN, GUARDS, VALID_FROM, bundle_of, drawn_classes, network_of, plan_of

import scenarios
from feed.bundle.compose import PolicyContent, compose
from feed.bundle.documents import NowDocument, RoutesDocument, TargetRoutes, Way
from feed.bundle.parsed import Parsed, parse
from feed.check.loads import Loads
from router_core.catalogue import Catalogue
from router_core.network import Network
from router_core.network_builder import NetworkBuilder, Service
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from router_core.vocabulary import NodeKind, SharingType
from strategies.static.demand_series import DemandSeries

SLOTS = 30


@cache
def catalogue_of(name: str) -> Catalogue:
    """The toy's own; elsewhere everybody may have everything."""
    return scenarios.load(name).catalogue if name == "toy" else open_catalogue(network_of(name))


def open_catalogue(network: Network) -> Catalogue:
    unit = np.where(network.is_endpoint, 0, -1).astype(np.int32)
    one = np.ones(1)
    return Catalogue(
        unit_name=("all",), unit_label_zh=("all",), unit_level=np.ones(1, dtype=np.int8),
        unit_sector=np.zeros(1, dtype=np.int16), unit_city=np.zeros(1, dtype=np.int16), unit_weight=one,
        node_unit=unit, system_name=(), system_unit=np.empty(0, dtype=np.int32), resource_name=("it",),
        resource_unit=np.zeros(1, dtype=np.int32), resource_system=np.full(1, -1, dtype=np.int32),
        resource_sharing=np.full(1, SharingType.UNCONDITIONAL, dtype=np.int8),
        resource_released=np.ones(1, dtype=np.bool_), resource_weight=one,
        grant_start=np.zeros(2, dtype=np.int64), grant_unit=np.empty(0, dtype=np.int32),
    )  # fmt: skip


@cache
def good(name: str = "toy", seed: int = 0, away: int = 0) -> Parsed:
    """A lawful policy without relations; so many pairs go by their last way at the moment."""
    network, plan = network_of(name), plan_of(name, seed, SLOTS)
    known = drawn_classes(network, seed)
    nobody = {
        column: getattr(known, column)[:0]
        for column in (
            "source", "target", "mode", "kind", "priority", "relation_class", "confidence", "relation_exchanges"
        )
    }  # fmt: skip
    paths, elsewhere = plan.paths, {}
    for pair in np.flatnonzero(np.diff(paths.pair_start))[:away].tolist():
        ways = int(paths.pair_start[pair + 1] - paths.pair_start[pair])
        elsewhere[int(paths.source[pair]), int(paths.target[pair])] = (0,) * (ways - 1) + (7,)
    content = PolicyContent(plan, replace(known, **nobody), elsewhere, None)
    return parse(bundle_of(network, compose(network, content, GUARDS, VALID_FROM)))


def with_ways(
    parsed: Parsed,
    source: int,
    target: int,
    change: Callable[[tuple[Way, ...]], Sequence[Way] | None],
    weights: tuple[int, ...] | None = None,
) -> Parsed:
    """The policy with other ways for a pair, of equal weight if not said; none at all if `change` gives none."""
    document = parsed.routes[source]
    targets: list[TargetRoutes] = []
    for one in document.targets:
        if one.target != target:
            targets.append(one)
            continue
        ways = change(one.ways)
        if ways:
            targets.append(TargetRoutes(target=target, ways=tuple(ways), weights=((0, weights or (1,) * len(ways)),)))
    now = dict(parsed.now)
    if source in now:
        kept = tuple(row for row in now[source].weights if row[0] != target)
        now[source] = NowDocument(
            source=source, weights=kept, holds=now[source].holds, hold_of_lead=now[source].hold_of_lead
        )
    changed = RoutesDocument(source=source, targets=tuple(targets))
    return replace(parsed, routes={**parsed.routes, source: changed}, now=now)


def drawn_loads(network: Network, seed: int, *, hours: int = SLOTS, courses: int = 6, scale: float = 1.0) -> Loads:
    """Demand between any groups, in few classes; other users take up to half of the lines."""
    random = np.random.default_rng(seed)
    groups, kinds = len(network.groups), 3
    key = np.flatnonzero(random.random(groups * groups * kinds) < 0.4)
    series = DemandSeries(
        source_group=(key // kinds // groups).astype(np.int32),
        target_group=(key // kinds % groups).astype(np.int32),
        demand_class=(key % kinds).astype(np.int32),
        mean_bytes=random.uniform(1e3, 1e6, len(key)),
        class_count=kinds,
        sent=_shares(network, kinds, random),
        received=_shares(network, kinds, random),
    )
    mean = random.uniform(0, 4_000 * scale, (hours, len(key))) * random.uniform(0.1, 1.0, (hours, 1))
    likely = mean * random.uniform(0.2, 1.8, (courses, hours, len(key)))
    low = random.uniform(0.5, 1.0, (hours, network.line_count))
    return Loads(
        grid=TimeGrid(BEGIN, HOUR_NS, hours),
        series=series,
        mean=mean,
        available=np.minimum(low * 1.1, 1.0),
        available_low=low,
        draw=lambda first, last: likely[:, first:last],
    )


def _shares(network: Network, kinds: int, random: np.random.Generator) -> np.ndarray:
    raw = random.random((network.node_count, kinds)) + 0.01
    result = np.zeros_like(raw)
    for group in range(len(network.groups)):
        members = np.flatnonzero(network.node_group == group)
        result[members] = raw[members] / raw[members].sum(axis=0)
    return result


@cache
def two_zones() -> Network:
    """Outer centres a and b, an inner centre c; two crossings join c to a, and to b; endpoints on each centre."""
    plain = Service(1, 1_000, 10)
    builder = NetworkBuilder(("outer", "inner"), ("k",))
    a, b = (builder.add_node(name, NodeKind.CENTRE, service=plain, process=plain) for name in "ab")
    c = builder.add_node("c", NodeKind.CENTRE, service=plain, process=plain, zone=1)
    x, y = (builder.add_node(name, NodeKind.CROSSING, service=plain) for name in "xy")
    for one, other in ((a, b), (a, x), (x, c), (c, y), (y, b), (x, b)):
        builder.add_line(one, other, service=plain, carrier=0)
    for name, homes, zone in (("ea", (a,), 0), ("eb", (b,), 0), ("ec", (c,), 1), ("ex", (x,), 1), ("exy", (x, y), 1)):
        end = builder.add_node(name, NodeKind.FRONT_END, service=plain, zone=zone)
        for home in homes:
            builder.add_line(end, home, service=plain)
    return builder.build()


def walk(network: Network, *names: str) -> Way:
    """The way over these nodes; the one with a star processes."""
    index = network.node_index
    nodes = [index[name.rstrip("*")] for name in names]
    stations: list[int] = []
    for place, (name, node) in enumerate(zip(names, nodes, strict=True)):
        if place:
            line = np.flatnonzero((network.line_source == nodes[place - 1]) & (network.line_target == node))[0]
            stations.append(int(network.line_station[line]))
        stations.append(int((network.node_process_station if name.endswith("*") else network.node_station)[node]))
    return Way(first=nodes[0], last=nodes[-1], stations=tuple(stations))


def local(hour: int) -> datetime:
    return BEGIN + timedelta(hours=hour)
