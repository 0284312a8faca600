"""Two paths of a pair that share as little as possible: no line, no cable, no carrier, no node."""

from __future__ import annotations

import numpy as np

from router_core.kernels.risk_paths import disjoint_two
from router_core.network import frozen
from router_core.paths.k_shortest import arcs_by_head, ordered_cost
from router_core.paths.pairs import Ends, checked_pairs, distinct_pairs, of_pairs
from router_core.paths.path_set import PathSet, path_set
from router_core.paths.route_space import RouteSpace
from router_core.paths.shared_risks import SharedRisks


def disjoint_pairs(space: RouteSpace, source: Ends | None = None, target: Ends | None = None) -> PathSet:
    """Return two paths of each pair that share as few arcs as any two do, and of such the two that cost least in all.

    A flow of two units at least cost (J. W. Suurballe, "Disjoint Paths in a Network", Networks 4, 1974; R. Bhandari,
    "Survivable Networks", 1999), exact: it also finds two where the cheapest path stands in the way of every other.
    On a topology arcs are lines. Neither path goes back along a line of the other, as swapping their ends would be
    cheaper: a cable of one line each way is shared only where a line is. On the platform a station can be passed in two
    states of processing, which are two arcs; there, and for risks of several lines, ask `risk_disjoint_pairs`.

    Parameters
    ----------
    space : RouteSpace
    source, target : int (D,), optional
        Ends of each pair; all pairs with a way to go by default.

    Returns
    -------
    PathSet
        Loopless paths, the cheaper one first. One path if the pair has no other, none if it is not connected.

    Raises
    ------
    BadInputError
        If a pair is not as above, or if costs are so large that sums over a path do not fit 63 bits.
    """
    sources, targets = checked_pairs(space, source, target)
    graph, entering = space.graph, arcs_by_head(space.graph)
    pair_start, path_start, path_station = disjoint_two(
        graph.arc_start,
        graph.arc_tail,
        graph.arc_head,
        graph.arc_station,
        entering.start,
        entering.arc,
        ordered_cost(space),
        space.station_count,
        space.entry[sources],
        space.exit[targets],
    )
    return PathSet(
        space,
        frozen(sources, np.int32),
        frozen(targets, np.int32),
        frozen(pair_start, np.int64),
        frozen(path_start, np.int64),
        frozen(path_station, np.int32),
    )


def risk_disjoint_pairs(space: RouteSpace, source: Ends | None = None, target: Ends | None = None) -> PathSet:
    """Return two paths of each pair that fail together with few of the space's risks, none if such two are found.

    The best of three: the cheapest path and one that avoids its risks; that one and one that avoids its risks; the two
    of `disjoint_pairs`. To share the fewest risks is NP-hard in general (J. Q. Hu, "Diverse routing in optical mesh
    networks", IEEE Transactions on Communications 51, 2003), so this is no proof that no two share fewer. That a set
    survives every single risk where the graph allows it is what `router_core.paths.survivable` sees to.

    Parameters
    ----------
    space : RouteSpace
    source, target : int (D,), optional
        Ends of each pair; all pairs with a way to go by default.

    Returns
    -------
    PathSet
        Loopless paths, the cheaper one first. One path if no other was found, none if the pair is not connected.

    Raises
    ------
    BadInputError
        If a pair is not as above, or if costs are so large that sums over a path do not fit 63 bits.
    """
    sources, targets, place = distinct_pairs(space, *checked_pairs(space, source, target))
    risks = SharedRisks(space)
    apart = disjoint_pairs(space, sources, targets)
    chosen: list[list[tuple[int, ...]]] = []
    for pair, (a, b) in enumerate(zip(sources.tolist(), targets.tolist(), strict=True)):
        cheapest = risks.avoiding(a, b, 0)
        if cheapest is None:
            chosen.append([])
            continue
        other = risks.avoiding(a, b, risks.of(cheapest)) or cheapest
        third = risks.avoiding(a, b, risks.of(other)) or other
        found: list[tuple[tuple[int, ...], ...]] = [(cheapest, other), (other, third), tuple(apart.paths_of(pair))]
        two: tuple[tuple[int, ...], ...] = min(
            (paths for paths in found if len(set(paths)) == 2),
            key=lambda paths: ((risks.of(paths[0]) & risks.of(paths[1])).bit_count(), _cost(space, *paths)),
            default=(cheapest,),
        )
        chosen.append(sorted(two, key=lambda path: _cost(space, path)))
    return of_pairs(path_set(space, sources, targets, chosen), place)


def _cost(space: RouteSpace, *paths: tuple[int, ...]) -> int:
    return sum(int(space.station_cost[list(path)].sum()) for path in paths)
