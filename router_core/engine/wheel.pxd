# The calendar of pending events: a hierarchical timing wheel (Varghese and Lauck, SOSP 1987) whose next bucket is sorted
# by (time, key) when it is opened. An event that falls into the open bucket is put at its place there, so no event
# need be a minimum time ahead of its cause, and no lookahead has to be known or recomputed.
#
# Level 0 has 2**12 buckets of 2**shift ns, each further level 2**8 of the whole span of the one below. An event lies in
# the level of the highest bit in which its bucket differs from the open one, so it moves down at most once a level.
# Buckets are so narrow that most hold one event: then nothing is sorted, and empty ones are skipped 64 at a time.
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memmove, memset

cdef extern from *:
    """
    #define wheel_lowest_bit(x) __builtin_ctzll(x)
    #define wheel_highest_bit(x) (63 - __builtin_clzll(x))
    """
    int wheel_lowest_bit(uint64_t x) nogil
    int wheel_highest_bit(uint64_t x) nogil

cdef enum:
    NEAR_BITS = 12
    NEAR_BUCKETS = 1 << 12
    FAR_BITS = 8
    FAR_BUCKETS = 1 << 8
    FAR_LEVELS = 7
    BUCKETS = (1 << 12) + 7 * (1 << 8)
    FEW_EVENTS = 8
    NO_NODE = -1
    FIRST_SHIFT = 16
    SHIFT_MAX = 40
    # How many buckets are opened between two looks at how full they were.
    OPENED_BETWEEN_LOOKS = 1024

cdef struct Event:
    int64_t time_ns
    uint64_t key
    int32_t subject
    int32_t next             # in its bucket, or in the list of free nodes

cdef struct Wheel:
    Event *open_events       # the open bucket, sorted; those before open_next are done
    int64_t open_next
    int64_t open_count
    int64_t open_size
    int64_t bucket           # number of the open bucket, time >> shift
    int shift
    int out_of_memory
    int32_t free_node
    int32_t nodes_used
    int32_t nodes_size
    Event *nodes
    int32_t *heads           # first node of each bucket
    uint64_t *occupied       # a bit a bucket
    uint64_t near_words      # a bit a word of level 0's bits; cleared when next looked at
    Event *spare             # for sorting
    int64_t spare_size
    int32_t ahead            # what the next two events are about, or were: hints
    int32_t further_ahead
    int64_t waiting          # events in buckets, without the open one
    int64_t opened           # buckets, events that shared one, and those that moved down, since the last look
    int64_t shared
    int64_t moved_down


