"""Cheapest trees of all sources at once: the pricing step of the column generation in `router_core.exact`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

INFINITE = np.inf


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
def price_trees(  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915 - one loop nest
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
    states = len(arc_start) - 1
    groups = len(entry_state)
    distance = np.empty(states)
    came_by = np.empty(states, np.int64)
    came_from = np.empty(states, np.int64)
    settled = np.empty(states, np.int64)
    flow = np.zeros(states)
    heap_key = np.empty(len(arc_head) + 1)
    heap_item = np.empty(len(arc_head) + 1, np.int64)
    arc_cost = np.empty(len(arc_head))
    load[:] = 0.0
    for mix in range(len(weight)):
        for arc in range(len(arc_head)):
            station = arc_station[arc]
            arc_cost[arc] = price[station] * weight[mix, station] + tie_cost
        for group in range(groups):
            first, last = row_start[mix * groups + group], row_start[mix * groups + group + 1]
            if first == last:
                continue
            distance[:] = INFINITE
            distance[entry_state[group]] = 0.0
            heap_key[0], heap_item[0] = 0.0, entry_state[group]
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
            for row in range(first, last):
                state = exit_state[row_target[row]]
                distance_to[row] = distance[state]
                if distance[state] < INFINITE:
                    flow[state] += row_rate[row]
            # From the farthest state back to the source, each hands its flow on to the one it was reached from.
            for place in range(reached - 1, 0, -1):
                state = settled[place]
                if flow[state] > 0.0:
                    load[group, came_by[state]] += flow[state] * weight[mix, came_by[state]]
                    flow[came_from[state]] += flow[state]
                    flow[state] = 0.0
            flow[entry_state[group]] = 0.0
