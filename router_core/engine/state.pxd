# What the engine keeps: chunks under way, stations, and small containers of theirs. All plain C, used without the GIL.
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from router_core.engine.wheel cimport INSTANT_BEYOND, NO_MEMORY, Node, Wheel, node_new, wheel_push

cdef extern from *:
    """
    /* Virtual times of shared stations: 1/1024 ns, and products with counts of transfers, pass 64 bits. */
    typedef __int128 wide_t;
    #define NEVER INT64_MAX
    /* As in router_core.units: typed, as literals of this size become Python's integers. */
    #define DURATION_NS_MAX INT64_C(1000000000000000000)
    #define PAYLOAD_BYTES_MAX (INT64_C(1) << 40)
    #define PS_PER_BYTE_MAX 8000000
    """
    ctypedef long long wide_t
    int64_t NEVER
    int64_t DURATION_NS_MAX
    int64_t PAYLOAD_BYTES_MAX
    int64_t PS_PER_BYTE_MAX

cdef enum:
    NONE = -1
    ROUTE_BEGINS = -2
    # A particle's route is kept in a piece of the arena of 8 * 2**size stations, before which stands this less size.
    PARTICLE_ROUTE = -3
    PIECE = 8
    PIECE_SIZES = 14
    ROUTE_STATIONS_MAX = 60_000
    STOPS_NOW = 2
    LANES = 8
    COMING = 8
    CLASSES = 8
    TIME_NS_MAX_SHIFT = 62

# Disciplines, as in `router_core.vocabulary.Discipline`.
cdef enum:
    FIFO = 0
    PRIORITY = 1
    SHARING = 2

# What a node is: a chunk, and what that is doing; or another thing that happens when due. All but chunks that wait in a list
# are in the calendar.
cdef enum:
    FREE = 0
    MOVING = 1          # planned to be served, in service, or travelling on: arrives at its next station when due
    QUEUED = 2          # waits at a PRIORITY station
    SHARED = 3          # is being served by a SHARING station
    HELD = 4            # waits for credit
    BACKING_OFF = 5     # enters again when due
    RELEASED = 6        # a later chunk of its exchange: enters when due
    ADMITTED = 7        # takes its route when due
    CREDIT_RETURNS = 8  # so many bytes of the credit `pair`
    LEAVES = 9          # somebody may leave the SHARING station `pair`
    DECIDES = 10        # the PRIORITY station `pair` decides
    SETS_OUT = 11       # a particle: arrives at its first station when due; then the `next` one of those sent with it is due

# Where a chunk waits.
cdef enum:
    IN_MEMORY = 0
    ON_DISK = 1
    NOT_JUDGED = 2

# Keys order what happens at one instant: by phase, moves by exchange id and chunk number.
cdef enum:
    ID_SHIFT = 31
    ID_MASK = 0x7FFFFFFF
    # Greater than every exchange's id: test particles move behind exchanges, and are told apart by the number of the chunk.
    PARTICLES = 0x7FFFFFFF

cdef inline uint64_t move_key(int64_t number, int64_t chunk) noexcept nogil:
    return (<uint64_t> 1 << 62) | (<uint64_t> number << ID_SHIFT) | <uint64_t> chunk

cdef inline uint64_t settle_key() noexcept nogil:
    # Credits that return and transfers that leave do not touch each other.
    return 0

cdef inline uint64_t decide_key(int32_t station) noexcept nogil:
    return (<uint64_t> 2 << 62) | <uint64_t> station

cdef inline int32_t number_of(Node *chunk) noexcept nogil:
    # The id of a chunk's exchange.
    return <int32_t> ((chunk.key >> ID_SHIFT) & ID_MASK)

cdef inline int32_t chunk_of(Node *chunk) noexcept nogil:
    # Which chunk of its exchange it is.
    return <int32_t> (chunk.key & ID_MASK)


cdef struct File:
    int64_t payload_bytes
    int32_t total
    int32_t released
    int32_t delivered
    int32_t under_way
    int32_t next_free
    int32_t given_up


cdef struct Waiter:
    # A planned start of a FIFO station; outlives its chunk's visit until the station is settled.
    int64_t start_ns
    int64_t payload_bytes
    int32_t chunk
    int32_t place


cdef struct List:
    int32_t head
    int32_t tail


cdef struct Queue:
    # Those who wait at a PRIORITY station, class by class; and those of them who came at this instant.
    List lists[CLASSES]
    int32_t waiting
    int32_t newcomers_count
    int32_t newcomers_size
    int32_t *newcomers


cdef struct Transfer:
    wide_t tag
    int32_t chunk


cdef struct Share:
    # The transfers under way at a SHARING station, a heap by tag, and its virtual time.
    wide_t virtual_time
    int64_t since_ns
    int64_t pending_ns    # earliest event of this station in the calendar
    Transfer *heap
    int32_t count
    int32_t size
    int32_t alone         # the chunk that is served alone, its leaving planned, or NONE


