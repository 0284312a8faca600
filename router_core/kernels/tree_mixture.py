"""Trees of cheapest ways under lengths that grow with the load they bring, for `router_core.paths.tree_mixture`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

HASH_FACTOR = np.int64(1_000_003)


@njit(cache=True)
def mix_trees(  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915 - one loop nest
    arc_start: NDArray[np.int64],
    arc_tail: NDArray[np.int32],
    arc_head: NDArray[np.int32],
    arc_station: NDArray[np.int32],
    unit: NDArray[np.float64],
    entry: NDArray[np.int64],
    exits: NDArray[np.int64],
    sent: NDArray[np.float64],
    received: NDArray[np.float64],
    order: NDArray[np.int64],
    steepness: float,
    slot: NDArray[np.int32],
):
    """Route drawn demands over trees, round by round, and return every way that some tree took, with how often.

    Indices are the caller's to check. G ends, S stations, M demands, N ways found.

    Parameters
    ----------
    arc_start, arc_tail, arc_head, arc_station
        The routing graph in compressed rows.
    unit : float64 (S,)
        Utilisation of a station by one unit of demand, > 0; infinite for a closed station.
    entry, exits : int64 (G,)
        States.
    sent, received : float64 (M, G)
        Demand m between two ends is ``sent[m, source] * received[m, target]``.
    order : int64 (M, rounds, G)
        Sources in the order in which each round routes them.
    steepness : float
        Length of a station: ``unit * exp(steepness * (load / peak - 1))``.
    slot : int32 (G, G)
        Number of each pair whose ways are kept, -1 for the others.

    Returns
    -------
    way_slot : int32 (N,)
    way_count : int64 (N,)
        How many trees took the way.
    way_start : int64 (N + 1,)
    way_arc : int32 (K,)
    """
    states, ends = len(arc_start) - 1, len(entry)
    length = np.empty(len(unit))
    distance = np.empty(states)
    came_by = np.empty(states, np.int32)
    queue = np.empty(states + 1, np.int32)
    waiting = np.zeros(states, np.bool_)
    arcs = np.empty(states, np.int32)
    slots = 0
    for source in range(ends):
        for target in range(ends):
            slots = max(slots, slot[source, target] + 1)
    newest = np.full(slots, -1, np.int64)  # last way found of each slot, and from each way the one found before
    room = 4 * slots + 16
    older, way_hash, way_count = np.empty(room, np.int64), np.empty(room, np.int64), np.zeros(room, np.int64)
    way_slot, way_start = np.empty(room, np.int32), np.zeros(room + 1, np.int64)
    way_arc = np.empty(16 * room + states, np.int32)
    ways, used = 0, 0
    for demand in range(len(sent)):
        load, peak = np.zeros(len(unit)), 0.0
        for routed in range(order.shape[1] * ends):
            source = order[demand, routed // ends, routed % ends]
            for station in range(len(unit)):
                relative = load[station] / peak - 1.0 if peak > 0 else 0.0
                length[station] = unit[station] * np.exp(steepness * relative)
            # First in, first out; lengths differ by orders of magnitude but graphs are sparse: as fast as a heap here.
            distance[:] = np.inf
            start = entry[source]
            distance[start], came_by[start] = 0.0, -1
            queue[0] = start
            first, last = 0, 1
            while first != last:
                state = queue[first]
                first = first + 1 if first < states else 0
                waiting[state] = False
                for arc in range(arc_start[state], arc_start[state + 1]):
                    total = distance[state] + length[arc_station[arc]]
                    head = arc_head[arc]
                    if total < distance[head]:
                        distance[head], came_by[head] = total, arc
                        if not waiting[head]:
                            waiting[head] = True
                            queue[last] = head
                            last = last + 1 if last < states else 0
            for target in range(ends):
                state = exits[target]
                if distance[state] == np.inf:
                    continue
                amount = sent[demand, source] * received[demand, target]
                count, code = 0, np.int64(0)
                while state != start:
                    arc = came_by[state]
                    arcs[count] = arc
                    count += 1
                    code = code * HASH_FACTOR + arc
                    station = arc_station[arc]
                    load[station] += amount * unit[station]
                    peak = max(peak, load[station])
                    state = arc_tail[arc]
                pair = slot[source, target]
                if pair < 0:
                    continue
                way = newest[pair]
                while way >= 0:
                    same = way_hash[way] == code and way_start[way + 1] - way_start[way] == count
                    for index in range(count if same else 0):
                        same = same and way_arc[way_start[way] + index] == arcs[count - 1 - index]
                    if same:
                        break
                    way = older[way]
                if way < 0:
                    if ways == room:
                        older, way_hash = np.concatenate((older, older)), np.concatenate((way_hash, way_hash))
                        way_count = np.concatenate((way_count, np.zeros(room, np.int64)))
                        way_slot = np.concatenate((way_slot, way_slot))
                        way_start = np.concatenate((way_start, np.zeros(room, np.int64)))
                        room *= 2
                    if used + count > len(way_arc):
                        way_arc = np.concatenate((way_arc, np.empty(len(way_arc), np.int32)))
                    way = ways
                    ways += 1
                    older[way], way_hash[way], way_slot[way] = newest[pair], code, pair
                    newest[pair] = way
                    for index in range(count):
                        way_arc[used + index] = arcs[count - 1 - index]
                    used += count
                    way_start[ways] = used
                way_count[way] += 1
    return way_slot[:ways], way_count[:ways], way_start[: ways + 1], way_arc[:used]
