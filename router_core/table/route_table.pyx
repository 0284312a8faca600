"""The route table: which way each exchange takes, answered without a lock from any number of threads.

A table never changes, so whoever holds one reads it in peace, with or without the GIL; a new plan is a new table, and
`CurrentTable` has the one in force. How a table is laid out, and the look-up itself, is in `route_table.pxd`, so that
other extensions can inline it.
"""
import numpy as np

cimport cython
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t

from router_core.errors import BadInputError
from router_core.plan import Choice, Trunk
from router_core.table.parts import Route

cdef int64_t COUNT_MAX = 2**31 - 1

cdef enum:
    ANY = -1


cdef object _numbers(str name, object values, int64_t low, int64_t high):
    # A copy of our own, as int64, within bounds.
    given = np.asarray(values)
    if given.dtype.kind not in "iu" and given.size:
        raise BadInputError(f"route table: {name}", "must be whole numbers", str(given.dtype))
    if given.dtype.kind == "u" and given.size and int(given.max()) > high:
        raise BadInputError(f"route table: {name}", f"must lie in {low}..{high}", int(given.max()))
    copied = np.array(given, dtype=np.int64, order="C")
    wrong = np.argwhere((copied < low) | (copied > high))
    if len(wrong):
        place = tuple(wrong[0].tolist())
        shown = ", ".join(str(index) for index in place)
        raise BadInputError(f"route table: {name}[{shown}]", f"must lie in {low}..{high}", int(copied[place]))
    return copied


cdef object _column(str name, object values, int64_t low, int64_t high, Py_ssize_t length):
    copied = _numbers(name, values, low, high)
    if copied.ndim != 1 or (length != ANY and len(copied) != length) or len(copied) > COUNT_MAX:
        expected = f"{length} entries" if length != ANY else f"one dimension and at most {COUNT_MAX} entries"
        raise BadInputError(f"route table: {name}", f"must have {expected}", copied.shape)
    return copied.astype(np.int32)


cdef object _starts(str name, object values, Py_ssize_t rows, Py_ssize_t total, bint empty_ones):
    # Starts of compressed rows: from 0 to the number of entries, never back.
    copied = _numbers(name, values, 0, COUNT_MAX)
    if copied.ndim != 1 or not len(copied) or (rows != ANY and len(copied) != rows + 1):
        expected = f"{rows + 1} entries" if rows != ANY else "one dimension and at least 1 entry"
        raise BadInputError(f"route table: {name}", f"must have {expected}", copied.shape)
    if copied[0] != 0 or copied[len(copied) - 1] != total:
        raise BadInputError(f"route table: {name}", f"must run from 0 to {total}", (int(copied[0]), int(copied[len(copied) - 1])))
    wrong = np.flatnonzero(np.diff(copied) < (0 if empty_ones else 1))
    if len(wrong):
        place = int(wrong[0])
        rule = "must not run back" if empty_ones else "must run on, as nothing here may be empty"
        raise BadInputError(f"route table: {name}[{place + 1}]", rule, (int(copied[place]), int(copied[place + 1])))
    return copied.astype(np.int32)


cdef object _upto(object weight, object row_start):
    # Weights summed within each row. No more than 2**31 weights of less than 2**31 each: 64 bits hold all of them.
    total = np.concatenate(([0], np.cumsum(weight, dtype=np.int64)))
    starts = row_start.astype(np.int64)
    first = starts[:len(starts) - 1]
    sums = total[starts[1:]] - total[first]
    wrong = np.flatnonzero((sums < 1) | (sums > COUNT_MAX))
    if len(wrong):
        row = int(wrong[0])
        raise BadInputError(f"route table: weights of row {row}", f"must sum to 1..{COUNT_MAX}", int(sums[row]))
    return total[1:] - np.repeat(total[first], np.diff(starts))


cdef const int32_t *_pointer(object array):
    # Of an int32 array that the table owns; none is empty for long enough to be read.
    cdef const int32_t[::1] view
    if array.size == 0:
        return NULL
    view = array.reshape(-1)
    return &view[0]


