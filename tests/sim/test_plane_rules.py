"""Every rule of `docs/adr/0007-how-exchanges-move.md` in a world small enough to be worked out by hand.

Seven stations take 7 ns: an exchange submitted at t arrives at the heart at t + 2 and at a line l at t + 3; what leaves
the heart at e is delivered at e + 4. All planes must give these integers.

A long file, so that the rules are read and tested in one order, that of the document.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hand_worlds import END, HandWorld

from router_core.errors import BadInputError
from router_core.network_builder import Credit, Service
from router_core.plan import Trunk
from router_core.transport import Transport
from router_core.units import DURATION_NS_MAX
from router_core.vocabulary import Discipline
from sim.compiled_plane import CompiledPlane
from sim.data_plane import Refusal, SetStationServers, SetStationService, SetStationUp
from sim.reference_plane import ReferencePlane

PLANES = [ReferencePlane, CompiledPlane]

KIB = 1_024
ONE = Service(1, 10, 0)
BY_CLASS = Service(1, 10, 0, discipline=Discipline.PRIORITY)
FAR = Service(1, 10, 0, after_ns=50)
# One nanosecond, and one for each byte; 100 bytes wait in memory; from disk, 5 ns and one for each byte more.
SHARED = Service(1, 1, 1_000, discipline=Discipline.SHARING)
BUFFERED = Service(1, 10, 0, buffer_bytes=100, spill_fixed_ns=5, spill_ps_per_byte=1_000)
BUFFERED_BY_CLASS = Service(
    1, 10, 0, discipline=Discipline.PRIORITY, buffer_bytes=100, spill_fixed_ns=5, spill_ps_per_byte=1_000
)
PATIENT = Transport(backoff_ns=100, backoff_ns_max=300, retries_max=5)
NO_RETRY = Transport(retries_max=0)
CHUNKS = Transport(chunk_bytes=KIB, retries_max=0)
GAVE_UP, NO_ROUTE, TAKEN = int(Refusal.GAVE_UP), int(Refusal.NO_ROUTE), int(Refusal.NOT_REFUSED)


@pytest.fixture(params=PLANES, ids=lambda plane: plane.__name__)
def world(request):
    return partial(HandWorld, request.param)


def at_all(hand: HandWorld, column: str, name: str, instants) -> list[int]:
    return [hand.at(now_ns, column, name) for now_ns in instants]


# One instant.


def test_who_arrives_at_one_instant_is_ordered_by_id(world):
    """The first one's last step before the heart begins later than the second one's: that must not matter."""
    hand = world(a=Service(1, 4, 0), b_to_c=Service(1, 4, 0), heart=ONE)
    hand.send((0, 0), (0, 0), source=["a", "b"])
    assert hand.at(6, "waiting", "heart") == 1
    assert hand.delivered() == [19, 29]


def test_chunks_of_one_instant_are_ordered_by_exchange_and_number(world):
    """Chunk 1 of the first exchange and the whole second one arrive at 3, while chunk 0 is served."""
    hand = world(transport=CHUNKS, heart=ONE)
    hand.send((0, 2 * KIB), (1, 0), source=["a", "b"])
    assert hand.delivered() == [26, 36]


def test_nothing_of_a_snapshots_own_instant_has_happened(world):
    hand = world(heart=ONE)
    hand.send((0, 5))
    assert (hand.to(0).submitted, hand.to(1).submitted) == (0, 1)
    assert [hand.at(2, "served", "heart"), hand.at(3, "served", "heart")] == [0, 1]
    assert hand.at(3, "served_bytes", "heart") == 5
    assert at_all(hand, "busy_ns", "heart", (3, 12, 16)) == [1, 10, 10]
    assert (hand.to(16).delivered, hand.to(17).delivered) == (0, 1)


# FIFO and PRIORITY.


def test_fifo_serves_in_order_of_arrival_and_knows_no_class(world):
    hand = world(heart=ONE)
    hand.send((0, 0, 7), (1, 0, 5), (2, 0, 0))
    assert at_all(hand, "waiting", "heart", (4, 5, 12, 13)) == [1, 2, 2, 1]
    assert hand.delivered() == [16, 26, 36]


def test_priority_decides_after_all_moves_and_interrupts_nobody(world):
    """At 2 the more urgent of two that arrive starts; at 22 who has just come goes before who waits since 2."""
    hand = world(heart=BY_CLASS)
    hand.send((0, 0, 5), (0, 0, 0), (3, 0, 0), (20, 0, 0))
    assert hand.delivered() == [46, 16, 26, 36]


def test_within_a_class_order_of_arrival_decides(world):
    hand = world(heart=BY_CLASS)
    hand.send((0, 0, 3), (1, 0, 3), (1, 0, 3), source=["b", "a", "b"])
    assert hand.delivered() == [16, 26, 36]


def test_a_service_takes_its_fixed_time_and_each_byte_rounded_up(world):
    hand = world(heart=Service(1, 10, 333))
    hand.send((0, 0), (100, 1), (200, 3), (300, 4))
    assert [at - sent for at, sent in zip(hand.delivered(), (0, 100, 200, 300), strict=True)] == [16, 17, 17, 18]


# Buffers.


def test_who_waits_is_judged_after_the_starts_and_pays_for_the_disk_when_served(world):
    """The first starts at once, large as it is. At 11 memory is full; at 12 the second one's start has freed some."""
    hand = world(heart=BUFFERED)
    hand.send((0, 1_000), (0, 60), (0, 60), (0, 40), (9, 60), (10, 60))
    assert at_all(hand, "spilled", "heart", (2, 3, 12, 13)) == [0, 1, 2, 2]
    assert hand.delivered() == [16, 26, 101, 111, 186, 196]
    assert hand.at(END, "busy_ns", "heart") == 4 * 10 + 2 * 75


