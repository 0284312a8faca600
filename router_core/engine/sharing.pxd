# SHARING stations: all are served at once, in equal shares. Virtual time grows as the service that each one gets, so
# a transfer is done when virtual time has reached its tag, which it gets when it comes (Zhang, SIGCOMM 1990); one heap of tags
# and one wake-up do. The wake-up moves: an early one is kept and looks again, so a change costs no event mostly.
# Who finds the station empty is planned as at a FIFO station: one event, unless somebody joins before it leaves.
from libc.stdint cimport int32_t, int64_t, uint64_t

from router_core.engine.state cimport *
from router_core.engine.wheel cimport INSTANT_BEYOND, NO_MEMORY, Node, roomier, wheel_remove

cdef extern from *:
    """
    #define SHARE_UNITS_PER_NS 1024

    static inline wide_t share_grown(wide_t virtual_time, int64_t elapsed_ns, int64_t count, int64_t servers) {
        wide_t units = (wide_t) elapsed_ns * SHARE_UNITS_PER_NS;
        /* Dividing 128 bits costs several times as much as dividing 64. */
        if (elapsed_ns < (INT64_C(1) << 33) && servers < (1 << 20))
            return virtual_time + (count <= servers ? (int64_t) units : (int64_t) units * servers / count);
        return virtual_time + (count <= servers ? units : units * servers / count);
    }
    static inline wide_t share_tag(wide_t virtual_time, int64_t takes_ns) {
        return virtual_time + (wide_t) takes_ns * SHARE_UNITS_PER_NS;
    }
    static inline int share_less(wide_t a, wide_t b) { return a < b; }
    /* How long until the least tag is reached [ns], or INT64_MAX. */
    static inline int64_t share_until(wide_t tag, wide_t virtual_time, int64_t count, int64_t servers) {
        wide_t rest = tag > virtual_time ? tag - virtual_time : 0;
        wide_t unit = SHARE_UNITS_PER_NS;
        if (rest < (INT64_C(1) << 42) && count < (1 << 20) && servers < (1 << 20)) {
            int64_t small = (int64_t) rest * (count > servers ? count : 1);
            int64_t share = SHARE_UNITS_PER_NS * (count > servers ? servers : 1);
            return (small + share - 1) / share;
        }
        if (count > servers) { rest *= count; unit *= servers; }
        rest = (rest + unit - 1) / unit;
        return rest > INT64_MAX ? INT64_MAX : (int64_t) rest;
    }
    static inline wide_t share_stretched(wide_t tag, wide_t virtual_time, int64_t new_ps, int64_t old_ps) {
        wide_t rest = tag > virtual_time ? tag - virtual_time : 0;
        return virtual_time + (rest * new_ps + old_ps - 1) / old_ps;
    }
    """
    wide_t share_grown(wide_t virtual_time, int64_t elapsed_ns, int64_t count, int64_t servers) noexcept nogil
    wide_t share_tag(wide_t virtual_time, int64_t takes_ns) noexcept nogil
    bint share_less(wide_t a, wide_t b) noexcept nogil
    int64_t share_until(wide_t tag, wide_t virtual_time, int64_t count, int64_t servers) noexcept nogil
    wide_t share_stretched(wide_t tag, wide_t virtual_time, int64_t new_ps, int64_t old_ps) noexcept nogil


cdef inline int64_t share_spent_ns(Station *station, int64_t now_ns) noexcept nogil:
    # Server time since the last change.
    if station.more.share.alone != NONE:
        return min(now_ns, station.more.wake_ns) - station.more.share.since_ns
    return (now_ns - station.more.share.since_ns) * min(station.more.share.count, station.more.servers)


cdef inline void share_update(Station *station, int64_t now_ns) noexcept nogil:
    cdef Share *share = station.more.share
    station.work_ns += <uint64_t> share_spent_ns(station, now_ns)
    if share.count:
        share.virtual_time = share_grown(share.virtual_time, now_ns - share.since_ns, share.count, station.more.servers)
    share.since_ns = now_ns


cdef inline void share_settle(Station *station, int64_t now_ns) noexcept nogil:
    # Who was alone has left, if that was planned for now or before.
    if station.more.share.alone != NONE and station.more.wake_ns <= now_ns:
        share_update(station, station.more.wake_ns)
        station.more.share.count = 0
        station.more.share.alone = NONE
        station.more.wake_ns = NONE


cdef inline void share_join(State *e, Station *station) noexcept nogil:
    # Who is alone is so no longer: when it leaves depends on others.
    cdef int32_t index = station.more.share.alone
    if index != NONE:
        wheel_remove(&e.wheel, index)
        e.wheel.nodes[index].state = SHARED
        station.more.share.alone = NONE