# Nothing that a table holds can lead back to it: no garbage to collect, and no collector that empties it.
@cython.final
@cython.no_gc
cdef class RouteTable:
    """The ways of all pairs of groups, for every class of service; it never changes.

    Every exchange takes the same way whoever asks and however often: `Choice.pick` of its pair's choice, to the
    integer. It is a `Plan` too, that of its default layer. Ends are endpoints, nodes of the network.

    Parameters
    ----------
    parts : TableParts
        Copied and checked. `route_table` makes them from a network and plans.

    Raises
    ------
    BadInputError
        Naming the column, the rule and the value.
    """

    def __cinit__(self, parts not None):
        cdef Routes *t = &self.routes
        cdef Py_ssize_t place, node_count, group_count, row_count, way_count, trunk_count, homes
        stations = int(_numbers("station_count", parts.station_count, 1, COUNT_MAX))
        group_count = int(_numbers("group_count", parts.group_count, 0, COUNT_MAX))
        # Every length is that of a copy: what was given may change at any time.
        node_group = _column("node_group", parts.node_group, -1, group_count - 1, ANY)
        node_count = len(node_group)
        node_station = _column("node_station", parts.node_station, 0, stations - 1, node_count)
        access_home = _column("access_home", parts.access_home, 0, node_count - 1, ANY)
        homes = len(access_home)
        access_out = _column("access_out", parts.access_out, 0, stations - 1, homes)
        access_in = _column("access_in", parts.access_in, 0, stations - 1, homes)
        access = np.ascontiguousarray(np.stack((access_home, access_out, access_in), axis=1))
        access_start = _starts("access_start", parts.access_start, node_count, homes, True)

        trunk_first = _column("trunk_first", parts.trunk_first, 0, node_count - 1, ANY)
        trunk_count = len(trunk_first)
        trunk_last = _column("trunk_last", parts.trunk_last, 0, node_count - 1, trunk_count)
        trunk_station = _column("trunk_station", parts.trunk_station, 0, stations - 1, ANY)
        trunk_start = _starts("trunk_start", parts.trunk_start, trunk_count, len(trunk_station), False)

        weight = _column("weight", parts.weight, 0, COUNT_MAX, ANY)
        way_count = len(weight)
        row_start = _starts("row_start", parts.row_start, ANY, way_count, False)
        row_count = len(row_start) - 1
        ways = np.empty((way_count, 2), dtype=np.int32)
        ways[:, 0] = _upto(weight, row_start)
        ways[:, 1] = _column("trunk", parts.trunk, 0, trunk_count - 1, way_count)

        cell = _numbers("cell", parts.cell, NO_ROUTE, row_count - 1)
        if cell.ndim != 3 or cell.shape[0] < 1 or cell.shape[1:] != (group_count, group_count):
            rule = f"must be of shape (layers, {group_count}, {group_count})"
            raise BadInputError("route table: cell", rule, cell.shape)
        layer = _column("class_layer", parts.class_layer, 0, cell.shape[0] - 1, CLASSES)
        cell = cell.astype(np.int32)

        t.station_count = stations
        t.node_count = <int32_t> node_count
        t.group_count = <int32_t> group_count
        for place in range(CLASSES):
            t.layer[place] = layer[place]
        t.node_group = _pointer(node_group)
        t.node_station = _pointer(node_station)
        t.access_start = _pointer(access_start)
        t.access = <const Access *> _pointer(access)
        t.cell = _pointer(cell)
        t.row_start = _pointer(row_start)
        t.ways = <const Way *> _pointer(ways)
        t.trunk_first = _pointer(trunk_first)
        t.trunk_last = _pointer(trunk_last)
        t.trunk_start = _pointer(trunk_start)
        t.trunk_station = _pointer(trunk_station)
        self._arrays = (
            node_group, node_station, access_start, access, cell, row_start, ways, trunk_first, trunk_last, trunk_start,
            trunk_station,
        )
        self._row_count = <int32_t> row_count
        self._trunks = [None] * trunk_count
        self._routes = [None] * way_count

    def __reduce__(self):
        raise TypeError("a route table is not pickled: build it from its plans where it is needed")

    @property
    def nbytes(self):
        """Size of all that a look-up reads [bytes]; `Route` objects, made when first asked for, come on top."""
        return sizeof(Routes) + sum(array.nbytes for array in self._arrays)

    @property
    def route_count(self):
        """Number of routes P; routes are numbered from 0."""
        return len(self._routes)

    @property
    def trunk_count(self):
        """Number of different trunks."""
        return len(self._trunks)

    def lookup(self, int64_t source, int64_t target, int64_t priority, int64_t exchange_id, int64_t attempt=0):
        """Return the route that an exchange takes, `None` if its pair has none.

        Parameters
        ----------
        source, target : int
            Endpoints.
        priority : int
            Class of service, 0..PRIORITY_MAX.
        exchange_id : int
            Not negative.
        attempt : int
            How often it has failed: each failure moves it on to the next way of positive weight.

        Raises
        ------
        BadInputError
            If there is no such endpoint or class, or a number is negative.
        """
        cdef int32_t found = choose(&self.routes, source, target, priority, exchange_id, attempt)
        if found >= 0:
            return self._route(found)
        if found == REFUSED:
            self._refuse(source, target, priority, exchange_id, attempt, "")
        return None

    def lookup_live(self, int64_t source, int64_t target, int64_t priority, int64_t exchange_id,
                    const uint8_t[::1] down not None, int64_t attempt=0):
        """Return the route that an exchange takes, or its first alternate that avoids what is known to be down.

        Parameters
        ----------
        source, target, priority, exchange_id, attempt
            As for `lookup`.
        down : uint8 or bool (S,)
            Not 0 for the stations that are down. The endpoints' own stations and access lines count too.

        Returns
        -------
        Route or None
            `None` if the pair has no route, or none that is up.

        Raises
        ------
        BadInputError
            As `lookup`; or if `down` does not have an entry a station.
        """
        self._check_down(down.shape[0])
        cdef int32_t found = choose_live(&self.routes, source, target, priority, exchange_id, attempt, &down[0])
        if found >= 0:
            return self._route(found)
        if found == REFUSED:
            self._refuse(source, target, priority, exchange_id, attempt, "")
        return None

    @cython.boundscheck(False)  # lengths are equal, and rows are counted
    def lookup_many(self, const int32_t[::1] source not None, const int32_t[::1] target not None,
                    const int8_t[::1] priority not None, const int64_t[::1] exchange_id not None, *,
                    int32_t[::1] out=None, const uint8_t[::1] down=None):
        """Return the number of the route that each exchange takes, without the GIL.

        Nobody may write to the arrays meanwhile.

        Parameters
        ----------
        source, target : int32 (n,)
        priority : int8 (n,)
        exchange_id : int64 (n,)
        out : int32 (n,), optional
            Where to put the answer.
        down : uint8 or bool (S,), optional
            As for `lookup_live`.

        Returns
        -------
        int32 (n,)
            Route, `NO_ROUTE` where the pair has none, `NONE_LIVE` where none of its ways is up.

        Raises
        ------
        BadInputError
            If lengths differ, or naming the first row with no such endpoint or class, or a negative number; `out` is
            filled up to there.
        """
        cdef Py_ssize_t count = source.shape[0], row = 0
        cdef const Routes *t = &self.routes
        cdef const uint8_t *mask = NULL
        cdef int32_t found = 0
        if not (target.shape[0] == priority.shape[0] == exchange_id.shape[0] == count):
            lengths = (source.shape[0], target.shape[0], priority.shape[0], exchange_id.shape[0])
            raise BadInputError("route table: batch", "columns must have one length", lengths)
        if out is None:
            out = np.empty(count, dtype=np.int32)
        elif out.shape[0] != count:
            raise BadInputError("route table: out", f"must have {count} entries", out.shape[0])
        if down is not None:
            self._check_down(down.shape[0])
            mask = &down[0]
        with nogil:
            if mask == NULL:
                for row in range(count):
                    found = choose(t, source[row], target[row], priority[row], exchange_id[row], 0)
                    if found == REFUSED:
                        break
                    out[row] = found
            else:
                for row in range(count):
                    found = choose_live(t, source[row], target[row], priority[row], exchange_id[row], 0, mask)
                    if found == REFUSED:
                        break
                    out[row] = found
        if found == REFUSED:
            self._refuse(source[row], target[row], priority[row], exchange_id[row], 0, f" of row {row}")
        return out.base

    def route(self, int64_t number):
        """Return a route by its number."""
        if not 0 <= number < len(self._routes):
            raise BadInputError("route table: route", f"must lie in 0..{len(self._routes) - 1}", number)
        return self._route(<int32_t> number)

    def stations(self, int64_t number):
        """Return the stations of a route's trunk, a tuple that is made once."""
        return self.route(number).trunk.stations

    def choice(self, int64_t source_group, int64_t target_group, priority=None):
        """Return the ways from one group of endpoints to another, `None` if there are none.

        Parameters
        ----------
        source_group, target_group : int
        priority : int, optional
            Class of service; the default layer's answer if not given, as `Plan` asks.

        Raises
        ------
        BadInputError
            If there is no such group or class.
        """
        cdef const Routes *t = &self.routes
        cdef int64_t group, layer = 0
        cdef int32_t row, first, end, way
        for name, group in (("source_group", source_group), ("target_group", target_group)):
            if not 0 <= group < t.group_count:
                raise BadInputError(f"route table: {name}", f"must lie in 0..{t.group_count - 1}", group)
        if priority is not None:
            if not 0 <= priority < CLASSES:
                raise BadInputError("route table: priority", f"must lie in 0..{CLASSES - 1}", priority)
            layer = t.layer[<int> priority]
        row = t.cell[(layer * t.group_count + source_group) * t.group_count + target_group]
        if row < 0:
            return None
        first, end = t.row_start[row], t.row_start[row + 1]
        return Choice(
            tuple([self._trunk(t.ways[way].trunk) for way in range(first, end)]),
            tuple([t.ways[way].upto - (t.ways[way - 1].upto if way > first else 0) for way in range(first, end)]),
        )

    cdef object _route(self, int32_t index):
        # Two threads may both make it: the objects are equal, and the one that stays is as good.
        cdef const Routes *t = &self.routes
        cdef int32_t row, first, end, way
        found = self._routes[index]
        if found is None:
            row = self._row_of_route(index)
            first, end = t.row_start[row], t.row_start[row + 1]
            order = []
            # Also of a way that has no weight itself, and is taken where all others are down.
            for way in [*range(index + 1, end), *range(first, index)]:
                if has_weight(t, first, way):
                    order.append(way)
            for way in range(first, end):
                if way != index and not has_weight(t, first, way):
                    order.append(way)
            others = tuple([self._trunk(t.ways[way].trunk) for way in order])
            found = self._routes[index] = Route(index, self._trunk(t.ways[index].trunk), others)
        return found

    cdef object _trunk(self, int32_t index):
        cdef const Routes *t = &self.routes
        cdef int32_t place
        found = self._trunks[index]
        if found is None:
            stations = tuple([t.trunk_station[place] for place in range(t.trunk_start[index], t.trunk_start[index + 1])])
            found = self._trunks[index] = Trunk(t.trunk_first[index], t.trunk_last[index], stations)
        return found

    cdef int32_t _row_of_route(self, int32_t index) noexcept:
        # The last row that does not begin behind it.
        cdef int32_t low = 0, high = self._row_count, middle
        cdef const int32_t *row_start = self.routes.row_start
        while high - low > 1:
            middle = low + (high - low) // 2
            if row_start[middle] <= index:
                low = middle
            else:
                high = middle
        return low

    cdef int _check_down(self, Py_ssize_t length) except -1:
        if length != self.routes.station_count:
            raise BadInputError("route table: down", f"must have {self.routes.station_count} entries", length)
        return 0

    cdef int _refuse(self, object source, object target, object priority, object exchange_id, object attempt,
                     str row) except -1:
        for name, node in (("source", source), ("target", target)):
            if not 0 <= node < self.routes.node_count or self.routes.node_group[<int32_t> node] < 0:
                rule = f"must be an endpoint among {self.routes.node_count} nodes"
                raise BadInputError(f"route table: {name}{row}", rule, node)
        if not 0 <= priority < CLASSES:
            raise BadInputError(f"route table: priority{row}", f"must lie in 0..{CLASSES - 1}", priority)
        for name, number in (("exchange_id", exchange_id), ("attempt", attempt)):
            if number < 0:
                raise BadInputError(f"route table: {name}{row}", "must not be negative", number)
        raise BadInputError(f"route table: batch{row}", "must not be written to during a look-up", None)


@cython.final
@cython.no_gc
cdef class CurrentTable:
    """The table in force: one reference, replaced as a whole.

    A reader takes `table` once and works with it; it stays whole and alive as long as it is held, whatever is
    published meanwhile. Reading and publishing are single steps under the GIL, so readers need no lock.

    Parameters
    ----------
    table : RouteTable
        The first one, epoch 0.
    """

    def __cinit__(self, RouteTable table not None):
        self._table = table
        self._epoch = 0

    @property
    def table(self):
        """The table in force."""
        return self._table

    @property
    def epoch(self):
        """How many tables have been published since the first."""
        return self._epoch

    def read(self):
        """Return (epoch, table) that belong together."""
        return self._epoch, self._table

    def publish(self, RouteTable table not None):
        """Put a table in force, and return the one before."""
        # The one before is still held when it is replaced: nothing is freed half-way.
        cdef RouteTable previous = self._table
        self._table = table
        self._epoch += 1
        return previous
