# FIFO stations: a service is planned when its chunk arrives, by the recursion of Kiefer and Wolfowitz (Trans. AMS 78,
# 1955): who arrives next takes the server that falls free first. One event a visit. Those who still wait are kept in a
# ring, so that a change of the station's service can plan them anew (`fifo_revoke`, `fifo_plan`).
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from router_core.engine.state cimport *
from router_core.engine.wheel cimport NO_MEMORY, Node, wheel_remove


cdef inline void fifo_settle(Station *station, int64_t now_ns) noexcept nogil:
    # Count the services that have begun up to now, now included.
    cdef Waiter *waiter
    while station.more.ring_count:
        waiter = &station.more.ring[station.more.ring_head]
        if waiter.start_ns > now_ns:
            return
        station.served += 1
        station.served_bytes += waiter.payload_bytes
        if waiter.place == IN_MEMORY:
            station.more.memory_bytes -= waiter.payload_bytes
        station.more.ring_head = (station.more.ring_head + 1) & (station.more.ring_size - 1)
        station.more.ring_count -= 1


cdef inline int ring_room(State *e, Station *station) noexcept nogil:
    cdef int32_t size = 2 * station.more.ring_size if station.more.ring_size else 4
    cdef int32_t first = station.more.ring_size - station.more.ring_head
    cdef Waiter *grown = <Waiter *> malloc(size * sizeof(Waiter))
    if grown == NULL:
        e.wheel.trouble = NO_MEMORY
        return -1
    if station.more.ring_size:
        memcpy(grown, station.more.ring + station.more.ring_head, first * sizeof(Waiter))
        memcpy(grown + first, station.more.ring, station.more.ring_head * sizeof(Waiter))
    free(station.more.ring)
    station.more.ring = grown
    station.more.ring_head = 0
    station.more.ring_size = size
    return 0


cdef inline void lanes_open(Station *station) noexcept nogil:
    # As many lanes as servers, all free; or none, where there is one server, or where the ends are kept in a heap.
    cdef int32_t i
    for i in range(LANES):
        station.more.lanes[i] = 0 if 1 < station.more.servers <= LANES and i < station.more.servers else NEVER
    station.single = station.more.servers == 1
    station.lane = 0
    station.free_ns = 0


cdef inline void lanes_look(Station *station) noexcept nogil:
    # Find the lane that falls free first.
    cdef int64_t *lanes = station.more.lanes
    cdef int64_t a = lanes[0]
    cdef int64_t b = lanes[2]
    cdef int64_t c = lanes[4]
    cdef int64_t d = lanes[6]
    cdef int8_t at_a = 0
    cdef int8_t at_b = 2
    cdef int8_t at_c = 4
    cdef int8_t at_d = 6
    # A tournament of conditional moves: nothing to guess, and three steps deep.
    at_a = 1 if lanes[1] < a else at_a
    a = min(lanes[1], a)
    at_b = 3 if lanes[3] < b else at_b
    b = min(lanes[3], b)
    at_c = 5 if lanes[5] < c else at_c
    c = min(lanes[5], c)
    at_d = 7 if lanes[7] < d else at_d
    d = min(lanes[7], d)
    at_a = at_b if b < a else at_a
    a = min(b, a)
    at_c = at_d if d < c else at_c
    c = min(d, c)
    station.lane = at_c if c < a else at_a
    station.free_ns = min(c, a)


cdef inline void fifo_occupy(State *e, Station *station, int64_t start_ns, int64_t end_ns) noexcept nogil:
    # The server that falls free first is busy until then.
    if station.single:
        station.free_ns = end_ns
        return
    if station.more.servers <= LANES:
        station.more.lanes[station.lane] = end_ns
        lanes_look(station)
        return
    if station.more.ends_count and station.more.ends[0] <= start_ns:
        ends_replace_first(station, end_ns)
    else:
        ends_push(e, station, end_ns)
    fifo_look(station)


cdef inline int64_t fifo_takes(Station *station, int64_t payload_bytes, int32_t place) noexcept nogil:
    cdef int64_t takes_ns = service_ns(station.fixed_ns, station.ps_per_byte, payload_bytes)
    if place == ON_DISK:
        takes_ns += service_ns(station.more.spill_fixed_ns, station.more.spill_ps_per_byte, payload_bytes)
    return takes_ns


cdef inline int32_t judge(Station *station, int64_t payload_bytes) noexcept nogil:
    # Where who must wait does so.
    if not station.more.buffered:
        return IN_MEMORY
    if station.more.memory_bytes + payload_bytes <= station.more.buffer_bytes:
        station.more.memory_bytes += payload_bytes
        return IN_MEMORY
    station.more.spilled += 1
    return ON_DISK


cdef inline void fifo_wait(State *e, Station *station, int32_t index, int64_t start_ns, int32_t place) noexcept nogil:
    # Note who waits until then; there is room in the ring.
    cdef Waiter *waiter = &station.more.ring[(station.more.ring_head + station.more.ring_count) & (station.more.ring_size - 1)]
    waiter.start_ns = start_ns
    waiter.payload_bytes = e.wheel.nodes[index].payload_bytes
    waiter.chunk = index
    waiter.place = place
    station.more.ring_count += 1


