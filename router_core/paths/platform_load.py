"""The platform's demand and stations in the terms of the split solvers: exchanges and bytes between groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.demand_model import Demand
from router_core.errors import BadInputError
from router_core.loads import capacity, server_time
from router_core.network import NO_GROUP, Network
from router_core.paths.path_set import PathSet


def platform_unit_load(network: Network, available: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return the utilisation of every station by one exchange, and by one byte, a second: float64 (2, S).

    A group with several homes has one pair of access lines in `space_of_network`, which stands for those of all its
    endpoints: its load is the mean of theirs.

    Parameters
    ----------
    network : Network
    available : float64 (L,), optional
        Share of each line that other users leave, in (0, 1]; a line with none is closed.
    """
    room = capacity(network, available)
    members = np.bincount(network.node_group[network.node_group != NO_GROUP], minlength=len(network.groups))
    for group, endpoint in enumerate(network.group_endpoint):
        for home in network.groups[group] if len(network.groups[group]) > 1 else ():
            for ends in ((endpoint, home), (home, endpoint)):
                room[network.access_station[ends]] *= members[group]
    work = np.stack((server_time(network, 1.0, 0.0), server_time(network, 0.0, 1.0)))
    return np.divide(work, room, out=np.full_like(work, np.inf), where=room > 0)


def group_demand(network: Network, paths: PathSet, demand: Demand) -> NDArray[np.float64]:
    """Return exchanges and bytes a second between the pairs of groups of a path set, float64 (2, D).

    Raises
    ------
    BadInputError
        If the demand has a pair of groups that the path set does not know.
    """
    count = len(network.groups)
    place = np.full(count * count, -1, dtype=np.int64)
    place[paths.source.astype(np.int64) * count + paths.target] = np.arange(paths.pair_count)
    group = network.node_group.astype(np.int64)
    row = place[group[demand.source] * count + group[demand.target]]
    unknown = np.flatnonzero(row < 0)
    if len(unknown):
        first = unknown[0]
        names = f"{network.node_name[demand.source[first]]} - {network.node_name[demand.target[first]]}"
        raise BadInputError(f"demand of {names}", "must be of a pair of the path set", None)
    rates = (demand.exchanges_per_s, demand.bytes_per_s)
    return np.stack([np.bincount(row, rate, paths.pair_count) for rate in rates])
