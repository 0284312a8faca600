# How a chunk moves: enters, is admitted, arrives, fails, is delivered. The rules are those of docs/adr/0007.
from libc.stdint cimport int8_t, int32_t, int64_t, uint64_t

from router_core.engine.fifo cimport fifo_arrive
from router_core.engine.particles cimport particle_ends
from router_core.engine.priority cimport priority_arrive, priority_decide, wake_at
from router_core.engine.sharing cimport share_arrive, share_leave
from router_core.engine.state cimport *
from router_core.engine.wheel cimport (
    INSTANT_BEYOND, NO_MEMORY, Node, Opened, Wheel, node_free, node_new, open_insert, prefetch, roomier, wheel_open,
    wheel_push,
)
from router_core.spread cimport ticket

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


cdef inline int32_t file_new(State *e) noexcept nogil:
    cdef int32_t index = e.free_file
    cdef void *grown
    if index != NONE:
        e.free_file = e.files[index].next_free
        return index
    if e.files_used == e.files_size:
        grown = roomier(e.files, &e.files_size, 256, sizeof(File))
        if grown == NULL:
            e.wheel.trouble = NO_MEMORY
            return NONE
        e.files = <File *> grown
    e.files_used += 1
    return e.files_used - 1


cdef inline void return_credit(State *e, int32_t credit, int64_t payload_bytes) noexcept nogil:
    cdef int64_t time_ns = e.now_ns + e.credits[credit].return_ns
    cdef int32_t index = node_new(&e.wheel)
    if index == NONE:
        return
    e.wheel.nodes[index].state = CREDIT_RETURNS
    e.wheel.nodes[index].pair = credit
    e.wheel.nodes[index].payload_bytes = payload_bytes
    e.wheel.nodes[index].key = settle_key()
    push_move(e, index, time_ns, 0)


cdef inline void chunk_free(State *e, int32_t index) noexcept nogil:
    # Done with: its credit sets out on its way back. May move all nodes.
    cdef Node *chunk = &e.wheel.nodes[index]
    cdef int32_t credit = chunk.credit
    cdef int64_t payload_bytes = chunk.payload_bytes
    cdef File *file
    if chunk.file != NONE:
        file = &e.files[chunk.file]
        file.under_way -= 1
        if file.under_way == 0 and (file.given_up or file.released == file.total):
            file.next_free = e.free_file
            e.free_file = chunk.file
    node_free(&e.wheel, index)
    if credit != NONE:
        return_credit(e, credit, payload_bytes)


cdef inline void deliver(State *e, int32_t index) noexcept nogil:
    cdef Node *chunk = &e.wheel.nodes[index]
    cdef File *file
    cdef bint whole = True
    if is_particle(chunk):
        particle_ends(e, index, e.now_ns)
        return
    if chunk.file != NONE:
        file = &e.files[chunk.file]
        file.delivered += 1
        whole = file.delivered == file.total and not file.given_up
    if whole:
        e.delivered_ns[number_of(chunk)] = e.now_ns
        e.delivered += 1
    chunk_free(e, index)


cdef inline void give_up(State *e, int32_t index) noexcept nogil:
    cdef Node *chunk = &e.wheel.nodes[index]
    if e.refusal[number_of(chunk)] == NOT_REFUSED:
        e.refusal[number_of(chunk)] = GAVE_UP
        e.refused += 1
    if chunk.file != NONE:
        e.files[chunk.file].given_up = 1
    chunk_free(e, index)


cdef inline void fail(State *e, int32_t index, int32_t station) noexcept nogil:
    # Try again after a back-off, or give up; a particle is lost. The station is named in case of an instant beyond all bounds.
    cdef Node *chunk = &e.wheel.nodes[index]
    cdef int64_t wait_ns = e.backoff_ns
    cdef int32_t i
    if is_particle(chunk):
        particle_ends(e, index, -1)
        return
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
    e.retries[number_of(chunk)] += 1
    push_move(e, index, e.now_ns + wait_ns, station)