cdef inline int64_t fifo_arrive(State *e, Station *station, int32_t index, int64_t now_ns) noexcept nogil:
    # Plan the service of who arrives now; return when it arrives at its next station.
    cdef Node *chunk = &e.wheel.nodes[index]
    cdef int64_t payload_bytes = chunk.payload_bytes
    cdef int64_t start_ns = max(station.free_ns, now_ns)
    cdef int64_t takes_ns = service_ns(station.fixed_ns, station.ps_per_byte, payload_bytes)
    cdef int32_t place
    chunk.next = e.arena[chunk.route + chunk.hop + 1]
    if start_ns == now_ns:
        station.served += 1
        station.served_bytes += payload_bytes
    else:
        if not station.plain or station.more.ring_count == station.more.ring_size:
            fifo_settle(station, now_ns)
            if station.more.ring_count == station.more.ring_size and ring_room(e, station) < 0:
                return now_ns
        place = judge(station, payload_bytes)
        if place == ON_DISK:
            takes_ns = fifo_takes(station, payload_bytes, place)
        fifo_wait(e, station, index, start_ns, place)
    station.work_ns += <uint64_t> takes_ns
    fifo_occupy(e, station, start_ns, start_ns + takes_ns)
    return start_ns + takes_ns + station.after_ns


cdef inline void fifo_revoke(State *e, Station *station, int64_t now_ns) noexcept nogil:
    # Undo the plans of all who wait, last one first, so that the ends are again those of services under way.
    cdef int32_t position, i
    cdef int64_t end_ns
    cdef Waiter *waiter
    fifo_settle(station, now_ns - 1)
    for position in range(station.more.ring_count - 1, -1, -1):
        waiter = &station.more.ring[(station.more.ring_head + position) & (station.more.ring_size - 1)]
        end_ns = e.wheel.nodes[waiter.chunk].due_ns - station.after_ns
        station.work_ns -= <uint64_t> (end_ns - waiter.start_ns)
        if station.single:
            station.free_ns = waiter.start_ns
            continue
        i = 0
        if station.more.servers <= LANES:
            while station.more.lanes[i] != end_ns:
                i += 1
            station.more.lanes[i] = waiter.start_ns
            continue
        while station.more.ends[i] != end_ns:
            i += 1
        while i > 0:
            station.more.ends[i] = station.more.ends[(i - 1) >> 1]
            i = (i - 1) >> 1
        ends_sift_down(station.more.ends, station.more.ends_count, 0, waiter.start_ns)
    fifo_look(station)


cdef inline void fifo_look(Station *station) noexcept nogil:
    # When the first server falls free; of a single one that is known.
    if station.single:
        return
    if station.more.servers <= LANES:
        lanes_look(station)
    else:
        station.free_ns = station.more.ends[0] if station.more.ends_count == station.more.servers else 0


cdef inline void fifo_plan(State *e, Station *station, int32_t number, int64_t now_ns) noexcept nogil:
    # Plan all who wait, in their order, as the station serves now.
    cdef int32_t position
    cdef int64_t takes_ns, due_ns
    cdef Waiter *waiter
    for position in range(station.more.ring_count):
        waiter = &station.more.ring[(station.more.ring_head + position) & (station.more.ring_size - 1)]
        waiter.start_ns = max(station.free_ns, now_ns)
        takes_ns = fifo_takes(station, waiter.payload_bytes, waiter.place)
        station.work_ns += <uint64_t> takes_ns
        fifo_occupy(e, station, waiter.start_ns, waiter.start_ns + takes_ns)
        due_ns = waiter.start_ns + takes_ns + station.after_ns
        if due_ns != e.wheel.nodes[waiter.chunk].due_ns:
            wheel_remove(&e.wheel, waiter.chunk)
            push_move(e, waiter.chunk, due_ns, number)


cdef inline int fifo_set_servers(State *e, Station *station, int32_t number, int32_t servers, int64_t now_ns) noexcept nogil:
    # Services under way go on, those on servers that are taken away too.
    cdef int64_t *busy
    cdef int32_t count = 0
    cdef int32_t i, surplus
    fifo_revoke(e, station, now_ns)
    busy = <int64_t *> malloc((LANES + station.more.ends_count + station.more.orphans_count + 1) * sizeof(int64_t))
    if busy == NULL:
        e.wheel.trouble = NO_MEMORY
        return -1
    for i in range(station.more.orphans_count):
        if station.more.orphans[i] > now_ns:
            busy[count] = station.more.orphans[i]
            count += 1
    if station.single and station.free_ns > now_ns:
        busy[count] = station.free_ns
        count += 1
    for i in range(LANES):
        if station.more.lanes[i] > now_ns and station.more.lanes[i] != NEVER:
            busy[count] = station.more.lanes[i]
            count += 1
    for i in range(station.more.ends_count):
        if station.more.ends[i] > now_ns:
            busy[count] = station.more.ends[i]
            count += 1
    station.more.ends_count = 0
    for i in range(count):
        ends_push(e, station, busy[i])
    station.more.servers = servers
    # Those that end first give back the surplus: a service may start once fewer than `servers` are under way.
    surplus = max(count - servers, 0)
    free(station.more.orphans)
    station.more.orphans = busy
    station.more.orphans_count = surplus
    for i in range(surplus):
        busy[i] = station.more.ends[0]
        ends_pop(station)
    lanes_open(station)
    if servers <= LANES:
        for i in range(station.more.ends_count):
            if station.single:
                station.free_ns = station.more.ends[i]
            else:
                station.more.lanes[i] = station.more.ends[i]
        station.more.ends_count = 0
    fifo_look(station)
    fifo_plan(e, station, number, now_ns)
    return 0


cdef inline void fifo_stop(Station *station, int64_t now_ns) noexcept nogil:
    # Forget all plans; who waits or is in service fails elsewhere.
    fifo_settle(station, now_ns - 1)
    station.work_ns -= <uint64_t> work_to_do(station, now_ns)
    station.more.ring_count = 0
    lanes_open(station)
    station.more.ends_count = 0
    station.more.orphans_count = 0
    station.more.memory_bytes = 0
