"""The reference data plane against an oracle that knows no events, and against the laws it must obey.

A failing seed is replayed by the id in its name: ``pytest tests/sim/test_reference_plane.py -k seed-17-``.
"""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from made_networks import DrawnPlan, Grain, drawn_exchanges, drawn_network, exchanges
from naive_plane import naive_run

from router_core.errors import BadInputError
from router_core.exchanges import Exchanges, concatenate
from router_core.network import Network
from router_core.units import PAYLOAD_BYTES_MAX
from sim.data_plane import Outcome, Refusal, SetStationService, Snapshot
from sim.reference_plane import ReferencePlane
from strategies.brain import SetPlan

SEEDS = range(60)
SETTLED_NS = 10**9


def seed_ids(seed: int) -> str:
    return f"seed-{seed}-"


class Drawn:
    """A network, exchanges, and a timetable of commands and snapshots, all from one seed."""

    def __init__(self, seed: int) -> None:
        random = Random(seed)
        # Every third world has odd sizes and rates, so that services are rounded up and ties are rare.
        coarse = seed % 3 > 0
        grain = Grain() if coarse else Grain(grid_ns=7, rates_ps=(0, 333, 1_001, 12_345))
        self.network = drawn_network(random, transit=random.randint(3, 7), front_ends=random.randint(3, 8), grain=grain)
        count = random.randint(150, 350)
        grids = {"grid_ns": grain.grid_ns, "grid_bytes": 100 if coarse else 1}
        self.exchanges = drawn_exchanges(random, self.network, count, **grids)
        self.end = int(self.exchanges.submitted_ns[-1])

        def instants(count: int) -> list[int]:
            return sorted(grain.grid_ns * random.randint(0, self.end // grain.grid_ns) for _ in range(count))

        lost = random.choice((0.0, 0.2))
        first_plan_at = random.choice((0, 0, 0, self.end // 5))
        self.plans = [(at, DrawnPlan(random, self.network, without_route=lost)) for at in [first_plan_at, *instants(2)]]
        self.plans.sort(key=lambda plan: plan[0])
        self.rates = [
            (at, random.randrange(self.network.station_count), random.choice(grain.rates_ps)) for at in instants(40)
        ]
        self.looks = [0, *instants(15), self.end + 1, self.end + 500, SETTLED_NS]

    def oracle(self):
        return naive_run(self.network, self.exchanges, self.plans, self.rates)


def drive(drawn: Drawn, random: Random, *, hurry: float = 0.5) -> tuple[list[Snapshot], Outcome]:
    """Run a drawn world on the reference plane, cutting batches and advances at random.

    `hurry` is the chance that a batch is handed over early instead of when it is due.
    """
    plane = ReferencePlane(drawn.network)
    batch, row = drawn.exchanges, 0
    submitted = batch.submitted_ns.tolist()
    now = 0
    snapshots = []

    def hand_over(before: int) -> None:
        """Everything due before an instant must be in the plane by then; more may be."""
        nonlocal row
        due = int(np.searchsorted(batch.submitted_ns, before))
        while row < due or (row < len(submitted) and random.random() < hurry):
            count = random.choice((0, 1, 2, 7, 50))
            plane.submit(batch[row : row + count])
            row = min(row + count, len(submitted))

    def go(until: int) -> None:
        nonlocal now
        while now < until:
            step = until if random.random() < 0.5 else random.randint(now, until)
            hand_over(step)
            plane.advance(step)
            now = step

    timetable = [(at, 0, SetPlan(plan)) for at, plan in drawn.plans]
    for at, station, rate in drawn.rates:
        fixed_ns = drawn.network.station_fixed_ns[[station]]
        timetable.append((at, 0, SetStationService(np.array([station], "i4"), fixed_ns, np.array([rate], "i8"))))
    timetable += [(at, 1, None) for at in drawn.looks]
    for at, _, command in sorted(timetable, key=lambda entry: entry[:2]):
        go(at)
        if command is None:
            snapshots.append(plane.snapshot())
        else:
            plane.apply(command)
    return snapshots, plane.outcome()


def plain(snapshot: Snapshot) -> dict[str, object]:
    """A snapshot as Python's own integers."""
    values = {field.name: getattr(snapshot, field.name) for field in fields(Snapshot)}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


@pytest.mark.parametrize("seed", SEEDS, ids=seed_ids)
def test_agrees_with_the_oracle(seed):
    drawn = Drawn(seed)
    expected = drawn.oracle()
    snapshots, outcome = drive(drawn, Random(f"cut {seed}"))
    assert outcome.delivered_ns.tolist() == expected.delivered
    assert (outcome.refusal == Refusal.NO_ROUTE).tolist() == expected.refused
    assert len(snapshots) == len(drawn.looks)
    for snapshot in snapshots:
        assert plain(snapshot) == expected.snapshot(snapshot.now_ns)
    # The worlds are worth comparing: something waited, and it ends empty.
    assert any(visit.start > visit.arrived for visit in expected.visits)
    assert snapshots[-1].in_flight == 0


def test_drawn_worlds_are_full_of_ties():
    """The tie rule decides nothing in a world without simultaneous arrivals at one station: these have many."""
    tied = [len(visits) - len({(v.station, v.arrived) for v in visits}) for visits in _visits_of_coarse_worlds()]
    assert min(tied) > 20


def _visits_of_coarse_worlds():
    return [Drawn(seed).oracle().visits for seed in (1, 2, 4, 5)]


def test_the_tie_rule_decides():
    """Numbering the exchanges of one instant the other way round gives other results: the oracle is not blind."""
    drawn = Drawn(1)
    network, batch = drawn.network, drawn.exchanges
    one_plan = [(0, DrawnPlan(Random(0), network, ways_max=1))]
    forwards = naive_run(network, batch, one_plan, [])
    order = np.lexsort((-np.arange(len(batch)), batch.submitted_ns))
    backwards = naive_run(network, batch[order], one_plan, [])
    assert sorted(forwards.delivered) != sorted(backwards.delivered)


@pytest.mark.parametrize("seed", SEEDS[:20], ids=seed_ids)
def test_cutting_changes_nothing(seed):
    drawn = Drawn(seed)
    runs = [drive(drawn, Random(cut), hurry=hurry) for cut, hurry in ((1, 0.0), (2, 1.0), (3, 0.6))]
    first_snapshots, first_outcome = runs[0]
    for snapshots, outcome in runs[1:]:
        assert [plain(snapshot) for snapshot in snapshots] == [plain(snapshot) for snapshot in first_snapshots]
        np.testing.assert_array_equal(outcome.delivered_ns, first_outcome.delivered_ns)
        np.testing.assert_array_equal(outcome.refusal, first_outcome.refusal)


@pytest.mark.parametrize("seed", SEEDS[::5], ids=seed_ids)
def test_laws_one_to_three(seed):
    """Nothing is lost, nothing arrives before it was sent, and no station works faster than it can."""
    drawn = Drawn(seed)
    network, batch = drawn.network, drawn.exchanges
    snapshots, outcome = drive(drawn, Random(seed))
    delivered, refused = outcome.delivered_ns >= 0, outcome.refusal != Refusal.NOT_REFUSED
    sizes = batch.payload_bytes
    assert not (delivered & refused).any()
    for snapshot in snapshots:
        entered = batch.submitted_ns < snapshot.now_ns
        there = delivered & (outcome.delivered_ns < snapshot.now_ns)
        under_way = entered & ~there & ~refused
        assert snapshot.submitted == entered.sum() == snapshot.delivered + snapshot.in_flight + snapshot.refused
        assert snapshot.delivered == there.sum()
        assert snapshot.refused == (entered & refused).sum()
        assert snapshot.in_flight == under_way.sum()
        parts = [int(sizes[rows].sum()) for rows in (there, under_way, entered & refused)]
        assert int(sizes[entered].sum()) == sum(parts)
        assert (snapshot.waiting >= 0).all()
        assert snapshot.waiting.sum() <= snapshot.in_flight
    assert (outcome.delivered_ns[delivered] > batch.submitted_ns[delivered]).all()

    for before, after in pairwise(snapshots):
        assert before.now_ns <= after.now_ns
        busy_ns = after.busy_ns - before.busy_ns
        assert (busy_ns >= 0).all()
        assert (busy_ns <= network.station_servers.astype(np.int64) * (after.now_ns - before.now_ns)).all()
    fastest = network.station_ps_per_byte.copy()
    for _, station, rate in drawn.rates:
        fastest[station] = min(fastest[station], rate)
    last = snapshots[-1]
    assert last.in_flight == 0
    assert (last.busy_ns >= last.served * network.station_fixed_ns + last.served_bytes * fastest // 1_000).all()


@pytest.fixture
def small() -> tuple[Network, DrawnPlan, Exchanges]:
    random = Random(5)
    network = drawn_network(random)
    return network, DrawnPlan(random, network), drawn_exchanges(random, network, 100)


def test_without_a_plan_everything_is_refused(small):
    network, _, batch = small
    plane = ReferencePlane(network)
    plane.submit(batch)
    plane.advance(SETTLED_NS)
    snapshot = plane.snapshot()
    assert (snapshot.submitted, snapshot.refused, snapshot.delivered) == (100, 100, 0)
    assert snapshot.served.sum() == 0
    assert set(plane.outcome().refusal.tolist()) == {Refusal.NO_ROUTE}
    assert Refusal.NO_ROUTE.text != Refusal.NOT_REFUSED.text


def test_a_new_plan_leaves_those_under_way_alone(small):
    """An exchange keeps the route it set out on; a pair without a route is refused from the new plan on alone."""
    network, plan, batch = small
    at = int(batch.submitted_ns[50])
    first = int(np.searchsorted(batch.submitted_ns, at))
    plane = ReferencePlane(network)
    plane.apply(SetPlan(plan))
    plane.submit(batch)
    plane.advance(at)
    assert plane.snapshot().in_flight > 0
    plane.apply(SetPlan(DrawnPlan(Random(0), network, without_route=1.0)))
    plane.advance(SETTLED_NS)
    assert plane.outcome().refusal.tolist() == [Refusal.NOT_REFUSED] * first + [Refusal.NO_ROUTE] * (100 - first)


def test_time_never_runs_back(small):
    plane = ReferencePlane(small[0])
    plane.advance(1_000)
    plane.advance(1_000)
    with pytest.raises(ValueError, match="time never runs back"):
        plane.advance(999)
    assert plane.snapshot().now_ns == 1_000


def _changed(name: str, row: int, value: int):
    def change(batch: Exchanges) -> Exchanges:
        copy = concatenate([batch])
        getattr(copy, name)[row] = value
        return copy

    return change


@pytest.mark.parametrize(
    ("change", "place", "rule"),
    [
        (_changed("source", 3, -1), "exchange 13.source", "must be an endpoint"),
        (_changed("source", 3, 10_000), "exchange 13.source", "must be an endpoint"),
        (_changed("source", 3, 0), "exchange 13.source", "must be an endpoint"),
        (_changed("target", 0, -1), "exchange 10.target", "must be an endpoint"),
        (_changed("target", 0, 10_000), "exchange 10.target", "must be an endpoint"),
        (_changed("target", 0, 0), "exchange 10.target", "must be an endpoint"),
        (_changed("payload_bytes", 9, -1), "exchange 19.payload_bytes", "must lie in"),
        (_changed("payload_bytes", 9, PAYLOAD_BYTES_MAX + 1), "exchange 19.payload_bytes", "must lie in"),
        (_changed("submitted_ns", 0, 0), "exchange 10.submitted_ns", "must not be before"),
        (_changed("submitted_ns", 7, 0), "exchange 17.submitted_ns", "predecessor"),
    ],
)
def test_a_bad_row_is_refused_by_name(small, change, place, rule):
    network, plan, batch = small
    plane, other = ReferencePlane(network), ReferencePlane(network)
    for each in (plane, other):
        each.apply(SetPlan(plan))
        each.submit(batch[:10])
    with pytest.raises(BadInputError) as refused:
        plane.submit(change(batch[10:20]))
    assert refused.value.place == place
    assert rule in refused.value.rule
    # Nothing of the bad batch was taken in.
    for each in (plane, other):
        each.submit(batch[10:])
        each.advance(SETTLED_NS)
    np.testing.assert_array_equal(plane.outcome().delivered_ns, other.outcome().delivered_ns)


def test_source_and_target_must_differ(small):
    network, plan, batch = small
    plane = ReferencePlane(network)
    plane.apply(SetPlan(plan))
    bad = _changed("target", 4, int(batch.source[4]))(batch)
    with pytest.raises(BadInputError, match=r"^exchange 4.target: must differ from the source"):
        plane.submit(bad)


def test_nothing_may_be_submitted_in_the_past(small):
    network, plan, batch = small
    plane = ReferencePlane(network)
    plane.apply(SetPlan(plan))
    plane.advance(int(batch.submitted_ns[-1]) + 1)
    with pytest.raises(BadInputError, match=r"^exchange 0.submitted_ns: must not be before"):
        plane.submit(batch)


def test_the_largest_payload_is_carried(small):
    network, plan, _ = small
    source, target = network.endpoints[:2]
    plane = ReferencePlane(network)
    plane.apply(SetPlan(plan))
    plane.submit(exchanges([0], source, target, PAYLOAD_BYTES_MAX))
    plane.advance(10**18)
    snapshot = plane.snapshot()
    assert snapshot.delivered == 1
    assert snapshot.served_bytes[network.node_station[source]] == PAYLOAD_BYTES_MAX
