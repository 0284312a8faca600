# The calendar of what will happen: a hierarchical timing wheel (Varghese and Lauck, SOSP 1987).
#
# Level 0 has 2**12 buckets of 2**shift ns, each further level 2**8 of the whole span of the one below. A node lies in
# the level of the highest bit in which its bucket differs from the open ones, so it moves down at most once a level.
# A window of 64 buckets is opened at once, one word of bits: buckets are so narrow that most hold one node at most, so
# what comes out is almost in order, and a window so wide that it holds several, which the processor can work on side by
# side. Whatever is planned into the open window is put at its place there: nothing need be a minimum time ahead
# of its cause, and no lookahead has to be known, or recomputed when services get shorter.
# A node is what it is about: a chunk is linked into its bucket itself, and taken out of it when it is planned anew.
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memmove, memset

cdef extern from *:
    """
    #define wheel_lowest_bit(x) __builtin_ctzll(x)
    #define wheel_highest_bit(x) (63 - __builtin_clzll(x))
    #define prefetch(where) __builtin_prefetch(where)
    """
    int wheel_lowest_bit(uint64_t x) nogil
    int wheel_highest_bit(uint64_t x) nogil
    void prefetch(const void *where) noexcept nogil

cdef enum:
    NEAR_BITS = 12
    NEAR_BUCKETS = 1 << 12
    FAR_BITS = 8
    FAR_BUCKETS = 1 << 8
    FAR_LEVELS = 7
    BUCKETS = (1 << 12) + 7 * (1 << 8)
    FEW_NODES = 8
    NO_NODE = -1
    # Instead of the node before it: it is the first of its bucket; it lies in the open one.
    IS_FIRST = -1
    IS_OPEN = -2
    NO_MEMORY = 1
    INSTANT_BEYOND = 2
    FIRST_SHIFT = 16
    SHIFT_MAX = 40
    WINDOW = 64              # buckets
    # How many windows are opened between two looks at how full they were, and when they are too full or too empty.
    WINDOWS_A_LOOK = 256
    MANY_NODES = 12
    SOME_NODES = 6
    # More than these in the open window, and it is closed again: putting another one at its place would take too long.
    TOO_MANY_NODES = 512


cdef struct Node:
    # A chunk under way, or anything else that will happen at an instant. One cache line.
    int64_t due_ns
    uint64_t key          # orders what happens at one instant; see `state.pxd`
    int64_t payload_bytes
    int32_t after         # the nodes behind and before it in its bucket
    int32_t before
    int32_t next          # MOVING: the station at which it arrives next, or NONE; else the next one in its list
    int32_t pair          # of a chunk, NONE of a particle; else the station or the credit it is about
    int32_t route         # place of the first station in the arena, or NONE
    int32_t file          # what the chunks of one exchange share, or NONE where it is one
    uint16_t hop          # how many stations of the route it has arrived at before this one
    uint16_t failures
    uint8_t state
    uint8_t priority
    uint8_t place
    int32_t credit        # of the source, or NONE


cdef struct Opened:
    int64_t due_ns
    uint64_t key
    int32_t index


cdef struct Wheel:
    Node *nodes
    int32_t *heads           # first node of each bucket
    uint64_t *occupied       # a bit a bucket
    uint64_t near_words      # a bit a window of level 0
    int64_t bucket           # number of the last bucket of the open window, due_ns >> shift
    int shift
    int trouble              # why nothing more can be done, or 0
    int64_t open_next
    int64_t open_count
    int64_t open_size
    Opened *opened           # the open window, sorted; those before open_next are done
    Opened *spare            # for sorting
    int64_t spare_size
    int64_t waiting          # nodes in buckets
    int64_t windows          # opened since the last look, nodes taken from them, and nodes put into them
    int64_t taken
    int64_t put
    int32_t free_node
    int32_t nodes_used
    int32_t nodes_size


