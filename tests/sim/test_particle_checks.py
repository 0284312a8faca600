"""What a round of particles is refused for, by name; and that nothing else is: against a check of one route by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hand_worlds import HandWorld
from made_networks import drawn_network, drawn_trunk
from made_rounds import round_of
from trunk_laws import check_trunk

from router_core.errors import BadInputError
from router_core.network import NO_STATION, Network
from router_core.plan import Trunk, route
from router_core.units import PAYLOAD_BYTES_MAX
from sim.compiled_plane import CompiledPlane
from sim.particle_checks import PARTICLES_MAX, ParticleCheck
from sim.reference_plane import ReferencePlane

PLANES = [ReferencePlane, CompiledPlane]
GOOD = ("a", "a>c", "heart", "l0", "d", "d>z", "z")
JOINED = "must be joined to the station before it, nodes and lines in turn"
ENDS = "must begin and end at endpoints' own stations, and pass no other endpoint"
ONCE = "must pass exactly one processing station"
TWICE = "must pass no node twice before its processing, nor from there on"
BACK = (*GOOD[:-2], "d>c", "c", "l1", "d", "d>z", "z")


@pytest.fixture(params=PLANES, ids=lambda plane: plane.__name__)
def hand(request):
    world = HandWorld(request.param)
    network, name = world.network, world.network.station_name
    lines = zip(network.line_source.tolist(), network.line_target.tolist(), network.line_station.tolist(), strict=True)
    for source, target, station in lines:
        world.station.setdefault(f"{network.node_name[source]}>{network.node_name[target]}", station)
    assert len(set(name)) == len(name)
    return world


def refused(hand: HandWorld, particles, place: str, rule: str, value: object) -> None:
    with pytest.raises(BadInputError) as told:
        hand.plane.send(particles)
    assert (told.value.place, told.value.rule, str(told.value.value)) == (place, rule, str(value))
    # Nothing has changed: the first one sent after that is number 0, alone, and comes as it would have.
    assert hand.plane.snapshot().particles_sent == 0
    assert hand.probe((0,)) == 0
    assert hand.came() == [7]


@pytest.mark.parametrize(
    ("names", "place", "rule", "at"),
    [
        (("c", "a>c", *GOOD[2:]), "[0]", ENDS, "c"),
        (GOOD[2:], "[0]", ENDS, "heart"),
        (GOOD[:-1], "[5]", ENDS, "d>z"),
        ((*GOOD[:2], "c", "c>b", "b", "b>c", *GOOD[2:]), "[4]", ENDS, "b"),
        ((*GOOD[:2], "heart", "c>a", "a"), "", "must end at another endpoint", "a"),
        ((*GOOD[:2], "d", "d>z", "z"), "[2]", JOINED, "d"),
        (("b", *GOOD[1:]), "[1]", JOINED, "a>c"),
        ((*GOOD[:3], "d", "d>z", "z"), "[3]", JOINED, "d"),
        ((*GOOD[:3], "c", *GOOD[3:]), "[3]", JOINED, "c"),
        ((*GOOD[:4], "l1", *GOOD[4:]), "[4]", JOINED, "l1"),
        ((*GOOD[:2], "c", *GOOD[3:]), "", ONCE, 0),
        ((*GOOD[:4], "d/process", *GOOD[5:]), "", ONCE, 2),
        (BACK, "", TWICE, None),
        (GOOD[:4], "", "must have 5..60000 stations", 4),
        ((), "", "must have 5..60000 stations", 0),
    ],
)
@pytest.mark.parametrize("row", [0, 2])
def test_a_route_that_is_none_is_refused(hand, row, names, place, rule, at):
    good = ([hand.station[name] for name in GOOD], 5, 1)
    rows = [good, good, good]
    rows[row] = ([hand.station[name] for name in names], 5, 1)
    value = f"node {hand.network.node_index['c']}" if at is None else hand.station.get(at, at)
    refused(hand, round_of(rows), f"particle {row}.route{place}", rule, value)


@pytest.mark.parametrize("wrong", [-1, None, 2**31 - 1, -(2**31)])
def test_a_station_that_does_not_exist_is_refused(hand, wrong):
    count = hand.network.station_count
    way = [hand.station[name] for name in GOOD]
    bad = [*way[:3], count if wrong is None else wrong, *way[4:]]
    refused(
        hand, round_of([(way, 0, 0), (bad, 0, 0)]), "particle 1.route[3]", f"must be a station, 0..{count - 1}", bad[3]
    )


@pytest.mark.parametrize(
    ("change", "place", "rule", "value"),
    [
        ({"payload_bytes": [0, -1]}, "particle 1.payload_bytes", f"must lie in 0..{PAYLOAD_BYTES_MAX}", -1),
        (
            {"payload_bytes": [2**40 + 1, 0]},
            "particle 0.payload_bytes",
            f"must lie in 0..{PAYLOAD_BYTES_MAX}",
            2**40 + 1,
        ),
        ({"priority": [0, 8]}, "particle 1.priority", "must lie in 0..7", 8),
        ({"priority": [-1, 0]}, "particle 0.priority", "must lie in 0..7", -1),
        ({"priority": [0]}, "particles.priority", "must be int8 of shape (2,)", "int8 (1,)"),
        ({"route_start": [0, 7]}, "particles.route_start", "must be int64 of shape (3,)", "int64 (2,)"),
        (
            {"route_start": [1, 7, 14]},
            "particles.route_start",
            "must begin at 0 and end at 14, that is with the stations",
            "1..14",
        ),
        (
            {"route_start": [0, 7, 13]},
            "particles.route_start",
            "must begin at 0 and end at 14, that is with the stations",
            "0..13",
        ),
        ({"route_start": [0, 15, 14]}, "particles.route_start[1]", "must not fall, nor lie outside", 15),
        ({"route_start": [0, -7, 14]}, "particles.route_start[1]", "must not fall, nor lie outside", -7),
        ({"route_start": [0, 10, 14]}, "particle 1.route", "must have 5..60000 stations", 4),
    ],
)
def test_columns_that_cannot_be_are_refused(hand, change, place, rule, value):
    good = round_of([([hand.station[name] for name in GOOD], 5, 1)] * 2)
    columns = {name: np.array(column, dtype=getattr(good, name).dtype) for name, column in change.items()}
    refused(hand, replace(good, **columns), place, rule, value)


@pytest.mark.parametrize("name", ["route_start", "route_station", "payload_bytes", "priority"])
def test_a_wrong_type_is_refused(hand, name):
    good = round_of([([hand.station[name] for name in GOOD], 5, 1)] * 2)
    column = getattr(good, name)
    rule = f"must be {column.dtype} of shape {column.shape}"
    refused(
        hand, replace(good, **{name: column.astype(np.float64)}), f"particles.{name}", rule, f"float64 {column.shape}"
    )


def test_a_run_has_so_many_particles():
    network = HandWorld(ReferencePlane).network
    check = ParticleCheck(network)
    good = round_of([(route_of(network, Random(1)), 0, 0)])
    check.check(good, PARTICLES_MAX - 1)
    with pytest.raises(BadInputError, match=f"^particles: a run has at most {PARTICLES_MAX}"):
        check.check(good, PARTICLES_MAX)


def route_of(network: Network, random: Random) -> list[int]:
    source, target = random.sample(network.endpoints.tolist(), 2)
    trunk = drawn_trunk(random, network, random.choice(network.homes[source]), random.choice(network.homes[target]))
    return list(route(network, source, target, trunk))


def is_route(network: Network, stations: list[int]) -> bool:
    """Whether stations are an access line from one endpoint, a lawful trunk, and an access line to another."""
    own = {int(network.node_station[node]): node for node in network.endpoints.tolist()}
    ends = {int(station): line for line, station in enumerate(network.line_station.tolist())}
    # Nodes and lines in turn: an odd number.
    if (
        len(stations) < 5
        or len(stations) % 2 == 0
        or not all(0 <= station < network.station_count for station in stations)
    ):
        return False
    source, target = own.get(stations[0]), own.get(stations[-1])
    first, last = ends.get(stations[1]), ends.get(stations[-2])
    if None in (source, target, first, last) or source == target:
        return False
    if (network.line_source[first], network.line_target[last]) != (source, target):
        return False
    homes = (int(network.line_target[first]),), (int(network.line_source[last]),)
    try:
        check_trunk(network, Trunk(homes[0][0], homes[1][0], tuple(stations[2:-2])), *homes)
    except AssertionError:
        return False
    return True


def mangled(network: Network, random: Random, stations: list[int]) -> list[int]:
    """A route with something left out, put in, changed, turned round or done twice."""
    at = random.randrange(len(stations))
    to = random.randrange(at, len(stations)) + 1
    other = random.randrange(network.station_count)
    parts = (
        stations[:at] + stations[at + 1 :],
        [*stations[:at], other, *stations[at:]],
        [*stations[:at], other, *stations[at + 1 :]],
        stations[:at] + stations[at:to] + stations[at:],
        stations[:at] + stations[at:to][::-1] + stations[to:],
        stations[:at] + stations[to:],
    )
    return random.choice(parts)


def walked(network: Network, random: Random) -> list[int]:
    """From an endpoint over any lines to any endpoint, past centres or through their processing as it comes."""
    node = random.choice(network.endpoints.tolist())
    stations = [int(network.node_station[node])]
    while len(stations) < 3 or not network.is_endpoint[node]:
        line = random.choice(np.flatnonzero(network.line_source == node).tolist())
        node = int(network.line_target[line])
        process = int(network.node_process_station[node])
        processed = process != NO_STATION and random.random() < 0.4
        stations += [int(network.line_station[line]), process if processed else int(network.node_station[node])]
    return stations


@pytest.mark.parametrize("seed", range(12))
def test_exactly_what_is_no_route_is_refused(seed):
    """Rounds of up to six, right but for one of them or none; a wrong one may be right by chance."""
    random, counts = Random(seed), Counter[str | None]()
    network = drawn_network(random, transit=random.randint(2, 6), front_ends=random.randint(2, 6), extra_lines=6)
    check = ParticleCheck(network)
    for _ in range(300):
        routes = [route_of(network, random) for _ in range(random.randint(1, 6))]
        assert all(is_route(network, stations) for stations in routes)
        row = random.randrange(len(routes))
        if random.random() < 0.8:
            routes[row] = random.choice((mangled(network, random, routes[row]), walked(network, random)))
        told = None
        try:
            check.check(round_of((stations, 0, 0) for stations in routes), 0)
        except BadInputError as error:
            told = error
        assert (told is None) == is_route(network, routes[row]), told
        assert told is None or told.place.split(".")[0] == f"particle {row}"
        counts[told and told.rule] += 1
    assert counts[None] > 50
    assert {None, ENDS, JOINED, ONCE, TWICE} <= set(counts)
