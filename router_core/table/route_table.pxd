# A route table as compiled code sees it: cimport `RouteTable` and ask `choose(&table.routes, ...)` without the GIL.
# Whoever does holds a reference to the table as long; the plain pointers live as long as it does.
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint64_t

from router_core.spread cimport ticket

cdef enum:
    CLASSES = 8

# What stands in the place of a route: the pair has none; all of its ways are down; no such end, class or exchange.
cdef enum:
    NO_ROUTE = -1
    NONE_LIVE = -2
    REFUSED = -3


cdef struct Way:
    int32_t upto   # weights of the ways of its row up to its own, included
    int32_t trunk


cdef struct Access:
    int32_t home
    int32_t out    # station of the line to the home
    int32_t back   # and of the line from it


cdef struct Routes:
    int32_t station_count
    int32_t node_count
    int32_t group_count
    int32_t layer[CLASSES]
    const int32_t *node_group
    const int32_t *node_station
    const int32_t *access_start
    const Access *access
    const int32_t *cell
    const int32_t *row_start
    const Way *ways
    const int32_t *trunk_first
    const int32_t *trunk_last
    const int32_t *trunk_start
    const int32_t *trunk_station


cdef inline int32_t row_of(const Routes *t, int64_t source, int64_t target, int64_t priority) noexcept nogil:
    # The row of a pair of endpoints, `NO_ROUTE` or `REFUSED`.
    cdef int32_t a, b
    # As unsigned numbers, negative ones are beyond any bound.
    if (<uint64_t> source >= <uint64_t> t.node_count or <uint64_t> target >= <uint64_t> t.node_count
            or <uint64_t> priority >= CLASSES):
        return REFUSED
    a = t.node_group[source]
    b = t.node_group[target]
    if a < 0 or b < 0:
        return REFUSED
    return t.cell[(<int64_t> t.layer[priority] * t.group_count + a) * t.group_count + b]


cdef inline bint has_weight(const Routes *t, int32_t first, int32_t way) noexcept nogil:
    return t.ways[way].upto > (t.ways[way - 1].upto if way > first else 0)


cdef inline int32_t next_way(const Routes *t, int32_t first, int32_t end, int32_t way) noexcept nogil:
    # The next one of positive weight, round and round; there always is one.
    while True:
        way += 1
        if way == end:
            way = first
        if has_weight(t, first, way):
            return way


cdef inline int32_t taken(const Routes *t, int32_t row, int64_t exchange_id, int64_t attempt) noexcept nogil:
    # `router_core.plan.Choice.pick`, to the integer.
    cdef int32_t first = t.row_start[row], end = t.row_start[row + 1], way = first, place, open_ones
    cdef int64_t drawn
    if end - first == 1:
        return first
    drawn = ticket(<uint64_t> exchange_id, 0, <uint64_t> t.ways[end - 1].upto)
    while t.ways[way].upto <= drawn:
        way += 1
    if attempt:
        open_ones = 0
        for place in range(first, end):
            open_ones += has_weight(t, first, place)
        for place in range(<int32_t> (attempt % open_ones)):
            way = next_way(t, first, end, way)
    return way


cdef inline int32_t choose(const Routes *t, int64_t source, int64_t target, int64_t priority, int64_t exchange_id,
                           int64_t attempt) noexcept nogil:
    # The route of an exchange at its first attempt (0), or after so many failures.
    cdef int32_t row = row_of(t, source, target, priority)
    if exchange_id < 0 or attempt < 0:
        return REFUSED
    return row if row < 0 else taken(t, row, exchange_id, attempt)


cdef inline bint access_is_live(const Routes *t, int64_t node, int32_t home, bint out,
                                const uint8_t *down) noexcept nogil:
    cdef int32_t place
    for place in range(t.access_start[node], t.access_start[node + 1]):
        if t.access[place].home == home:
            return not down[t.access[place].out if out else t.access[place].back]
    return False


cdef inline bint is_live(const Routes *t, int64_t source, int64_t target, int32_t way,
                         const uint8_t *down) noexcept nogil:
    # Whether all between the two endpoints' own stations is up.
    cdef int32_t trunk = t.ways[way].trunk, place
    for place in range(t.trunk_start[trunk], t.trunk_start[trunk + 1]):
        if down[t.trunk_station[place]]:
            return False
    return (access_is_live(t, source, t.trunk_first[trunk], True, down)
            and access_is_live(t, target, t.trunk_last[trunk], False, down))


cdef inline int32_t choose_live(const Routes *t, int64_t source, int64_t target, int64_t priority, int64_t exchange_id,
                                int64_t attempt, const uint8_t *down) noexcept nogil:
    # What `choose` says, or its first alternate that avoids the stations that are down; `down` has one a station.
    cdef int32_t row = row_of(t, source, target, priority), first, end, chosen, way
    if exchange_id < 0 or attempt < 0:
        return REFUSED
    if row < 0:
        return row
    if down[t.node_station[source]] or down[t.node_station[target]]:
        return NONE_LIVE
    first = t.row_start[row]
    end = t.row_start[row + 1]
    chosen = way = taken(t, row, exchange_id, attempt)
    while True:
        if is_live(t, source, target, way, down):
            return way
        way = next_way(t, first, end, way)
        if way == chosen:
            break
    # What is left are those of no weight; the rest is known to be down.
    for way in range(first, end):
        if is_live(t, source, target, way, down):
            return way
    return NONE_LIVE


cdef class RouteTable:
    cdef Routes routes
    cdef tuple _arrays
    cdef list _trunks
    cdef list _routes
    cdef int32_t _row_count

    cdef object _route(self, int32_t index)
    cdef object _trunk(self, int32_t index)
    cdef int32_t _row_of_route(self, int32_t index) noexcept
    cdef int _check_down(self, Py_ssize_t length) except -1
    cdef int _refuse(self, object source, object target, object priority, object exchange_id, object attempt,
                     str row) except -1


cdef class CurrentTable:
    cdef RouteTable _table
    cdef int64_t _epoch