def test_order_of_arrival_and_not_of_service_decides_who_spills(world):
    hand = world(heart=BUFFERED_BY_CLASS)
    hand.send((0, 10, 0), (0, 60, 7), (0, 60, 1))
    assert hand.delivered() == [16, 101, 91]
    assert hand.at(END, "spilled", "heart") == 1


def test_without_memory_only_the_empty_ones_wait_in_it(world):
    hand = world(heart=Service(1, 10, 0, buffer_bytes=0, spill_fixed_ns=5, spill_ps_per_byte=1_000))
    hand.send((0, 0), (0, 0), (0, 1))
    assert hand.delivered() == [16, 26, 42]
    assert hand.at(END, "spilled", "heart") == 1


def test_a_stop_empties_the_memory(world):
    hand = world(heart=BUFFERED, transport=PATIENT)
    hand.send((0, 0), (0, 100), (10, 0), (11, 100))
    hand.to(5)
    hand.stop("heart")
    hand.start("heart")
    assert at_all(hand, "spilled", "heart", (14,)) == [0]
    assert hand.at(14, "waiting", "heart") == 1


# Credits.


def test_held_ones_are_admitted_by_class_when_credit_returns(world):
    """60 of 100 bytes are out until 14. Who comes meanwhile is held, urgent or small; another front-end is not."""
    hand = world(credit=Credit(100, 7))
    hand.send((0, 60), (1, 60, 3), (2, 10), (2, 60), (2, 500), source=["a", "a", "a", "a", "b"])
    assert [hand.to(now).held for now in (1, 2, 3, 14, 15, 28, 29)] == [0, 1, 3, 3, 1, 1, 0]
    assert hand.delivered() == [7, 35, 21, 21, 9]


def test_held_ones_are_in_flight_and_at_no_station(world):
    hand = world(credit=Credit(100, 7))
    hand.send((0, 60), (1, 60))
    snapshot = hand.to(9)
    assert (snapshot.submitted, snapshot.in_flight, snapshot.held) == (2, 1, 1)
    assert snapshot.served[hand.station["a"]] == 1


def test_none_overtakes_the_first_of_those_held(world):
    """At 14 the small one would fit, but not the one before it; at 17 both do."""
    hand = world(credit=Credit(100, 7))
    hand.send((0, 30), (3, 60), (4, 90, 1), (5, 5, 2))
    assert hand.delivered() == [7, 10, 24, 24]


def test_an_urgent_one_is_held_too_while_others_are(world):
    """It is the first of those held then, and would fit; but it is asked for only when credit returns."""
    hand = world(credit=Credit(100, 7))
    hand.send((0, 60), (1, 60, 5), (2, 10, 0))
    assert hand.delivered() == [7, 21, 21]


def test_one_larger_than_the_credit_passes_when_nothing_is_out(world):
    hand = world(credit=Credit(100, 7))
    hand.send((0, 50), (1, 500), (15, 0))
    assert hand.delivered() == [7, 21, 35]


def test_without_credit_they_go_one_by_one(world):
    hand = world(credit=Credit(0, 1))
    hand.send((0, 1), (0, 1), (0, 0), (0, 1))
    assert hand.delivered() == [7, 15, 23, 23]


def test_a_chunk_keeps_its_credit_until_it_is_delivered_or_given_up(world):
    for transport, expected, refusal in ((PATIENT, [109, 123], TAKEN), (NO_RETRY, [-1, 16], GAVE_UP)):
        hand = world(credit=Credit(100, 7), transport=transport)
        hand.send((0, 60), (1, 60))
        hand.stop("heart")
        hand.to(5)
        hand.start("heart")
        assert hand.delivered() == expected
        assert hand.plane.outcome().refusal.tolist() == [refusal, TAKEN]


def test_each_chunk_needs_credit_of_its_own(world):
    hand = world(credit=Credit(KIB, 7), transport=CHUNKS)
    hand.send((0, 2 * KIB))
    assert [hand.to(now).held for now in (1, 2, 14, 15)] == [0, 1, 1, 0]
    assert hand.delivered() == [21]


def test_credit_returns_before_anyone_enters(world):
    """At 14 the one held since 1 is admitted; the urgent one of that instant finds the credit used up again."""
    hand = world(credit=Credit(100, 7))
    hand.send((0, 60), (1, 60, 5), (14, 60, 0))
    assert hand.delivered() == [7, 21, 35]


# Chunks.


def test_a_chunk_enters_when_the_one_before_leaves_its_front_end(world):
    """Chunks take 1,034, 1,034 and 522 ns at a; the small exchange of instant 5 gets in after the first one."""
    hand = world(a=Service(1, 10, 1_000), transport=CHUNKS)
    hand.send((0, 2 * KIB + 512), (5, 0))
    assert at_all(hand, "served", "a", (1_034, 1_035, 1_044, 1_045, 2_078, 2_079)) == [1, 2, 2, 3, 3, 4]
    assert hand.delivered() == [2_606, 1_050]
    assert hand.at(END, "served", "z") == 4
    assert hand.at(END, "served_bytes", "z") == 2 * KIB + 512