cdef inline void share_wake(State *e, Station *station, int32_t number, int64_t now_ns) noexcept nogil:
    # Note when the next one leaves, and see that an event comes no later.
    cdef Share *share = station.more.share
    cdef int64_t rest_ns
    if share.count == 0:
        station.more.wake_ns = NONE
        return
    rest_ns = share_until(share.heap[0].tag, share.virtual_time, share.count, station.more.servers)
    if rest_ns >= ((<int64_t> 1) << TIME_NS_MAX_SHIFT) - now_ns:
        e.failed_station = number
        e.wheel.trouble = INSTANT_BEYOND
        return
    station.more.wake_ns = now_ns + rest_ns
    if share.pending_ns == NONE or station.more.wake_ns < share.pending_ns:
        share.pending_ns = station.more.wake_ns
        push_other(e, LEAVES, number, settle_key(), station.more.wake_ns)


cdef inline void share_sift_down(Share *share, Transfer transfer) noexcept nogil:
    cdef int32_t i = 0
    cdef int32_t child
    while True:
        child = 2 * i + 1
        if child >= share.count:
            break
        if child + 1 < share.count and share_less(share.heap[child + 1].tag, share.heap[child].tag):
            child += 1
        if not share_less(share.heap[child].tag, transfer.tag):
            break
        share.heap[i] = share.heap[child]
        i = child
    share.heap[i] = transfer


cdef inline void share_arrive(State *e, Station *station, int32_t number, int32_t index, int64_t now_ns) noexcept nogil:
    cdef Share *share = station.more.share
    cdef Node *chunk = &e.wheel.nodes[index]
    cdef Transfer transfer
    cdef void *grown
    cdef int32_t i, parent
    cdef int64_t takes_ns
    if share.count == share.size:
        grown = roomier(share.heap, &share.size, 4, sizeof(Transfer))
        if grown == NULL:
            e.wheel.trouble = NO_MEMORY
            return
        share.heap = <Transfer *> grown
    share_settle(station, now_ns)
    share_join(e, station)
    share_update(station, now_ns)
    station.served += 1
    station.served_bytes += chunk.payload_bytes
    takes_ns = service_ns(station.fixed_ns, station.ps_per_byte, chunk.payload_bytes)
    transfer.tag = share_tag(share.virtual_time, takes_ns)
    transfer.chunk = index
    i = share.count
    share.count += 1
    while i > 0:
        parent = (i - 1) >> 1
        if not share_less(transfer.tag, share.heap[parent].tag):
            break
        share.heap[i] = share.heap[parent]
        i = parent
    share.heap[i] = transfer
    if share.count == 1:
        share.alone = index
        station.more.wake_ns = now_ns + takes_ns
        chunk.state = MOVING
        chunk.next = e.arena[chunk.route + chunk.hop + 1]
        push_move(e, index, now_ns + takes_ns + station.after_ns, number)
        return
    chunk.state = SHARED
    share_wake(e, station, number, now_ns)


cdef inline void share_leave(State *e, Station *station, int32_t number, int64_t now_ns) noexcept nogil:
    # An event of the station: those who are done leave, unless it came early.
    cdef Share *share = station.more.share
    cdef int32_t index
    cdef Node *chunk
    if share.pending_ns != now_ns:
        return  # an earlier one was put before it
    share.pending_ns = NONE
    if share.alone != NONE:
        return
    if station.more.wake_ns != now_ns:
        if station.more.wake_ns != NONE:
            share.pending_ns = station.more.wake_ns
            push_other(e, LEAVES, number, settle_key(), station.more.wake_ns)
        return
    share_update(station, now_ns)
    while share.count and not share_less(share.virtual_time, share.heap[0].tag):
        index = share.heap[0].chunk
        share.count -= 1
        share_sift_down(share, share.heap[share.count])
        chunk = &e.wheel.nodes[index]
        chunk.state = MOVING
        chunk.next = e.arena[chunk.route + chunk.hop + 1]
        push_move(e, index, now_ns + station.after_ns, number)
    share_wake(e, station, number, now_ns)


cdef inline void share_set_rate(State *e, Station *station, int32_t number, int32_t ps_per_byte, int64_t now_ns) noexcept nogil:
    cdef Share *share = station.more.share
    cdef int32_t old = station.ps_per_byte
    cdef int32_t i
    station.ps_per_byte = ps_per_byte
    if old == ps_per_byte:
        return
    share_settle(station, now_ns - 1)
    share_join(e, station)
    share_update(station, now_ns)
    if old:
        for i in range(share.count):
            share.heap[i].tag = share_stretched(share.heap[i].tag, share.virtual_time, ps_per_byte, old)
    share_wake(e, station, number, now_ns)


cdef inline void share_set_servers(State *e, Station *station, int32_t number, int32_t servers, int64_t now_ns) noexcept nogil:
    share_settle(station, now_ns - 1)
    share_join(e, station)
    share_update(station, now_ns)
    station.more.servers = servers
    share_wake(e, station, number, now_ns)


cdef inline void share_stop(Station *station, int64_t now_ns) noexcept nogil:
    share_settle(station, now_ns - 1)
    station.more.share.alone = NONE
    share_update(station, now_ns)
    station.more.share.count = 0
    station.more.wake_ns = NONE
