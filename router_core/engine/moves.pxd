# How a chunk moves: enters, is admitted, arrives, fails, is delivered. The rules are those of docs/adr/0007.
from libc.stdint cimport int8_t, int32_t, int64_t, uint64_t
from libc.stdlib cimport realloc

from router_core.engine.fifo cimport fifo_arrive
from router_core.engine.priority cimport priority_arrive, priority_decide, wake_at
from router_core.engine.sharing cimport share_arrive, share_leave
from router_core.engine.state cimport *
from router_core.engine.wheel cimport Event, open_insert, wheel_next, wheel_push
from router_core.spread cimport mix

cdef extern from *:
    """
    #define prefetch(where) __builtin_prefetch(where)
    """
    void prefetch(const void *where) noexcept nogil

cdef enum:
    NOT_REFUSED = 0
    NO_ROUTE = 1
    GAVE_UP = 2

# How a run of the engine ended.
cdef enum:
    DONE = 0
    WANTS_WAYS = 1
    PAUSED = 2
    FAILED = 3


cdef inline int32_t chunk_new(State *e) noexcept nogil:
    cdef int32_t index = e.free_chunk
    cdef int32_t size
    cdef Chunk *grown
    if index != NONE:
        e.free_chunk = e.chunks[index].next
        return index
    if e.chunks_used == e.chunks_size:
        size = 2 * e.chunks_size if e.chunks_size else 1024
        grown = <Chunk *> realloc(e.chunks, size * sizeof(Chunk))
        if grown == NULL:
            e.out_of_memory = 1
            return NONE
        e.chunks = grown
        e.chunks_size = size
    e.chunks_used += 1
    return e.chunks_used - 1


cdef inline int32_t file_new(State *e) noexcept nogil:
    cdef int32_t index = e.free_file
    cdef int32_t size
    cdef File *grown
    if index != NONE:
        e.free_file = e.files[index].next_free
        return index
    if e.files_used == e.files_size:
        size = 2 * e.files_size if e.files_size else 256
        grown = <File *> realloc(e.files, size * sizeof(File))
        if grown == NULL:
            e.out_of_memory = 1
            return NONE
        e.files = grown
        e.files_size = size
    e.files_used += 1
    return e.files_used - 1


cdef inline void chunk_free(State *e, int32_t index) noexcept nogil:
    # Done with: its credit sets out on its way back.
    cdef Chunk *chunk = &e.chunks[index]
    cdef int32_t credit = e.pairs[chunk.pair].credit
    cdef File *file
    cdef int64_t time_ns
    if credit != NONE:
        time_ns = e.now_ns + e.credits[credit].return_ns
        if time_ns >> TIME_NS_MAX_SHIFT:
            time_ns = (<int64_t> 1) << TIME_NS_MAX_SHIFT
        wheel_push(&e.wheel, time_ns, credit_key(chunk.payload_bytes), credit)
    if chunk.file != NONE:
        file = &e.files[chunk.file]
        file.under_way -= 1
        if file.under_way == 0 and (file.given_up or file.released == file.total):
            file.next_free = e.free_file
            e.free_file = chunk.file
    chunk.state = FREE
    chunk.due_ns = NONE
    chunk.next = e.free_chunk
    e.free_chunk = index


cdef inline void deliver(State *e, int32_t index) noexcept nogil:
    cdef Chunk *chunk = &e.chunks[index]
    cdef File *file
    cdef bint whole = True
    if chunk.file != NONE:
        file = &e.files[chunk.file]
        file.delivered += 1
        whole = file.delivered == file.total and not file.given_up
    if whole:
        e.delivered_ns[chunk.number] = e.now_ns
        e.delivered += 1
    chunk_free(e, index)


cdef inline void give_up(State *e, int32_t index) noexcept nogil:
    cdef Chunk *chunk = &e.chunks[index]
    if e.refusal[chunk.number] == NOT_REFUSED:
        e.refusal[chunk.number] = GAVE_UP
        e.refused += 1
    if chunk.file != NONE:
        e.files[chunk.file].given_up = 1
    chunk_free(e, index)


