"""The compiled engine cannot be misused: whatever Python calls, it refuses with an ordinary error and changes nothing.

`make test-bounds` runs this file once more under sanitizers, where a read or write out of bounds ends the process.
"""

from __future__ import annotations

import copy
import threading
from copy import deepcopy

import numpy as np
import pytest
from made_engine import (
    CALLS,
    FAR_NS,
    NODES,
    ROUTE,
    STATIONS,
    collected,
    columns,
    ended,
    finish,
    i1,
    i4,
    i8,
    look,
    made,
    options,
    refusal,
    refuses_everything,
    u1,
    with_a_way,
)

from router_core.engine import Engine

BIG = 2**70
WRONG_COLUMNS = {"servers": 0, "fixed_ns": 0, "ps_per_byte": -1, "after_ns": -1, "discipline": 3, "spill_fixed_ns": -1}


def drive(engine: Engine):
    """A short life: exchanges of two classes, commands under way, a new plan; return all that was seen."""
    start_ns = engine.now_ns + 10
    engine.forget_ways()
    pair = i4(*[0] * 40)
    engine.pairs(i4(*[0, 2] * 20), i4(*[1] * 40), pair)
    ways = [engine.intern(ROUTE), engine.intern((0, 5, 1))]
    engine.submit(start_ns + i8(*range(0, 4_000, 100)), pair, i8(*range(5_000, 9_000, 100)), i1(*[3, 0] * 20))
    shown = []
    for step, until_ns in enumerate((1_500, 3_000, 40_000, FAR_NS)):
        finish(engine, start_ns + until_ns, ways)
        engine.set_service(i4(0, 3), i8(7, 500), i8(1_000, 9_000 * (step + 1)))
        engine.set_servers(i4(0, 2, 4), i4(step + 1, 2, 9 + step))
        engine.set_up(i4(5), u1(step % 2))
        send_three(engine)
        shown.append(look(engine))
    return shown


def send_three(engine: Engine) -> int:
    """Particles of three lengths, one of them over the station that stops."""
    return engine.send(i8(0, 5, 8, 17), i4(*ROUTE, 0, 5, 1, 6, *ROUTE, 5, 2, 1), i8(0, 3_000, 7), i1(0, 7, 3))


def under_way(engine: Engine) -> None:
    engine.submit(i8(0, 1), i4(0, 0), i8(0, 0), i1(0, 0))
    engine.run(1, 10)
    assert engine.under_way() == [(0, 0, 1)]


def at_ten(engine: Engine) -> None:
    engine.run(10, 10)


def new_plan(engine: Engine) -> None:
    engine.forget_ways()


def new_plan_under_way(engine: Engine) -> None:
    under_way(engine)
    engine.forget_ways()


def particles_known(engine: Engine) -> None:
    """The route at place 1 ends at place 6; a particle's begins at 8."""
    send_three(engine)
    engine.forget_ways()


def particle_ended(engine: Engine) -> None:
    """All three have come."""
    send_three(engine)
    engine.run(10**6, 1_000)
    assert engine.ended == 3


def particle_ended_and_new_plan(engine: Engine) -> None:
    particle_ended(engine)
    engine.forget_ways()


class Shifty:
    """Stands for one number when asked first, and for another one after that."""

    def __init__(self, first: int, then: int) -> None:
        self._answers = [first, then]

    def __index__(self) -> int:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def __lt__(self, other: object) -> bool:
        return True

    __gt__ = __le__ = __ge__ = __lt__


def send(start=(0, 2, 5), station=(0, 1, 0, 3, 1), payload_bytes=0, priority=0, columns=2):
    return lambda e: e.send(i8(*start), i4(*station), i8(*[0, payload_bytes][:columns]), i1(0, priority))


def submit(at_ns=0, pair=0, payload_bytes=0, priority=0):
    return lambda e: e.submit(i8(0, at_ns), i4(0, pair), i8(0, payload_bytes), i1(0, priority))


def overlapping(engine: Engine) -> None:
    """Node 3, then pair numbers as nodes: what passes the check is overwritten while it is read."""
    numbers = i4(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3)
    engine.pairs(numbers[:-1], i4(*[0, 1, 2, 3, 3, 2, 1, 0] * 2)[:-1], numbers[1:])