cdef inline void release(State *e, int32_t index) noexcept nogil:
    # Chunk `index` has reached its second station: the next one of its exchange follows.
    cdef int32_t fresh
    cdef Node *chunk = &e.wheel.nodes[index]
    cdef Node *follower
    cdef File *file = &e.files[chunk.file]
    if file.released != chunk_of(chunk) + 1 or file.released == file.total or file.given_up:
        return
    fresh = node_new(&e.wheel)
    if fresh == NONE:
        return
    chunk = &e.wheel.nodes[index]
    follower = &e.wheel.nodes[fresh]
    follower[0] = chunk[0]
    follower.key = move_key(number_of(chunk), file.released)
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
    cdef int64_t drawn
    cdef int32_t place = 0
    if pair.ways > 1:
        drawn = ticket(<uint64_t> number, 0, <uint64_t> pair.weight)
        while drawn >= e.ways[pair.first_way + place].weight:
            drawn -= e.ways[pair.first_way + place].weight
            place += 1
        place = (place + attempt) % pair.ways
    return e.ways[pair.first_way + place].route


cdef inline void arrive(State *e, int32_t index, int32_t number) noexcept nogil:
    # At the station of that number, which is that of its hop, or at the end of its route.
    cdef Node *chunk = &e.wheel.nodes[index]
    cdef Station *station
    if chunk.hop == 1 and chunk.file != NONE:
        release(e, index)
        chunk = &e.wheel.nodes[index]
    if number == NONE:
        deliver(e, index)
        return
    station = &e.stations[number]
    if station.plain:
        push_move(e, index, fifo_arrive(e, station, index, e.now_ns), number)
        return
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
    cdef Node *chunk = &e.wheel.nodes[index]
    cdef Pair *pair = &e.pairs[chunk.pair]
    if pair.ways == 0:
        fail(e, index, 0)
        return
    chunk.route = pick(e, pair, number_of(chunk), chunk.failures)
    chunk.hop = 0
    chunk.state = MOVING
    arrive(e, index, e.arena[chunk.route])


cdef inline bint fits(Credit *credit, int64_t payload_bytes) noexcept nogil:
    return credit.outstanding_bytes == 0 or credit.outstanding_bytes + payload_bytes <= credit.limit_bytes


cdef inline bint is_held_back(State *e, Node *chunk) noexcept nogil:
    # Whether there is no credit for it now.
    cdef int32_t number = chunk.credit
    return number != NONE and (e.credits[number].held or not fits(&e.credits[number], chunk.payload_bytes))


cdef inline void hold(State *e, int32_t index) noexcept nogil:
    cdef Node *chunk = &e.wheel.nodes[index]
    cdef Credit *credit = &e.credits[chunk.credit]
    chunk.state = HELD
    list_append(e, &credit.lists[chunk.priority], index)
    credit.held += 1
    e.held += 1


cdef inline void enter(State *e, int32_t index) noexcept nogil:
    cdef Node *chunk = &e.wheel.nodes[index]
    cdef int32_t number = chunk.credit
    if is_held_back(e, chunk):
        hold(e, index)
        return
    if number != NONE:
        e.credits[number].outstanding_bytes += chunk.payload_bytes
    set_out(e, index)


cdef inline void give_back(State *e, Credit *credit, int64_t payload_bytes) noexcept nogil:
    # Credit has returned: admit those who are held, as far as it goes, to move at this instant.
    cdef int32_t line = 0
    cdef int32_t index
    cdef Node *chunk
    credit.outstanding_bytes -= payload_bytes
    while credit.held:
        while credit.lists[line].head == NONE:
            line += 1
        index = credit.lists[line].head
        chunk = &e.wheel.nodes[index]
        if not fits(credit, chunk.payload_bytes):
            return
        list_pop(e, &credit.lists[line])
        credit.held -= 1
        e.held -= 1
        credit.outstanding_bytes += chunk.payload_bytes
        chunk.state = ADMITTED
        chunk.next = NONE
        push_move(e, index, e.now_ns, 0)


