# The calendar of pending events: a hierarchical timing wheel (Varghese and Lauck, SOSP 1987) whose next bucket is sorted
# by (time, key) when it is opened. An event that falls into the open bucket is put at its place there, so no event
# need be a minimum time ahead of its cause, and no lookahead has to be known or recomputed.
#
# Level 0 has 2**12 buckets of 2**shift ns, each further level 2**8 of the whole span of the one below. An event lies in
# the level of the highest bit in which its bucket differs from the open one, so it moves down at most once a level.
# Events lie in blocks of five, inside which they are contiguous: a bucket is read in one or two strides.
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
    EVENTS_A_BLOCK = 5
    NO_BLOCK = -1
    FIRST_SHIFT = 16
    SHIFT_MAX = 40
    # How many buckets are opened between two looks at how full they were.
    OPENED_BETWEEN_LOOKS = 1024

cdef struct Event:
    int64_t time_ns
    uint64_t key
    int32_t subject
    int32_t unused

cdef struct Block:
    int32_t next
    int32_t count
    Event events[EVENTS_A_BLOCK]

cdef struct Wheel:
    Event *open_events       # the open bucket, sorted; those before open_next are done
    int64_t open_next
    int64_t open_count
    int64_t open_size
    int64_t bucket           # number of the open bucket, time >> shift
    int shift
    int out_of_memory
    int32_t free_block
    int32_t blocks_used
    int32_t blocks_size
    Block *blocks
    int32_t *heads           # first block of each bucket
    uint64_t *occupied       # a bit a bucket
    uint64_t near_words      # a bit a word of level 0's bits
    Event *spare             # for sorting
    int64_t spare_size
    int64_t waiting          # events in buckets, without the open one
    int64_t opened           # buckets, and what came out of them, and what only moved down, since the last look
    int64_t taken
    int64_t moved_down