# Calls that must be refused, after a preparation that is right.
WRONG = {
    "pairs: no such node": (None, lambda e: e.pairs(i4(2, NODES), i4(1, 1), i4(0, 0))),
    "pairs: negative node": (None, lambda e: e.pairs(i4(2, 0), i4(1, -1), i4(0, 0))),
    "pairs: lengths": (None, lambda e: e.pairs(i4(0, 1), i4(1, 0), i4(0))),
    "pairs: type": (None, lambda e: e.pairs(i8(0), i4(1), i4(0))),
    "pairs: nothing": (None, lambda e: e.pairs(None, None, None)),
    "intern: no station": (None, lambda e: e.intern(())),
    "intern: one station": (None, lambda e: e.intern((0,))),
    "intern: too long": (None, lambda e: e.intern((0,) * 60_001)),
    "intern: unknown station": (None, lambda e: e.intern((0, STATIONS))),
    "intern: negative station": (None, lambda e: e.intern((0, -2))),
    "intern: huge station": (None, lambda e: e.intern((0, BIG))),
    "intern: not whole": (None, lambda e: e.intern((0, 1.0))),
    "intern: a list": (None, lambda e: e.intern([0, 1])),
    "bind: unknown pair": (new_plan, lambda e: e.bind(1, [1], [1])),
    "bind: negative pair": (new_plan, lambda e: e.bind(-1, [1], [1])),
    "bind: bound already": (None, lambda e: e.bind(0, [1], [1])),
    "bind: within a route": (new_plan, lambda e: e.bind(0, [1, 2], [1, 1])),
    "bind: behind all routes": (new_plan, lambda e: e.bind(0, [1, 10**6], [1, 1])),
    "bind: before all routes": (new_plan, lambda e: e.bind(0, [1, -1], [1, 1])),
    "bind: huge place": (new_plan, lambda e: e.bind(0, [1, BIG], [1, 1])),
    "bind: a weight too few": (new_plan, lambda e: e.bind(0, [1], [])),
    "bind: no weight": (new_plan, lambda e: e.bind(0, [1], [0])),
    "bind: weights too great": (new_plan, lambda e: e.bind(0, [1, 1], [2**61, 2**61])),
    "reroute: ways not bound": (new_plan_under_way, lambda e: e.reroute()),
    "submit: none": (None, lambda e: e.submit(i8(), i4(), i8(), i1())),
    "submit: lengths": (None, lambda e: e.submit(i8(0, 1), i4(0), i8(0, 0), i1(0, 0))),
    "submit: unsorted": (None, lambda e: e.submit(i8(5, 4), i4(0, 0), i8(0, 0), i1(0, 0))),
    "submit: before now": (at_ten, lambda e: e.submit(i8(9), i4(0), i8(0), i1(0))),
    "submit: before the last": (under_way, lambda e: e.submit(i8(0), i4(0), i8(0), i1(0))),
    "submit: negative instant": (None, lambda e: e.submit(i8(-1), i4(0), i8(0), i1(0))),
    "submit: instant too late": (None, submit(at_ns=10**18 + 1)),
    "submit: unknown pair": (None, submit(pair=1)),
    "submit: negative pair": (None, submit(pair=-1)),
    "submit: negative size": (None, submit(payload_bytes=-1)),
    "submit: size too great": (None, submit(payload_bytes=2**40 + 1)),
    "submit: no such class": (None, submit(priority=8)),
    "submit: negative class": (None, submit(priority=-1)),
    "send: none": (None, lambda e: e.send(i8(0), i4(), i8(), i1())),
    "send: lengths": (None, send(columns=1)),
    "send: starts": (None, send(start=(0, 2))),
    "send: does not begin": (None, send(start=(1, 3, 5))),
    "send: does not end": (None, send(start=(0, 2, 4))),
    "send: ends behind": (None, send(start=(0, 2, 6))),
    "send: falls": (None, send(start=(0, 6, 5))),
    "send: far beyond": (None, send(start=(0, 2**63 - 1, 5))),
    "send: far before": (None, send(start=(0, -(2**63), 5))),
    "send: one station": (None, send(start=(0, 4, 5))),
    "send: no station": (None, send(start=(0, 0, 5))),
    "send: too long": (None, send(start=(0, 2, 60_003), station=[0] * 60_003)),
    "send: unknown station": (None, send(station=(0, 1, 0, STATIONS, 1))),
    "send: negative station": (None, send(station=(0, 1, 0, -1, 1))),
    "send: negative size": (None, send(payload_bytes=-1)),
    "send: size too great": (None, send(payload_bytes=2**40 + 1)),
    "send: no such class": (None, send(priority=8)),
    "send: negative class": (None, send(priority=-1)),
    "send: type": (None, lambda e: e.send(i4(0, 2), i4(0, 1), i8(0), i1(0))),
    "collect: too many": (None, lambda e: e.collect(i8(0), i8(0))),
    "collect: lengths": (None, lambda e: e.collect(i8(), i8(0))),
    "collect: one too few": (particle_ended, lambda e: e.collect(i8(0, 0), i8(0, 0))),
    "bind: a particle's route": (particles_known, lambda e: e.bind(0, [1, 8], [1, 1])),
    "bind: a free one": (particle_ended_and_new_plan, lambda e: e.bind(0, [1, 8], [1, 1])),
    "run: back": (at_ten, lambda e: e.run(9, 10)),
    "run: too far": (None, lambda e: e.run(2**62 + 1, 10)),
    "set_service: unknown station": (None, lambda e: e.set_service(i4(0, STATIONS), i8(9, 9), i8(9, 9))),
    "set_service: no time": (None, lambda e: e.set_service(i4(1, 0), i8(9, 0), i8(9, 0))),
    "set_service: rate": (None, lambda e: e.set_service(i4(1, 0), i8(9, 9), i8(9, 8_000_001))),
    "set_service: lengths": (None, lambda e: e.set_service(i4(0, 1), i8(9), i8(9))),
    "set_servers: none": (None, lambda e: e.set_servers(i4(1, 0), i4(9, 0))),
    "set_servers: too many": (None, lambda e: e.set_servers(i4(1, 0), i4(9, 10**6 + 1))),
    "set_servers: unknown station": (None, lambda e: e.set_servers(i4(1, -1), i4(9, 9))),
    "set_up: unknown station": (None, lambda e: e.set_up(i4(0, STATIONS), u1(0, 0))),
    "set_up: lengths": (None, lambda e: e.set_up(i4(0, 1), u1(0))),
    "snapshot: too wide": (None, lambda e: e.snapshot(np.zeros((6, STATIONS + 1), dtype=np.int64))),
    "snapshot: too low": (None, lambda e: e.snapshot(np.zeros((5, STATIONS), dtype=np.int64))),
    "outcome: length": (under_way, lambda e: e.outcome(i8(0), i1(0), i4(0))),
    "made twice": (None, lambda e: e.__init__(columns(), i8(-1), i8(1), **options())),
    "copied": (None, copy.copy),
    "filled in over what is read": (None, overlapping),
    "numbers that change": (None, lambda e: e.intern((0, Shifty(STATIONS, 1)))),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_is_refused_and_changes_nothing(name):
    prepare, call = WRONG[name]
    disturbed, twin = with_a_way(), with_a_way()
    for engine in (disturbed, twin):
        if prepare:
            prepare(engine)
    with pytest.raises((ValueError, TypeError, OverflowError)):
        call(disturbed)
    assert drive(disturbed) == drive(twin)


def test_numbers_that_change_their_minds_are_asked_once():
    engine, twin = with_a_way(), with_a_way()
    new_plan(engine)
    new_plan(twin)
    place = engine.intern((0, Shifty(5, 10**6), 1))
    engine.bind(0, [Shifty(place, -(10**6))], [Shifty(1, -1)])
    twin.bind(0, [twin.intern((0, 5, 1))], [1])
    assert drive(engine) == drive(twin)


def test_numbers_that_meddle_change_nothing():
    """Being asked, one of them empties the list it is in, binds the same pair, and lets the engine grow."""
    engine, twin = with_a_way(), with_a_way()
    routes = [1, 1, 1]

    class Meddling:
        def __index__(self) -> int:
            routes.clear()
            for _ in range(2_000):
                engine.intern(ROUTE)
            engine.bind(0, [1], [1])
            return 1

    routes[0] = Meddling()
    new_plan(engine)
    with pytest.raises(ValueError, match="engine: pair"):
        engine.bind(0, routes, [1])
    assert drive(engine) == drive(twin)


def test_what_was_submitted_may_be_overwritten():
    engine, twin = with_a_way(), with_a_way()
    batch = [i8(*range(50)), i4(*[0] * 50), i8(*[7] * 50), i1(*[1] * 50)]
    twin.submit(*deepcopy(batch))
    engine.submit(*batch)
    for column in batch:
        column[:] = np.iinfo(column.dtype).min
    assert ended(engine) == ended(twin)


def test_particles_sent_may_be_overwritten():
    engine, twin = with_a_way(), with_a_way()
    columns = [i8(0, 5), i4(*ROUTE), i8(700), i1(3)]
    twin.send(*deepcopy(columns))
    engine.send(*columns)
    for column in columns:
        column[:] = np.iinfo(column.dtype).max
    assert ended(engine) == ended(twin)


def test_particles_that_have_ended_leave_their_room_to_others():
    """Rounds of all lengths, sent again and again: what is under way at once is what is kept."""
    lengths = (2, 6, 7, 14, 15, 40, 600, 60_000)
    # From station to station in a ring, each as good as any other.
    start, station = np.cumsum((0, *lengths)), np.concatenate([np.arange(length) % 5 for length in lengths])
    engine = made()
    shown = []
    for number in range(4):
        assert engine.send(start.astype(np.int64), station.astype(np.int32), i8(*[9] * 8), i1(*range(8))) == 8 * number
        sent_ns = engine.now_ns
        engine.run(sent_ns + 10**8, 10**6)
        shown.append([(particle - 8 * number, came_ns - sent_ns) for particle, came_ns in collected(engine)])
    assert shown[0] == shown[1] == shown[2] == shown[3]
    assert [particle for particle, _ in shown[0]] == list(range(8))
    assert min(came_ns for _, came_ns in shown[0]) > 0


# Engines that are not, are not yet, or are no longer.


def test_every_method_is_called_here():
    methods = {name for name in vars(Engine) if not name.startswith("_")} - {"now_ns", "handed_over", "ended"}
    assert methods == set(CALLS)


def test_an_engine_that_was_not_made_refuses_everything():
    engine = Engine.__new__(Engine)
    assert (engine.now_ns, engine.handed_over) == (0, 0)
    assert refuses_everything(engine, "was not made")


@pytest.mark.parametrize("name", columns())
def test_an_engine_that_was_made_wrongly_refuses_everything(name):
    """Whichever column is wrong: in its length, its type or its last value; or missing."""
    good = columns()[name]
    last = good.copy()
    last[-1] = WRONG_COLUMNS.get(name, -1)
    wrong = [good[:-1], np.append(good, good), good.astype(np.float64), good.tolist(), None]
    wrong += [last] * (name in WRONG_COLUMNS)
    for column in wrong:
        engine = Engine.__new__(Engine)
        with pytest.raises((ValueError, TypeError)):
            engine.__init__(columns(**{name: column}), i8(5), i8(1), **options())
        assert refuses_everything(engine, "was not made")
    missing = columns()
    del missing[name]
    with pytest.raises(ValueError, match="columns of stations"):
        Engine(missing, i8(5), i8(1), **options())


@pytest.mark.parametrize(
    "change",
    [
        {"chunk_bytes": 1_023},
        {"chunk_bytes": -1},
        {"chunk_bytes": 2**63},
        {"retries_max": -1},
        {"retries_max": 1_001},
        {"backoff_ns": 0},
        {"backoff_ns_max": 49},
        {"backoff_ns_max": 10**18 + 1},
        {"backoff_ns": None},
    ],
    ids=str,
)
def test_a_transport_that_cannot_be_is_refused(change):
    with pytest.raises((ValueError, TypeError, OverflowError)):
        made(**change)


@pytest.mark.parametrize("credit", [(i8(5), i8(0)), (i8(5), i8(1, 1)), (None, i8(1)), (i8(5), i8(10**18 + 1))])
def test_a_credit_that_cannot_be_is_refused(credit):
    with pytest.raises((ValueError, TypeError)):
        Engine(columns(), *credit, **options())


def test_after_a_failure_everything_is_refused():
    engine = with_a_way()
    engine.set_service(i4(*range(STATIONS)), i8(*[FAR_NS] * STATIONS), i8(*[0] * STATIONS))
    engine.submit(i8(*[0] * 9), i4(*[0] * 9), i8(*[0] * 9), i1(*[0] * 9))
    with pytest.raises(OverflowError):
        engine.run(2**62, 1_000)
    assert refuses_everything(engine, "has failed before")


def test_while_it_runs_it_refuses_every_other_thread():
    """It runs without the interpreter's lock. Should the machine give this thread no time meanwhile, once more."""

    def loaded() -> Engine:
        engine, count = with_a_way(chunk_bytes=0), 50_000
        zeros = np.zeros(count, dtype=np.int64)
        engine.submit(np.arange(count) * 50, zeros.astype(np.int32), zeros, zeros.astype(np.int8))
        return engine

    quiet = ended(loaded())
    for _ in range(20):
        engine = loaded()
        runner = threading.Thread(target=engine.run, args=(FAR_NS, 10**9))
        runner.start()
        while runner.is_alive() and not refusal(engine, "snapshot"):
            pass
        refused = refuses_everything(engine, "is running in another thread") if runner.is_alive() else False
        runner.join()
        if refused:
            assert ended(engine) == quiet
            return
    pytest.fail("no call came while it was running")
