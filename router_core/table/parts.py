"""What a route table is made of, and what it hands out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from router_core.plan import Trunk

# What a batch has in the place of a route: the pair has none; all of its ways are down.
NO_ROUTE: Final = -1
NONE_LIVE: Final = -2


class Route(NamedTuple):
    """The answer to a look-up, made once and handed out again.

    Attributes
    ----------
    number : int
        Of the route in its table.
    trunk : Trunk
        The way between the two homes.
    alternates : tuple of Trunk
        What to take where it fails: the others of positive weight in the order of further attempts
        (`router_core.plan.Choice.pick`), then those of no weight in order of preference.
    """

    number: int
    trunk: Trunk
    alternates: tuple[Trunk, ...]

    @property
    def stations(self) -> tuple[int, ...]:
        """Stations of the trunk in order."""
        return self.trunk.stations


@dataclass(frozen=True, eq=False)
class TableParts:
    """Columns of a route table: N nodes, S stations, G groups, R rows (choices), P routes, T different trunks.

    All arrays hold whole numbers, which the table copies and checks.

    Attributes
    ----------
    station_count : int
    group_count : int
    node_group : (N,)
        Group of each endpoint, -1 for other nodes.
    node_station : (N,)
        Where an exchange begins or ends.
    access_start : (N + 1,)
        Homes of node n: ``access_start[n]:access_start[n + 1]`` of the next three.
    access_home, access_out, access_in : (A,)
        The home, the station of the line to it, and that of the line from it.
    class_layer : (PRIORITY_MAX + 1,)
        Which layer of `cell` each class of service uses.
    cell : (layers, G, G)
        Row of each pair of groups, -1 if it has no route. Layers may share rows.
    row_start : (R + 1,)
        Routes of row r: ``row_start[r]:row_start[r + 1]``, at least one, in order of preference.
    weight : (P,)
        Of each route, >= 0; those of a row sum to 1 .. 2**31 - 1.
    trunk : (P,)
        Trunk of each route.
    trunk_first, trunk_last : (T,)
        Homes, nodes.
    trunk_start : (T + 1,)
        Stations of trunk t: ``trunk_station[trunk_start[t]:trunk_start[t + 1]]``.
    trunk_station : (K,)
    """

    station_count: int
    group_count: int
    node_group: NDArray[np.integer]
    node_station: NDArray[np.integer]
    access_start: NDArray[np.integer]
    access_home: NDArray[np.integer]
    access_out: NDArray[np.integer]
    access_in: NDArray[np.integer]
    class_layer: NDArray[np.integer]
    cell: NDArray[np.integer]
    row_start: NDArray[np.integer]
    weight: NDArray[np.integer]
    trunk: NDArray[np.integer]
    trunk_first: NDArray[np.integer]
    trunk_last: NDArray[np.integer]
    trunk_start: NDArray[np.integer]
    trunk_station: NDArray[np.integer]
