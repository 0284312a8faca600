# Test particles: chunks that are given their stations, and of which nothing is tried again.
from libc.stdint cimport int8_t, int32_t, int64_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy

from router_core.engine.state cimport *
from router_core.engine.wheel cimport NO_MEMORY, Node, node_free, node_new


cdef inline int piece_size(int64_t stations) noexcept nogil:
    # Of the piece in which a route has room between what marks its beginning and its end.
    cdef int size = 0
    while (<int64_t> PIECE << size) < stations + 2:
        size += 1
    return size


cdef inline int32_t piece_new(State *e, int size) noexcept nogil:
    # A piece of the arena that no particle uses any more, or another one; the place behind its mark, or NONE.
    cdef int32_t place = e.free_pieces[size]
    cdef int64_t wanted, i
    cdef int32_t *grown
    if place != NONE:
        e.free_pieces[size] = e.arena[place]
        return place
    wanted = e.arena_count + (<int64_t> PIECE << size)
    if wanted > e.arena_size:
        wanted = max(2 * e.arena_size, wanted, 4096)
        grown = <int32_t *> realloc(e.arena, wanted * sizeof(int32_t))
        if grown == NULL:
            e.wheel.trouble = NO_MEMORY
            return NONE
        e.arena = grown
        e.arena_size = wanted
    place = <int32_t> e.arena_count + 1
    e.arena_count += <int64_t> PIECE << size
    # Nothing in it may look like the beginning of a pair's route.
    for i in range(place, e.arena_count):
        e.arena[i] = NONE
    e.arena[place - 1] = PARTICLE_ROUTE - size
    return place


cdef inline void piece_free(State *e, int32_t place) noexcept nogil:
    cdef int size = PARTICLE_ROUTE - e.arena[place - 1]
    e.arena[place] = e.free_pieces[size]
    e.free_pieces[size] = place


cdef inline int ended_room(State *e, int64_t count) noexcept nogil:
    # For all that are under way and so many more, so that there is some whenever one ends.
    cdef int64_t wanted = e.ended_count + (e.sent - e.received - e.lost) + count
    cdef Ended *grown
    if wanted > e.ended_size:
        wanted = max(wanted, 2 * e.ended_size)
        grown = <Ended *> realloc(e.ended, wanted * sizeof(Ended))
        if grown == NULL:
            e.wheel.trouble = NO_MEMORY
            return -1
        e.ended = grown
        e.ended_size = wanted
    return 0


cdef inline int32_t particle_new(
    State *e, const int32_t *stations, int64_t count, int64_t payload_bytes, int8_t priority
) noexcept nogil:
    # It is not in the calendar yet.
    cdef int32_t route = piece_new(e, piece_size(count))
    cdef int32_t index
    cdef Node *particle
    if route == NONE:
        return NONE
    index = node_new(&e.wheel)
    if index == NONE:
        return NONE
    memcpy(&e.arena[route], stations, count * sizeof(int32_t))
    e.arena[route + count] = NONE
    particle = &e.wheel.nodes[index]
    particle.key = move_key(PARTICLES, e.sent)
    particle.payload_bytes = payload_bytes
    particle.next = NONE
    particle.pair = NONE
    particle.route = route
    particle.file = NONE
    particle.hop = 0
    particle.failures = 0
    particle.state = SETS_OUT
    particle.priority = priority
    particle.place = IN_MEMORY
    particle.credit = NONE
    e.sent += 1
    return index


cdef inline int particles_send(
    State *e, const int64_t *route_start, const int32_t *route_station, const int64_t *payload_bytes,
    const int8_t *priority, int64_t count,
) noexcept nogil:
    # They set out one behind the other, so that a round of thousands puts no more than one into the calendar.
    cdef int32_t before = NONE
    cdef int32_t index
    cdef int64_t i
    if ended_room(e, count) < 0:
        return -1
    for i in range(count):
        index = particle_new(
            e, &route_station[route_start[i]], route_start[i + 1] - route_start[i], payload_bytes[i], priority[i]
        )
        if index == NONE:
            return -1
        if before == NONE:
            push_move(e, index, e.now_ns, NONE)
        else:
            e.wheel.nodes[before].next = index
        before = index
    return 0


cdef inline void particle_ends(State *e, int32_t index, int64_t received_ns) noexcept nogil:
    # It has come, or is lost.
    cdef Node *particle = &e.wheel.nodes[index]
    e.ended[e.ended_count].received_ns = received_ns
    e.ended[e.ended_count].number = chunk_of(particle)
    e.ended_count += 1
    if received_ns < 0:
        e.lost += 1
    else:
        e.received += 1
    piece_free(e, particle.route)
    node_free(&e.wheel, index)