cdef inline void look_at_coming(State *e, Batch *batch) noexcept nogil:
    # Rows that enter soon, step by step: ask memory for a row's pair, then for its ways; find its route and ask for
    # that, then for its first station. At 22,000 nodes each of these comes from far.
    cdef int64_t row = e.row
    cdef Pair *pair
    cdef Coming *coming
    cdef int32_t station
    if row + 12 >= batch.count:
        return
    prefetch(&e.pairs[batch.pair[row + 12]])
    pair = &e.pairs[batch.pair[row + 8]]
    if pair.generation == e.generation:
        prefetch(&e.ways[pair.first_way])
    pair = &e.pairs[batch.pair[row + 4]]
    if pair.generation == e.generation and pair.ways:
        coming = &e.coming[(batch.first + row + 4) & (COMING - 1)]
        coming.number = batch.first + row + 4
        coming.generation = e.generation
        coming.route = pick(e, pair, <int32_t> coming.number, 0)
        prefetch(&e.arena[coming.route])
    coming = &e.coming[(batch.first + row + 2) & (COMING - 1)]
    if coming.number == batch.first + row + 2:
        station = e.arena[coming.route]
        prefetch(&e.stations[station])
        prefetch(&e.more[station])


cdef inline void expect_entry(State *e) noexcept nogil:
    # Note when the next row enters, if there is one.
    cdef Batch *batch
    while e.batch < e.batches_count and e.row == e.batches[e.batch].count:
        e.batch += 1
        e.row = 0
    e.entry_ns = NEVER
    if e.batch < e.batches_count:
        batch = &e.batches[e.batch]
        e.entry_ns = batch.submitted_ns[e.row]
        e.entry_key = move_key(batch.first + e.row, 0)
        look_at_coming(e, batch)


cdef inline bint entry(State *e) noexcept nogil:
    # The next row enters; false if its ways have to be bound first.
    cdef Batch *batch = &e.batches[e.batch]
    cdef int64_t row = e.row
    cdef int64_t number = batch.first + row
    cdef int32_t place = batch.pair[row]
    cdef int64_t payload_bytes = batch.payload_bytes[row]
    cdef int8_t priority = batch.priority[row]
    cdef int32_t index, file
    cdef Node *chunk
    cdef Coming *coming
    if e.pairs[place].generation != e.generation:
        e.wanted_pair = place
        return False
    e.row += 1
    # Before anything moves: who decides at once must see that more comes at this instant.
    expect_entry(e)
    e.submitted += 1
    if e.pairs[place].ways == 0:
        e.refusal[number] = NO_ROUTE
        e.refused += 1
        return True
    index = node_new(&e.wheel)
    if index == NONE:
        return True
    chunk = &e.wheel.nodes[index]
    chunk.key = move_key(number, 0)
    chunk.payload_bytes = payload_bytes
    chunk.pair = place
    chunk.credit = e.pairs[place].credit
    chunk.route = NONE
    chunk.file = NONE
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
    coming = &e.coming[number & (COMING - 1)]
    if coming.number == number and coming.generation == e.generation and chunk.credit == NONE:
        chunk.route = coming.route
        chunk.state = MOVING
        arrive(e, index, e.arena[coming.route])
    else:
        enter(e, index)
    return True


