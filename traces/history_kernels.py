"""Loops over the rows of traces that make a history: which relation each row is of, and what each has in an hour."""

from __future__ import annotations

import numpy as np
from numba import njit

EMPTY = -1
# Why a row stopped the counting.
DONE, FULL, BAD_PAYLOAD, BAD_MODE, BAD_KIND, BAD_PRIORITY, BAD_DEADLINE = range(7)


@njit(cache=True)
def _slot_of(table_key, key):  # type: ignore[no-untyped-def]
    """Slot of a key, or the empty one where it belongs; the table always has an empty slot."""
    mask = np.uint64(len(table_key) - 1)
    # splitmix64's last step: keys of neighbours must not fall side by side.
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    slot = mixed & mask
    while table_key[slot] != EMPTY and table_key[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True)
def _rule_broken(  # type: ignore[no-untyped-def]
    mode, kind, priority, payload, submitted_ns, deadline_ns, modes, kinds, priorities, payload_bytes_max
):
    """Which rule of the format a row breaks, or DONE."""
    if mode < 0 or mode >= modes:
        return BAD_MODE
    if kind < 0 or kind >= kinds:
        return BAD_KIND
    if priority < 0 or priority >= priorities:
        return BAD_PRIORITY
    if payload < 0 or payload > payload_bytes_max:
        return BAD_PAYLOAD
    return BAD_DEADLINE if deadline_ns != -1 and deadline_ns <= submitted_ns else DONE


@njit(cache=True)
def count_rows(  # type: ignore[no-untyped-def]
    first,
    last,
    submitted_ns,
    source,
    target,
    payload_bytes,
    mode,
    kind,
    priority,
    deadline_ns,
    nodes,
    modes,
    kinds,
    priorities,
    payload_bytes_max,
    table_key,
    table_relation,
    relation_key,
    lead_ns,
    size_count,
    exchanges,
    hour_bytes,
    touched,
    sizes,
):
    """Count rows ``first .. last - 1``, all of one hour, into the relations' accumulators.

    `sizes` holds the number of relations and of those touched in this hour, and is updated. Stops at the first row
    that breaks a rule, or whose relation does not fit any more: returns that row and why. A row is counted whole or
    not at all, so the caller makes room and goes on from there.
    """
    room = len(relation_key)
    for row in range(first, last):
        payload, deadline = payload_bytes[row], deadline_ns[row]
        wrong = _rule_broken(
            mode[row],
            kind[row],
            priority[row],
            payload,
            submitted_ns[row],
            deadline,
            modes,
            kinds,
            priorities,
            payload_bytes_max,
        )
        if wrong != DONE:
            return row, wrong
        key = np.int64(source[row]) * nodes + target[row]
        key = ((key * modes + mode[row]) * kinds + kind[row]) * priorities + priority[row]
        slot = _slot_of(table_key, key)
        if table_key[slot] == EMPTY:
            if sizes[0] == room:
                return row, FULL
            table_key[slot] = key
            table_relation[slot] = sizes[0]
            relation_key[sizes[0]] = key
            sizes[0] += 1
        relation = table_relation[slot]
        if exchanges[relation] == 0:
            touched[sizes[1]] = relation
            sizes[1] += 1
        exchanges[relation] += 1
        hour_bytes[relation] += payload
        digits = 0
        while payload > 0:
            payload >>= 1
            digits += 1
        size_count[relation, digits] += 1
        if deadline != -1:
            lead = deadline - submitted_ns[row]
            if lead_ns[relation] < 0 or lead < lead_ns[relation]:
                lead_ns[relation] = lead
    return last, DONE


@njit(cache=True)
def fill_table(relation_key, relations, table_key, table_relation):  # type: ignore[no-untyped-def]
    """Enter the first `relations` keys into an empty table of a power of two of slots, more than there are keys."""
    for relation in range(relations):
        slot = _slot_of(table_key, relation_key[relation])
        table_key[slot] = relation_key[relation]
        table_relation[slot] = relation
