"""Path sets and splits of a platform, made from the choices of a plan."""

from __future__ import annotations

from random import Random

import numpy as np

from router_core.network import Network
from router_core.paths.path_set import PathSet, path_set
from router_core.paths.route_space import space_of_network
from router_core.plan import Choice, Plan, Trunk
from router_core.splits.split import Split


def whole_path(network: Network, source: int, target: int, trunk: Trunk) -> tuple[int, ...]:
    """Stations from the entry of a group's space to its exit: access lines where there are several homes."""
    ends = network.group_endpoint
    before = (network.access_station[ends[source], trunk.first],) if len(network.groups[source]) > 1 else ()
    after = (network.access_station[trunk.last, ends[target]],) if len(network.groups[target]) > 1 else ()
    return (*before, *trunk.stations, *after)


def paths_of_plan(network: Network, plan: Plan) -> tuple[PathSet, list[Choice | None]]:
    """All pairs of groups with the different trunks of their choices; and these choices."""
    space = space_of_network(network)
    source, target = space.all_pairs()
    choices = [plan.choice(a, b) for a, b in zip(source.tolist(), target.tolist(), strict=True)]
    paths = [
        list(dict.fromkeys(whole_path(network, a, b, trunk) for trunk in choice.trunks)) if choice else []
        for a, b, choice in zip(source.tolist(), target.tolist(), choices, strict=True)
    ]
    return path_set(space, source, target, paths), choices


def drawn_split(random: Random, paths: PathSet, *, closed: float = 0.1) -> Split:
    """Draw shares, some of them 0; a part of the pairs has none at all."""
    shares = np.zeros(paths.path_count)
    for pair in range(paths.pair_count):
        of_pair = slice(paths.pair_start[pair], paths.pair_start[pair + 1])
        drawn = np.array([random.choice((0.0, random.random(), 1.0)) for _ in shares[of_pair]])
        if drawn.sum() > 0 and random.random() >= closed:
            shares[of_pair] = drawn / drawn.sum()
    return Split(paths, shares, objective=1.0, lower_bound=0.0, sweeps=0, unrouted=np.empty(0, dtype=np.intp))