cdef inline void fail(State *e, int32_t index, int32_t station) noexcept nogil:
    # Try again after a back-off, or give up. The station is named in case of an instant beyond all bounds.
    cdef Chunk *chunk = &e.chunks[index]
    cdef int64_t wait_ns = e.backoff_ns
    cdef int32_t i
    chunk.failures += 1
    chunk.route = NONE
    if chunk.failures > e.retries_max:
        give_up(e, index)
        return
    for i in range(chunk.failures - 1):
        if wait_ns >= e.backoff_ns_max:
            break
        wait_ns *= 2
    if wait_ns > e.backoff_ns_max:
        wait_ns = e.backoff_ns_max
    chunk.state = BACKING_OFF
    chunk.next = NONE
    e.retrying += 1
    e.retries[chunk.number] += 1
    push_move(e, index, e.now_ns + wait_ns, station)


cdef inline void release(State *e, int32_t index) noexcept nogil:
    # Chunk `index` has reached its second station: the next one of its exchange follows.
    cdef int32_t fresh
    cdef Chunk *chunk = &e.chunks[index]
    cdef Chunk *follower
    cdef File *file = &e.files[chunk.file]
    if file.released != chunk.chunk + 1 or file.released == file.total or file.given_up:
        return
    fresh = chunk_new(e)
    if fresh == NONE:
        return
    chunk = &e.chunks[index]
    follower = &e.chunks[fresh]
    follower[0] = chunk[0]
    follower.chunk = file.released
    follower.payload_bytes = min(e.chunk_bytes, file.payload_bytes - file.released * e.chunk_bytes)
    follower.route = NONE
    follower.next = NONE
    follower.hop = 0
    follower.failures = 0
    follower.state = RELEASED
    file.released += 1
    file.under_way += 1
    push_move(e, fresh, e.now_ns, NONE)


cdef inline int32_t pick(State *e, Pair *pair, int32_t number, int32_t attempt) noexcept nogil:
    # `Choice.pick`: by the hash of the id, then round and round. Ways of no weight are not bound.
    cdef int64_t ticket
    cdef int32_t place = 0
    if pair.ways > 1:
        ticket = <int64_t> (mix(mix(<uint64_t> number)) % <uint64_t> pair.weight)
        while ticket >= e.ways[pair.first_way + place].weight:
            ticket -= e.ways[pair.first_way + place].weight
            place += 1
        place = (place + attempt) % pair.ways
    return e.ways[pair.first_way + place].route


cdef inline void arrive(State *e, int32_t index, int32_t number) noexcept nogil:
    # At the station of that number, which is that of its hop, or at the end of its route.
    cdef Chunk *chunk = &e.chunks[index]
    cdef Station *station
    if chunk.hop == 1 and chunk.file != NONE:
        release(e, index)
        chunk = &e.chunks[index]
    if number == NONE:
        deliver(e, index)
        return
    station = &e.stations[number]
    if station.more.stopped:
        station.more.failed += 1
        fail(e, index, number)
        return
    if station.discipline == FIFO:
        push_move(e, index, fifo_arrive(e, station, index, e.now_ns), number)
    elif station.discipline == PRIORITY:
        priority_arrive(e, station, number, index, e.now_ns)
    else:
        share_arrive(e, station, number, index, e.now_ns)


cdef inline void set_out(State *e, int32_t index) noexcept nogil:
    # Take the route from the plan in force, and arrive at its first station.
    cdef Chunk *chunk = &e.chunks[index]
    cdef Pair *pair = &e.pairs[chunk.pair]
    if pair.ways == 0:
        fail(e, index, 0)
        return
    chunk.route = pick(e, pair, chunk.number, chunk.failures)
    chunk.hop = 0
    chunk.state = MOVING
    arrive(e, index, e.arena[chunk.route])


