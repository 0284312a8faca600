# PRIORITY stations: who is served next is known only when a server falls free, so those who wait queue class by class, and
# the station decides once an instant, after all that moves then. It is woken for that only while somebody waits.
from libc.stdint cimport int32_t, int64_t, uint64_t

from router_core.engine.fifo cimport fifo_takes, judge
from router_core.engine.state cimport *
from router_core.engine.wheel cimport NO_MEMORY, Node, roomier


cdef inline void wake_at(State *e, Station *station, int32_t number, int64_t time_ns) noexcept nogil:
    if station.more.wake_ns != time_ns:
        station.more.wake_ns = time_ns
        push_other(e, DECIDES, number, decide_key(number), time_ns)


cdef inline void priority_start(State *e, Station *station, int32_t number, int32_t index, int64_t now_ns) noexcept nogil:
    cdef Node *chunk = &e.wheel.nodes[index]
    cdef int64_t takes_ns = fifo_takes(station, chunk.payload_bytes, chunk.place)
    if chunk.place == IN_MEMORY:
        station.more.memory_bytes -= chunk.payload_bytes
    station.served += 1
    station.served_bytes += chunk.payload_bytes
    station.work_ns += <uint64_t> takes_ns
    ends_push(e, station, now_ns + takes_ns)
    chunk.state = MOVING
    chunk.next = e.arena[chunk.route + chunk.hop + 1]
    push_move(e, index, now_ns + takes_ns + station.after_ns, number)


cdef inline int32_t priority_first(State *e, Queue *queue) noexcept nogil:
    cdef int32_t line
    for line in range(CLASSES):
        if queue.lists[line].head != NONE:
            queue.waiting -= 1
            return list_pop(e, &queue.lists[line])
    return NONE


cdef inline void priority_decide(State *e, Station *station, int32_t number, int64_t now_ns) noexcept nogil:
    cdef Queue *queue = station.more.queue
    cdef Node *chunk
    cdef int32_t i
    ends_forget(station, now_ns)
    while queue.waiting and station.more.ends_count < station.more.servers:
        priority_start(e, station, number, priority_first(e, queue), now_ns)
    for i in range(queue.newcomers_count):
        chunk = &e.wheel.nodes[queue.newcomers[i]]
        if chunk.state == QUEUED:
            chunk.place = judge(station, chunk.payload_bytes)
    queue.newcomers_count = 0
    if queue.waiting:
        wake_at(e, station, number, station.more.ends[0])
    else:
        station.more.wake_ns = NONE


cdef inline void priority_arrive(State *e, Station *station, int32_t number, int32_t index, int64_t now_ns) noexcept nogil:
    cdef Queue *queue = station.more.queue
    cdef Node *chunk = &e.wheel.nodes[index]
    cdef void *grown
    # Is there anything else at this instant? All that an instant causes for itself lies in the open window already, or will
    # be put there by what does.
    cdef bint more_now = e.entry_ns == now_ns or (
        e.wheel.open_next < e.wheel.open_count and e.wheel.opened[e.wheel.open_next].due_ns == now_ns
    )
    chunk.place = NOT_JUDGED
    if not more_now and queue.waiting == 0:
        ends_forget(station, now_ns)
        if station.more.ends_count < station.more.servers:
            priority_start(e, station, number, index, now_ns)
            return
    chunk.state = QUEUED
    if station.more.buffered:
        if queue.newcomers_count == queue.newcomers_size:
            grown = roomier(queue.newcomers, &queue.newcomers_size, 4, sizeof(int32_t))
            if grown == NULL:
                e.wheel.trouble = NO_MEMORY
                return
            queue.newcomers = <int32_t *> grown
        queue.newcomers[queue.newcomers_count] = index
        queue.newcomers_count += 1
    list_append(e, &queue.lists[chunk.priority], index)
    queue.waiting += 1
    if more_now:
        wake_at(e, station, number, now_ns)
    else:
        priority_decide(e, station, number, now_ns)


cdef inline void priority_stop(Station *station, int64_t now_ns) noexcept nogil:
    cdef int32_t line
    station.work_ns -= <uint64_t> work_to_do(station, now_ns)
    station.more.ends_count = 0
    station.more.memory_bytes = 0
    station.more.wake_ns = NONE
    station.more.queue.waiting = 0
    station.more.queue.newcomers_count = 0
    for line in range(CLASSES):
        station.more.queue.lists[line].head = NONE
