"""Law 4: the compiled data plane gives the same integers as the reference, in worlds drawn from seeds.

A seed that fails is shrunk and told on one screen; ``make soak-planes SEED=17 PLANE_WORLDS=1`` does the same once more.
"""

from __future__ import annotations

import pytest
import soak_planes
from compare_planes import compare, drive
from drawn_worlds import drawn_world, kind_of
from plain_worlds import Change
from trail_laws import taken_rows

from sim import compiled_plane
from sim.compiled_plane import CompiledPlane
from sim.reference_plane import ReferencePlane

SEEDS = 500
SEEDS_A_TEST = 25
# Away from those above: only these kinds.
TIES = [seed for seed in range(10_000, 10_200) if kind_of(seed) == "ties"]
FLOORS = [seed for seed in range(10_000, 10_400) if kind_of(seed) == "floor"]


def agree(seeds) -> None:
    failed, _ = soak_planes.check_seeds(seeds, "compiled")
    if failed is not None:
        pytest.fail(f"\n{soak_planes.failure(failed, 'compiled', seconds=20)}", pytrace=False)


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
def test_planes_agree(first):
    agree(range(first, first + SEEDS_A_TEST))


def test_planes_agree_where_everything_is_submitted_at_a_few_instants():
    assert len(TIES) == 20
    for seed in TIES:
        world = drawn_world(seed)
        rows = taken_rows(world, drive(world, ReferencePlane))
        assert len({row.at_ns for row in rows}) <= 5 < len(rows)
    agree(TIES)


def test_planes_agree_where_a_service_floor_falls_under_way():
    assert len(FLOORS) == 20
    for seed in FLOORS:
        world = drawn_world(seed)
        floor = int(world.network.station_fixed_ns.max())
        falls = [
            station
            for step in world.steps
            if isinstance(step, Change) and step.kind == "service" and 0 < step.at_ns < world.rows[-1].at_ns * 2
            for station, fixed_ns, _ in step.entries
            if 0 <= station < world.network.station_count
            if fixed_ns == 1 < world.network.station_fixed_ns[station] == floor == 1_000_000
        ]
        assert falls
    agree(FLOORS)


@pytest.mark.parametrize("events", [1, 2, 7])
def test_stopping_between_any_two_events_changes_nothing(monkeypatch, events):
    """An advance comes back to Python now and then, for signals: wherever that is."""
    monkeypatch.setattr(compiled_plane, "EVENTS_A_STRETCH", events)
    for seed in range(20_000, 20_006):
        assert compare(drawn_world(seed), ReferencePlane, CompiledPlane) is None


def test_the_same_world_gives_the_same_trail_again():
    world = drawn_world(3)
    assert drive(world, CompiledPlane) == drive(world, CompiledPlane)
