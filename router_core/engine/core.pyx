"""The engine as Python sees it: checked calls around plain C state.

Whoever calls has checked what users gave, and named what was wrong; the checks here are the last line, so that no
call from Python, however wrong, reads or writes out of bounds. They raise `ValueError`.

A long file, as an extension class cannot be spread over several: what the calls do lies in the modules beside it.
"""
from enum import IntEnum
from operator import index

import numpy as np

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from router_core.engine.commands cimport (
    mark_stop, reroute_chunk, set_servers, set_service, start_station, stop_marked,
)
from router_core.engine.fifo cimport fifo_settle, lanes_open
from router_core.engine.moves cimport run
from router_core.engine.particles cimport particles_send, piece_size
from router_core.engine.sharing cimport share_spent_ns
from router_core.engine.state cimport *
from router_core.engine.wheel cimport INSTANT_BEYOND, Node, wheel_free, wheel_init
from router_core.spread cimport mix

cdef extern from "stdlib.h":
    void *aligned_alloc(size_t alignment, size_t size) noexcept nogil

cdef int64_t INSTANT_MAX = (<int64_t> 1) << TIME_NS_MAX_SHIFT

cdef enum:
    BYTES_A_ROW = 21

_COLUMNS = frozenset((
    "servers", "fixed_ns", "ps_per_byte", "after_ns", "buffer_bytes", "spill_fixed_ns", "spill_ps_per_byte",
    "discipline", "processes",
))


class Run(IntEnum):
    """How `Engine.run` came back."""

    DONE = 0
    WANTS_WAYS = 1
    PAUSED = 2


cdef int _need(bint good, str what) except -1:
    # No function of Python's: nobody can replace it.
    if not good:
        raise ValueError(f"engine: {what}")
    return 0


cdef list _integers(whole):
    # Python's own integers: whatever stands for one is asked once, before anything is checked.
    return [index(value) for value in whole]


