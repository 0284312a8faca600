from libc.stdint cimport int64_t, uint64_t


cdef inline uint64_t mix(uint64_t x) noexcept nogil:
    # Finalise 64 bits so that neighbouring ids land far apart (splitmix64, Steele et al., OOPSLA 2014).
    x += <uint64_t>0x9E3779B97F4A7C15
    x = (x ^ (x >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * <uint64_t>0x94D049BB133111EB
    return x ^ (x >> 31)


cdef inline int64_t ticket(uint64_t exchange_id, uint64_t salt, uint64_t total) noexcept nogil:
    # The one draw behind every weighted choice, in [0, total); `spread` checks what Python hands over.
    return <int64_t> (mix(mix(exchange_id) ^ salt) % total)
