"""The builder refuses each broken rule by name, and what it builds fits together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from random import Random

import numpy as np
import pytest
from made_networks import INSTANT, drawn_network

from router_core.errors import BadInputError
from router_core.network import NO_GROUP, NO_LIMIT, NO_POOL, NO_STATION, Network, Pool
from router_core.network_builder import BUFFER_BYTES_MAX, SERVERS_MAX, Credit, NetworkBuilder, Service
from router_core.units import DURATION_NS_MAX, PS_PER_BYTE_MAX
from router_core.vocabulary import Discipline, NodeKind, StationRole


def started() -> NetworkBuilder:
    """Two zones, two carriers, a pool; a node of each kind, none joined to another."""
    builder = NetworkBuilder(("inner", "outer"), ("a", "b"), (Pool("cloud", "云", 2, 0),))
    for kind in NodeKind:
        process = INSTANT if kind == NodeKind.CENTRE else None
        builder.add_node(kind.name.lower(), kind, service=INSTANT, process=process)
    builder.add_node("far", NodeKind.ROUTER, service=INSTANT, zone=1)
    return builder


def add_node(**changes: object) -> Callable[[NetworkBuilder], object]:
    def act(builder: NetworkBuilder) -> object:
        values = {"name": "new", "kind": NodeKind.ROUTER, "service": INSTANT} | changes
        return builder.add_node(values.pop("name"), values.pop("kind"), **values)

    return act


def add_line(a: str | int, b: str | int, **changes: object) -> Callable[[NetworkBuilder], object]:
    def act(builder: NetworkBuilder) -> object:
        ends = [end if isinstance(end, int) else builder.index(end) for end in (a, b)]
        return builder.add_line(*ends, **({"service": INSTANT} | changes))

    return act


REFUSALS = {
    "name twice": (add_node(name="router"), "node router", "unique"),
    "centre without processing": (add_node(kind=NodeKind.CENTRE), "node new", "a centre, and nothing else"),
    "router that processes": (add_node(process=INSTANT), "node new", "a centre, and nothing else"),
    "zone below": (add_node(zone=-1), "node new.zone", "one of the 2 zones"),
    "zone above": (add_node(zone=2), "node new.zone", "one of the 2 zones"),
    "pool below": (add_node(pool=NO_POOL - 1), "node new.pool", "one of the 1 pools"),
    "pool above": (add_node(pool=1), "node new.pool", "one of the 1 pools"),
    "nowhere": (add_node(xy=(float("nan"), 0.0)), "node new.xy", "finite"),
    "infinitely far": (add_node(xy=(0.0, float("inf"))), "node new.xy", "finite"),
    "no server": (add_node(service=Service(0, 1, 0)), "node new.servers", "1..100000"),
    "too many servers": (add_node(service=Service(SERVERS_MAX + 1, 1, 0)), "node new.servers", "1..100000"),
    "no time": (add_node(service=Service(1, 0, 0)), "node new.fixed_ns", "1.."),
    "endless": (add_node(service=Service(1, DURATION_NS_MAX + 1, 0)), "node new.fixed_ns", "1.."),
    "negative rate": (add_node(service=Service(1, 1, -1)), "node new.ps_per_byte", "0.."),
    "too slow": (add_node(service=Service(1, 1, PS_PER_BYTE_MAX + 1)), "node new.ps_per_byte", "0.."),
    "negative delay": (add_node(service=Service(1, 1, 0, -1)), "node new.after_ns", "0.."),
    "endless delay": (add_node(service=Service(1, 1, 0, DURATION_NS_MAX + 1)), "node new.after_ns", "0.."),
    "buffer below no limit": (add_node(service=Service(1, 1, 0, buffer_bytes=-2)), "node new.buffer_bytes", "-1.."),
    "buffer above all": (
        add_node(service=Service(1, 1, 0, buffer_bytes=BUFFER_BYTES_MAX + 1)),
        "node new.buffer_bytes",
        "-1..",
    ),
    "negative spill": (add_node(service=Service(1, 1, 0, spill_fixed_ns=-1)), "node new.spill_fixed_ns", "0.."),
    "slow spill": (
        add_line("router", "centre", service=Service(1, 1, 0, spill_ps_per_byte=PS_PER_BYTE_MAX + 1)),
        "line router - centre.spill_ps_per_byte",
        "0..",
    ),
    "buffer where nobody waits": (
        add_node(service=Service(1, 1, 0, discipline=Discipline.SHARING, buffer_bytes=0)),
        "node new.buffer_bytes",
        "nobody waits",
    ),
    "credit of a router": (add_node(credit=Credit(1, 1)), "node new.credit", "only endpoints"),
    "negative credit": (
        add_node(kind=NodeKind.FRONT_END, credit=Credit(-1, 1)),
        "node new.credit.limit_bytes",
        "0..",
    ),
    "credit that is back at once": (
        add_node(kind=NodeKind.EXTERNAL, credit=Credit(1, 0)),
        "node new.credit.return_ns",
        "1..",
    ),
    "processing without a server": (
        add_node(kind=NodeKind.CENTRE, process=Service(0, 1, 0)),
        "node new.process.servers",
        "1..100000",
    ),
    "line to nowhere": (add_line("router", 99), "line router - 99", "two nodes that exist"),
    "line from below": (add_line(-1, "router"), "line -1 - router", "two nodes that exist"),
    "loop": (add_line("router", "router"), "line router - router", "two different nodes"),
    "unknown carrier": (add_line("router", "centre", carrier=2), "line router - centre.carrier", "2 carriers"),
    "carrier below": (add_line("router", "centre", carrier=-2), "line router - centre.carrier", "2 carriers"),
    "line without a server": (
        add_line("router", "centre", service=Service(0, 1, 0)),
        "line router - centre.servers",
        "1..100000",
    ),
    "across zones": (add_line("router", "far"), "line router - far", "cross-zone exchange"),
    "endpoints joined": (add_line("front_end", "external"), "line front_end - external", "never transit"),
    "front-end on a router": (add_line("front_end", "router"), "line front_end - router", "never on a router"),
    "router on an external": (add_line("router", "external"), "line router - external", "never on a router"),
    "unknown name": (lambda builder: builder.index("nobody"), "node nobody", "must be a node"),
    "front-end that hangs on nothing": (lambda builder: builder.build(), "node front_end", "at least one centre"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_by_name_and_nothing_half_done(case):
    act, place, rule = REFUSALS[case]
    builder = started()
    with pytest.raises(BadInputError) as refused:
        act(builder)
    assert refused.value.place == place
    assert rule in refused.value.rule
    assert "\n" not in str(refused.value)
    # What was refused left no trace: the rest is built as if it had not been tried.
    untouched = started()
    for each in (builder, untouched):
        each.add_line(each.index("front_end"), each.index("centre"), service=INSTANT)
        each.add_line(each.index("external"), each.index("gateway"), service=INSTANT)
    assert builder.build().digest == untouched.build().digest


def test_a_network_without_nodes_is_refused():
    with pytest.raises(BadInputError, match="at least one node"):
        NetworkBuilder(("outer",)).build()


def test_a_zone_may_be_crossed_at_the_crossing_alone():
    builder = started()
    line, back = builder.add_line(builder.index("crossing"), builder.index("far"), service=INSTANT)
    assert (line, back) == (0, 1)


def check_shape(network: Network) -> None:
    """Indices point at each other as the docstring of `Network` says."""
    stations = set(network.node_station.tolist()) | set(network.line_station.tolist())
    processing = network.node_process_station[network.node_process_station != NO_STATION]
    assert stations | set(processing.tolist()) == set(range(network.station_count))
    assert len(stations) + len(processing) == network.station_count
    for role, owners, indices in (
        (StationRole.PASS, np.arange(network.node_count), network.node_station),
        (StationRole.PROCESS, network.nodes_of(NodeKind.CENTRE), processing),
        (StationRole.LINE, np.arange(network.line_count), network.line_station),
    ):
        assert (network.station_role[indices] == role).all()
        np.testing.assert_array_equal(network.station_owner[indices], owners)
    assert (network.node_station.max() < network.line_station).all(), "a node's stations come before any line's"
    # Both directions of a line share a cable and serve alike.
    np.testing.assert_array_equal(network.line_source[::2], network.line_target[1::2])
    np.testing.assert_array_equal(network.line_cable[::2], network.line_cable[1::2])
    assert len(set(network.station_name)) == network.station_count
    assert len(set(network.node_name)) == network.node_count
    assert [network.node_index[name] for name in network.node_name] == list(range(network.node_count))


def check_groups(network: Network) -> None:
    """Endpoints of one group hang on the same homes over access lines that serve alike; others have no group."""
    services = {}
    for node in range(network.node_count):
        group = int(network.node_group[node])
        if not network.is_endpoint[node]:
            assert group == NO_GROUP
            continue
        homes = network.groups[group]
        assert homes == network.homes[node]
        lines = [network.access_station[ends] for home in homes for ends in ((node, home), (home, node))]
        columns = ("station_servers", "station_fixed_ns", "station_ps_per_byte", "station_after_ns")
        service = tuple(tuple(getattr(network, column)[lines].tolist()) for column in columns)
        assert services.setdefault(group, service) == service
        assert network.node_group[network.group_endpoint[group]] == group
    keys = {(network.groups[group], service) for group, service in services.items()}
    assert len(keys) == len(services) == len(network.groups)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_built_fits_together(seed):
    network = drawn_network(Random(seed))
    check_shape(network)
    check_groups(network)


def test_services_go_to_their_stations():
    # Each number is said once, so that none can end up in another's place.
    services = [
        Service(
            number,
            10 * number,
            100 * number,
            1_000 * number,
            Discipline.PRIORITY if number % 2 else Discipline.FIFO,
            10_000 * number,
            100_000 * number,
            1_000_000 + number,
        )
        for number in range(1, 6)
    ]
    builder = NetworkBuilder(("outer",))
    centre = builder.add_node("centre", NodeKind.CENTRE, service=services[0], process=services[1])
    front_end = builder.add_node("front", NodeKind.FRONT_END, service=services[2], credit=Credit(77, 88))
    gateway = builder.add_node("gate", NodeKind.GATEWAY, service=services[3])
    builder.add_line(front_end, centre, service=services[4])
    builder.add_line(centre, gateway, service=services[0])
    network = builder.build()

    def service(station: int) -> Service:
        return Service(*(int(getattr(network, f"station_{field.name}")[station]) for field in fields(Service)))

    assert service(network.node_station[centre]) == services[0]
    assert service(network.node_process_station[centre]) == services[1]
    assert service(network.node_station[front_end]) == services[2]
    assert service(network.node_station[gateway]) == services[3]
    assert network.node_process_station[gateway] == NO_STATION
    assert network.node_credit_bytes.tolist() == [NO_LIMIT, 77, NO_LIMIT]
    assert network.node_credit_return_ns.tolist() == [1, 88, 1]
    for line in (0, 1):
        assert service(network.line_station[line]) == services[4]
    assert network.access_station == {
        (front_end, centre): network.line_station[0],
        (centre, front_end): network.line_station[1],
    }


def test_nothing_in_a_network_can_be_changed():
    network = drawn_network(Random(1))
    for field in fields(network):
        value = getattr(network, field.name)
        if isinstance(value, np.ndarray):
            with pytest.raises(ValueError, match="read-only"):
                value[0] = 1


def test_homes_keep_their_order():
    """The first home is the main one, whatever its index."""
    builder = NetworkBuilder(("outer",))
    low, high = (builder.add_node(name, NodeKind.CENTRE, service=INSTANT, process=INSTANT) for name in ("low", "high"))
    node = builder.add_node("front", NodeKind.FRONT_END, service=INSTANT)
    builder.add_line(node, high, service=INSTANT)
    builder.add_line(low, node, service=INSTANT)
    builder.add_line(node, high, service=INSTANT)
    assert builder.build().homes == {node: (high, low)}