def test_only_what_is_larger_than_a_chunk_is_cut(world):
    hand = world(transport=CHUNKS)
    hand.send((0, KIB), (10, KIB + 1), (20, 0))
    assert at_all(hand, "served", "z", (10, 20, 30)) == [1, 3, 4]
    assert at_all(hand, "served_bytes", "z", (30,)) == [2 * KIB + 1]
    whole = world()
    whole.send((0, 10 * KIB))
    assert whole.at(10, "served", "z") == 1


def test_each_chunk_makes_the_next_one_enter_once_even_if_it_fails(world):
    """Chunk 0 fails at 100 at the stopped second station and is back there at 111; chunk 1 gets there at 1,100."""
    hand = world(a=Service(2, 100, 0), transport=Transport(KIB, 1, 10, 10))
    hand.send((0, 3 * KIB))
    hand.stop("a>c")
    hand.to(100)
    hand.serve("a", 1_000, 0)
    hand.to(101)
    hand.serve("a", 1, 0)
    hand.start("a>c")
    assert at_all(hand, "served", "a", (101, 111, 1_100, 1_101)) == [2, 3, 3, 4]
    assert hand.delivered() == [1_107]


# Stops, retries, giving up.


def test_a_stop_fails_who_waits_and_who_is_served_but_not_who_travels(world):
    hand = world(heart=FAR, transport=PATIENT)
    hand.send((0, 0), (0, 0), (0, 0))
    hand.to(15)
    hand.stop("heart")
    snapshot, heart = hand.to(15), hand.station["heart"]
    shown = (snapshot.failed, snapshot.waiting, snapshot.served, snapshot.busy_ns)
    assert [column[heart] for column in shown] == [2, 0, 2, 13]
    assert (snapshot.retrying, snapshot.in_flight) == (2, 3)
    hand.to(20)
    hand.start("heart")
    assert at_all(hand, "waiting", "heart", (21, 117, 118)) == [0, 0, 1]
    assert hand.delivered() == [66, 181, 191]
    assert hand.at(END, "busy_ns", "heart") == 33
    assert hand.plane.outcome().retries.tolist() == [0, 1, 1]


def test_a_stop_comes_before_a_service_that_ends_at_its_instant(world):
    hand = world(heart=ONE, transport=PATIENT)
    hand.send((0, 0))
    hand.to(12)
    hand.stop("heart")
    hand.start("heart")
    assert hand.at(12, "failed", "heart") == 1
    assert hand.at(12, "busy_ns", "heart") == 10
    assert hand.delivered() == [128]


def test_stopping_the_stopped_or_returning_what_works_changes_nothing(world):
    hand = world(heart=ONE, transport=PATIENT)
    hand.send((0, 0), (0, 0))
    hand.to(5)
    hand.start("heart")
    assert hand.at(12, "waiting", "heart") == 1
    hand.to(40)
    hand.stop("heart")
    hand.stop("heart")
    assert hand.at(41, "failed", "heart") == 0
    assert hand.delivered() == [16, 26]


def test_the_back_off_doubles_up_to_its_limit(world):
    """Failures at 2, 104, 306, 608 and 910; the next attempt, at 1,210, finds the heart returned."""
    hand = world(transport=PATIENT)
    hand.send((0, 0))
    hand.stop("heart")
    instants = (2, 3, 104, 105, 306, 307, 608, 609, 910, 911)
    assert at_all(hand, "failed", "heart", instants) == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    hand.to(1_000)
    hand.start("heart")
    assert (hand.to(1_210).retrying, hand.to(1_211).retrying) == (1, 0)
    assert hand.delivered() == [1_217]
    assert hand.plane.outcome().retries.tolist() == [5]


def test_after_the_last_retry_an_exchange_is_refused(world):
    hand = world(transport=Transport(backoff_ns=100, backoff_ns_max=300, retries_max=4))
    hand.send((0, 0))
    hand.stop("heart")
    assert (hand.to(910).refused, hand.to(911).refused) == (0, 1)
    assert hand.delivered() == [-1]
    assert hand.plane.outcome().refusal.tolist() == [GAVE_UP]
    assert hand.plane.outcome().retries.tolist() == [4]
    assert hand.plane.snapshot().in_flight == 0


def test_each_retry_takes_the_next_way_of_positive_weight(world):
    """Attempts at 0, 13, 26 and 39 reach their lines 3 ns later; the fourth takes the first one's again."""
    lines = ("l0", "l1", "l2")
    hand = world(transport=Transport(backoff_ns=10, backoff_ns_max=10, retries_max=9))
    hand.plan(*lines)
    hand.stop(*lines)
    hand.send((0, 0))
    failed = [[hand.at(now, "failed", line) for line in lines] for now in (4, 17, 30, 43)]
    assert [sum(row) for row in failed] == [1, 2, 3, 4]
    first = failed[0].index(1)
    assert failed[1][(first + 1) % 3] == 1
    assert failed[2] == [1, 1, 1]
    assert failed[3][first] == 2

    hand = world(transport=Transport(backoff_ns=10, backoff_ns_max=10, retries_max=9))
    hand.plan(*lines, weights=(2, 0, 1))
    hand.stop(*lines)
    hand.send((0, 0))
    hand.to(43)
    assert [hand.at(43, "failed", line) for line in lines] == [2, 0, 2]