cdef class Engine:
    """Chunks over stations between control events.

    Parameters
    ----------
    stations : dict of arrays (S,)
        ``servers`` int32; ``fixed_ns``, ``ps_per_byte``, ``after_ns``, ``buffer_bytes``, ``spill_fixed_ns``,
        ``spill_ps_per_byte`` int64; ``discipline``, ``processes`` int8 (whether it is exchange processing).
    credit_bytes, credit_return_ns : int64 (N,)
        Of each node; -1 bytes: not held back.
    chunk_bytes, retries_max, backoff_ns, backoff_ns_max : int
        As in `router_core.transport.Transport`.

    Raises
    ------
    ValueError
        If a call breaks a rule; nothing has changed then.
    MemoryError, OverflowError
        If there is no memory left, or an instant passes 2**62 ns; the engine refuses every further call then.
    TypeError, OverflowError
        If an argument is not of its type, or too large for it; nothing has changed then.
    """

    cdef State state
    cdef bint _made
    cdef bint _broken
    cdef bint _running
    cdef int32_t[::1] _credit_of_node

    def __cinit__(self):
        memset(&self.state, 0, sizeof(State))

    def __init__(self, dict stations not None, int64_t[::1] credit_bytes not None,
                 int64_t[::1] credit_return_ns not None, *,
                 int64_t chunk_bytes, int32_t retries_max, int64_t backoff_ns, int64_t backoff_ns_max):
        _need(_COLUMNS.issubset(stations), "columns of stations")
        cdef State *e = &self.state
        cdef int32_t[::1] servers = stations["servers"]
        cdef int64_t[::1] fixed_ns = stations["fixed_ns"]
        cdef int64_t[::1] ps_per_byte = stations["ps_per_byte"]
        cdef int64_t[::1] after_ns = stations["after_ns"]
        cdef int64_t[::1] buffer_bytes = stations["buffer_bytes"]
        cdef int64_t[::1] spill_fixed_ns = stations["spill_fixed_ns"]
        cdef int64_t[::1] spill_ps_per_byte = stations["spill_ps_per_byte"]
        cdef int8_t[::1] discipline = stations["discipline"]
        cdef int8_t[::1] processes = stations["processes"]
        cdef Py_ssize_t count = servers.shape[0]
        cdef Py_ssize_t i, line
        cdef Station *station
        cdef Credit *credit
        _need(
            count == fixed_ns.shape[0] == ps_per_byte.shape[0] == after_ns.shape[0] == buffer_bytes.shape[0]
            == spill_fixed_ns.shape[0] == spill_ps_per_byte.shape[0] == discipline.shape[0] == processes.shape[0],
            "columns of stations have one length",
        )
        _need(0 < count < 2**30, "has stations")
        _need(credit_bytes.shape[0] == credit_return_ns.shape[0], "columns of nodes have one length")
        _need(chunk_bytes == 0 or chunk_bytes >= 2**10, "chunk_bytes >= 1024")
        _need(0 <= retries_max <= 1000 and 1 <= backoff_ns <= backoff_ns_max <= DURATION_NS_MAX, "retries and back-off")
        _need(e.wheel.heads == NULL, "is made once")
        if wheel_init(&e.wheel) < 0:
            raise MemoryError
        e.chunk_bytes = chunk_bytes
        e.retries_max = retries_max
        e.backoff_ns = backoff_ns
        e.backoff_ns_max = backoff_ns_max
        e.failed_station = e.wanted_pair = e.free_file = NONE
        e.entry_ns = NEVER
        for i in range(COMING):
            e.coming[i].number = NONE
        for i in range(PIECE_SIZES):
            e.free_pieces[i] = NONE
        # A cache line each.
        e.stations = <Station *> aligned_alloc(64, count * sizeof(Station))
        e.credits = <Credit *> calloc(credit_bytes.shape[0] + 1, sizeof(Credit))
        e.more = <More *> aligned_alloc(64, count * sizeof(More))
        if e.stations == NULL or e.more == NULL or e.credits == NULL:
            raise MemoryError
        memset(e.stations, 0, count * sizeof(Station))
        memset(e.more, 0, count * sizeof(More))
        for i in range(count):
            _need(1 <= servers[i] <= 10**6, "servers")
            _need(1 <= fixed_ns[i] <= DURATION_NS_MAX and 0 <= after_ns[i] <= DURATION_NS_MAX and 0 <= spill_fixed_ns[i] <= DURATION_NS_MAX, "times")
            _need(0 <= ps_per_byte[i] <= PS_PER_BYTE_MAX and 0 <= spill_ps_per_byte[i] <= PS_PER_BYTE_MAX, "rates")
            _need(FIFO <= discipline[i] <= SHARING, "disciplines")
            station = &e.stations[i]
            station.more = &e.more[i]
            station.more.servers = servers[i]
            station.fixed_ns = fixed_ns[i]
            station.ps_per_byte = <int32_t> ps_per_byte[i]
            station.after_ns = after_ns[i]
            station.more.buffer_bytes = buffer_bytes[i]
            station.more.buffered = buffer_bytes[i] >= 0
            station.more.spill_fixed_ns = spill_fixed_ns[i]
            station.more.spill_ps_per_byte = spill_ps_per_byte[i]
            station.discipline = discipline[i]
            station.more.processes = processes[i]
            station.more.wake_ns = NONE
            station.plain = station.discipline == FIFO and not station.more.buffered
            if station.discipline == FIFO:
                lanes_open(station)
            e.station_count += 1
            if station.discipline == PRIORITY:
                # Few ends lie in the place of the lanes.
                station.more.ends = station.more.lanes
                station.more.ends_size = LANES
                station.more.queue = <Queue *> calloc(1, sizeof(Queue))
                if station.more.queue == NULL:
                    raise MemoryError
                for line in range(CLASSES):
                    station.more.queue.lists[line].head = NONE
            elif station.discipline == SHARING:
                # In the place of the lanes, which only FIFO has.
                station.more.share = <Share *> station.more.lanes
                station.more.share.pending_ns = NONE
                station.more.share.alone = NONE
        self._credit_of_node = np.full(credit_bytes.shape[0], NONE, dtype=np.int32)
        for i in range(credit_bytes.shape[0]):
            if credit_bytes[i] >= 0:
                _need(1 <= credit_return_ns[i] <= DURATION_NS_MAX, "credit_return_ns")
                credit = &e.credits[e.credits_count]
                credit.limit_bytes = credit_bytes[i]
                credit.return_ns = credit_return_ns[i]
                for line in range(CLASSES):
                    credit.lists[line].head = NONE
                self._credit_of_node[i] = e.credits_count
                e.credits_count += 1
        # Had anything been wrong above, this would never be of use.
        self._made = True

    def __dealloc__(self):
        cdef State *e = &self.state
        cdef int32_t i
        for i in range(e.station_count):
            ends_free(&e.stations[i])
            free(e.stations[i].more.ring)
            free(e.stations[i].more.orphans)
            if e.stations[i].more.queue != NULL:
                free(e.stations[i].more.queue.newcomers)
                free(e.stations[i].more.queue)
            if e.stations[i].more.share != NULL:
                free(e.stations[i].more.share.heap)
        wheel_free(&e.wheel)
        free(e.stations)
        free(e.more)
        free(e.credits)
        free(e.files)
        for i in range(e.batches_count):
            free(<void *> e.batches[i].submitted_ns)
        free(e.pairs)
        free(e.table)
        free(e.ways)
        free(e.arena)
        free(e.batches)
        free(e.ended)
        free(e.delivered_ns)
        free(e.refusal)
        free(e.retries)

    cdef int _enter(self) except -1:
        if not self._made:
            raise ValueError("engine: was not made")
        if self._broken:
            raise ValueError("engine: has failed before")
        if self._running:
            raise ValueError("engine: is running in another thread")
        return 0

    cdef int _leave(self) except -1:
        # What went wrong without the GIL is said now.
        cdef State *e = &self.state
        if e.wheel.trouble == INSTANT_BEYOND:
            self._broken = True
            raise OverflowError(e.failed_station)
        if e.wheel.trouble:
            self._broken = True
            raise MemoryError("the engine has no memory left")
        return 0

    @property
    def now_ns(self):
        """Everything before this instant has happened."""
        return self.state.now_ns

    # Ways.

    def pairs(self, const int32_t[::1] source not None, const int32_t[::1] target not None,
              int32_t[::1] pair not None):
        """Fill (n,) with the numbers of pairs of nodes, new ones where a pair has not been seen."""
        cdef Py_ssize_t nodes = self._credit_of_node.shape[0]
        cdef Py_ssize_t i
        self._enter()
        _need(source.shape[0] == target.shape[0] == pair.shape[0], "columns have one length")
        for i in range(source.shape[0]):
            if not (0 <= source[i] < nodes and 0 <= target[i] < nodes):
                raise ValueError(f"engine: row {i}")
        for i in range(source.shape[0]):
            pair[i] = self._pair(source[i], target[i])

    cdef int32_t _pair(self, int32_t source, int32_t target) except -1:
        # An open hash table, at most half full.
        cdef State *e = &self.state
        cdef Pair *pair
        cdef uint64_t place
        if 2 * (e.pairs_count + 1) > e.table_size:
            self._grow_pairs()
        place = mix((<uint64_t> source << 32) | <uint64_t> target) & <uint64_t> (e.table_size - 1)
        while e.table[place] != NONE:
            pair = &e.pairs[e.table[place]]
            if pair.source == source and pair.target == target:
                return e.table[place]
            place = (place + 1) & <uint64_t> (e.table_size - 1)
        # Once more: what is filled in may lie over what is read.
        _need(max(source, target) < self._credit_of_node.shape[0], "node")
        e.table[place] = e.pairs_count
        pair = &e.pairs[e.pairs_count]
        memset(pair, 0, sizeof(Pair))
        pair.source = source
        pair.target = target
        pair.generation = NONE
        pair.credit = self._credit_of_node[source]
        e.pairs_count += 1
        return e.pairs_count - 1

    cdef int _grow_pairs(self) except -1:
        cdef State *e = &self.state
        cdef int64_t size = 2 * e.table_size if e.table_size else 1024
        cdef uint64_t place
        cdef int32_t i
        cdef int32_t *table
        cdef Pair *pairs
        _need(size < 2**31, "pairs")
        pairs = <Pair *> realloc(e.pairs, size // 2 * sizeof(Pair))
        if pairs == NULL:
            raise MemoryError
        e.pairs = pairs
        table = <int32_t *> malloc(size * sizeof(int32_t))
        if table == NULL:
            raise MemoryError
        memset(table, 0xFF, size * sizeof(int32_t))
        for i in range(e.pairs_count):
            place = mix((<uint64_t> pairs[i].source << 32) | <uint64_t> pairs[i].target) & <uint64_t> (size - 1)
            while table[place] != NONE:
                place = (place + 1) & <uint64_t> (size - 1)
            table[place] = i
        free(e.table)
        e.table = table
        e.table_size = size
        return 0

    def forget_ways(self):
        """Begin a new plan: every pair's ways must be bound anew before it is used."""
        self._enter()
        _need(self.state.generation < 2**31 - 1, "plans")
        self.state.generation += 1
        self.state.ways_count = 0

    def intern(self, tuple stations not None):
        """Store a route, a tuple of at least two stations, and return its place."""
        cdef State *e = &self.state
        cdef list numbers = _integers(stations)
        cdef int64_t count = len(numbers)
        cdef int64_t size, i
        cdef int32_t number
        cdef int32_t *grown
        self._enter()
        _need(2 <= count <= ROUTE_STATIONS_MAX, "a route has two stations or more")
        _need(e.arena_count + count + 2 < 2**31, "routes")
        if e.arena_count + count + 2 > e.arena_size:
            size = max(2 * e.arena_size, e.arena_count + count + 2, 4096)
            grown = <int32_t *> realloc(e.arena, size * sizeof(int32_t))
            if grown == NULL:
                raise MemoryError
            e.arena = grown
            e.arena_size = size
        for i in range(count):
            number = numbers[i]
            _need(0 <= number < e.station_count, "a route passes stations that exist")
            e.arena[e.arena_count + 1 + i] = number
        e.arena[e.arena_count] = ROUTE_BEGINS
        e.arena[e.arena_count + 1 + count] = NONE
        e.arena_count += count + 2
        return e.arena_count - count - 1

    def bind(self, int32_t pair, list routes not None, list weights not None):
        """Give a pair its ways under the plan in force: places of routes, weights > 0; none if there is no way."""
        cdef State *e = &self.state
        cdef list places = _integers(routes)
        cdef list shares = _integers(weights)
        cdef int64_t count = len(places)
        cdef int64_t total = 0
        cdef int64_t size, i, weight
        cdef int32_t place
        cdef Way *grown
        self._enter()
        _need(0 <= pair < e.pairs_count and e.pairs[pair].generation != e.generation, "pair")
        _need(count == <int64_t> len(shares) and count < 2**20, "a weight a route")
        if e.ways_count + count > e.ways_size:
            size = max(2 * <int64_t> e.ways_size, e.ways_count + count, 1024)
            _need(size < 2**31, "ways")
            grown = <Way *> realloc(e.ways, size * sizeof(Way))
            if grown == NULL:
                raise MemoryError
            e.ways = grown
            e.ways_size = <int32_t> size
        for i in range(count):
            place = places[i]
            weight = shares[i]
            _need(0 < place < e.arena_count and e.arena[place - 1] == ROUTE_BEGINS, "route")
            _need(0 < weight < 2**62 - total, "weights are positive, and below 2**62 together")
            total += weight
            e.ways[e.ways_count + i].route = place
            e.ways[e.ways_count + i].weight = weight
        e.pairs[pair].first_way = e.ways_count
        e.pairs[pair].ways = <int32_t> count
        e.pairs[pair].weight = total
        e.pairs[pair].generation = e.generation
        e.ways_count += <int32_t> count

    def wanted(self, int64_t until_ns):
        """Return the pairs (number, source, target) to bind now: the one wanted, and those that enter before `until_ns`."""
        cdef State *e = &self.state
        cdef int32_t b
        cdef int64_t row
        self._enter()
        e.calls_for_ways += 1
        found = []
        # Making Python's objects may let other threads in.
        self._running = True
        try:
            self._want(e.wanted_pair, found)
            e.wanted_pair = NONE
            row = e.row
            for b in range(e.batch, e.batches_count):
                while row < e.batches[b].count and e.batches[b].submitted_ns[row] < until_ns:
                    self._want(e.batches[b].pair[row], found)
                    row += 1
                if row < e.batches[b].count:
                    break
                row = 0
        finally:
            self._running = False
        return found

    def under_way(self):
        """Return the pairs (number, source, target) of all chunks on their way, each once."""
        cdef State *e = &self.state
        cdef int32_t i
        self._enter()
        e.calls_for_ways += 1
        found = []
        self._running = True
        try:
            for i in range(e.wheel.nodes_used):
                if has_way(&e.wheel.nodes[i]):
                    self._note(e.wheel.nodes[i].pair, found)
        finally:
            self._running = False
        return found

    cdef int _want(self, int32_t place, list found) except -1:
        if place != NONE and self.state.pairs[place].generation != self.state.generation:
            self._note(place, found)
        return 0

    cdef int _note(self, int32_t place, list found) except -1:
        cdef Pair *pair = &self.state.pairs[place]
        if pair.mark != self.state.calls_for_ways:
            pair.mark = self.state.calls_for_ways
            found.append((place, pair.source, pair.target))
        return 0

    def reroute(self):
        """Let chunks under way go over to their new way where it passes the station at which they arrived last."""
        cdef State *e = &self.state
        cdef int32_t i
        cdef Node *node
        self._enter()
        for i in range(e.wheel.nodes_used):
            node = &e.wheel.nodes[i]
            _need(not has_way(node) or e.pairs[node.pair].generation == e.generation, "all ways are bound")
        for i in range(e.wheel.nodes_used):
            if has_way(&e.wheel.nodes[i]):
                reroute_chunk(e, &e.wheel.nodes[i])

    # Exchanges.

    def submit(self, const int64_t[::1] submitted_ns not None, const int32_t[::1] pair not None,
               const int64_t[::1] payload_bytes not None, const int8_t[::1] priority not None):
        """Take in a batch, in order of submission; it is copied."""
        cdef State *e = &self.state
        cdef int64_t count = submitted_ns.shape[0]
        cdef int64_t size
        cdef int64_t last_ns = e.now_ns
        cdef Batch *batch
        cdef Batch *grown
        cdef char *rows
        self._enter()
        _need(pair.shape[0] == payload_bytes.shape[0] == priority.shape[0] == count > 0, "columns have one length")
        _need(e.handed_over + count < 2**31 - 1, "exchanges")
        self._drop_batches()
        if e.batches_count:
            batch = &e.batches[e.batches_count - 1]
            last_ns = max(last_ns, batch.submitted_ns[batch.count - 1])
        if e.batches_count == e.batches_size:
            size = 2 * e.batches_size if e.batches_size else 16
            grown = <Batch *> realloc(e.batches, size * sizeof(Batch))
            if grown == NULL:
                raise MemoryError
            e.batches = grown
            e.batches_size = <int32_t> size
        self._grow_outcome(e.handed_over + count)
        # A copy, as long as it takes them to enter: what has been checked must not change.
        rows = <char *> malloc(count * BYTES_A_ROW)
        if rows == NULL:
            raise MemoryError
        memcpy(rows, &submitted_ns[0], count * 8)
        memcpy(rows + count * 8, &payload_bytes[0], count * 8)
        memcpy(rows + count * 16, &pair[0], count * 4)
        memcpy(rows + count * 20, &priority[0], count)
        batch = &e.batches[e.batches_count]
        batch.submitted_ns = <const int64_t *> rows
        batch.payload_bytes = <const int64_t *> (rows + count * 8)
        batch.pair = <const int32_t *> (rows + count * 16)
        batch.priority = <const int8_t *> (rows + count * 20)
        batch.count = count
        batch.first = e.handed_over
        try:
            self._check_rows(batch, last_ns)
        except BaseException:
            free(rows)
            raise
        e.batches_count += 1
        e.handed_over += count

    cdef int _check_rows(self, const Batch *batch, int64_t last_ns) except -1:
        cdef int64_t i
        for i in range(batch.count):
            if not (last_ns <= batch.submitted_ns[i] <= DURATION_NS_MAX and 0 <= batch.pair[i] < self.state.pairs_count
                    and 0 <= batch.payload_bytes[i] <= PAYLOAD_BYTES_MAX and 0 <= batch.priority[i] < CLASSES):
                raise ValueError(f"engine: row {i}")
            last_ns = batch.submitted_ns[i]
        return 0

    cdef int _grow_outcome(self, int64_t count) except -1:
        cdef State *e = &self.state
        cdef int64_t size = e.outcome_size
        cdef void *grown
        if count > size:
            size = max(count, size + size // 2)
            grown = realloc(e.delivered_ns, size * sizeof(int64_t))
            if grown == NULL:
                raise MemoryError
            e.delivered_ns = <int64_t *> grown
            grown = realloc(e.refusal, size)
            if grown == NULL:
                raise MemoryError
            e.refusal = <int8_t *> grown
            grown = realloc(e.retries, size * sizeof(int32_t))
            if grown == NULL:
                raise MemoryError
            e.retries = <int32_t *> grown
            e.outcome_size = size
        memset(&e.delivered_ns[e.handed_over], 0xFF, (count - e.handed_over) * sizeof(int64_t))
        memset(&e.refusal[e.handed_over], 0, count - e.handed_over)
        memset(&e.retries[e.handed_over], 0, (count - e.handed_over) * sizeof(int32_t))
        return 0

    cdef int _drop_batches(self) except -1:
        # Let go of the batches that have entered.
        cdef State *e = &self.state
        cdef int32_t i
        while e.batch < e.batches_count and e.row == e.batches[e.batch].count:
            e.batch += 1
            e.row = 0
        if e.batch:
            for i in range(e.batch):
                free(<void *> e.batches[i].submitted_ns)
            for i in range(e.batch, e.batches_count):
                e.batches[i - e.batch] = e.batches[i]
            e.batches_count -= e.batch
            e.batch = 0
        return 0

    # Test particles.

    def send(self, const int64_t[::1] route_start not None, const int32_t[::1] route_station not None,
             const int64_t[::1] payload_bytes not None, const int8_t[::1] priority not None):
        """Send n particles now; the stations of each are ``route_station[route_start[i]:route_start[i + 1]]``.

        Returns
        -------
        int
            Number of the first one; they are numbered on in the order in which they are sent.
        """
        cdef State *e = &self.state
        cdef int64_t count = payload_bytes.shape[0]
        cdef int64_t stations = route_station.shape[0]
        cdef int64_t first = e.sent
        cdef char *rows
        self._enter()
        _need(route_start.shape[0] == count + 1 and priority.shape[0] == count > 0, "columns have one length")
        _need(first + count < 2**31, "particles")
        _need(stations < 2**31, "routes")
        # A copy: what has been checked must not change.
        rows = <char *> malloc((2 * count + 1) * 8 + stations * 4 + count)
        if rows == NULL:
            raise MemoryError
        memcpy(rows, &route_start[0], (count + 1) * 8)
        memcpy(rows + (count + 1) * 8, &payload_bytes[0], count * 8)
        if stations:
            memcpy(rows + (2 * count + 1) * 8, &route_station[0], stations * 4)
        memcpy(rows + (2 * count + 1) * 8 + stations * 4, &priority[0], count)
        try:
            self._send(rows, count, stations)
        finally:
            free(rows)
        self._leave()
        return first

    cdef int _send(self, const char *rows, int64_t count, int64_t stations) except -1:
        cdef State *e = &self.state
        cdef const int64_t *start = <const int64_t *> rows
        cdef const int64_t *payload_bytes = start + count + 1
        cdef const int32_t *station = <const int32_t *> (payload_bytes + count)
        cdef const int8_t *priority = <const int8_t *> (station + stations)
        cdef int64_t room = e.arena_count
        cdef int64_t i
        _need(start[0] == 0 and start[count] == stations, "routes")
        for i in range(count):
            _need(0 <= start[i] <= start[i + 1] <= stations, "routes follow each other")
            _need(2 <= start[i + 1] - start[i] <= ROUTE_STATIONS_MAX, "a route has two stations or more")
            _need(0 <= payload_bytes[i] <= PAYLOAD_BYTES_MAX and 0 <= priority[i] < CLASSES, "particle")
            room += <int64_t> PIECE << piece_size(start[i + 1] - start[i])
        for i in range(stations):
            _need(0 <= station[i] < e.station_count, "a route passes stations that exist")
        _need(room < 2**31, "routes")
        particles_send(e, start, station, payload_bytes, priority, count)
        return 0

    @property
    def ended(self):
        """Particles that have come or are lost, and are not collected yet."""
        return self.state.ended_count

    def collect(self, int64_t[::1] number not None, int64_t[::1] received_ns not None):
        """Fill (`ended`,) each: which particles have come, and when, or -1 if lost, in no order; and forget them."""
        cdef State *e = &self.state
        cdef int64_t i
        self._enter()
        _need(number.shape[0] == received_ns.shape[0] == e.ended_count, "the columns' length")
        for i in range(e.ended_count):
            number[i] = e.ended[i].number
            received_ns[i] = e.ended[i].received_ns
        e.ended_count = 0

    def run(self, int64_t until_ns, int64_t events_max):
        """Handle what happens before `until_ns`, at most so many events; return how it came back."""
        cdef State *e = &self.state
        cdef int how
        self._enter()
        _need(e.now_ns <= until_ns <= INSTANT_MAX, "time never runs back")
        self._running = True
        with nogil:
            how = run(e, until_ns, events_max)
        self._running = False
        self._drop_batches()
        self._leave()
        return how

    # Commands.

    def set_service(self, int32_t[::1] stations not None, int64_t[::1] fixed_ns not None,
                    int64_t[::1] ps_per_byte not None):
        """Services that start from now on take this long."""
        cdef State *e = &self.state
        cdef Py_ssize_t i
        self._enter()
        _need(stations.shape[0] == fixed_ns.shape[0] == ps_per_byte.shape[0], "columns have one length")
        for i in range(stations.shape[0]):
            _need(0 <= stations[i] < e.station_count, "station")
            _need(1 <= fixed_ns[i] <= DURATION_NS_MAX and 0 <= ps_per_byte[i] <= PS_PER_BYTE_MAX, "service")
        for i in range(stations.shape[0]):
            set_service(e, stations[i], fixed_ns[i], <int32_t> ps_per_byte[i])
        self._leave()

    def set_servers(self, int32_t[::1] stations not None, int32_t[::1] servers not None):
        """Stations have so many servers from now on."""
        cdef State *e = &self.state
        cdef Py_ssize_t i
        self._enter()
        _need(stations.shape[0] == servers.shape[0], "columns have one length")
        for i in range(stations.shape[0]):
            _need(0 <= stations[i] < e.station_count and 1 <= servers[i] <= 10**6, "servers")
        for i in range(stations.shape[0]):
            set_servers(e, stations[i], servers[i])
        self._leave()

    def set_up(self, int32_t[::1] stations not None, uint8_t[::1] up not None):
        """Stations stop, and what is on them fails; or they return."""
        cdef State *e = &self.state
        cdef Py_ssize_t i
        self._enter()
        _need(stations.shape[0] == up.shape[0], "columns have one length")
        for i in range(stations.shape[0]):
            _need(0 <= stations[i] < e.station_count, "station")
        for i in range(stations.shape[0]):
            if up[i]:
                start_station(e, stations[i])
            else:
                mark_stop(e, stations[i])
        stop_marked(e)
        self._leave()

    # What is seen.

    def snapshot(self, int64_t[:, ::1] table not None):
        """Fill (6, S): busy [ns], waiting, services begun, their bytes, spilled, failed; return the totals.

        Returns
        -------
        tuple of int
            Exchanges submitted, delivered, refused; chunks held, and waiting for their next attempt; particles sent,
            received and lost.

        Raises
        ------
        OverflowError
            With the station's number, if its busy time passes 2**63 ns; the engine goes on.
        """
        cdef State *e = &self.state
        cdef Station *station
        cdef int32_t i
        cdef int64_t now_ns = e.now_ns
        cdef uint64_t busy_ns
        self._enter()
        _need(table.shape[0] == 6 and table.shape[1] == e.station_count, "the table's shape")
        for i in range(e.station_count):
            station = &e.stations[i]
            table[1, i] = 0
            if station.discipline == SHARING:
                busy_ns = station.work_ns + <uint64_t> share_spent_ns(station, now_ns)
            else:
                if station.discipline == PRIORITY:
                    table[1, i] = station.more.queue.waiting
                elif station.more.ring_count:
                    fifo_settle(station, now_ns - 1)
                    table[1, i] = station.more.ring_count
                busy_ns = station.work_ns - <uint64_t> work_to_do(station, now_ns)
            if busy_ns >> 63:
                raise OverflowError(i)
            table[0, i] = <int64_t> busy_ns
            table[2, i] = station.served
            table[3, i] = station.served_bytes
            table[4, i] = station.more.spilled
            table[5, i] = station.more.failed
        return e.submitted, e.delivered, e.refused, e.held, e.retrying, e.sent, e.received, e.lost

    def outcome(self, int64_t[::1] delivered_ns not None, int8_t[::1] refusal not None,
                int32_t[::1] retries not None):
        """Fill what became of every exchange handed over so far, (n,) each."""
        cdef State *e = &self.state
        self._enter()
        _need(delivered_ns.shape[0] == refusal.shape[0] == retries.shape[0] == e.handed_over, "the columns' length")
        if e.handed_over:
            memcpy(&delivered_ns[0], e.delivered_ns, e.handed_over * sizeof(int64_t))
            memcpy(&refusal[0], e.refusal, e.handed_over)
            memcpy(&retries[0], e.retries, e.handed_over * sizeof(int32_t))

    @property
    def handed_over(self):
        """Exchanges submitted so far, entered or not."""
        return self.state.handed_over
