"""The paths of a platform's space as trunks between homes: the one place that knows how a path begins and ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import Network, frozen
from router_core.paths.path_set import PathSet
from router_core.plan import Trunk
from router_core.vocabulary import StationRole


@dataclass(frozen=True, eq=False)
class PathTrunks:
    """The trunk within each path of a set: a path of a group with several homes has access lines around it.

    Attributes
    ----------
    paths : PathSet
    first, last : int32 (P,)
        The homes where each path enters and leaves.
    start, stop : int64 (P,)
        Stations of trunk p: ``paths.path_station[start[p]:stop[p]]``.
    """

    paths: PathSet
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]

    def trunk(self, path: int) -> Trunk:
        """Return one of them."""
        stations = self.paths.path_station[self.start[path] : self.stop[path]]
        return Trunk(int(self.first[path]), int(self.last[path]), tuple(stations.tolist()))


def path_trunks(network: Network, paths: PathSet) -> PathTrunks:
    """Find the trunks within paths between groups of endpoints.

    Parameters
    ----------
    network : Network
    paths : PathSet
        Of ``space_of_network(network)``.

    Raises
    ------
    BadInputError
        If the space is another one, or a path does not lead from a home of its source to one of its target.
    """
    space = paths.space
    expected = (len(network.groups), network.station_count)
    if (space.end_count, space.station_count) != expected:
        rule = f"must be of the network's space, of {expected[0]} groups and {expected[1]} stations"
        raise BadInputError("paths", rule, (space.end_count, space.station_count))
    several = np.array([len(homes) > 1 for homes in network.groups], dtype=np.bool_)
    only_home = np.array([homes[0] for homes in network.groups], dtype=np.int64)
    source, target = paths.source[paths.path_pair], paths.target[paths.path_pair]
    start = paths.path_start[:-1] + several[source]
    stop = paths.path_start[1:] - several[target]
    empty = np.flatnonzero(stop <= start)
    if len(empty):
        path = int(empty[0])
        raise BadInputError(_place(paths, path), "must have stations between the access lines", paths.stations(path))

    # A trunk begins and ends with the station of a node, which belongs to the home.
    outer = np.stack((paths.path_station[start], paths.path_station[stop - 1]))
    home = network.station_owner[outer].astype(np.int64)
    good = network.station_role[outer] != StationRole.LINE
    expected_home = np.stack((only_home[source], only_home[target]))
    good &= np.stack((several[source], several[target])) | (home == expected_home)
    # Where there are several homes, the line before or after leads there from an endpoint, or back.
    lines = np.stack((paths.path_station[paths.path_start[:-1]], paths.path_station[paths.path_start[1:] - 1]))
    is_line = network.station_role[lines] == StationRole.LINE
    line = np.where(is_line, network.station_owner[lines], 0)
    ends = (network.line_source, network.line_target)
    for side, (group, outside, inside) in enumerate(((source, *ends), (target, *ends[::-1]))):
        joins = is_line[side] & (inside[line[side]] == home[side]) & (network.node_group[outside[line[side]]] == group)
        good[side] &= ~several[group] | joins
    wrong = np.flatnonzero(~good.all(axis=0))
    if len(wrong):
        path = int(wrong[0])
        rule = "must lead from a home of its source to a home of its target"
        raise BadInputError(_place(paths, path), rule, paths.stations(path))
    return PathTrunks(paths, frozen(home[0], np.int32), frozen(home[1], np.int32), start, stop)


def _place(paths: PathSet, path: int) -> str:
    pair = int(paths.path_pair[path])
    name = paths.space.pair_name(int(paths.source[pair]), int(paths.target[pair]))
    return f"path {path - int(paths.pair_start[pair])} of {name}"