def test_what_is_under_way_of_an_exchange_given_up_is_load_and_nothing_else(world):
    """Chunk 0 finds l0 stopped at 102; chunks 1 and 2 go on to the end, and others wait behind them."""
    hand = world(heart=Service(1, 100, 0), transport=CHUNKS)
    hand.send((0, 3 * KIB), (10, 0))
    hand.to(50)
    hand.stop("l0")
    assert (hand.to(102).refused, hand.to(103).refused) == (0, 1)
    hand.to(110)
    hand.start("l0")
    assert hand.delivered() == [-1, 406]
    snapshot = hand.plane.snapshot()
    assert (snapshot.delivered, snapshot.refused, snapshot.in_flight) == (1, 1, 0)
    assert hand.at(END, "served", "z") == 3
    assert hand.plane.outcome().retries.tolist() == [0, 0]


def test_an_exchange_given_up_sends_no_further_chunks(world):
    """Chunk 0 is given up at 102; chunk 1, sent at 100, makes no chunk 2 enter when it leaves a."""
    hand = world(a=Service(1, 100, 0), transport=CHUNKS)
    hand.send((0, 3 * KIB))
    hand.stop("l0")
    assert hand.delivered() == [-1]
    assert at_all(hand, "served", "a", [END]) == [2]


def test_the_next_chunk_enters_even_if_the_one_before_is_given_up_as_it_arrives(world):
    hand = world(a=Service(1, 100, 0), transport=CHUNKS)
    hand.send((0, 3 * KIB))
    hand.stop("a>c")
    assert hand.delivered() == [-1]
    assert at_all(hand, "served", "a", [END]) == [2]
    assert at_all(hand, "failed", "a>c", [END]) == [2]
    assert hand.plane.snapshot().refused == 1


def test_what_failed_of_an_exchange_given_up_is_tried_again_as_load(world):
    """Chunk 0 fails at 3 and 16, which is the end. Chunk 1 is in the heart until 503, fails, and sets out at 513."""
    hand = world(transport=Transport(KIB, 1, 10, 10))
    hand.send((0, 2 * KIB))
    hand.stop("l0")
    hand.to(3)
    hand.serve("heart", 500, 0)
    hand.to(4)
    hand.serve("heart", 1, 0)
    assert (hand.to(16).refused, hand.to(17).refused) == (0, 1)
    assert (hand.to(503).retrying, hand.to(504).retrying) == (0, 1)
    hand.start("l0")
    assert hand.delivered() == [-1]
    assert [hand.at(END, "served", name) for name in ("a", "z")] == [4, 1]
    assert hand.plane.outcome().retries.tolist() == [2]
    assert (hand.plane.snapshot().delivered, hand.plane.snapshot().in_flight) == (0, 0)


def test_a_held_chunk_of_an_exchange_given_up_goes_as_load(world):
    """Chunk 0 is given up at 3; its credit admits chunk 1 at 10, and that one's, at 24, the next exchange."""
    hand = world(credit=Credit(KIB, 7), transport=CHUNKS)
    hand.send((0, 2 * KIB), (5, KIB))
    hand.stop("l0")
    assert [hand.to(now).held for now in (4, 6, 11)] == [1, 2, 1]
    hand.start("l0")
    assert hand.delivered() == [-1, 31]
    assert hand.at(END, "served", "z") == 2


# Commands to stations.


@pytest.mark.parametrize("service", [ONE, BY_CLASS], ids=["fifo", "priority"])
def test_more_servers_serve_at_once_and_fewer_when_enough_are_free(world, service):
    hand = world(heart=service)
    hand.send((0, 0), (0, 0), (0, 0), (0, 0))
    hand.to(5)
    hand.servers("heart", 3)
    assert at_all(hand, "waiting", "heart", (5, 6)) == [3, 1]
    assert hand.delivered() == [16, 19, 19, 26]

    hand = world(heart=service)
    hand.servers("heart", 3)
    hand.send((0, 0), (2, 0), (4, 0), (5, 0), (5, 0))
    hand.to(8)
    hand.servers("heart", 1)
    assert hand.delivered() == [16, 18, 20, 30, 40]


def test_who_arrives_as_servers_are_added_comes_after_those_who_wait(world):
    hand = world(heart=ONE)
    hand.send((0, 0), (0, 0), (3, 0))
    hand.to(5)
    hand.servers("heart", 2)
    assert hand.delivered() == [16, 19, 26]


@pytest.mark.parametrize(("now", "expected"), [(5, [16, 43]), (12, [16, 43]), (13, [16, 26])])
@pytest.mark.parametrize("service", [ONE, BY_CLASS], ids=["fifo", "priority"])
def test_a_new_service_is_for_those_that_start_from_now_on(world, service, now, expected):
    hand = world(heart=service)
    hand.send((0, 7), (0, 7))
    hand.to(now)
    hand.serve("heart", 20, 1_000)
    assert hand.delivered() == expected