cdef struct More:
    # What a visit to a plain station of one server does not touch unless it waits.
    # FIFO of few servers: when each falls free, and NEVER for those there are not. Then all of them are looked at always:
    # two servers or eight, nothing has to be guessed.
    int64_t lanes[LANES]
    # FIFO: a ring of those who wait.
    Waiter *ring
    int32_t ring_head
    int32_t ring_count
    int32_t ring_size
    int32_t servers
    # The ends of services of other stations, a heap; those of FIFO are planned ahead.
    int64_t *ends
    int32_t ends_count
    int32_t ends_size
    int64_t *orphans      # ends of services on servers that have been taken away
    int32_t orphans_count
    int8_t stopped
    int8_t processes
    int8_t buffered
    int64_t buffer_bytes
    int64_t memory_bytes  # of those who wait in memory
    int64_t spill_fixed_ns
    int64_t spill_ps_per_byte
    int64_t spilled
    int64_t failed
    int64_t wake_ns       # when a PRIORITY station next decides, or a transfer next leaves a SHARING one; or NONE
    Queue *queue
    Share *share


cdef struct Station:
    # One cache line: what every visit touches.
    int64_t free_ns       # FIFO: when the first server falls free, after all planned services
    int64_t fixed_ns
    int64_t after_ns
    uint64_t work_ns      # planned and begun services; at a SHARING station, what has been spent
    int64_t served
    int64_t served_bytes
    More *more
    int32_t ps_per_byte
    int8_t plain          # FIFO, running, without a buffer
    int8_t single         # FIFO of one server
    int8_t lane           # FIFO of few servers: the one that falls free first
    int8_t discipline


cdef struct Credit:
    int64_t limit_bytes
    int64_t return_ns
    int64_t outstanding_bytes
    List lists[CLASSES]
    int32_t held


cdef struct Pair:
    int32_t source
    int32_t target
    int32_t generation    # of the plan that the ways are from
    int32_t first_way
    int32_t ways
    int32_t credit        # of the source, or NONE
    int64_t weight
    int64_t mark          # the last call for ways in which it was asked for


cdef struct Way:
    int64_t weight
    int32_t route


cdef struct Batch:
    const int64_t *submitted_ns
    const int64_t *payload_bytes
    const int8_t *priority
    const int32_t *pair
    int64_t count
    int64_t first


cdef struct Ended:
    # A particle that has come, or is lost: -1 ns.
    int64_t received_ns
    int64_t number


cdef struct Coming:
    # The route of a row that will enter soon, found ahead.
    int64_t number
    int32_t route
    int32_t generation


cdef struct State:
    Wheel wheel
    int64_t now_ns
    int64_t chunk_bytes
    int64_t backoff_ns
    int64_t backoff_ns_max
    int32_t retries_max
    int32_t station_count
    int32_t generation
    int64_t calls_for_ways
    int32_t wanted_pair       # whose ways must be bound before the next event
    int32_t failed_station    # with an instant beyond what is allowed

    Station *stations
    More *more
    File *files
    int32_t files_used
    int32_t files_size
    int32_t free_file
    int32_t credits_count
    Credit *credits
    Pair *pairs
    int32_t *table            # hash table over the pairs
    int64_t table_size
    int32_t pairs_count
    Way *ways
    int32_t ways_count
    int32_t ways_size
    int32_t *arena            # routes: stations, then NONE
    int64_t arena_count
    int64_t arena_size
    int32_t free_pieces[PIECE_SIZES]  # of the arena, by size

    Batch *batches
    int32_t batches_count
    int32_t batches_size
    int32_t batch             # the one that is entering
    int64_t row               # the next one of it to enter
    Coming coming[COMING]
    int64_t entry_ns          # when that is, or NEVER, and its key
    uint64_t entry_key

    int64_t *delivered_ns
    int8_t *refusal
    int32_t *retries
    int64_t handed_over
    int64_t outcome_size
    int64_t submitted
    int64_t delivered
    int64_t refused
    int64_t held
    int64_t retrying
    int64_t events

    Ended *ended              # not collected yet; with room for all particles under way
    int64_t ended_count
    int64_t ended_size
    int64_t sent
    int64_t received
    int64_t lost


cdef inline bint has_route(Node *node) noexcept nogil:
    # Whether it is a chunk or a particle on its way.
    return (node.state == MOVING or node.state == QUEUED or node.state == SHARED) and node.route != NONE


cdef inline bint is_particle(Node *chunk) noexcept nogil:
    return chunk.pair == NONE


cdef inline bint has_way(Node *node) noexcept nogil:
    # Whether it is on its way because a plan says so.
    return has_route(node) and not is_particle(node)


