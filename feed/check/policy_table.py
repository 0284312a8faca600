"""The routes of a parsed policy as flat arrays, as checks walk them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from feed.bundle.parsed import Parsed
from router_core.network import Network
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import RouteSpace


@dataclass(frozen=True, eq=False)
class PolicyTable:
    """D pairs of groups with P ways, by source, then by target; weights by slot.

    Attributes
    ----------
    names : tuple of str
        Of the groups.
    source, target : int64 (D,)
        Groups.
    pair_start : int64 (D + 1,)
        Ways of pair d: ``pair_start[d]:pair_start[d + 1]``.
    pair : int64 (P,)
        Pair of each way.
    first, last : int64 (P,)
        Nodes where a way begins and ends.
    way_start : int64 (P + 1,)
        Stations of way p: ``station[way_start[p]:way_start[p + 1]]``.
    station : int64 (K,)
    run_key : int64 (U,)
        ``pair * slots + first slot`` of each run of weights, ascending.
    run_first : int64 (U,)
        Where the weights of a run begin in `run_weight`.
    run_weight : int64
    slots : int
    now_pair : int64 (B,)
        Pairs that go otherwise than planned at the moment.
    now_weight : int64
        Their weights, one pair after the other.
    """

    names: tuple[str, ...]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    pair_start: NDArray[np.int64]
    pair: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    way_start: NDArray[np.int64]
    station: NDArray[np.int64]
    run_key: NDArray[np.int64]
    run_first: NDArray[np.int64]
    run_weight: NDArray[np.int64]
    slots: int
    now_pair: NDArray[np.int64]
    now_weight: NDArray[np.int64]

    @property
    def pair_count(self) -> int:
        """Number of pairs D."""
        return len(self.source)

    @property
    def way_count(self) -> int:
        """Number of ways P."""
        return len(self.pair)

    def pair_name(self, pair: int) -> tuple[str, str]:
        """Source and target of a pair by name."""
        return self.names[int(self.source[pair])], self.names[int(self.target[pair])]

    def way_name(self, way: int) -> str:
        """Name a way for a message."""
        pair = int(self.pair[way])
        return f"{' > '.join(self.pair_name(pair))} way {way - int(self.pair_start[pair])}"

    def stations(self, way: int) -> tuple[int, ...]:
        """Stations of a way in order."""
        return tuple(self.station[self.way_start[way] : self.way_start[way + 1]].tolist())

    def changes(self) -> NDArray[np.int64]:
        """Slots at which any weights of the static layer change, ascending, with slot 0."""
        return np.unique(np.concatenate(([0], self.run_key % self.slots)))

    def weights(self, slot: int) -> NDArray[np.int64]:
        """Weights (P,) of the static layer in a slot."""
        # Every pair has a run from slot 0 on, so the last key up to the wanted one is the pair's own.
        wanted = np.arange(self.pair_count, dtype=np.int64) * self.slots + slot
        run = np.searchsorted(self.run_key, wanted, side="right") - 1
        result: NDArray[np.int64] = self.run_weight[
            (self.run_first[run] - self.pair_start[:-1])[self.pair] + np.arange(self.way_count)
        ]
        return result

    def weights_now(self, slot: int) -> NDArray[np.int64]:
        """Weights (P,) with the dynamic layer in a slot."""
        result = self.weights(slot)
        width = np.diff(self.pair_start)[self.now_pair]
        begin = np.concatenate(([0], np.cumsum(width)))
        own = np.repeat(self.pair_start[self.now_pair] - begin[:-1], width) + np.arange(begin[-1])
        result[own] = self.now_weight
        return result


def policy_table(parsed: Parsed) -> PolicyTable:
    """Read the ways of a parsed policy; that its documents fit each other is known."""
    # Lists of what is there already, and no new tuples: some hundred thousand of these keep the garbage collector busy.
    routes = [parsed.routes[group] for group in sorted(parsed.routes)]
    targets = [target for one in routes for target in one.targets]
    ways = [way for target in targets for way in target.ways]
    stations = [way.stations for way in ways]
    runs = [run for target in targets for run in target.weights]
    slots, groups = parsed.release.slots, len(parsed.platform.groups)
    source = np.repeat(_numbers(one.source for one in routes), _numbers(len(one.targets) for one in routes))
    target = _numbers(target.target for target in targets)
    pair_start = _starts(len(target.ways) for target in targets)
    run_pair = np.repeat(np.arange(len(targets), dtype=np.int64), _numbers(len(target.weights) for target in targets))
    away = [(group, row) for group in sorted(parsed.now) for row in parsed.now[group].weights]
    return PolicyTable(
        names=tuple(group.name for group in parsed.platform.groups),
        source=source,
        target=target,
        pair_start=pair_start,
        pair=np.repeat(np.arange(len(targets), dtype=np.int64), np.diff(pair_start)),
        first=_numbers(way.first for way in ways),
        last=_numbers(way.last for way in ways),
        way_start=_starts(map(len, stations)),
        station=_numbers(chain.from_iterable(stations)),
        run_key=run_pair * slots + _numbers(slot for slot, _ in runs),
        run_first=_starts(len(weights) for _, weights in runs)[:-1],
        run_weight=_numbers(chain.from_iterable(weights for _, weights in runs)),
        slots=slots,
        now_pair=np.searchsorted(source * groups + target, _numbers(group * groups + row[0] for group, row in away)),
        now_weight=_numbers(chain.from_iterable(weights for _, (_, weights) in away)),
    )


def policy_paths(network: Network, space: RouteSpace, table: PolicyTable) -> PathSet:
    """Return the ways as paths of the network's space: a group with several homes has access lines around them.

    Every way must have passed the checks of `feed.check.routes`.
    """
    several = np.array([len(homes) > 1 for homes in network.groups], dtype=np.bool_)
    before, after = several[table.source][table.pair], several[table.target][table.pair]
    length = np.diff(table.way_start)
    start = np.concatenate(([0], np.cumsum(length + before + after)))
    station = np.empty(start[-1], dtype=np.int32)
    station[np.repeat(start[:-1] + before - table.way_start[:-1], length) + np.arange(len(table.station))] = (
        table.station
    )
    access = np.full((len(network.groups), network.node_count, 2), -1, dtype=np.int32)
    for group, endpoint in enumerate(network.group_endpoint):
        for home in network.groups[group]:
            access[group, home] = network.access_station[endpoint, home], network.access_station[home, endpoint]
    station[start[:-1][before]] = access[table.source[table.pair[before]], table.first[before], 0]
    station[start[1:][after] - 1] = access[table.target[table.pair[after]], table.last[after], 1]
    return PathSet(
        space,
        table.source.astype(np.int32),
        table.target.astype(np.int32),
        table.pair_start,
        start.astype(np.int64),
        station,
    )


def _numbers(values: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(values, dtype=np.int64)


def _starts(lengths: Iterable[int]) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(_numbers(lengths), dtype=np.int64))).astype(np.int64)