cdef inline bint fits(Credit *credit, int64_t payload_bytes) noexcept nogil:
    return credit.outstanding_bytes == 0 or credit.outstanding_bytes + payload_bytes <= credit.limit_bytes


cdef inline void enter(State *e, int32_t index) noexcept nogil:
    cdef Chunk *chunk = &e.chunks[index]
    cdef int32_t number = e.pairs[chunk.pair].credit
    cdef Credit *credit
    if number != NONE:
        credit = &e.credits[number]
        if credit.held or not fits(credit, chunk.payload_bytes):
            chunk.state = HELD
            chunk.due_ns = NONE
            list_append(e, &credit.lists[chunk.priority], index)
            credit.held += 1
            e.held += 1
            return
        credit.outstanding_bytes += chunk.payload_bytes
    set_out(e, index)


cdef inline void give_back(State *e, Credit *credit, int64_t payload_bytes) noexcept nogil:
    # Credit has returned: admit those who are held, as far as it goes, to move at this instant.
    cdef int32_t line = 0
    cdef int32_t index
    cdef Chunk *chunk
    credit.outstanding_bytes -= payload_bytes
    while credit.held:
        while credit.lists[line].head == NONE:
            line += 1
        index = credit.lists[line].head
        chunk = &e.chunks[index]
        if not fits(credit, chunk.payload_bytes):
            return
        list_pop(e, &credit.lists[line])
        credit.held -= 1
        e.held -= 1
        credit.outstanding_bytes += chunk.payload_bytes
        chunk.state = ADMITTED
        chunk.next = NONE
        push_move(e, index, e.now_ns, 0)


cdef inline void expect_entry(State *e) noexcept nogil:
    # Put the next row's entry into the calendar, if there is one and it is not there.
    cdef Batch *batch
    if e.entry_pending:
        return
    while e.batch < e.batches_count and e.row == e.batches[e.batch].count:
        e.batch += 1
        e.row = 0
    if e.batch < e.batches_count:
        batch = &e.batches[e.batch]
        e.entry_pending = 1
        wheel_push(&e.wheel, batch.submitted_ns[e.row], move_key(<int32_t> (batch.first + e.row), 0), NONE)