cdef inline int wheel_init(Wheel *w) noexcept nogil:
    memset(w, 0, sizeof(Wheel))
    w.shift = FIRST_SHIFT
    w.free_node = NO_NODE
    w.heads = <int32_t *> malloc(BUCKETS * sizeof(int32_t))
    w.occupied = <uint64_t *> calloc(BUCKETS // 64, sizeof(uint64_t))
    if w.heads == NULL or w.occupied == NULL:
        return -1
    memset(w.heads, 0xFF, BUCKETS * sizeof(int32_t))
    return 0


cdef inline void wheel_free(Wheel *w) noexcept nogil:
    free(w.open_events)
    free(w.nodes)
    free(w.heads)
    free(w.occupied)
    free(w.spare)


cdef inline bint comes_after(Event *a, Event *b) noexcept nogil:
    return a.time_ns > b.time_ns or (a.time_ns == b.time_ns and a.key > b.key)


cdef inline int open_room(Wheel *w, int64_t more) noexcept nogil:
    # The open bucket has room for so many events more.
    cdef int64_t size = w.open_size
    cdef Event *grown
    if w.open_count + more <= size:
        return 0
    while w.open_count + more > size:
        size = 2 * size if size else 64
    grown = <Event *> realloc(w.open_events, size * sizeof(Event))
    if grown == NULL:
        w.out_of_memory = 1
        return -1
    w.open_events = grown
    w.open_size = size
    return 0


cdef inline void open_insert(Wheel *w, Event event) noexcept nogil:
    # Put an event at its place among those still to come in the open bucket.
    cdef int64_t place
    if w.open_count == w.open_size and w.open_next >= w.open_count // 2 and w.open_next > 0:
        w.open_count -= w.open_next
        memmove(w.open_events, w.open_events + w.open_next, w.open_count * sizeof(Event))
        w.open_next = 0
    if open_room(w, 1) < 0:
        return
    place = w.open_count
    while place > w.open_next and comes_after(&w.open_events[place - 1], &event):
        w.open_events[place] = w.open_events[place - 1]
        place -= 1
    w.open_events[place] = event
    w.open_count += 1


cdef inline void near_prepend(Wheel *w, int64_t place, int32_t index) noexcept nogil:
    # No question whether the bucket was empty: setting a bit again costs less than guessing wrong.
    w.nodes[index].next = w.heads[place]
    w.heads[place] = index
    w.occupied[place >> 6] |= (<uint64_t> 1) << (place & 63)
    w.near_words |= (<uint64_t> 1) << (place >> 6)


cdef inline void bucket_prepend(Wheel *w, int64_t bucket, int32_t index) noexcept nogil:
    # Keep an event of a bucket after the open one.
    cdef uint64_t differs = <uint64_t> (bucket ^ w.bucket)
    cdef int64_t place
    cdef int level
    if differs < NEAR_BUCKETS:
        near_prepend(w, bucket & (NEAR_BUCKETS - 1), index)
        return
    level = (wheel_highest_bit(differs) - NEAR_BITS) // FAR_BITS
    place = NEAR_BUCKETS + level * FAR_BUCKETS + ((bucket >> (NEAR_BITS + level * FAR_BITS)) & (FAR_BUCKETS - 1))
    w.nodes[index].next = w.heads[place]
    w.heads[place] = index
    w.occupied[place >> 6] |= (<uint64_t> 1) << (place & 63)


cdef inline int grow_nodes(Wheel *w) noexcept nogil:
    cdef int32_t size = 2 * w.nodes_size if w.nodes_size else 1024
    cdef Event *grown = <Event *> realloc(w.nodes, size * sizeof(Event))
    if grown == NULL:
        w.out_of_memory = 1
        return -1
    w.nodes = grown
    w.nodes_size = size
    return 0


cdef inline void wheel_push(Wheel *w, int64_t time_ns, uint64_t key, int32_t subject) noexcept nogil:
    cdef int64_t bucket = time_ns >> w.shift
    cdef int32_t index
    cdef Event event
    if bucket <= w.bucket:
        event.time_ns = time_ns
        event.key = key
        event.subject = subject
        event.next = NO_NODE
        open_insert(w, event)
        return
    index = w.free_node
    if index != NO_NODE:
        w.free_node = w.nodes[index].next
    else:
        if w.nodes_used == w.nodes_size and grow_nodes(w) < 0:
            return
        index = w.nodes_used
        w.nodes_used += 1
    w.nodes[index].time_ns = time_ns
    w.nodes[index].key = key
    w.nodes[index].subject = subject
    w.waiting += 1
    bucket_prepend(w, bucket, index)


cdef inline void sort_few(Wheel *w) noexcept nogil:
    # By rank: each event's place is the number of those before it. No guesses, but for n * n comparisons.
    cdef int64_t count = w.open_count
    cdef int64_t i, j, rank
    cdef int64_t ties = 0
    cdef Event unsorted[FEW_EVENTS]
    for i in range(count):
        unsorted[i] = w.open_events[i]
    for i in range(count):
        rank = 0
        for j in range(count):
            rank += unsorted[j].time_ns < unsorted[i].time_ns
            ties += unsorted[j].time_ns == unsorted[i].time_ns
        w.open_events[rank] = unsorted[i]
    if ties != count:
        for i in range(count):
            w.open_events[i] = unsorted[i]
        sort_by_insertion(w)


cdef inline void sort_by_insertion(Wheel *w) noexcept nogil:
    cdef int64_t i, j
    cdef Event event
    for i in range(1, w.open_count):
        event = w.open_events[i]
        j = i
        while j > 0 and comes_after(&w.open_events[j - 1], &event):
            w.open_events[j] = w.open_events[j - 1]
            j -= 1
        w.open_events[j] = event


cdef inline void sort_open(Wheel *w) noexcept nogil:
    # The open bucket's events by (time, key).
    cdef int64_t count = w.open_count
    cdef int64_t i, left, middle, right, width, a, b
    cdef Event *source
    cdef Event *target
    if count <= FEW_EVENTS:
        sort_few(w)
        return
    if count <= 4 * FEW_EVENTS:
        sort_by_insertion(w)
        return
    if w.spare_size < count:
        free(w.spare)
        w.spare_size = 2 * count
        w.spare = <Event *> malloc(w.spare_size * sizeof(Event))
        if w.spare == NULL:
            w.spare_size = 0
            w.out_of_memory = 1
            return
    source = w.open_events
    target = w.spare
    width = 1
    while width < count:
        left = 0
        while left < count:
            middle = min(left + width, count)
            right = min(left + 2 * width, count)
            a = left
            b = middle
            for i in range(left, right):
                if a < middle and (b >= right or not comes_after(&source[a], &source[b])):
                    target[i] = source[a]
                    a += 1
                else:
                    target[i] = source[b]
                    b += 1
            left = right
        source, target = target, source
        width *= 2
    if source != w.open_events:
        memcpy(w.open_events, source, count * sizeof(Event))


cdef inline int32_t bucket_detach(Wheel *w, int64_t place) noexcept nogil:
    cdef int32_t index = w.heads[place]
    w.heads[place] = NO_NODE
    w.occupied[place >> 6] &= ~((<uint64_t> 1) << (place & 63))
    return index


cdef inline int64_t next_near(Wheel *w) noexcept nogil:
    # Number in level 0 of the next occupied bucket after the open one, or -1.
    cdef int64_t place = (w.bucket & (NEAR_BUCKETS - 1)) + 1
    cdef int64_t word = place >> 6
    cdef uint64_t bits
    if place == NEAR_BUCKETS:
        return -1
    bits = w.occupied[word] & ((~<uint64_t> 0) << (place & 63))
    if bits:
        return word * 64 + wheel_lowest_bit(bits)
    if word == 63:
        return -1
    bits = w.near_words & ((~<uint64_t> 0) << (word + 1))
    while bits:
        word = wheel_lowest_bit(bits)
        if w.occupied[word]:
            return word * 64 + wheel_lowest_bit(w.occupied[word])
        bits &= bits - 1
        w.near_words &= ~((<uint64_t> 1) << word)
    return -1


cdef inline int64_t next_far(Wheel *w, int level) noexcept nogil:
    # Number in a far level of the next occupied bucket after the one that holds the open one, or -1.
    cdef int64_t place = ((w.bucket >> (NEAR_BITS + level * FAR_BITS)) & (FAR_BUCKETS - 1)) + 1
    cdef int64_t base = (NEAR_BUCKETS + level * FAR_BUCKETS) >> 6
    cdef int64_t word = place >> 6
    cdef uint64_t bits
    if place == FAR_BUCKETS:
        return -1
    bits = w.occupied[base + word] & ((~<uint64_t> 0) << (place & 63))
    while bits == 0:
        word += 1
        if word == FAR_BUCKETS // 64:
            return -1
        bits = w.occupied[base + word]
    return word * 64 + wheel_lowest_bit(bits)


cdef inline int32_t open_take(Wheel *w, int32_t index) noexcept nogil:
    # Move an event to the open ones, unsorted; return the next one of its bucket.
    cdef int32_t next = w.nodes[index].next
    if w.open_count == w.open_size and open_room(w, 1) < 0:
        return NO_NODE
    w.open_events[w.open_count] = w.nodes[index]
    w.open_count += 1
    w.waiting -= 1
    w.nodes[index].next = w.free_node
    w.free_node = index
    return next


cdef inline void move_down(Wheel *w, int32_t index) noexcept nogil:
    # Spread a far bucket's events over nearer ones, given that the open bucket is its first.
    cdef int64_t bucket
    cdef int32_t next
    while index != NO_NODE:
        w.moved_down += 1
        bucket = w.nodes[index].time_ns >> w.shift
        if bucket == w.bucket:
            index = open_take(w, index)
        else:
            next = w.nodes[index].next
            bucket_prepend(w, bucket, index)
            index = next


cdef inline void set_width(Wheel *w, int shift) noexcept nogil:
    # Buckets of another width; the open one is done. All events lie after it.
    cdef int64_t since_ns = (w.bucket + 1) << w.shift
    cdef int64_t place, bucket
    cdef int32_t index, next
    cdef int32_t all_events = NO_NODE
    for place in range(BUCKETS):
        index = w.heads[place]
        if index != NO_NODE:
            bucket_detach(w, place)
            while index != NO_NODE:
                next = w.nodes[index].next
                w.nodes[index].next = all_events
                all_events = index
                index = next
    w.shift = shift
    # The last bucket before: nothing falls into it but at the very beginning.
    w.bucket = max((since_ns >> shift) - 1, 0)
    index = all_events
    while index != NO_NODE:
        bucket = w.nodes[index].time_ns >> shift
        if bucket <= w.bucket:
            index = open_take(w, index)
        else:
            next = w.nodes[index].next
            bucket_prepend(w, bucket, index)
            index = next
    if w.open_count:
        sort_open(w)


cdef inline void look_at_width(Wheel *w) noexcept nogil:
    # Buckets of one event cost least, so long as not most of the events have to move down first.
    cdef int shift = w.shift
    if w.opened < 4 * w.waiting:
        return
    if 4 * w.shared > w.opened and shift > 0:
        shift -= 1
        while shift > 0 and w.shared > (w.opened << (w.shift - shift)):
            shift -= 1
    elif 16 * w.shared < w.opened and 4 * w.moved_down > w.opened and shift < SHIFT_MAX:
        shift += 1
    w.opened = w.shared = w.moved_down = 0
    if shift != w.shift:
        set_width(w, shift)


cdef inline bint open_far(Wheel *w, int64_t until_ns) noexcept nogil:
    # No near bucket has events: bring the next far one near, if it begins before `until_ns`.
    cdef int level = 0
    cdef int64_t place = next_far(w, level)
    while place < 0 and level + 1 < FAR_LEVELS:
        level += 1
        place = next_far(w, level)
    place |= (w.bucket >> (NEAR_BITS + level * FAR_BITS)) & ~<int64_t> (FAR_BUCKETS - 1)
    if place << (NEAR_BITS + level * FAR_BITS) << w.shift >= until_ns:
        return False
    w.bucket = place << (NEAR_BITS + level * FAR_BITS)
    move_down(w, bucket_detach(w, NEAR_BUCKETS + level * FAR_BUCKETS + (place & (FAR_BUCKETS - 1))))
    return True


cdef inline bint wheel_open(Wheel *w, int64_t until_ns) noexcept nogil:
    # Open the next bucket that has events, if it begins before `until_ns`; the open one is done.
    cdef int64_t place
    cdef int32_t index
    w.open_next = w.open_count = 0
    if w.opened >= OPENED_BETWEEN_LOOKS:
        look_at_width(w)
        if w.open_count:
            return True
    while w.waiting:
        place = next_near(w)
        if place >= 0:
            place |= w.bucket & ~<int64_t> (NEAR_BUCKETS - 1)
            if place << w.shift >= until_ns:
                return False
            w.bucket = place
            index = bucket_detach(w, place & (NEAR_BUCKETS - 1))
            while index != NO_NODE:
                index = open_take(w, index)
        elif not open_far(w, until_ns):
            return False
        if w.open_count:
            w.opened += 1
            if w.open_count > 1:
                w.shared += w.open_count
                sort_open(w)
            return True
    return False


cdef inline bint wheel_next(Wheel *w, int64_t until_ns, Event *event) noexcept nogil:
    # Take out the next event before `until_ns`, if there is one.
    cdef int64_t place, bucket
    cdef uint64_t bits
    cdef int32_t index
    if w.open_next == w.open_count and w.opened < OPENED_BETWEEN_LOOKS:
        # By far the commonest: the next occupied bucket is near, in the same word of bits, and holds one event.
        place = (w.bucket & (NEAR_BUCKETS - 1)) + 1
        if place < NEAR_BUCKETS:
            bits = w.occupied[place >> 6] >> (place & 63)
            if bits:
                place += wheel_lowest_bit(bits)
                index = w.heads[place]
                event[0] = w.nodes[index]
                if event.next == NO_NODE and event.time_ns < until_ns:
                    w.bucket = (w.bucket & ~<int64_t> (NEAR_BUCKETS - 1)) | place
                    w.open_next = w.open_count = 0
                    w.heads[place] = NO_NODE
                    w.occupied[place >> 6] ^= (<uint64_t> 1) << (place & 63)
                    w.nodes[index].next = w.free_node
                    w.free_node = index
                    w.waiting -= 1
                    w.opened += 1
                    # The next two, so that what they will touch comes from memory meanwhile.
                    bits = w.occupied[place >> 6] >> (place & 63)
                    if bits:
                        place += wheel_lowest_bit(bits)
                        w.ahead = w.nodes[w.heads[place]].subject
                        bits = bits >> wheel_lowest_bit(bits) >> 1
                        if bits:
                            place += 1 + wheel_lowest_bit(bits)
                            w.further_ahead = w.nodes[w.heads[place]].subject
                    return True
    if w.open_next == w.open_count and not wheel_open(w, until_ns):
        return False
    event[0] = w.open_events[w.open_next]
    if event.time_ns >= until_ns:
        return False
    w.open_next += 1
    return True
