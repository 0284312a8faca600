"""A small compiled engine for tests of its own, and one right call of each of its methods."""

from __future__ import annotations

import numpy as np

from router_core.engine import Engine, Run

NODES = 4
STATIONS = 7
FAR_NS = 10**18
ROUTE = (0, 3, 2, 4, 1)


def i8(*values):
    return np.array(values, dtype=np.int64)


def i4(*values):
    return np.array(values, dtype=np.int32)


def i1(*values):
    return np.array(values, dtype=np.int8)


def u1(*values):
    return np.array(values, dtype=np.uint8)


def columns(**changes):
    """Stations of every kind: FIFO with one server, few and many, by class, shared; some of them with a buffer."""
    return {
        "servers": i4(1, 1, 3, 12, 2, 1, 2),
        "fixed_ns": i8(5, 7, 40, 90, 30, 20, 3),
        "ps_per_byte": i8(0, 10, 900, 0, 1_000, 2_000, 50),
        "after_ns": i8(0, 3, 0, 100, 0, 9, 1),
        "buffer_bytes": i8(-1, -1, 3_000, -1, 2_000, -1, 0),
        "spill_fixed_ns": i8(0, 0, 9, 0, 9, 0, 5),
        "spill_ps_per_byte": i8(0, 0, 90, 0, 90, 0, 50),
        "discipline": i1(0, 0, 0, 0, 1, 2, 1),
        "processes": i1(0, 0, 1, 1, 0, 0, 0),
    } | changes


def options(**changes):
    return {"chunk_bytes": 2_048, "retries_max": 3, "backoff_ns": 50, "backoff_ns_max": 300} | changes


def made(**changes) -> Engine:
    """An engine whose node 0 is held back by its credit."""
    return Engine(columns(), i8(6_000, -1, -1, -1), i8(40, 1, 1, 1), **options(**changes))


def look(engine: Engine):
    """All that an engine shows, as Python's own integers."""
    table = np.empty((6, STATIONS), dtype=np.int64)
    totals = engine.snapshot(table)
    count = engine.handed_over
    outcome = np.empty(count, np.int64), np.empty(count, np.int8), np.empty(count, np.int32)
    engine.outcome(*outcome)
    return engine.now_ns, totals, table.tolist(), [column.tolist() for column in outcome], collected(engine)


def collected(engine: Engine) -> list[tuple[int, int]]:
    """The particles that have ended, by number, and when they came; the engine forgets them."""
    number, received_ns = np.empty(engine.ended, np.int64), np.empty(engine.ended, np.int64)
    engine.collect(number, received_ns)
    return sorted(zip(number.tolist(), received_ns.tolist(), strict=True))


def with_a_way(**changes) -> Engine:
    """An engine that knows one pair and its one way, at place 1."""
    engine = made(**changes)
    engine.pairs(i4(0), i4(1), i4(0))
    engine.bind(0, [engine.intern(ROUTE)], [1])
    return engine


def finish(engine: Engine, until_ns: int, ways: list[int]) -> None:
    """Run on, binding whatever is asked for."""
    while engine.run(until_ns, 50) != Run.DONE:
        for number, _, _ in engine.wanted(until_ns):
            engine.bind(number, ways, [2] * len(ways))


def ended(engine: Engine):
    """Run to the end, and return all that is seen then."""
    finish(engine, FAR_NS, [1])
    return look(engine)


# One call of each method.
CALLS = {
    "pairs": (i4(0), i4(1), i4(0)),
    "forget_ways": (),
    "intern": (ROUTE,),
    "bind": (0, [1], [1]),
    "wanted": (5,),
    "under_way": (),
    "reroute": (),
    "submit": (i8(FAR_NS), i4(0), i8(0), i1(0)),
    "send": (i8(0, 5), i4(*ROUTE), i8(0), i1(0)),
    "collect": (i8(), i8()),
    "run": (2**61, 10),
    "set_service": (i4(0), i8(5), i8(5)),
    "set_servers": (i4(0), i4(5)),
    "set_up": (i4(0), u1(0)),
    "snapshot": (np.empty((6, STATIONS), dtype=np.int64),),
    "outcome": (i8(), i1(), i4()),
}


def refusal(engine: Engine, name: str) -> str:
    try:
        getattr(engine, name)(*CALLS[name])
    except ValueError as error:
        return str(error)
    return ""


def refuses_everything(engine: Engine, why: str) -> bool:
    return all(refusal(engine, name) == f"engine: {why}" for name in CALLS)