cdef inline bint entry(State *e) noexcept nogil:
    # The next row enters; false if its ways have to be bound first.
    cdef Batch *batch = &e.batches[e.batch]
    cdef int64_t row = e.row
    cdef int32_t number = <int32_t> (batch.first + row)
    cdef int32_t place = batch.pair[row]
    cdef int64_t payload_bytes = batch.payload_bytes[row]
    cdef int8_t priority = batch.priority[row]
    cdef int32_t index, file
    cdef Chunk *chunk
    if e.pairs[place].generation != e.generation:
        e.wanted_pair = place
        return False
    e.row += 1
    e.entry_pending = 0
    # Before anything moves: who decides at once must see that more comes at this instant.
    expect_entry(e)
    e.submitted += 1
    if e.pairs[place].ways == 0:
        e.refusal[number] = NO_ROUTE
        e.refused += 1
        return True
    index = chunk_new(e)
    if index == NONE:
        return True
    chunk = &e.chunks[index]
    chunk.due_ns = NONE
    chunk.payload_bytes = payload_bytes
    chunk.number = number
    chunk.pair = place
    chunk.route = NONE
    chunk.file = NONE
    chunk.chunk = 0
    chunk.hop = 0
    chunk.failures = 0
    chunk.priority = priority
    chunk.place = IN_MEMORY
    if e.chunk_bytes and payload_bytes > e.chunk_bytes:
        file = file_new(e)
        if file == NONE:
            return True
        chunk.file = file
        chunk.payload_bytes = e.chunk_bytes
        e.files[file].payload_bytes = payload_bytes
        e.files[file].total = <int32_t> ((payload_bytes + e.chunk_bytes - 1) // e.chunk_bytes)
        e.files[file].released = 1
        e.files[file].delivered = 0
        e.files[file].under_way = 1
        e.files[file].given_up = 0
    enter(e, index)
    return True


cdef inline bint move(State *e, int64_t time_ns, uint64_t key, int32_t index) noexcept nogil:
    # A chunk's event; false if ways have to be bound first.
    cdef Chunk *chunk
    if index == NONE:
        return entry(e)
    chunk = &e.chunks[index]
    if chunk.due_ns != time_ns or move_key(chunk.number, chunk.chunk) != key:
        return True  # void: it was planned anew since
    if chunk.state == MOVING:
        chunk.hop += 1
        arrive(e, index, chunk.next)
        return True
    if e.pairs[chunk.pair].generation != e.generation:
        e.wanted_pair = chunk.pair
        return False
    if chunk.state == BACKING_OFF:
        e.retrying -= 1
        set_out(e, index)
    elif chunk.state == RELEASED:
        enter(e, index)
    else:
        set_out(e, index)
    return True


cdef inline bint handle(State *e, int64_t time_ns, uint64_t key, int32_t subject) noexcept nogil:
    # Any event; false if ways have to be bound first.
    if is_move(key):
        return move(e, time_ns, key, subject)
    if is_decide(key):
        if e.stations[subject].more.wake_ns == time_ns:
            e.stations[subject].more.wake_ns = NONE
            priority_decide(e, &e.stations[subject], subject, time_ns)
    elif is_leave(key):
        share_leave(e, &e.stations[subject], subject, time_ns)
    else:
        give_back(e, &e.credits[subject], <int64_t> key)
    return True


cdef inline void look_ahead(State *e) noexcept nogil:
    # Ask memory for what the next events will touch: a visit is over before its station has come from far.
    cdef int32_t index = e.wheel.ahead
    cdef Chunk *chunk
    if e.wheel.further_ahead >= 0 and e.wheel.further_ahead < e.chunks_used:
        prefetch(&e.chunks[e.wheel.further_ahead])
    if 0 <= index < e.chunks_used:
        chunk = &e.chunks[index]
        prefetch(&e.stations[chunk.next])
        prefetch(&e.more[chunk.next])
        prefetch(&e.arena[chunk.route + chunk.hop + 2])


cdef inline bint visit(State *e, int64_t time_ns, uint64_t key, int32_t index) noexcept nogil:
    # The commonest event by far: a whole exchange arrives at a plain FIFO station. False if it is any other.
    cdef Chunk *chunk = &e.chunks[index]
    cdef int32_t number = chunk.next
    cdef Station *station = &e.stations[number]
    cdef int64_t due_ns
    look_ahead(e)
    if (chunk.due_ns != time_ns or chunk.state != MOVING or chunk.file != NONE or number < 0
            or not station.plain or move_key(chunk.number, 0) != key):
        return False
    chunk.hop += 1
    due_ns = fifo_arrive(e, station, index, time_ns)
    if due_ns >> TIME_NS_MAX_SHIFT:
        e.failed_station = number
        return True
    chunk.due_ns = due_ns
    wheel_push(&e.wheel, due_ns, key, index)
    return True


cdef inline int run(State *e, int64_t until_ns, int64_t events_max) noexcept nogil:
    # Handle all events before `until_ns`, about so many at most.
    cdef int64_t left = events_max
    cdef Event event
    expect_entry(e)
    while left > 0:
        if not wheel_next(&e.wheel, until_ns, &event):
            e.now_ns = until_ns
            return DONE
        left -= 1
        e.now_ns = event.time_ns
        if event.subject < 0 or not visit(e, event.time_ns, event.key, event.subject):
            if not handle(e, event.time_ns, event.key, event.subject):
                open_insert(&e.wheel, event)
                return WANTS_WAYS
        if e.failed_station != NONE or e.out_of_memory or e.wheel.out_of_memory:
            return FAILED
    return PAUSED
