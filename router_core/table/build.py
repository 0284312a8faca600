"""A route table from a network and what says how its pairs go: a plan, a mapping or a split, by class or for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import Network
from router_core.paths.trunks import path_trunks
from router_core.plan import Choice, Plan
from router_core.splits.split import Split
from router_core.table.parts import NO_ROUTE, TableParts
from router_core.table.route_table import RouteTable
from router_core.table.weights import whole_weights
from router_core.vocabulary import PRIORITY_MAX

Ways = Plan | Mapping[tuple[int, int], Choice | None] | Split
WEIGHTS_MAX: Final = 2**31 - 1
NO_OPINION: Final = -2


def route_table(network: Network, default: Ways, by_class: Mapping[int, Ways] | None = None) -> RouteTable:
    """Build a table; parameters and errors are those of `table_parts`."""
    return RouteTable(table_parts(network, default, by_class))


def table_parts(network: Network, default: Ways, by_class: Mapping[int, Ways] | None = None) -> TableParts:
    """Gather what a table is made of.

    Parameters
    ----------
    network : Network
    default : Plan, mapping from (source group, target group) to Choice or None, or Split
        What every class follows where nothing else is said. A split is one of ``space_of_network(network)``: its shares
        become whole weights, and a path without a share remains as the last resort. Pairs that it does not know have no
        route.
    by_class : mapping of int to the same, optional
        What a class of service, 0..PRIORITY_MAX, follows instead; pairs that a mapping or a split does not know follow
        the default. Classes that are given the same object share it.

    Raises
    ------
    BadInputError
        Naming the class or the pair, the rule and the value.
    """
    layers: list[Ways] = [default]
    class_layer = np.zeros(PRIORITY_MAX + 1, dtype=np.int32)
    for priority, ways in sorted((by_class or {}).items()):
        if not 0 <= priority <= PRIORITY_MAX:
            raise BadInputError("route table: class", f"must lie in 0..{PRIORITY_MAX}", priority)
        known = [number for number, layer in enumerate(layers) if layer is ways]
        if not known:
            layers.append(ways)
        class_layer[priority] = known[0] if known else len(layers) - 1

    gathered = _Gathered(network)
    cell = np.stack([gathered.add(ways) for ways in layers])
    cell = np.where(cell == NO_OPINION, cell[0], cell)
    cell[cell == NO_OPINION] = NO_ROUTE
    access = [
        (home, network.access_station[node, home], network.access_station[home, node])
        for node in range(network.node_count)
        for home in network.homes.get(node, ())
    ]
    homes = [len(network.homes.get(node, ())) for node in range(network.node_count)]
    home, out, back = np.array(access, dtype=np.int64).reshape(-1, 3).T
    return TableParts(
        station_count=network.station_count,
        group_count=len(network.groups),
        node_group=network.node_group,
        node_station=network.node_station,
        access_start=np.cumsum([0, *homes]),
        access_home=home,
        access_out=out,
        access_in=back,
        class_layer=class_layer,
        cell=cell,
        **gathered.columns(),
    )


@dataclass(frozen=True, eq=False)
class _Rows:
    """Choices of some pairs of groups as columns; a pair without ways has no route."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    ways: NDArray[np.int64]
    weight: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    stations: list[bytes]