cdef inline bint handle(State *e, int32_t index) noexcept nogil:
    # Whatever is due; false if ways have to be bound first.
    cdef Node *node = &e.wheel.nodes[index]
    cdef int64_t payload_bytes = node.payload_bytes
    cdef int32_t subject = node.pair
    if node.state == MOVING:
        node.hop += 1
        arrive(e, index, node.next)
        return True
    if node.state == BACKING_OFF or node.state == RELEASED or node.state == ADMITTED:
        if node.state == RELEASED and is_held_back(e, node):
            hold(e, index)
            return True
        if e.pairs[subject].generation != e.generation:
            e.wanted_pair = subject
            return False
        if node.state == RELEASED:
            enter(e, index)
            return True
        if node.state == BACKING_OFF:
            e.retrying -= 1
        set_out(e, index)
        return True
    if node.state == SETS_OUT:
        # Before it moves: who decides at once must see that more comes at this instant.
        if node.next != NONE:
            push_move(e, node.next, e.now_ns, NONE)
        node.state = MOVING
        arrive(e, index, e.arena[node.route])
        return True
    if node.state == DECIDES:
        node_free(&e.wheel, index)
        if e.stations[subject].more.wake_ns == e.now_ns:
            e.stations[subject].more.wake_ns = NONE
            priority_decide(e, &e.stations[subject], subject, e.now_ns)
    elif node.state == LEAVES:
        node_free(&e.wheel, index)
        share_leave(e, &e.stations[subject], subject, e.now_ns)
    else:
        node_free(&e.wheel, index)
        give_back(e, &e.credits[subject], payload_bytes)
    return True


cdef inline bint open_next_window(State *e, int64_t until_ns) noexcept nogil:
    # And ask memory for all that its nodes will touch, side by side: one by one they would wait for each of them.
    cdef Node *node
    cdef int64_t i
    if not wheel_open(&e.wheel, until_ns):
        return False
    for i in range(e.wheel.open_count):
        node = &e.wheel.nodes[e.wheel.opened[i].index]
        prefetch(&e.stations[node.next])
        prefetch(&e.more[node.next])
        prefetch(&e.arena[node.route + node.hop + 2])
    return True


cdef inline int32_t next_node(State *e, int64_t until_ns, uint64_t until_key) noexcept nogil:
    # Take out the next node before (instant, key), or return NONE.
    cdef Wheel *w = &e.wheel
    cdef Opened *opened
    if w.open_next == w.open_count and not open_next_window(e, until_ns):
        return NONE
    opened = &w.opened[w.open_next]
    if opened.due_ns > until_ns or (opened.due_ns == until_ns and opened.key >= until_key):
        return NONE
    w.open_next += 1
    return opened.index


cdef inline bint visit(State *e, int32_t index) noexcept nogil:
    # The commonest by far: a whole exchange arrives at a plain FIFO station. False if it is anything else.
    cdef Node *chunk = &e.wheel.nodes[index]
    cdef int32_t number = chunk.next
    cdef Station *station = &e.stations[number]
    cdef int64_t due_ns
    if chunk.state != MOVING or chunk.file != NONE or number < 0 or not station.plain:
        return False
    chunk.hop += 1
    due_ns = fifo_arrive(e, station, index, e.now_ns)
    if due_ns >> TIME_NS_MAX_SHIFT:
        e.failed_station = number
        e.wheel.trouble = INSTANT_BEYOND
        return True
    chunk.due_ns = due_ns
    wheel_push(&e.wheel, index)
    return True


cdef inline int run(State *e, int64_t until_ns, int64_t events_max) noexcept nogil:
    # Handle all that is due before `until_ns`, so much of it at most.
    cdef int64_t left, limit_ns
    cdef int32_t index
    cdef bint entry_next
    expect_entry(e)
    for left in range(events_max):
        entry_next = e.entry_ns < until_ns
        limit_ns = e.entry_ns if entry_next else until_ns
        index = next_node(e, limit_ns, e.entry_key if entry_next else 0)
        if index == NONE:
            e.now_ns = limit_ns
            if not entry_next:
                return DONE
            if not entry(e):
                return WANTS_WAYS
        else:
            e.now_ns = e.wheel.nodes[index].due_ns
            if not visit(e, index) and not handle(e, index):
                open_insert(&e.wheel, index)
                return WANTS_WAYS
        if e.wheel.trouble:
            return FAILED
    return PAUSED
