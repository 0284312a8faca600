"""Best lawful routes of all pairs of ends of a route space, exact after any change of a station's cost."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from router_core.best.checks import (
    CLOSED,
    UNREACHABLE,
    checked_changes,
    checked_pairs,
    refuse_costs,
    whole_numbers,
)
from router_core.best.hub_labels import HubLabels
from router_core.network import frozen
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import RouteSpace

__all__ = ["CLOSED", "NO_STATION", "UNREACHABLE", "BestRoutes"]

NO_STATION: Final = -1


class BestRoutes:
    """The best route from each end to each at the stations' costs of the moment: what was measured, for instance.

    A route is what the space says: on the platform a lawful trunk, processed at exactly one centre; on a topology a
    path. The same costs give the same routes whatever changes led to them; of equally good ones it is the one that the
    elimination finds first, an order that depends on the space alone.

    Made for sparse spaces, provinces and nations alike: a province's 124 ends and 818 states are solved in some 0.1 ms,
    and one station's change in a tenth of that; nothing of the size of all pairs is kept. The method is in `HubLabels`.

    Parameters
    ----------
    space : RouteSpace
    cost : int (S,), optional
        See `solve`; the space's own `station_cost` if not given.
    """

    def __init__(self, space: RouteSpace, cost: ArrayLike | None = None) -> None:
        self.space = space
        self._labels = HubLabels(space.graph, space.entry, space.exit, space.station_count)
        self.solve(space.station_cost if cost is None else cost)

    @property
    def station_cost(self) -> NDArray[np.int64]:
        """Cost of each station as of now, (S,); `CLOSED` where it is closed. A read-only view, as of the last call."""
        view = self._labels.cost.view()
        view.setflags(write=False)
        return view

    def solve(self, cost: ArrayLike) -> None:
        """Take new costs of all stations.

        Parameters
        ----------
        cost : int (S,)
            At least 1, or `CLOSED`; any cost times the number of states must stay below 2**60.

        Raises
        ------
        BadInputError
            Naming the first station that breaks a rule; everything then stays as it was.
        """
        given = whole_numbers(cost, (self.space.station_count,), "cost")
        refuse_costs(given, self._labels.limit, self._station)
        self._labels.solve(given)

    def update(self, station: ArrayLike, cost: ArrayLike) -> None:
        """Change the costs of some stations, up, down, closed or open again; the result equals that of `solve`.

        Parameters
        ----------
        station : int (C,) or int
            Of one named twice the last cost stands.
        cost : int (C,) or int
            As in `solve`.

        Raises
        ------
        BadInputError
            Naming the first station that breaks a rule; everything then stays as it was.
        """
        number, changed = checked_changes(station, cost, self.space.station_count, "station")
        refuse_costs(changed, self._labels.limit, lambda place: self._station(int(number[place])))
        self._labels.update(number, changed)

    def cost(self, source: int, target: int) -> int:
        """Cost of the best route from an end to an end; `UNREACHABLE` if there is none."""
        return int(self.costs(source, target)[0])

    def costs(self, source: ArrayLike, target: ArrayLike) -> NDArray[np.int64]:
        """Cost of the best route of each pair, (C,); `UNREACHABLE` where there is none.

        Parameters
        ----------
        source, target : int (C,)
            Ends.
        """
        return self._labels.distances(*self._ends(source, target))

    def matrix(self) -> NDArray[np.int64]:
        """Cost of the best route from each end to each, (G, G); `UNREACHABLE` where there is none."""
        count = self.space.end_count
        source, target = np.divmod(np.arange(count * count), max(1, count))
        return self._labels.distances(source, target).reshape(count, count)

    def stations(self, source: int, target: int) -> tuple[int, ...]:
        """Stations of the best route in order; empty if there is none, and where nothing lies between."""
        return tuple(self._labels.routes(*self._ends(source, target))[1].tolist())

    def next(self, source: int, target: int) -> int:
        """First station of the best route, or `NO_STATION`."""
        found = self.stations(source, target)
        return found[0] if found else NO_STATION

    def paths(self, source: ArrayLike | None = None, target: ArrayLike | None = None) -> PathSet:
        """Return the best route of each pair as a set of one path a pair, none where it is not connected.

        Parameters
        ----------
        source, target : int (D,), optional
            Ends; all pairs of the space if not given.
        """
        if source is None or target is None:
            source, target = self.space.all_pairs()
        sources, targets = self._ends(source, target)
        start, station = self._labels.routes(sources, targets)
        connected = self._labels.distances(sources, targets) != UNREACHABLE
        return PathSet(
            self.space,
            frozen(sources, np.int32),
            frozen(targets, np.int32),
            frozen(np.concatenate(([0], np.cumsum(connected))), np.int64),
            frozen(np.concatenate((start[:1], start[1:][connected])), np.int64),
            frozen(station, np.int32),
        )

    def unreachable_names(self) -> tuple[str, ...]:
        """Names of the pairs of the space that no way joins."""
        source, target = self.space.all_pairs()
        cut = np.flatnonzero(self.costs(source, target) == UNREACHABLE)
        return tuple(self.space.pair_name(int(source[pair]), int(target[pair])) for pair in cut)

    def _ends(self, source: ArrayLike, target: ArrayLike) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        return checked_pairs(source, target, self.space.end_count)

    def _station(self, station: int) -> str:
        return f"station {self.space.station_name[station]}"