cdef inline int wheel_init(Wheel *w) noexcept nogil:
    memset(w, 0, sizeof(Wheel))
    w.shift = FIRST_SHIFT
    w.bucket = WINDOW - 1
    w.free_node = NO_NODE
    w.heads = <int32_t *> malloc(BUCKETS * sizeof(int32_t))
    w.occupied = <uint64_t *> calloc(BUCKETS // 64, sizeof(uint64_t))
    w.opened = <Opened *> malloc(64 * sizeof(Opened))
    if w.heads == NULL or w.occupied == NULL or w.opened == NULL:
        return -1
    w.open_size = 64
    memset(w.heads, 0xFF, BUCKETS * sizeof(int32_t))
    return 0


cdef inline void wheel_free(Wheel *w) noexcept nogil:
    free(w.nodes)
    free(w.heads)
    free(w.occupied)
    free(w.opened)
    free(w.spare)


cdef inline void *roomier(void *items, int32_t *size, int32_t first, size_t item_bytes) noexcept nogil:
    # The same items with room for twice as many, or for the first ones; NULL, and nothing has changed, without memory.
    cdef int32_t wanted = 2 * size[0] if size[0] else first
    cdef void *grown = realloc(items, wanted * item_bytes)
    if grown != NULL:
        size[0] = wanted
    return grown


cdef inline int32_t node_new(Wheel *w) noexcept nogil:
    # May move all nodes.
    cdef int32_t index = w.free_node
    cdef void *grown
    if index != NO_NODE:
        w.free_node = w.nodes[index].next
        return index
    if w.nodes_used == w.nodes_size:
        grown = roomier(w.nodes, &w.nodes_size, 1024, sizeof(Node))
        if grown == NULL:
            w.trouble = NO_MEMORY
            return NO_NODE
        w.nodes = <Node *> grown
    w.nodes_used += 1
    return w.nodes_used - 1


cdef inline void node_free(Wheel *w, int32_t index) noexcept nogil:
    w.nodes[index].state = 0
    w.nodes[index].next = w.free_node
    w.free_node = index


cdef inline bint comes_after(Opened *a, Opened *b) noexcept nogil:
    return a.due_ns > b.due_ns or (a.due_ns == b.due_ns and a.key > b.key)


cdef inline int open_room(Wheel *w) noexcept nogil:
    cdef Opened *grown
    if w.open_count < w.open_size:
        return 0
    if w.open_next > w.open_count // 2:
        w.open_count -= w.open_next
        memmove(w.opened, w.opened + w.open_next, w.open_count * sizeof(Opened))
        w.open_next = 0
        return 0
    grown = <Opened *> realloc(w.opened, 2 * w.open_size * sizeof(Opened))
    if grown == NULL:
        w.trouble = NO_MEMORY
        return -1
    w.opened = grown
    w.open_size *= 2
    return 0


cdef inline void open_append(Wheel *w, int32_t index) noexcept nogil:
    # To the open window, not yet in order.
    cdef Opened *place
    if open_room(w) < 0:
        return
    w.nodes[index].before = IS_OPEN
    place = &w.opened[w.open_count]
    place.due_ns = w.nodes[index].due_ns
    place.key = w.nodes[index].key
    place.index = index
    w.open_count += 1


cdef inline void open_insert(Wheel *w, int32_t index) noexcept nogil:
    # At its place among those still to come in the open window.
    cdef int64_t place = w.open_count
    cdef Opened last
    w.put += 1
    open_append(w, index)
    if w.trouble:
        return
    place = w.open_count - 1
    last = w.opened[place]
    while place > w.open_next and comes_after(&w.opened[place - 1], &last):
        w.opened[place] = w.opened[place - 1]
        place -= 1
    w.opened[place] = last


cdef inline int64_t far_place(Wheel *w, int64_t bucket) noexcept nogil:
    # Where a bucket is kept that differs from the open ones above level 0.
    cdef int level = (wheel_highest_bit(<uint64_t> (bucket ^ w.bucket)) - NEAR_BITS) // FAR_BITS
    return NEAR_BUCKETS + level * FAR_BUCKETS + ((bucket >> (NEAR_BITS + level * FAR_BITS)) & (FAR_BUCKETS - 1))


cdef inline void bucket_link(Wheel *w, int64_t bucket, int32_t index) noexcept nogil:
    # Into a bucket after the open window.
    cdef Node *node = &w.nodes[index]
    cdef int64_t place
    cdef int32_t first
    if <uint64_t> (bucket ^ w.bucket) < NEAR_BUCKETS:
        place = bucket & (NEAR_BUCKETS - 1)
        w.near_words |= (<uint64_t> 1) << (place >> 6)
    else:
        place = far_place(w, bucket)
    first = w.heads[place]
    node.after = first
    node.before = IS_FIRST
    w.heads[place] = index
    w.occupied[place >> 6] |= (<uint64_t> 1) << (place & 63)
    if first != NO_NODE:
        w.nodes[first].before = index


cdef inline void wheel_remove(Wheel *w, int32_t index) noexcept nogil:
    # A node that is due will not happen.
    cdef Node *node = &w.nodes[index]
    cdef int64_t bucket, place
    if node.before == IS_OPEN:
        place = w.open_next
        while w.opened[place].index != index:
            place += 1
        w.open_count -= 1
        memmove(&w.opened[place], &w.opened[place + 1], (w.open_count - place) * sizeof(Opened))
        return
    w.waiting -= 1
    if node.after != NO_NODE:
        w.nodes[node.after].before = node.before
    if node.before != IS_FIRST:
        w.nodes[node.before].after = node.after
        return
    bucket = node.due_ns >> w.shift
    place = bucket & (NEAR_BUCKETS - 1)
    if <uint64_t> (bucket ^ w.bucket) >= NEAR_BUCKETS:
        place = far_place(w, bucket)
    w.heads[place] = node.after
    if node.after == NO_NODE:
        w.occupied[place >> 6] &= ~((<uint64_t> 1) << (place & 63))


cdef inline void sort_by_insertion(Wheel *w) noexcept nogil:
    cdef int64_t i, j
    cdef Opened opened
    for i in range(1, w.open_count):
        opened = w.opened[i]
        j = i
        while j > 0 and comes_after(&w.opened[j - 1], &opened):
            w.opened[j] = w.opened[j - 1]
            j -= 1
        w.opened[j] = opened


cdef inline void sort_open(Wheel *w) noexcept nogil:
    # The open window by (instant, key): by insertion where they are few, else by merging.
    cdef int64_t count = w.open_count
    cdef int64_t i, left, middle, right, width, a, b
    cdef Opened *source
    cdef Opened *target
    if count <= 4 * FEW_NODES:
        sort_by_insertion(w)
        return
    if w.spare_size < w.open_size:
        free(w.spare)
        w.spare = <Opened *> malloc(w.open_size * sizeof(Opened))
        if w.spare == NULL:
            w.spare_size = 0
            w.trouble = NO_MEMORY
            return
        w.spare_size = w.open_size
    source = w.opened
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
    if source != w.opened:
        memcpy(w.opened, source, count * sizeof(Opened))


cdef inline int32_t bucket_detach(Wheel *w, int64_t place) noexcept nogil:
    cdef int32_t index = w.heads[place]
    w.heads[place] = NO_NODE
    w.occupied[place >> 6] &= ~((<uint64_t> 1) << (place & 63))
    return index


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


cdef inline void spread_nodes(Wheel *w, int32_t index) noexcept nogil:
    # The nodes of a bucket that was detached, to where they are kept now.
    cdef int32_t after
    cdef int64_t bucket
    while index != NO_NODE:
        after = w.nodes[index].after
        bucket = w.nodes[index].due_ns >> w.shift
        if bucket <= w.bucket:
            w.waiting -= 1
            open_append(w, index)
        else:
            bucket_link(w, bucket, index)
        index = after


cdef inline int32_t detach_all(Wheel *w) noexcept nogil:
    # All nodes, those of the open window too, in one list.
    cdef int64_t place
    cdef int32_t index, last
    cdef int32_t all_nodes = NO_NODE
    for place in range(BUCKETS):
        if w.heads[place] != NO_NODE:
            index = bucket_detach(w, place)
            last = index
            while w.nodes[last].after != NO_NODE:
                last = w.nodes[last].after
            w.nodes[last].after = all_nodes
            all_nodes = index
    w.near_words = 0
    while w.open_next < w.open_count:
        index = w.opened[w.open_next].index
        w.nodes[index].after = all_nodes
        all_nodes = index
        w.open_next += 1
        w.waiting += 1
    w.open_next = w.open_count = 0
    return all_nodes


cdef inline void set_width(Wheel *w, int shift, int64_t since_ns) noexcept nogil:
    # Buckets of another width; nothing is due before `since_ns`.
    cdef int32_t all_nodes = detach_all(w)
    w.shift = shift
    w.bucket = (since_ns >> shift) | (WINDOW - 1)
    spread_nodes(w, all_nodes)
    sort_open(w)


cdef inline int narrower(int shift, int64_t nodes, int64_t windows) noexcept nogil:
    # The width at which so many nodes in so many windows would be few.
    while shift > 0 and nodes > MANY_NODES * windows:
        shift -= 1
        nodes >>= 1
    return shift


cdef inline void look_at_width(Wheel *w) noexcept nogil:
    # Several nodes a window, but few that are planned into it while it is open.
    cdef int shift = w.shift
    if w.taken < 4 * w.waiting:
        return
    if w.taken > MANY_NODES * w.windows or (4 * w.put > w.taken and w.taken > 2 * w.windows):
        shift = min(max(shift - 1, 0), narrower(shift, w.taken, w.windows))
    elif w.taken < SOME_NODES * w.windows and 16 * w.put < w.taken:
        shift = min(shift + 1, SHIFT_MAX)
    if shift != w.shift:
        set_width(w, shift, (w.bucket + 1) << w.shift)
    w.windows = w.taken = w.put = 0


cdef inline void wheel_push(Wheel *w, int32_t index) noexcept nogil:
    # A node whose instant and key are set.
    cdef int64_t due_ns = w.nodes[index].due_ns
    cdef int64_t bucket = due_ns >> w.shift
    if bucket <= w.bucket and w.open_count - w.open_next > TOO_MANY_NODES and w.shift > 0:
        due_ns = min(due_ns, w.opened[w.open_next].due_ns)
        set_width(w, narrower(w.shift, w.open_count - w.open_next, 1), due_ns)
        bucket = w.nodes[index].due_ns >> w.shift
    if bucket <= w.bucket:
        open_insert(w, index)
        return
    w.waiting += 1
    bucket_link(w, bucket, index)


cdef inline bint open_far(Wheel *w, int64_t until_ns) noexcept nogil:
    # No near window has nodes: bring the next far bucket near, unless it begins after `until_ns`.
    cdef int level = 0
    cdef int64_t place = next_far(w, level)
    while place < 0 and level + 1 < FAR_LEVELS:
        level += 1
        place = next_far(w, level)
    place |= (w.bucket >> (NEAR_BITS + level * FAR_BITS)) & ~<int64_t> (FAR_BUCKETS - 1)
    if place << (NEAR_BITS + level * FAR_BITS) << w.shift > until_ns:
        return False
    w.bucket = place << (NEAR_BITS + level * FAR_BITS) | (WINDOW - 1)
    place = NEAR_BUCKETS + level * FAR_BUCKETS + (place & (FAR_BUCKETS - 1))
    spread_nodes(w, bucket_detach(w, place))
    return True


cdef inline void open_window(Wheel *w, int64_t word) noexcept nogil:
    # Take all nodes of a window out of its buckets, in the order of the buckets.
    cdef uint64_t bits = w.occupied[word]
    cdef int64_t place
    cdef int32_t index
    w.occupied[word] = 0
    w.near_words &= ~((<uint64_t> 1) << word)
    while bits:
        place = word * WINDOW + wheel_lowest_bit(bits)
        bits &= bits - 1
        index = w.heads[place]
        w.heads[place] = NO_NODE
        while index != NO_NODE:
            open_append(w, index)
            index = w.nodes[index].after
    w.waiting -= w.open_count


cdef inline bint wheel_open(Wheel *w, int64_t until_ns) noexcept nogil:
    # Open the next window that has nodes, unless it begins after `until_ns`; the open one is done.
    cdef int64_t word
    cdef uint64_t words
    w.open_next = w.open_count = 0
    if w.windows >= WINDOWS_A_LOOK:
        look_at_width(w)
        if w.open_count:
            return True
    while w.waiting:
        word = (w.bucket & (NEAR_BUCKETS - 1)) >> 6
        words = w.near_words >> word >> 1
        if words:
            word += 1 + wheel_lowest_bit(words)
            if ((w.bucket & ~<int64_t> (NEAR_BUCKETS - 1)) | word << 6) << w.shift > until_ns:
                return False
            w.bucket = (w.bucket & ~<int64_t> (NEAR_BUCKETS - 1)) | word << 6 | (WINDOW - 1)
            open_window(w, word)
        elif not open_far(w, until_ns):
            return False
        if w.open_count:
            w.windows += 1
            w.taken += w.open_count
            sort_open(w)
            return True
    return False
