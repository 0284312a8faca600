# cython: boundscheck=False, wraparound=False, language_level=3
"""Compiled code that asks a route table one exchange at a time, as an engine would: built by its benchmark."""
from libc.stdint cimport int8_t, int32_t, int64_t

from router_core.table.route_table cimport Routes, RouteTable, choose


def one_by_one(RouteTable table, bytes source, bytes target, bytes priority, int64_t rounds):
    """Return the sum of the routes found, each look-up waiting for the answer of the one before.

    The row asked next and its exchange's id depend on the answers so far: look-ups do not overlap, so this is what one
    takes, not how many fit into a second. Columns are the bytes of int32, int32 and int8 arrays: typed memoryviews
    would take this file ten times as long to compile.
    """
    cdef const Routes *t = &table.routes
    cdef const int32_t *sources = <const int32_t *> <const char *> source
    cdef const int32_t *targets = <const int32_t *> <const char *> target
    cdef const int8_t *priorities = <const int8_t *> <const char *> priority
    cdef int64_t count = len(priority), row = 0, total = 0, number
    with nogil:
        for number in range(rounds):
            total += choose(t, sources[row], targets[row], priorities[row], number + (total & 1), 0)
            row = (row + 1 + (total & 1)) % count
    return total