cdef inline int64_t service_ns(int64_t fixed_ns, int64_t ps_per_byte, int64_t payload_bytes) noexcept nogil:
    # Below 2**62 + 2**60: the ranges of the arguments are checked before they come here.
    return fixed_ns + <int64_t> ((<uint64_t> payload_bytes * <uint64_t> ps_per_byte + 999) // 1000)


cdef inline void push_move(State *e, int32_t index, int64_t time_ns, int32_t station) noexcept nogil:
    # The chunk's next event; it is not in the calendar now. The station is named in case of an instant beyond all bounds.
    if time_ns >> TIME_NS_MAX_SHIFT:
        e.failed_station = station
        e.wheel.trouble = INSTANT_BEYOND
        time_ns = (<int64_t> 1) << TIME_NS_MAX_SHIFT
    e.wheel.nodes[index].due_ns = time_ns
    wheel_push(&e.wheel, index)


cdef inline void push_other(State *e, uint8_t state, int32_t subject, uint64_t key, int64_t time_ns) noexcept nogil:
    # What concerns a station or a credit. May move all nodes.
    cdef int32_t index = node_new(&e.wheel)
    if index == NONE:
        return
    e.wheel.nodes[index].state = state
    e.wheel.nodes[index].pair = subject
    e.wheel.nodes[index].key = key
    e.wheel.nodes[index].due_ns = time_ns
    wheel_push(&e.wheel, index)


# A heap of ends, least first.

cdef inline void ends_free(Station *station) noexcept nogil:
    if station.more.ends != station.more.lanes:
        free(station.more.ends)


cdef inline int ends_push(State *e, Station *station, int64_t end_ns) noexcept nogil:
    cdef int32_t i, parent
    cdef int32_t size
    cdef int64_t *grown
    if station.more.ends_count == station.more.ends_size:
        size = 2 * station.more.ends_size if station.more.ends_size else LANES
        grown = <int64_t *> malloc(size * sizeof(int64_t))
        if grown == NULL:
            e.wheel.trouble = NO_MEMORY
            return -1
        memcpy(grown, station.more.ends, station.more.ends_count * sizeof(int64_t))
        ends_free(station)
        station.more.ends = grown
        station.more.ends_size = size
    i = station.more.ends_count
    station.more.ends_count += 1
    while i > 0:
        parent = (i - 1) >> 1
        if station.more.ends[parent] <= end_ns:
            break
        station.more.ends[i] = station.more.ends[parent]
        i = parent
    station.more.ends[i] = end_ns
    return 0


cdef inline void ends_sift_down(int64_t *ends, int32_t count, int32_t i, int64_t end_ns) noexcept nogil:
    cdef int32_t child
    while True:
        child = 2 * i + 1
        if child >= count:
            break
        if child + 1 < count and ends[child + 1] < ends[child]:
            child += 1
        if ends[child] >= end_ns:
            break
        ends[i] = ends[child]
        i = child
    ends[i] = end_ns


cdef inline void ends_replace_first(Station *station, int64_t end_ns) noexcept nogil:
    ends_sift_down(station.more.ends, station.more.ends_count, 0, end_ns)


cdef inline void ends_pop(Station *station) noexcept nogil:
    station.more.ends_count -= 1
    if station.more.ends_count:
        ends_sift_down(station.more.ends, station.more.ends_count, 0, station.more.ends[station.more.ends_count])


cdef inline void ends_forget(Station *station, int64_t now_ns) noexcept nogil:
    # Drop the services that have ended.
    while station.more.ends_count and station.more.ends[0] <= now_ns:
        ends_pop(station)


cdef inline int64_t orphans_to_do(Station *station, int64_t now_ns) noexcept nogil:
    cdef int64_t rest = 0
    cdef int32_t i
    for i in range(station.more.orphans_count):
        if station.more.orphans[i] > now_ns:
            rest += station.more.orphans[i] - now_ns
    return rest


cdef inline int64_t work_to_do(Station *station, int64_t now_ns) noexcept nogil:
    # How much of `work_ns` lies after now. Planned services follow each other without a gap, so the last ends tell.
    cdef int64_t rest = 0
    cdef int32_t i
    if station.single:
        return max(station.free_ns - now_ns, 0) + orphans_to_do(station, now_ns)
    if station.discipline == FIFO:
        for i in range(LANES):
            if station.more.lanes[i] > now_ns and station.more.lanes[i] != NEVER:
                rest += station.more.lanes[i] - now_ns
    for i in range(station.more.ends_count):
        if station.more.ends[i] > now_ns:
            rest += station.more.ends[i] - now_ns
    return rest + orphans_to_do(station, now_ns)


# Lists through the chunks.

cdef inline void list_append(State *e, List *line, int32_t index) noexcept nogil:
    e.wheel.nodes[index].next = NONE
    if line.head == NONE:
        line.head = index
    else:
        e.wheel.nodes[line.tail].next = index
    line.tail = index


cdef inline int32_t list_pop(State *e, List *line) noexcept nogil:
    cdef int32_t index = line.head
    line.head = e.wheel.nodes[index].next
    return index
