"""Whether every way exists, joins homes of its groups, has no loop, is processed at one centre, and keeps zones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from feed.check.findings import Finding, Rule, Severity
from feed.check.policy_table import PolicyTable
from router_core.network import Network
from router_core.vocabulary import NodeKind, StationRole

Mask = NDArray[np.bool_]


def check_routes(network: Network, table: PolicyTable) -> list[Finding]:
    """Check every way; of each the first rule that it breaks is told.

    A way that does not exist has no nodes to judge, and one without a centre no states of processing: so the order of
    the rules is part of what they say.
    """
    found: list[Finding] = []
    sound = np.ones(table.way_count, dtype=np.bool_)

    def tell(rule: Rule, severity: Severity, broken: Mask, said: str) -> None:
        for way in np.flatnonzero(broken & sound).tolist():
            pair = (table.pair_name(int(table.pair[way])),)
            found.append(Finding(rule, severity, table.way_name(way), said, pairs=pair))
        if severity is Severity.REFUSE:
            sound[broken] = False

    for said, broken in _unreal(network, table):
        tell(Rule.ROUTE, Severity.REFUSE, broken, said)
    tell(Rule.ROUTE, Severity.REFUSE, _repeated(table, sound), "comes twice among the ways of its pair")
    for said, broken in _away_from_home(network, table):
        tell(Rule.HOME, Severity.REFUSE, broken, said)
    centres = _processed(network, table)
    tell(Rule.CENTRE, Severity.REFUSE, centres == 0, "passes no centre that processes it")
    tell(Rule.CENTRE, Severity.REFUSE, centres > 1, "is processed at more than one centre")
    tell(Rule.LOOP, Severity.REFUSE, _looping(network, table, sound), "passes a node twice in one processing state")
    strayed, passing = _zones(network, table, sound)
    tell(Rule.ZONE, Severity.REFUSE, strayed, "leaves a zone without need")
    tell(Rule.ZONE, Severity.WARN, passing, "passes the cross-zone exchange within one zone")
    return found


def _by_way(table: PolicyTable, at: NDArray[np.integer]) -> Mask:
    """Which ways have any of these places in `station`, (P,)."""
    way = np.searchsorted(table.way_start, at, side="right") - 1
    return np.bincount(way, minlength=table.way_count) > 0


def _unreal(network: Network, table: PolicyTable) -> list[tuple[str, Mask]]:
    """Rules of existence: nodes and lines take turns, and each line joins the nodes around it."""
    station, start = table.station, table.way_start
    place = np.arange(len(station)) - np.repeat(start[:-1], np.diff(start))
    is_line = network.station_role[station] == StationRole.LINE
    owner = network.station_owner[station].astype(np.int64)
    turns = is_line == (place % 2 == 1)
    even = np.diff(start) % 2 == 0
    line = np.flatnonzero(is_line & turns & (place > 0))
    # The last place of a way is never a line where nodes and lines take turns.
    line = line[line + 1 < np.repeat(start[1:], np.diff(start))[line]]
    carried = owner[line]
    apart = (network.line_source[carried] != owner[line - 1]) | (network.line_target[carried] != owner[line + 1])
    transit = np.flatnonzero(~is_line & network.is_endpoint[np.where(is_line, 0, owner)])
    return [
        ("must have nodes and lines by turns, from a node to a node", _by_way(table, np.flatnonzero(~turns)) | even),
        ("passes an endpoint, which is never transit", _by_way(table, transit)),
        ("has a line that does not join the nodes around it", _by_way(table, line[apart])),
    ]


def _repeated(table: PolicyTable, sound: Mask) -> Mask:
    """Ways whose stations are those of an earlier way of the pair, as no front-end could tell them apart."""
    result = np.zeros(table.way_count, dtype=np.bool_)
    width = table.station.itemsize
    flat = table.station.tobytes()
    bounds = (table.way_start * width).tolist()
    known: set[bytes] = set()
    before = -1
    for way, pair in enumerate(table.pair.tolist()):
        if pair != before:
            known, before = set(), pair
        own = flat[bounds[way] : bounds[way + 1]]
        result[way] = own in known
        known.add(own)
    return result & sound


def _away_from_home(network: Network, table: PolicyTable) -> list[tuple[str, Mask]]:
    owner = network.station_owner[table.station].astype(np.int64)
    home: Mask = np.zeros((len(network.groups), network.node_count), dtype=np.bool_)
    for number, homes in enumerate(network.groups):
        home[number, list(homes)] = True
    result = []
    sides = (
        ("first", "begin at a home of its source", table.source, table.first, owner[table.way_start[:-1]]),
        ("last", "end at a home of its target", table.target, table.last, owner[table.way_start[1:] - 1]),
    )
    for name, rule, group, named, node in sides:
        result.append((f"does not have its {name} node at the end of its stations", named != node))
        # A line's number is no node's: such ways are told as unreal, and must not be looked up.
        inside = node < network.node_count
        result.append((f"does not {rule}", ~(inside & home[group[table.pair], np.where(inside, node, 0)])))
    return result


def _processed(network: Network, table: PolicyTable) -> NDArray[np.int64]:
    """How many PROCESS stations each way has, (P,)."""
    process = np.concatenate(([0], np.cumsum(network.station_role[table.station] == StationRole.PROCESS)))
    return np.asarray(process[table.way_start[1:]] - process[table.way_start[:-1]], dtype=np.int64)


def _nodes(network: Network, table: PolicyTable, sound: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64], Mask]:
    """Way and node of every visit of a sound way to a node, and whether it was processed before; in order."""
    way = np.repeat(np.arange(table.way_count), np.diff(table.way_start))
    role = network.station_role[table.station]
    kept = np.flatnonzero((role != StationRole.LINE) & sound[way])
    process = (role == StationRole.PROCESS).astype(np.int64)
    done = np.cumsum(process) - process
    before = done - done[table.way_start[:-1]][way]
    return way[kept], network.station_owner[table.station[kept]].astype(np.int64), before[kept] > 0


def _looping(network: Network, table: PolicyTable, sound: Mask) -> Mask:
    way, node, processed = _nodes(network, table, sound)
    key = way * (2 * network.node_count) + node
    # Where it is processed a way is in both states: as it comes, and as it goes.
    both = np.flatnonzero(np.diff(processed.astype(np.int8), append=0) > 0)
    both = both[way[both] == way[np.minimum(both + 1, len(way) - 1)]]
    keys = np.concatenate((key + processed * network.node_count, key[both] + network.node_count))
    keys.sort()
    twice = keys[1:][np.diff(keys) == 0] // (2 * network.node_count)
    return np.bincount(twice, minlength=table.way_count) > 0


def _zones(network: Network, table: PolicyTable, sound: Mask) -> tuple[Mask, Mask]:
    """Ways that are in a zone where they need not be, and ways that pass a crossing and stay in their zone.

    Crossings belong to no zone: they join two. A way between endpoints of one zone stays in it, a way between two zones
    changes once; an endpoint that hangs on crossings alone is let out by them, whatever the zone beyond.
    """
    way, node, _ = _nodes(network, table, sound)
    crossing = network.node_kind[node] == NodeKind.CROSSING
    inner = np.flatnonzero(~crossing)
    of, zone = way[inner], network.node_zone[node[inner]].astype(np.int64)
    step = np.flatnonzero((of[1:] == of[:-1]) & (zone[1:] != zone[:-1]))
    changes = np.bincount(of[step], minlength=table.way_count)
    begin, end = np.full(table.way_count, -1), np.full(table.way_count, -1)
    end[of] = zone
    begin[of[::-1]] = zone[::-1]
    first = np.array(network.group_endpoint, dtype=np.int64)
    from_end, to_end = (first[group][table.pair] for group in (table.source, table.target))
    source, target = (network.node_zone[node].astype(np.int64) for node in (from_end, to_end))
    kind = network.node_kind
    lone = np.array(
        [all(kind[home] == NodeKind.CROSSING for home in homes) for homes in network.groups], dtype=np.bool_
    )
    lone_source, lone_target = lone[table.source][table.pair], lone[table.target][table.pair]
    begins = lone_source | (begin == source)
    ends = lone_target | (end == target)
    strayed = ~(begins & ends) | (changes > (source != target))
    # A crossing between two nodes of one zone; at an end it is a home.
    middle = np.flatnonzero(crossing[1:-1] & (way[2:] == way[:-2])) + 1 if len(way) > 2 else np.empty(0, dtype=np.intp)
    idle = middle[network.node_zone[node[middle - 1]] == network.node_zone[node[middle + 1]]]
    return strayed & sound, (np.bincount(way[idle], minlength=table.way_count) > 0) & sound
