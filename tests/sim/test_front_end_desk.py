"""Front-ends: who is released when, against a list that is written out and sorted."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from drawn_handlings import DrawnHandling, HoldAll
from made_networks import drawn_exchanges, drawn_network, exchanges

from router_core.errors import BadInputError
from router_core.exchanges import FIELDS, NO_LABEL, Exchanges
from router_core.units import DURATION_NS_MAX
from router_core.vocabulary import PRIORITY_MAX
from sim.data_plane import Outcome
from sim.front_end_desk import FrontEndDesk, Holding
from strategies.brain import Handled, Handling

NETWORK = drawn_network(Random(1))
GRID_NS = 100
A, B = NETWORK.endpoints[:2].tolist()


def cut(batch: Exchanges, borders: list[int]):
    return iter([batch[a:b] for a, b in pairwise([0, *sorted(borders), len(batch)])])


def answers(handling: Handling | None, batch: Exchanges, row: int) -> tuple[int, int]:
    """Hold and class of one task, asked for alone."""
    if handling is None:
        return 0, int(batch.priority[row])
    handled = handling.handle(batch[row : row + 1], row)
    return int(handled.hold_ns[0]), int(handled.priority[0])


@pytest.mark.parametrize("seed", range(40))
def test_who_is_released_when(seed):
    """Handlings change at random instants, on which tasks are submitted and released too; batches are cut anywhere."""
    random = Random(seed)
    batch = drawn_exchanges(random, NETWORK, 300, grid_ns=GRID_NS)
    end_ns = int(batch.submitted_ns[-1]) + 1
    desk = FrontEndDesk(NETWORK, cut(batch, [random.randrange(300) for _ in range(random.randint(0, 20))]), end_ns)
    handlings = [None, *(DrawnHandling(1_000 * seed + k, grid_ns=GRID_NS, steps_max=40) for k in range(2))]
    in_force: Handling | None = None
    held: list[tuple[int, int, int]] = []  # release, row, class
    released_rows: list[int] = []
    next_row = 0
    instants = [*sorted(random.sample(range(0, end_ns + 45 * GRID_NS, GRID_NS // 2), 30)), end_ns + 50 * GRID_NS]
    holds: list[tuple[int, int]] = []
    for now_ns in instants:
        while next_row < 300 and batch.submitted_ns[next_row] < now_ns:
            hold_ns, level = answers(in_force, batch, next_row)
            if hold_ns:
                holds.append((hold_ns, int(batch.payload_bytes[next_row])))
            held.append((int(batch.submitted_ns[next_row]) + hold_ns, next_row, level))
            next_row += 1
        due = sorted(task for task in held if task[0] < now_ns)
        held = [task for task in held if task[0] >= now_ns]

        released = desk.release(now_ns)
        assert released.submitted_ns.tolist() == [task[0] for task in due]
        assert released.priority.tolist() == [task[2] for task in due]
        rows = [task[1] for task in due]
        for name in set(FIELDS) - {"submitted_ns", "priority"}:
            np.testing.assert_array_equal(getattr(released, name), getattr(batch, name)[rows])
        assert desk.held == len(held)
        assert desk.held_bytes == batch.payload_bytes[[row for _, row, _ in held]].sum()
        assert len(desk.release(now_ns)) == 0, "nobody is released twice"
        released_rows += rows
        if random.random() < 0.5:
            in_force = random.choice(handlings)
            desk.set_handling(in_force)
    assert sorted(released_rows) == list(range(300))
    times = [hold_ns for hold_ns, _ in holds]
    assert desk.holding == Holding(len(holds), sum(size for _, size in holds), sum(times), max(times, default=0))

    positions = np.arange(300)
    outcome = desk.outcome(Outcome(positions * 10, (positions % 3).astype(np.int8), positions.astype(np.int32)))
    for position, row in enumerate(released_rows):
        assert (outcome.delivered_ns[row], outcome.refusal[row], outcome.retries[row]) == (
            position * 10,
            position % 3,
            position,
        )
    again = desk.exchanges()
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(again, name), getattr(batch, name))


def test_some_worlds_above_hold_and_some_have_ties():
    """What the drawn tasks are worth: in most of them releases coincide with submissions of others."""
    batch = drawn_exchanges(Random(0), NETWORK, 300, grid_ns=GRID_NS)
    handled = DrawnHandling(0, grid_ns=GRID_NS, steps_max=40).handle(batch, 0)
    release_ns = batch.submitted_ns + handled.hold_ns
    assert 50 < (handled.hold_ns > 0).sum() < 250
    assert len(np.unique(release_ns)) < 250


def test_what_is_still_held_is_in_flight():
    batch = exchanges([10, 20, 30], A, B, 5)
    desk = FrontEndDesk(NETWORK, iter([batch]), 100)
    desk.set_handling(HoldAll(15))
    assert desk.release(30).submitted_ns.tolist() == [25]
    outcome = desk.outcome(Outcome(np.array([99]), np.zeros(1, np.int8), np.ones(1, np.int32)))
    assert outcome.delivered_ns.tolist() == [99, -1]
    assert (desk.held, desk.held_bytes) == (1, 5)
    desk.release(10**6)
    outcome = desk.outcome(Outcome(np.array([99, 98, 97]), np.zeros(3, np.int8), np.zeros(3, np.int32)))
    assert outcome.delivered_ns.tolist() == [99, 98, 97]


def test_who_is_submitted_at_the_instant_of_a_change_follows_it():
    batch = exchanges([9, 10, 11], A, B, 5)
    desk = FrontEndDesk(NETWORK, iter([batch]), 100)
    assert desk.release(10).submitted_ns.tolist() == [9]
    desk.set_handling(HoldAll(100))
    assert desk.release(11).submitted_ns.tolist() == []
    desk.set_handling(None)
    assert desk.release(10**6).submitted_ns.tolist() == [11, 110]


def test_without_handling_the_trace_goes_through_as_it_is():
    batch = drawn_exchanges(Random(3), NETWORK, 100, grid_ns=GRID_NS)
    desk = FrontEndDesk(NETWORK, iter([batch]), 10**9)
    released = desk.release(10**9)
    assert np.shares_memory(released.submitted_ns, batch.submitted_ns), "nothing is copied"
    outcome = Outcome(np.arange(100), np.zeros(100, np.int8), np.zeros(100, np.int32))
    assert desk.outcome(outcome) is outcome


# What a handling may see and say.


def test_a_handling_sees_no_true_labels_and_cannot_write():
    batch = exchanges([1, 2], A, B, 5, demand_type=3, surge=2, deadline_ns=50)
    seen = []

    class Curious:
        def handle(self, tasks: Exchanges, first_id: int) -> Handled:
            seen.append((tasks, first_id))
            for name in FIELDS:
                with pytest.raises(ValueError, match="read-only"):
                    getattr(tasks, name)[0] = 7
            return Handled(np.zeros(2, np.int64), np.zeros(2, np.int8))

    desk = FrontEndDesk(NETWORK, iter([batch]), 100)
    desk.set_handling(Curious())
    released = desk.release(100)
    ((tasks, first_id),) = seen
    assert first_id == 0
    assert (tasks.demand_type == NO_LABEL).all()
    assert (tasks.surge == NO_LABEL).all()
    assert (tasks.deadline_ns == 50).all()
    assert released.demand_type.tolist() == [3, 3], "the record keeps them"
    released.priority[0] = 1


@pytest.mark.parametrize(
    ("hold_ns", "priority", "message"),
    [
        (np.zeros(2, np.int64), np.zeros(3, np.int8), r"^handling.hold_ns: must be int64 with one row for each of 3"),
        (np.zeros(3, np.float64), np.zeros(3, np.int8), r"^handling.hold_ns: must be int64"),
        ([0, 0, 0], np.zeros(3, np.int8), r"^handling.hold_ns: must be int64"),
        (np.zeros(3, np.int64), np.zeros((3, 1), np.int8), r"^handling.priority: must be int8"),
        (np.zeros(3, np.int64), np.zeros(3, np.int64), r"^handling.priority: must be int8"),
        (np.array([0, -1, 0]), np.zeros(3, np.int8), r"^handling of exchange 3.hold_ns: must not be negative.*got -1"),
        (np.array([0, 0, 2**63 - 1]), np.zeros(3, np.int8), r"^handling of exchange 4.hold_ns: .* beyond"),
        (np.array([DURATION_NS_MAX, 0, 0]), np.zeros(3, np.int8), r"^handling of exchange 2.hold_ns: .* beyond"),
        (np.zeros(3, np.int64), np.array([0, 0, -1], np.int8), r"^handling of exchange 4.priority: must lie in 0..7"),
        (
            np.zeros(3, np.int64),
            np.array([PRIORITY_MAX + 1, 0, 0], np.int8),
            r"^handling of exchange 2.priority: must lie in 0..7 \(got 8\)",
        ),
    ],
)
def test_an_answer_that_cannot_be_is_refused_in_one_line(hold_ns, priority, message):
    class Wrong:
        def handle(self, tasks: Exchanges, first_id: int) -> Handled:
            return Handled(hold_ns, priority)

    desk = FrontEndDesk(NETWORK, iter([exchanges([0, 5, 10, 10, 10], A, B, 5)]), 100)
    desk.release(10)
    desk.set_handling(Wrong())
    with pytest.raises(BadInputError, match=message) as caught:
        desk.release(11)
    assert "\n" not in str(caught.value)


def test_a_bad_row_is_named_by_its_row_in_the_trace_whatever_was_released_before():
    good, bad = exchanges([1, 2], A, B, 5), exchanges([3, 4], A, [B, A], 5)
    desk = FrontEndDesk(NETWORK, iter([good, bad]), 100)
    desk.set_handling(HoldAll(50))
    desk.release(2)
    with pytest.raises(BadInputError, match=r"^exchange 3.target: must differ from the source"):
        desk.release(5)


def test_batches_come_in_order():
    desk = FrontEndDesk(NETWORK, iter([exchanges([1, 8], A, B, 5), exchanges([7], A, B, 5)]), 100)
    with pytest.raises(BadInputError, match=r"^exchange 2.submitted_ns: must not be before 8"):
        desk.release(100)