class _Gathered:
    """Rows of one layer after another; a trunk that comes again is stored once."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._ways: list[NDArray[np.int64]] = []
        self._weight: list[NDArray[np.int64]] = []
        self._trunk: list[int] = []
        self._known: dict[tuple[int, int, bytes], int] = {}
        self._rows = 0

    def add(self, ways: Ways) -> NDArray[np.int64]:
        """Take a layer in, and return its cells (G, G): row, `NO_ROUTE`, or `NO_OPINION`."""
        rows = _rows_of_split(self._network, ways) if isinstance(ways, Split) else _rows_of_plan(self._network, ways)
        known = self._known
        for first, last, stations in zip(rows.first.tolist(), rows.last.tolist(), rows.stations, strict=True):
            self._trunk.append(known.setdefault((first, last, stations), len(known)))
        count = len(self._network.groups)
        code = rows.source * count + rows.target
        twice = np.flatnonzero(np.bincount(code, minlength=1) > 1)
        if len(twice):
            names = [self._network.node_name[self._network.group_endpoint[g]] for g in divmod(int(twice[0]), count)]
            raise BadInputError(f"pair {' > '.join(names)}", "must come once", int(np.bincount(code)[twice[0]]))
        cell = np.full((count, count), NO_OPINION, dtype=np.int64)
        used = rows.ways > 0
        cell[rows.source, rows.target] = NO_ROUTE
        cell[rows.source[used], rows.target[used]] = self._rows + np.arange(used.sum())
        self._rows += int(used.sum())
        self._ways.append(rows.ways[used])
        self._weight.append(rows.weight)
        return cell

    def columns(self) -> dict[str, NDArray[np.integer]]:
        """Columns of the table that the layers share."""
        width = np.dtype(np.int32).itemsize
        lengths = [len(stations) // width for _, _, stations in self._known]
        return {
            "row_start": np.cumsum(np.concatenate(([0], *self._ways)), dtype=np.int64),
            "weight": np.concatenate(self._weight),
            "trunk": np.array(self._trunk, dtype=np.int64),
            "trunk_first": np.array([first for first, _, _ in self._known], dtype=np.int64),
            "trunk_last": np.array([last for _, last, _ in self._known], dtype=np.int64),
            "trunk_start": np.cumsum([0, *lengths], dtype=np.int64),
            "trunk_station": np.frombuffer(b"".join(stations for _, _, stations in self._known), dtype=np.int32),
        }


def _rows_of_plan(network: Network, plan: Plan | Mapping[tuple[int, int], Choice | None]) -> _Rows:
    """Ask a plan for all pairs of groups, or take what a mapping has, by source and target."""
    count = len(network.groups)
    pairs: list[tuple[int, int]]
    found: list[Choice | None]
    if isinstance(plan, Mapping):
        pairs = sorted(plan)
        found = [plan[pair] for pair in pairs]
    else:
        pairs = [(source, target) for source in range(count) for target in range(count)]
        found = [plan.choice(source, target) for source, target in pairs]
    ways: list[int] = []
    weights: list[int] = []
    ends: list[tuple[int, int]] = []
    stations: list[bytes] = []
    for (source, target), choice in zip(pairs, found, strict=True):
        for group in (source, target):
            if not 0 <= group < count:
                raise BadInputError("plan: group", f"must lie in 0..{count - 1}", group)
        if choice is not None:
            _check(network, source, target, choice)
            weights += choice.weights
            ends += [(trunk.first, trunk.last) for trunk in choice.trunks]
            stations += [np.array(trunk.stations, dtype=np.int32).tobytes() for trunk in choice.trunks]
        ways.append(len(choice.trunks) if choice is not None else 0)
    source_of, target_of = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    first, last = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    return _Rows(
        source_of,
        target_of,
        np.array(ways, dtype=np.int64),
        np.array(weights, dtype=np.int64),
        first,
        last,
        stations,
    )


def _check(network: Network, source: int, target: int, choice: Choice) -> None:
    """Refuse a choice that no exchange could follow, by the names of the first endpoints of its groups."""
    names = [network.node_name[network.group_endpoint[group]] for group in (source, target)]
    place = f"plan {names[0]} > {names[1]}"
    weights = choice.weights
    if len(weights) != len(choice.trunks) or not weights or min(weights) < 0 or not 0 < sum(weights) <= WEIGHTS_MAX:
        rule = f"must be one a trunk, none negative, with a sum in 1..{WEIGHTS_MAX}"
        raise BadInputError(f"{place}.weights", rule, weights)
    for position, trunk in enumerate(choice.trunks):
        for group, home, name in ((source, trunk.first, "first"), (target, trunk.last, "last")):
            if home not in network.groups[group]:
                rule = f"must be a home of {network.node_name[network.group_endpoint[group]]}"
                raise BadInputError(f"{place}.trunks[{position}].{name}", rule, home)
        wrong = [station for station in trunk.stations if not 0 <= station < network.station_count]
        if wrong or not trunk.stations:
            rule = f"must be at least one station, each in 0..{network.station_count - 1}"
            raise BadInputError(f"{place}.trunks[{position}].stations", rule, wrong[0] if wrong else ())


def _rows_of_split(network: Network, split: Split) -> _Rows:
    """Take the paths of a split with whole weights; a pair that has no open path has no route."""
    paths = split.paths
    trunks = path_trunks(network, paths)
    weights = whole_weights(split.shares, paths.pair_start)
    pair = paths.path_pair
    routed = np.bincount(pair, weights=weights, minlength=paths.pair_count) > 0
    kept = np.flatnonzero(routed[pair])
    width = paths.path_station.itemsize
    flat = paths.path_station.tobytes()
    places = zip((trunks.start[kept] * width).tolist(), (trunks.stop[kept] * width).tolist(), strict=True)
    return _Rows(
        paths.source.astype(np.int64),
        paths.target.astype(np.int64),
        np.where(routed, np.diff(paths.pair_start), 0),
        weights[kept],
        trunks.first[kept].astype(np.int64),
        trunks.last[kept].astype(np.int64),
        [flat[start:stop] for start, stop in places],
    )
