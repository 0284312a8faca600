# FIFO stations: a service is planned when its chunk arrives, by the recursion of Kiefer and Wolfowitz (Trans. AMS 78,
# 1955): who arrives next takes the server that falls free first. One event a visit. Those who still wait are kept in a
# ring, so that a change of the station's service can plan them anew (`fifo_revoke`, `fifo_plan`).
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from router_core.engine.state cimport *
from router_core.engine.wheel cimport wheel_push


cdef inline void fifo_settle(Station *station, int64_t now_ns) noexcept nogil:
    # Count the services that have begun up to now, now included.
    cdef Waiter *waiter
    while station.ring_count:
        waiter = &station.ring[station.ring_head]
        if waiter.start_ns > now_ns:
            return
        station.served += 1
        station.served_bytes += waiter.payload_bytes
        if waiter.place == IN_MEMORY:
            station.memory_bytes -= waiter.payload_bytes
        station.ring_head = (station.ring_head + 1) & (station.ring_size - 1)
        station.ring_count -= 1


cdef inline int ring_room(State *e, Station *station) noexcept nogil:
    cdef int32_t size = 2 * station.ring_size if station.ring_size else 4
    cdef int32_t first = station.ring_size - station.ring_head
    cdef Waiter *grown = <Waiter *> malloc(size * sizeof(Waiter))
    if grown == NULL:
        e.out_of_memory = 1
        return -1
    if station.ring_size:
        memcpy(grown, station.ring + station.ring_head, first * sizeof(Waiter))
        memcpy(grown + first, station.ring, station.ring_head * sizeof(Waiter))
    free(station.ring)
    station.ring = grown
    station.ring_head = 0
    station.ring_size = size
    return 0


cdef inline int64_t fifo_start(State *e, Station *station, int64_t now_ns) noexcept nogil:
    # When a server falls free for who arrives now.
    if station.servers == 1:
        return station.free_ns if station.free_ns > now_ns else now_ns
    if station.ends_count < station.servers or station.ends[0] <= now_ns:
        return now_ns
    return station.ends[0]


cdef inline void fifo_occupy(State *e, Station *station, int64_t start_ns, int64_t end_ns) noexcept nogil:
    # The server that falls free first is busy until then.
    if station.servers == 1:
        station.free_ns = end_ns
    elif station.ends_count and station.ends[0] <= start_ns:
        ends_replace_first(station, end_ns)
    else:
        ends_push(e, station, end_ns)


cdef inline int64_t fifo_takes(Station *station, int64_t payload_bytes, int32_t place) noexcept nogil:
    cdef int64_t takes_ns = service_ns(station.fixed_ns, station.ps_per_byte, payload_bytes)
    if place == ON_DISK:
        takes_ns += service_ns(station.spill_fixed_ns, station.spill_ps_per_byte, payload_bytes)
    return takes_ns


cdef inline int32_t judge(Station *station, int64_t payload_bytes) noexcept nogil:
    # Where who must wait does so.
    if not station.buffered:
        return IN_MEMORY
    if station.memory_bytes + payload_bytes <= station.buffer_bytes:
        station.memory_bytes += payload_bytes
        return IN_MEMORY
    station.spilled += 1
    return ON_DISK


cdef inline void fifo_arrive(State *e, Station *station, int32_t number, int32_t index, int64_t now_ns) noexcept nogil:
    cdef int64_t payload_bytes = e.chunks[index].payload_bytes
    cdef int64_t start_ns = fifo_start(e, station, now_ns)
    cdef int64_t takes_ns
    cdef int32_t place = IN_MEMORY
    cdef Waiter *waiter
    if start_ns == now_ns:
        station.served += 1
        station.served_bytes += payload_bytes
        takes_ns = service_ns(station.fixed_ns, station.ps_per_byte, payload_bytes)
    else:
        if station.buffered or station.ring_count == station.ring_size:
            fifo_settle(station, now_ns)
            if station.ring_count == station.ring_size and ring_room(e, station) < 0:
                return
        place = judge(station, payload_bytes)
        takes_ns = fifo_takes(station, payload_bytes, place)
        waiter = &station.ring[(station.ring_head + station.ring_count) & (station.ring_size - 1)]
        waiter.start_ns = start_ns
        waiter.payload_bytes = payload_bytes
        waiter.chunk = index
        waiter.place = place
        station.ring_count += 1
    station.work_ns += <uint64_t> takes_ns
    fifo_occupy(e, station, start_ns, start_ns + takes_ns)
    push_move(e, index, start_ns + takes_ns + station.after_ns, number)