@pytest.mark.parametrize(
    ("command", "place"),
    [
        (SetStationService(np.array([99], "i4"), np.array([1]), np.array([0])), "service.station[0]"),
        (SetStationService(np.array([0], "i4"), np.array([0]), np.array([0])), "service.fixed_ns[0]"),
        (SetStationService(np.array([0], "i4"), np.array([1]), np.array([-1])), "service.ps_per_byte[0]"),
        (SetStationServers(np.array([0, 1], "i4"), np.array([1, 0], "i4")), "servers.servers[1]"),
        (SetStationServers(np.array([3, 3], "i4"), np.array([5, 6], "i4")), "servers.station"),
        (SetStationServers(np.array([0], "i4"), np.array([2.0])), "servers.servers"),
        (SetStationUp(np.array([-1], "i4"), np.array([False])), "up.station[0]"),
        (SetStationUp(np.array([0, 1], "i4"), np.array([False])), "up.up"),
    ],
)
def test_a_bad_command_is_refused_and_changes_nothing(world, command, place):
    hand = world(heart=ONE)
    hand.send((0, 0), (0, 0))
    hand.to(5)
    with pytest.raises(BadInputError) as refused:
        hand.plane.apply(command)
    assert refused.value.place == place
    assert hand.delivered() == [16, 26]


# SHARING.


def test_two_share_a_server_and_no_one_waits(world):
    """100 and 100: alone for 50, together for 100, then the second has 50 left."""
    hand = world(heart=SHARED)
    hand.send((0, 99), (50, 99))
    assert at_all(hand, "served", "heart", (2, 3, 53)) == [0, 1, 2]
    assert at_all(hand, "busy_ns", "heart", (53, 102, 202, 300)) == [51, 100, 200, 200]
    assert hand.plane.snapshot().waiting.sum() == 0
    assert hand.delivered() == [156, 206]


def test_a_short_one_leaves_before_those_that_came_earlier(world):
    """Two of 300 would leave at 602; one of 30 comes at 102, leaves at 192, and they at 632."""
    hand = world(heart=SHARED)
    hand.send((0, 299), (0, 299), (100, 29))
    assert hand.delivered() == [636, 636, 196]


def test_shares_are_rounded_at_changes_alone(world):
    """A third of 1,024 is rounded down at each change: looks, and commands that change nothing, are none.

    Three of 10 take 30. With a fourth from the second nanosecond on, three leave at 42, where V is 341 + 9,984; the
    fourth has 256 parts left, which take another nanosecond.
    """
    for rows, expected in (([(0, 9)] * 3, [36] * 3), ([(0, 9)] * 3 + [(1, 9)], [46, 46, 46, 47])):
        hand = world(heart=SHARED)
        hand.send(*rows)
        for now in range(60):
            hand.to(now)
            hand.serve("heart", 1, 1_000)
            hand.servers("heart", 1)
        assert hand.delivered() == expected


def test_nobody_gets_more_than_one_server(world):
    for count, leave in ((1, 102), (2, 102), (3, 152), (4, 202)):
        hand = world(heart=Service(2, 1, 1_000, discipline=Discipline.SHARING))
        hand.send(*[(0, 99)] * count)
        assert hand.at(leave, "busy_ns", "heart") == 100 * count
        assert hand.delivered() == [leave + 4] * count