cdef inline int wheel_init(Wheel *w) noexcept nogil:
    memset(w, 0, sizeof(Wheel))
    w.shift = FIRST_SHIFT
    w.free_block = NO_BLOCK
    w.heads = <int32_t *> malloc(BUCKETS * sizeof(int32_t))
    w.occupied = <uint64_t *> calloc(BUCKETS // 64, sizeof(uint64_t))
    if w.heads == NULL or w.occupied == NULL:
        return -1
    memset(w.heads, 0xFF, BUCKETS * sizeof(int32_t))
    return 0


cdef inline void wheel_free(Wheel *w) noexcept nogil:
    free(w.open_events)
    free(w.blocks)
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


cdef inline void bucket_append(Wheel *w, int64_t place, Event event) noexcept nogil:
    cdef int32_t index = w.heads[place]
    cdef int32_t fresh
    cdef int32_t size
    cdef Block *grown
    cdef Block *block
    if index == NO_BLOCK or w.blocks[index].count == EVENTS_A_BLOCK:
        fresh = w.free_block
        if fresh != NO_BLOCK:
            w.free_block = w.blocks[fresh].next
        else:
            if w.blocks_used == w.blocks_size:
                size = 2 * w.blocks_size if w.blocks_size else 1024
                grown = <Block *> realloc(w.blocks, size * sizeof(Block))
                if grown == NULL:
                    w.out_of_memory = 1
                    return
                w.blocks = grown
                w.blocks_size = size
            fresh = w.blocks_used
            w.blocks_used += 1
        w.blocks[fresh].next = index
        w.blocks[fresh].count = 0
        w.heads[place] = fresh
        if index == NO_BLOCK:
            w.occupied[place >> 6] |= (<uint64_t> 1) << (place & 63)
            if place < NEAR_BUCKETS:
                w.near_words |= (<uint64_t> 1) << (place >> 6)
        index = fresh
    block = &w.blocks[index]
    block.events[block.count] = event
    block.count += 1
    w.waiting += 1


cdef inline void wheel_push(Wheel *w, int64_t time_ns, uint64_t key, int32_t subject) noexcept nogil:
    cdef int64_t bucket = time_ns >> w.shift
    cdef uint64_t differs
    cdef int level
    cdef Event event
    event.time_ns = time_ns
    event.key = key
    event.subject = subject
    event.unused = 0
    if bucket <= w.bucket:
        open_insert(w, event)
        return
    differs = <uint64_t> (bucket ^ w.bucket)
    if differs < NEAR_BUCKETS:
        bucket_append(w, bucket & (NEAR_BUCKETS - 1), event)
        return
    level = (wheel_highest_bit(differs) - NEAR_BITS) // FAR_BITS
    bucket_append(
        w,
        NEAR_BUCKETS + level * FAR_BUCKETS + ((bucket >> (NEAR_BITS + level * FAR_BITS)) & (FAR_BUCKETS - 1)),
        event,
    )


cdef inline void sort_open(Wheel *w) noexcept nogil:
    # The open bucket's events by (time, key): insertion for few, merging for many.
    cdef int64_t count = w.open_count
    cdef int64_t i, j, left, middle, right, width, a, b
    cdef Event event
    cdef Event *source
    cdef Event *target
    if count <= 24:
        for i in range(1, count):
            event = w.open_events[i]
            j = i
            while j > 0 and comes_after(&w.open_events[j - 1], &event):
                w.open_events[j] = w.open_events[j - 1]
                j -= 1
            w.open_events[j] = event
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
    w.heads[place] = NO_BLOCK
    w.occupied[place >> 6] &= ~((<uint64_t> 1) << (place & 63))
    if place < NEAR_BUCKETS and w.occupied[place >> 6] == 0:
        w.near_words &= ~((<uint64_t> 1) << (place >> 6))
    return index


cdef inline int32_t block_release(Wheel *w, int32_t index) noexcept nogil:
    # Give a block back that has been read, and return the next one of its bucket.
    cdef int32_t next = w.blocks[index].next
    w.waiting -= w.blocks[index].count
    w.blocks[index].next = w.free_block
    w.free_block = index
    return next


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
    if bits == 0:
        return -1
    word = wheel_lowest_bit(bits)
    return word * 64 + wheel_lowest_bit(w.occupied[word])


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


cdef inline void open_take(Wheel *w, int32_t index) noexcept nogil:
    # Append a level 0 bucket's events to the open ones, unsorted.
    cdef Block *block
    while index != NO_BLOCK:
        block = &w.blocks[index]
        if open_room(w, block.count) < 0:
            return
        memcpy(w.open_events + w.open_count, block.events, block.count * sizeof(Event))
        w.open_count += block.count
        index = block_release(w, index)


cdef inline void move_down(Wheel *w, int32_t index) noexcept nogil:
    # Spread a far bucket's events over nearer ones, given that the open bucket is its first.
    cdef Event event
    cdef int32_t i
    while index != NO_BLOCK:
        for i in range(w.blocks[index].count):
            event = w.blocks[index].events[i]
            if event.time_ns >> w.shift == w.bucket:
                if open_room(w, 1) < 0:
                    return
                w.open_events[w.open_count] = event
                w.open_count += 1
            else:
                wheel_push(w, event.time_ns, event.key, event.subject)
            w.moved_down += 1
        index = block_release(w, index)


cdef inline void set_width(Wheel *w, int shift) noexcept nogil:
    # Buckets of another width; the open one is done. All events lie after it.
    cdef int64_t since_ns = (w.bucket + 1) << w.shift
    cdef int64_t count = 0
    cdef int64_t place, i
    cdef int32_t index
    cdef Event *events = <Event *> malloc((w.waiting + 1) * sizeof(Event))
    if events == NULL:
        return  # the old width serves as well
    for place in range(BUCKETS):
        if w.heads[place] != NO_BLOCK:
            index = bucket_detach(w, place)
            while index != NO_BLOCK:
                memcpy(events + count, w.blocks[index].events, w.blocks[index].count * sizeof(Event))
                count += w.blocks[index].count
                index = block_release(w, index)
    w.shift = shift
    # The last bucket before: nothing falls into it, so nothing has to be put at its place one by one.
    w.bucket = max((since_ns >> shift) - 1, 0)
    for i in range(count):
        wheel_push(w, events[i].time_ns, events[i].key, events[i].subject)
    free(events)


cdef inline void look_at_width(Wheel *w) noexcept nogil:
    # About two to six events a bucket cost least: fewer move down more often, more have to be sorted.
    cdef int shift = w.shift
    if w.opened < OPENED_BETWEEN_LOOKS or w.taken < 4 * w.waiting:
        return
    if w.taken > 8 * w.opened and shift > 0:
        shift -= 1
        while shift > 0 and w.taken > (8 * w.opened << (w.shift - shift)):
            shift -= 1
    elif w.taken < 2 * w.opened and 4 * w.moved_down > w.taken and shift < SHIFT_MAX:
        shift += 1
    w.opened = w.taken = w.moved_down = 0
    if shift != w.shift:
        set_width(w, shift)


cdef inline bint wheel_open(Wheel *w, int64_t until_ns) noexcept nogil:
    # Open the next bucket that has events, if it begins before `until_ns`; the open one is done.
    cdef int64_t place
    cdef int level
    w.open_next = w.open_count = 0
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
            open_take(w, bucket_detach(w, place & (NEAR_BUCKETS - 1)))
        else:
            level = 0
            place = next_far(w, level)
            while place < 0 and level + 1 < FAR_LEVELS:
                level += 1
                place = next_far(w, level)
            place |= (w.bucket >> (NEAR_BITS + level * FAR_BITS)) & ~<int64_t> (FAR_BUCKETS - 1)
            if place << (NEAR_BITS + level * FAR_BITS) << w.shift >= until_ns:
                return False
            w.bucket = place << (NEAR_BITS + level * FAR_BITS)
            place = NEAR_BUCKETS + level * FAR_BUCKETS + (place & (FAR_BUCKETS - 1))
            move_down(w, bucket_detach(w, place))
        if w.open_count:
            w.opened += 1
            w.taken += w.open_count
            sort_open(w)
            return True
    return False