cdef inline void fifo_revoke(State *e, Station *station, int64_t now_ns) noexcept nogil:
    # Undo the plans of all who wait, last one first, so that the ends are again those of services under way.
    cdef int32_t position, i
    cdef int64_t end_ns
    cdef Waiter *waiter
    fifo_settle(station, now_ns - 1)
    for position in range(station.ring_count - 1, -1, -1):
        waiter = &station.ring[(station.ring_head + position) & (station.ring_size - 1)]
        end_ns = e.chunks[waiter.chunk].due_ns - station.after_ns
        station.work_ns -= <uint64_t> (end_ns - waiter.start_ns)
        if station.servers == 1:
            station.free_ns = waiter.start_ns
            continue
        i = 0
        while station.ends[i] != end_ns:
            i += 1
        while i > 0:
            station.ends[i] = station.ends[(i - 1) >> 1]
            i = (i - 1) >> 1
        ends_sift_down(station.ends, station.ends_count, 0, waiter.start_ns)


cdef inline void fifo_plan(State *e, Station *station, int32_t number, int64_t now_ns) noexcept nogil:
    # Plan all who wait, in their order, as the station serves now.
    cdef int32_t position
    cdef int64_t takes_ns, due_ns
    cdef Waiter *waiter
    for position in range(station.ring_count):
        waiter = &station.ring[(station.ring_head + position) & (station.ring_size - 1)]
        waiter.start_ns = fifo_start(e, station, now_ns)
        takes_ns = fifo_takes(station, waiter.payload_bytes, waiter.place)
        station.work_ns += <uint64_t> takes_ns
        fifo_occupy(e, station, waiter.start_ns, waiter.start_ns + takes_ns)
        due_ns = waiter.start_ns + takes_ns + station.after_ns
        if due_ns != e.chunks[waiter.chunk].due_ns:
            push_move(e, waiter.chunk, due_ns, number)


cdef inline int fifo_set_servers(State *e, Station *station, int32_t number, int32_t servers, int64_t now_ns) noexcept nogil:
    # Services under way go on, those on servers that are taken away too.
    cdef int64_t *busy
    cdef int32_t count = 0
    cdef int32_t i, surplus
    fifo_revoke(e, station, now_ns)
    busy = <int64_t *> malloc((station.ends_count + station.orphans_count + 1) * sizeof(int64_t))
    if busy == NULL:
        e.out_of_memory = 1
        return -1
    if station.free_ns > now_ns:
        busy[count] = station.free_ns
        count += 1
    for i in range(station.orphans_count):
        if station.orphans[i] > now_ns:
            busy[count] = station.orphans[i]
            count += 1
    for i in range(station.ends_count):
        if station.ends[i] > now_ns:
            busy[count] = station.ends[i]
            count += 1
    station.free_ns = 0
    station.ends_count = 0
    for i in range(count):
        ends_push(e, station, busy[i])
    station.servers = servers
    # Those that end first give back the surplus: a service may start once fewer than `servers` are under way.
    surplus = max(count - servers, 0)
    free(station.orphans)
    station.orphans = busy
    station.orphans_count = surplus
    for i in range(surplus):
        busy[i] = station.ends[0]
        ends_pop(station)
    if servers == 1:
        station.free_ns = station.ends[0] if station.ends_count else 0
        station.ends_count = 0
    fifo_plan(e, station, number, now_ns)
    return 0


cdef inline void fifo_stop(Station *station, int64_t now_ns) noexcept nogil:
    # Forget all plans; who waits or is in service fails elsewhere.
    fifo_settle(station, now_ns - 1)
    station.work_ns -= <uint64_t> work_to_do(station, now_ns)
    station.ring_count = 0
    station.free_ns = 0
    station.ends_count = 0
    station.orphans_count = 0
    station.memory_bytes = 0