@pytest.mark.parametrize(
    ("fixed_ns", "before", "after", "leave"),
    [
        (10, 1_000, 3_000, 202),
        (10, 1_000, 333, 69),
        (10, 1_000, 0, 52),
        (100, 0, 1_000, 102),
        (10, 1_000, 1_000, 102),
    ],
    ids=["slower", "faster", "unlimited", "from-unlimited", "same"],
)
def test_a_new_rate_stretches_what_is_left(world, fixed_ns, before, after, leave):
    """50 of 100 are left at 52; 333/1,000 of that are 17,050 parts, rounded up."""
    hand = world(heart=Service(1, fixed_ns, before, discipline=Discipline.SHARING))
    hand.send((0, 90), (300, 90))
    hand.to(52)
    hand.serve("heart", 20, after)
    assert hand.delivered() == [leave + 4, 302 + 20 - (-90 * after // 1_000) + 4]


def test_a_new_rate_at_the_instant_of_leaving_keeps_nobody(world):
    hand = world(heart=SHARED)
    hand.send((0, 99), (0, 99))
    hand.to(202)
    hand.serve("heart", 1, 5_000)
    assert hand.delivered() == [206, 206]


def test_a_new_rate_does_not_stretch_what_is_done(world):
    """At 42 three are 85 parts beyond their ends; the fourth has 256 parts left, which become 250 ns."""
    hand = world(heart=SHARED)
    hand.send((0, 9), (0, 9), (0, 9), (1, 9))
    hand.to(42)
    hand.serve("heart", 1, 1_000_000)
    assert hand.delivered() == [46, 46, 46, 296]


@pytest.mark.parametrize(
    ("rates", "leave"), [((2_001,), 103), ((1, 1_024), 102), ((1, 1_025), 103), ((1, 2_048), 103), ((1, 2_049), 104)]
)
def test_what_is_left_is_whole_parts_rounded_up(world, rates, leave):
    """1 ns is left at 101: 1,024 parts. 2,001/2,000 of that are 1,025; 1/2,000 is one, which a new rate multiplies."""
    hand = world(heart=Service(1, 100, 2_000, discipline=Discipline.SHARING))
    hand.send((0, 0))
    hand.to(101)
    for rate in rates:
        hand.serve("heart", 100, rate)
    assert hand.delivered() == [leave + 4]


def test_shares_follow_the_servers(world):
    """At 52 each has 75 left; ten nanoseconds with a server each leave 65, which take 130 together."""
    hand = world(heart=SHARED)
    hand.send((0, 99), (0, 99))
    hand.to(52)
    hand.servers("heart", 2)
    hand.to(62)
    hand.servers("heart", 1)
    assert hand.delivered() == [196, 196]
    assert hand.at(END, "busy_ns", "heart") == 50 + 20 + 130


def test_a_stop_fails_all_that_share(world):
    hand = world(heart=SHARED, transport=PATIENT)
    hand.send((0, 99), (0, 99), (10, 99))
    hand.to(10)
    hand.stop("heart")
    assert (hand.at(10, "failed", "heart"), hand.at(10, "busy_ns", "heart")) == (2, 8)
    assert hand.at(13, "failed", "heart") == 3
    hand.start("heart")
    # At 112 two arrive again, and the third joins them 2 ns later: 1 ns of service ahead, they leave at 112 + 299.
    assert hand.delivered() == [415, 415, 416]


# Plans.


def test_without_a_way_an_exchange_is_refused(world):
    hand = world(credit=Credit(100, 7))
    hand.plan()
    hand.send((0, 0), (10, 0))
    hand.to(5)
    hand.plan("l0")
    assert hand.delivered() == [-1, 17]
    assert hand.plane.outcome().refusal.tolist() == [NO_ROUTE, TAKEN]


def test_a_held_one_without_a_way_has_failed_once(world):
    """Admitted at 14, it fails, tries again at 114 and keeps its credit until 128."""
    hand = world(credit=Credit(100, 7), transport=PATIENT)
    hand.send((0, 60), (1, 60), (2, 60))
    hand.to(13)
    hand.plan()
    hand.to(50)
    hand.plan("l0")
    assert hand.plane.snapshot().failed.sum() == 0
    assert hand.delivered() == [7, 121, 135]
    assert hand.plane.outcome().retries.tolist() == [0, 1, 0]


def test_a_later_chunk_without_a_way_has_failed_once(world):
    hand = world(a=Service(1, 100, 0), transport=Transport(KIB, 1, 100, 100))
    hand.send((0, 2 * KIB))
    hand.to(50)
    hand.plan()
    hand.to(150)
    hand.plan("l0")
    assert hand.delivered() == [306]
    assert hand.plane.outcome().retries.tolist() == [1]


def test_a_retry_without_a_way_has_failed_again(world):
    hand = world(transport=PATIENT)
    hand.send((0, 0))
    hand.stop("heart")
    hand.to(50)
    hand.plan()
    hand.start("heart")
    hand.to(200)
    hand.plan("l0")
    assert hand.delivered() == [309]
    assert hand.plane.outcome().retries.tolist() == [2]


@pytest.mark.parametrize(("reroute", "served"), [(True, [0, 3]), (False, [3, 0])])
def test_rerouted_ones_go_on_along_the_new_way(world, reroute, served):
    """At 15 one has left the heart and travels, one is served there, one waits."""
    hand = world(heart=FAR)
    hand.send((0, 0), (0, 0), (0, 0))
    hand.to(15)
    hand.plan("l1", reroute=reroute)
    assert hand.delivered() == [66, 76, 86]
    assert [hand.at(END, "served", line) for line in ("l0", "l1")] == served


def test_who_is_not_on_the_new_way_keeps_its_route(world):
    hand = world(l0=Service(1, 100, 0))
    hand.send((0, 0), (0, 0))
    hand.to(50)
    hand.plan("l1", reroute=True)
    assert hand.delivered() == [106, 206]
    hand.plan(reroute=True)
    assert hand.at(END, "served", "l1") == 0


def test_the_new_way_may_have_come_there_by_another_number_of_stations(world):
    hand = world(l0=Service(1, 100, 0))
    hand.send((0, 0))
    hand.to(50)
    hand.set_plan((hand.trunk("c", "heart", "l0", "d"),), reroute=True)
    assert hand.delivered() == [106]


def test_who_has_not_been_processed_keeps_its_route(world):
    """The old way is processed at d, the new one at c. At 50 one is on l0 already, the other before c."""
    hand = world(a_to_c=Service(1, 40, 0), l0=Service(1, 100, 0))
    hand.set_plan((hand.trunk("c", "l0", "d/process"),))
    hand.send((0, 0), (0, 0))
    hand.to(50)
    hand.plan("l0", reroute=True)
    assert hand.delivered() == [145, 245]
    assert [hand.at(END, "served", name) for name in ("c", "heart", "d", "d/process")] == [1, 1, 1, 1]


def test_rerouting_asks_for_the_way_of_the_same_attempt(world):
    lines = ("l0", "l1", "l2")
    hand = world(heart=ONE, transport=PATIENT)
    hand.plan(*lines)
    hand.stop(*lines)
    hand.send((0, 0))
    first = [hand.at(20, "failed", line) for line in lines].index(1)
    hand.start(*lines)
    hand.to(120)
    hand.plan(*lines, reroute=True)
    assert hand.delivered() == [128]
    assert hand.at(END, "served", lines[(first + 1) % 3]) == 1


def test_a_bad_way_of_those_under_way_is_refused_and_changes_nothing(world):
    hand = world(heart=ONE)
    hand.send((0, 0), (100, 0))
    hand.to(5)
    wrong = Trunk(hand.node["b"], hand.trunk("d").last, hand.trunk("d").stations)
    with pytest.raises(BadInputError, match=r"^plan a > z\.trunks\[0\]\.first: must be a home of a"):
        hand.set_plan((wrong,), reroute=True)
    assert hand.delivered() == [16, 116]


def test_only_those_with_a_route_are_rerouted(world):
    """One is delivered by 50, the other fails at 52 and waits at 60 for its next attempt, at 152."""
    hand = world(transport=PATIENT)
    hand.send((0, 0), (50, 0))
    hand.to(51)
    hand.stop("heart")
    hand.to(60)
    hand.set_plan((Trunk(hand.node["b"], hand.node["b"], ()),), reroute=True)
    hand.plan("l1", reroute=True)
    hand.start("heart")
    assert hand.delivered() == [7, 159]
    assert hand.at(END, "served", "l1") == 1


# Test particles.


def test_particles_queue_like_any_chunk(world):
    """One that is sent first is served first; exchanges of its instant go before it, whoever was handed over first."""
    hand = world(heart=ONE)
    hand.probe((5,))
    hand.send((1, 0), (100, 0))
    hand.to(100)
    hand.probe((0,), (0,))
    assert hand.at(103, "waiting", "heart") == 2
    assert hand.delivered() == [26, 116]
    assert hand.came() == [16, 126, 136]
    assert (hand.at(END, "served", "heart"), hand.at(END, "busy_ns", "heart")) == (5, 50)
    assert hand.at(END, "served_bytes", "z") == 5


def test_exchanges_of_one_instant_go_before_particles_from_elsewhere(world):
    """The particle's last step before the heart begins earlier: that must not matter."""
    hand = world(heart=ONE, b_to_c=Service(1, 3, 0), a=Service(1, 3, 0))
    hand.probe((0,), source="b")
    hand.send((0, 0))
    assert (hand.delivered(), hand.came()) == ([18], [28])


def test_particles_of_two_rounds_at_one_instant_move_in_the_order_of_their_numbers(world):
    hand = world(heart=ONE)
    assert (hand.probe((0,), (0,), (0,)), hand.probe((0,), (0,), source="b"), hand.probe((0,))) == (0, 3, 5)
    assert hand.came() == [16, 26, 36, 46, 56, 66]


def test_a_particle_has_its_class(world):
    """At 2 all moves come before the station decides, the particles' too."""
    hand = world(heart=BY_CLASS)
    hand.send((0, 0, 0), (0, 0, 5), (3, 0, 4))
    hand.probe((0, 3), (0, 0))
    assert hand.delivered() == [16, 56, 46]
    assert hand.came() == [36, 26]


def test_alone_a_particle_starts_at_once_at_a_station_of_classes(world):
    hand = world(heart=BY_CLASS)
    hand.probe((0, 7))
    assert [hand.at(now, "served", "heart") for now in (2, 3)] == [0, 1]
    assert hand.came() == [16]


def test_a_particle_shares_a_line(world):
    """Two transfers of 101 ns from 3 on; alone either would have left at 104."""
    hand = world(l0=SHARED)
    hand.send((0, 100))
    hand.probe((100,))
    assert (hand.delivered(), hand.came()) == ([208], [208])


def test_a_particle_waits_in_memory_or_on_disk(world):
    hand = world(heart=BUFFERED)
    hand.send((0, 1_000))
    hand.probe((60,), (60,))
    assert hand.came() == [26, 101]
    assert hand.at(END, "spilled", "heart") == 1


def test_a_particle_is_one_chunk_however_large(world):
    hand = world(a=Service(1, 10, 1_000), transport=CHUNKS)
    hand.probe((4 * KIB,))
    assert hand.came() == [10 + 4 * KIB + 6]
    assert hand.at(END, "served", "z") == 1


def test_a_particle_that_arrives_at_a_stopped_station_is_lost(world):
    """At the heart at 2. What comes later is not tried again either, and the load before it was real."""
    hand = world(transport=PATIENT)
    hand.stop("heart")
    hand.probe((7,))
    seen = hand.to(3)
    assert (seen.particles_sent, seen.particles_lost, seen.retrying) == (1, 1, 0)
    assert seen.failed[hand.station["heart"]] == 1
    hand.start("heart")
    assert hand.came() == [-1]
    assert [hand.at(END, "served_bytes", name) for name in ("a", "heart")] == [7, 0]


@pytest.mark.parametrize("discipline", list(Discipline), ids=lambda discipline: discipline.name)
def test_a_stop_loses_particles_that_wait_or_are_served_but_not_those_that_travel(world, discipline):
    """All of them at the heart at 2: served one after the other for 10 ns, or together for 30."""
    hand = world(heart=Service(1, 10, 0, after_ns=50, discipline=discipline), transport=PATIENT)
    hand.probe((0,), (0,), (0,))
    hand.to(40)
    hand.probe((0,), (0,))
    hand.to(43 if discipline == Discipline.SHARING else 45)
    hand.stop("heart")
    assert hand.at(46, "failed", "heart") == 2
    hand.start("heart")
    assert hand.came() == ([86, 86, 86, -1, -1] if discipline == Discipline.SHARING else [66, 76, 86, -1, -1])


def test_a_particle_that_has_not_set_out_when_its_first_station_stops_is_lost_there(world):
    hand = world()
    hand.probe((0,), (0,))
    hand.stop("a")
    assert hand.at(1, "failed", "a") == 2
    assert hand.came() == [-1, -1]


def test_a_particle_needs_no_credit_and_is_not_held(world):
    """The exchange of instant 1 waits for credit until 14 as it would without the particle."""
    hand = world(credit=Credit(100, 7))
    hand.send((0, 60), (1, 60))
    hand.to(1)
    hand.probe((1_000,))
    assert (hand.to(2).held, hand.to(14).held, hand.to(15).held) == (1, 1, 0)
    assert (hand.delivered(), hand.came()) == ([7, 21], [8])


def test_a_particle_needs_no_plan_and_is_not_rerouted(world):
    """At 15 it has left the heart for l0, or waits there, whatever plans say."""
    hand = world(heart=FAR)
    hand.plan()
    hand.probe((0,), (0,))
    hand.to(15)
    hand.plan("l1", reroute=True)
    assert hand.came() == [66, 76]
    assert [hand.at(END, "served", line) for line in ("l0", "l1")] == [2, 0]


def test_particles_are_no_exchanges(world):
    """Ids, outcome and counts of exchanges are as without them; law 1 holds for either."""
    hand = world(heart=ONE)
    hand.stop("l1")
    hand.send((0, 0), (30, 0))
    hand.probe((0,), (0,))
    assert hand.probe((0,), line="l1") == 2
    at_once, later = hand.to(0), hand.to(26)
    assert (at_once.particles_sent, at_once.submitted) == (3, 0)
    assert (later.submitted, later.delivered, later.refused, later.in_flight) == (1, 1, 0, 0)
    assert (later.particles_received, later.particles_lost, later.particles_under_way) == (0, 0, 3)
    assert hand.delivered() == [16, 56]
    ended = hand.to(END)
    assert (ended.particles_sent, ended.particles_received, ended.particles_lost) == (3, 2, 1)
    assert (ended.submitted, ended.delivered, ended.refused, ended.particles_under_way) == (2, 2, 0, 0)
    assert hand.plane.outcome().refusal.tolist() == [TAKEN, TAKEN]
    assert hand.came() == [26, 36, -1]


def test_each_particle_is_collected_once_whether_it_came_or_was_lost(world):
    hand = world(heart=ONE)
    hand.probe((0,), (0,))
    hand.stop("l1")
    hand.probe((0,), line="l1")
    seen = []
    for now_ns in (16, 17, 17, 26, 33, 34, END):
        hand.plane.advance(now_ns)
        collected = hand.plane.collect()
        seen.append(list(zip(collected.number.tolist(), collected.received_ns.tolist(), strict=True)))
    assert seen == [[], [(0, 16)], [], [], [(1, 26), (2, -1)], [], []]
    assert (hand.to(END).particles_received, hand.to(END).particles_lost) == (2, 1)


def test_no_particles_are_a_round_too(world):
    hand = world()
    assert (hand.probe((0,)), hand.probe(), hand.probe((0,))) == (0, 1, 1)
    assert hand.came() == [7, 7]


def test_an_instant_beyond_bounds_is_an_error_for_particles_too(world):
    longest = Service(1, DURATION_NS_MAX, 0)
    hand = world(a=longest, a_to_c=longest, heart=longest, l0=longest, d=longest)
    hand.probe((0,))
    hand.to(4 * DURATION_NS_MAX)
    with pytest.raises(OverflowError, match=r"^instant beyond 2\*\*62 ns at station d$"):
        hand.to(4 * DURATION_NS_MAX + 1)


# Bounds.


def test_an_instant_beyond_bounds_is_an_error_that_says_where(world):
    longest = Service(1, DURATION_NS_MAX, 0)
    hand = world(a=longest, a_to_c=longest, heart=longest, l0=longest, d=longest)
    hand.send((0, 0))
    hand.to(4 * DURATION_NS_MAX)
    with pytest.raises(OverflowError, match=r"^instant beyond 2\*\*62 ns at station d$"):
        hand.to(4 * DURATION_NS_MAX + 1)


@pytest.mark.parametrize("discipline", list(Discipline), ids=lambda discipline: discipline.name)
@pytest.mark.parametrize("servers", [4, 16])
def test_server_time_beyond_bounds_is_an_error_that_says_where(world, discipline, servers):
    """All servers work from 2 on, three services each: together they pass the bound long before any of them could."""
    hand = world(heart=Service(servers, DURATION_NS_MAX, 0, discipline=discipline))
    hand.send(*[(0, 0)] * 3 * servers)
    too_late_ns = 2 + 2**63 // servers
    assert hand.at(too_late_ns - 1, "busy_ns", "heart") == 2**63 - servers
    with pytest.raises(OverflowError, match=r"^server time beyond 2\*\*63 ns at station c/process$"):
        hand.to(too_late_ns)
    hand.plane.advance(4 * DURATION_NS_MAX)
    assert hand.plane.outcome().delivered_ns.max() == 3 * DURATION_NS_MAX + 6
