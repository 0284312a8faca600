"""Cheapest trees of all sources: pricing and first columns of the column generation in `router_core.exact`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

INFINITE = np.inf
# Steps of the line search, and when it is near enough: Newton on a function that is nearly linear mostly takes three.
SEARCH_STEPS = 8
SEARCH_TOLERANCE = 1e-3


@njit(cache=True)
def _sift_down(heap_key, heap_item, size, key, item):  # type: ignore[no-untyped-def]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and heap_key[child + 1] < heap_key[child]:
            child += 1
        if heap_key[child] >= key:
            break
        heap_key[place] = heap_key[child]
        heap_item[place] = heap_item[child]
        place = child
    heap_key[place] = key
    heap_item[place] = item


@njit(cache=True)
def _grow(  # type: ignore[no-untyped-def]
    arc_start, arc_head, arc_station, arc_cost, entry, distance, came_by, came_from, settled, heap_key, heap_item
):
    """Grow the tree of cheapest paths from a state (Dijkstra); return how many states were settled, in that order."""
    distance[:] = INFINITE
    distance[entry] = 0.0
    heap_key[0], heap_item[0] = 0.0, entry
    heap_size = 1
    reached = 0
    while heap_size > 0:
        key, state = heap_key[0], heap_item[0]
        heap_size -= 1
        if heap_size > 0:
            _sift_down(heap_key, heap_item, heap_size, heap_key[heap_size], heap_item[heap_size])
        if key > distance[state]:
            continue
        settled[reached] = state
        reached += 1
        for arc in range(arc_start[state], arc_start[state + 1]):
            total = key + arc_cost[arc]
            head = arc_head[arc]
            if total < distance[head]:
                distance[head] = total
                came_by[head] = arc_station[arc]
                came_from[head] = state
                place = heap_size
                heap_size += 1
                while place > 0 and heap_key[(place - 1) // 2] > total:
                    heap_key[place] = heap_key[(place - 1) // 2]
                    heap_item[place] = heap_item[(place - 1) // 2]
                    place = (place - 1) // 2
                heap_key[place] = total
                heap_item[place] = head
    return reached


@njit(cache=True)
def _gather(settled, reached, came_by, came_from, weight, flow, load):  # type: ignore[no-untyped-def]
    """Add to the stations' load what flows to the states of a tree; the flow is taken away."""
    # From the farthest state back to the source, each hands its flow on to the one it was reached from.
    for place in range(reached - 1, 0, -1):
        state = settled[place]
        if flow[state] > 0.0:
            load[came_by[state]] += flow[state] * weight[came_by[state]]
            flow[came_from[state]] += flow[state]
            flow[state] = 0.0
    flow[settled[0]] = 0.0


@njit(cache=True)
def price_trees(  # type: ignore[no-untyped-def]
    arc_start: NDArray[np.int64],
    arc_head: NDArray[np.int32],
    arc_station: NDArray[np.int32],
    weight: NDArray[np.float64],
    price: NDArray[np.float64],
    tie_cost: float,
    entry_state: NDArray[np.int64],
    exit_state: NDArray[np.int64],
    row_start: NDArray[np.int64],
    row_target: NDArray[np.int32],
    row_rate: NDArray[np.float64],
    load: NDArray[np.float64],
    distance_to: NDArray[np.float64],
):
    """Route every source's demand over cheapest paths; return how far that is, and what it loads.

    Indices are the caller's to check. M mixes of demand, G sources, S stations, D rows of demand by (mix, source).

    Parameters
    ----------
    arc_start, arc_head, arc_station
        The routing graph in compressed rows; more than one arc may join two states.
    weight : float64 (M, S)
        Utilisation of a station by a unit of each mix, finite.
    price : float64 (S,)
        Price of a unit of utilisation, >= 0.
    tie_cost : float
        Added to every arc, so that a free station is not visited for nothing.
    entry_state : int64 (G,)
        Where each source's demand enters the graph.
    exit_state : int64 (E,)
        Where demand for each target leaves it.
    row_start : int64 (M * G + 1,)
        Rows of mix m and source g: ``row_start[m * G + g]:row_start[m * G + g + 1]``.
    row_target : int32 (D,)
    row_rate : float64 (D,)
    load : float64 (G, S), written
        Utilisation that each source's tree causes.
    distance_to : float64 (D,), written
        Price of a unit of each row, tie costs included; infinite if its target cannot be reached: it loads nothing.
    """
    states, arcs, groups = len(arc_start) - 1, len(arc_head), len(entry_state)
    distance = np.empty(states)
    came_by, came_from, settled = np.empty(states, np.int64), np.empty(states, np.int64), np.empty(states, np.int64)
    flow = np.zeros(states)
    heap_key, heap_item = np.empty(arcs + 1), np.empty(arcs + 1, np.int64)
    arc_cost = np.empty(arcs)
    load[:] = 0.0
    for mix in range(len(weight)):
        for arc in range(arcs):
            arc_cost[arc] = price[arc_station[arc]] * weight[mix, arc_station[arc]] + tie_cost
        for group in range(groups):
            first, last = row_start[mix * groups + group], row_start[mix * groups + group + 1]
            if first == last:
                continue
            reached = _grow(
                arc_start,
                arc_head,
                arc_station,
                arc_cost,
                entry_state[group],
                distance,
                came_by,
                came_from,
                settled,
                heap_key,
                heap_item,
            )
            for row in range(first, last):
                state = exit_state[row_target[row]]
                distance_to[row] = distance[state]
                if distance[state] < INFINITE:
                    flow[state] += row_rate[row]
            _gather(settled, reached, came_by, came_from, weight[mix], flow, load[group])


@njit(cache=True)
def sweep_sources(  # type: ignore[no-untyped-def]  # noqa: PLR0912 - one loop nest
    arc_start: NDArray[np.int64],
    arc_head: NDArray[np.int32],
    arc_station: NDArray[np.int32],
    weight: NDArray[np.float64],
    sharpness: float,
    tie_cost: float,
    entry_state: NDArray[np.int64],
    exit_state: NDArray[np.int64],
    row_start: NDArray[np.int64],
    row_target: NDArray[np.int32],
    row_rate: NDArray[np.float64],
    own: NDArray[np.float64],
    total: NDArray[np.float64],
    tree: NDArray[np.float64],
):
    """Let each source in turn move towards its cheapest tree, at prices that rise exponentially with the load.

    Block-coordinate Frank-Wolfe with a line search on the sum over stations of ``exp(sharpness * load / peak)``. Each
    source heeds what those before it did, so a few sweeps come as far as many rounds in which all move at once.

    Parameters as in `price_trees`, where every target can be reached; else:

    Parameters
    ----------
    sharpness : float
    own : float64 (G, S), changed
        Utilisation that each source causes.
    total : float64 (S,), changed
        Their sum; its peak is above 0.
    tree : float64 (G, S), written
        Utilisation by the tree that each source moved towards.
    """
    states, arcs, groups, stations = len(arc_start) - 1, len(arc_head), len(entry_state), len(total)
    distance = np.empty(states)
    came_by, came_from, settled = np.empty(states, np.int64), np.empty(states, np.int64), np.empty(states, np.int64)
    flow = np.zeros(states)
    heap_key, heap_item = np.empty(arcs + 1), np.empty(arcs + 1, np.int64)
    arc_cost, price = np.empty(arcs), np.empty(stations)
    tree[:] = 0.0
    for group in range(groups):
        peak = total.max()
        if peak <= 0.0:
            return
        rise = sharpness / peak
        for station in range(stations):
            price[station] = np.exp(rise * (total[station] - peak))
        for mix in range(len(weight)):
            first, last = row_start[mix * groups + group], row_start[mix * groups + group + 1]
            if first == last:
                continue
            for arc in range(arcs):
                arc_cost[arc] = price[arc_station[arc]] * weight[mix, arc_station[arc]] + tie_cost
            reached = _grow(
                arc_start,
                arc_head,
                arc_station,
                arc_cost,
                entry_state[group],
                distance,
                came_by,
                came_from,
                settled,
                heap_key,
                heap_item,
            )
            for row in range(first, last):
                flow[exit_state[row_target[row]]] += row_rate[row]
            _gather(settled, reached, came_by, came_from, weight[mix], flow, tree[group])
        # What is gained where load falls equals what is lost where it rises: the logarithm of their ratio is nearly
        # linear in the step, so Newton finds its zero soon, guarded by halving; 2 stands for no limit found yet.
        step, low, high = 0.0, 0.0, 2.0
        for _ in range(SEARCH_STEPS):
            gain, loss, gain_slope, loss_slope = 1e-300, 1e-300, 0.0, 0.0
            for station in range(stations):
                change = tree[group, station] - own[group, station]
                if change != 0.0:
                    at = change * np.exp(rise * (total[station] + step * change - peak))
                    if change > 0.0:
                        loss += at
                        loss_slope += at * rise * change
                    else:
                        gain -= at
                        gain_slope -= at * rise * change
            excess = np.log(loss / gain)
            if excess >= 0.0:
                high = step
            else:
                low = step
            if high <= low or low >= 1.0:
                break
            slope = loss_slope / loss - gain_slope / gain
            following = step - excess / slope if slope > 0.0 else 1.0
            if not low < following < high:
                following = 0.5 * (low + high)
            following = min(following, 1.0)
            if abs(following - step) < SEARCH_TOLERANCE:
                step = following
                break
            step = following
        for station in range(stations):
            change = step * (tree[group, station] - own[group, station])
            own[group, station] += change
            total[station] += change
