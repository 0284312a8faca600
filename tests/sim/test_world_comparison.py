"""What compares data planes is itself tested: its worlds hold what they should, and planted faults do not escape it."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace

import pytest
import soak_planes
from compare_planes import Trail, compare, difference, drive
from drawn_worlds import drawn_world, kind_of
from faulty_planes import FAULTY
from plain_worlds import Change, Cut, Look, Send, Submit, World
from shrinking import shrink
from trail_laws import check_laws, sent_rows, taken_rows
from world_features import SHOWN, TWINS, happened, mattered
from world_text import describe

from sim.data_plane import Outcome, Snapshot
from sim.reference_plane import ReferencePlane

SNAPSHOT = tuple(field.name for field in fields(Snapshot))
OUTCOME = tuple(field.name for field in fields(Outcome))


def test_everything_happens_in_the_drawn_worlds():
    counts = Counter()
    for seed in range(1_000, 1_150):
        world = drawn_world(seed)
        trail = drive(world, ReferencePlane)
        rare = {feature for feature in TWINS if counts[feature] < 2}
        counts.update(happened(world, trail) | mattered(world, trail, ReferencePlane, rare))
        if all(counts[feature] >= 2 for feature in (*SHOWN, *TWINS)):
            return
    pytest.fail(f"too few worlds in 150 with: {[feature for feature in (*SHOWN, *TWINS) if counts[feature] < 2]}")


@pytest.mark.parametrize("first", range(2_000, 2_060, 20))
def test_laws_one_to_three(first):
    for seed in range(first, first + 20):
        world = drawn_world(seed)
        try:
            check_laws(world, drive(world, ReferencePlane))
        except AssertionError as error:
            error.add_note(f"world of seed {seed}")
            raise


def the_same(one: Trail, other: Trail) -> bool:
    """Whether the last snapshots, the outcomes, and all that was ever collected are equal."""
    last = [{name: trail.snapshots()[-1][name] for name in SNAPSHOT} for trail in (one, other)]
    outcomes = [{name: trail.outcome[name] for name in OUTCOME} for trail in (one, other)]
    return last[0] == last[1] and outcomes[0] == outcomes[1] and sorted(one.collected()) == sorted(other.collected())


@pytest.mark.parametrize("seed", range(3_000, 3_020))
def test_looking_and_handing_over_early_change_nothing(seed):
    world = drawn_world(seed)
    trail = drive(world, ReferencePlane)
    if trail.ended:
        return  # by a bad plan: where it stands then is nobody's business
    *steps, last = world.steps
    unseen = replace(world, steps=(*(step for step in steps if not isinstance(step, Look | Cut)), last))
    assert the_same(drive(unseen, ReferencePlane), trail)
    rows = tuple(taken_rows(world, trail))
    early = (Submit(0, rows), *(step for step in world.steps if not isinstance(step, Submit)))
    assert the_same(drive(replace(world, steps=early), ReferencePlane), trail)


def test_particles_and_exchanges_are_in_each_others_way():
    """Without the exchanges particles come at other instants, and the other way round."""
    found = Counter()
    for seed in range(3_100, 3_160):
        world = drawn_world(seed)
        trail = drive(world, ReferencePlane)
        if trail.ended or not sent_rows(world, trail):
            continue
        alone, without = (
            drive(
                replace(world, steps=tuple(step for step in world.steps if not isinstance(step, kind))), ReferencePlane
            )
            for kind in (Submit, Send)
        )
        found["particle"] += sorted(alone.collected()) != sorted(trail.collected())
        found["exchange"] += without.outcome["delivered_ns"] != trail.outcome["delivered_ns"]
        if min(found["particle"], found["exchange"]) >= 3:
            return
    pytest.fail(f"too few worlds where one delays the other: {found}")


def test_a_seed_gives_the_same_world_again_and_every_kind_comes_up():
    for seed in range(10):
        assert drawn_world(seed).steps == drawn_world(seed).steps
        assert drawn_world(seed).network.digest == drawn_world(seed).network.digest
    assert drawn_world(1).steps != drawn_world(2).steps
    assert {kind_of(seed) for seed in range(20)} == {"coarse", "odd", "ties", "floor", "big"}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_planted_fault_is_found_and_shrunk(fault):
    plane = FAULTY[fault]

    def fails(world: World) -> bool:
        return compare(world, ReferencePlane, plane) is not None

    world = next((world for world in map(drawn_world, range(60)) if fails(world)), None)
    assert world is not None, "no seed shows the fault"
    small = shrink(world, fails, attempts=2_500)
    assert fails(small)
    particles = sum(len(step.rows) for step in small.steps if isinstance(step, Send))
    assert 1 <= len(small.rows) + particles <= 4
    assert len(small.steps) <= 8
    told = describe(small, compare(small, ReferencePlane, plane, ("reference", fault)))
    assert f"make soak-planes SEED={world.seed} PLANE_WORLDS=1" in told
    assert fault in told
    assert len(told.splitlines()) <= 60


def test_shrinking_leaves_nothing_that_does_not_matter():
    world = next(world for world in map(drawn_world, range(20)) if any(isinstance(s, Change) for s in world.steps))
    row = world.rows[len(world.rows) // 2]
    change = next(step for step in world.steps if isinstance(step, Change))

    def fails(world: World) -> bool:
        entries = [entry for step in world.steps if isinstance(step, Change) for entry in step.entries]
        return any(row.target == there.target for there in world.rows) and change.entries[0] in entries

    small = shrink(world, fails)
    assert [type(step) for step in small.steps if not isinstance(step, Submit)] == [Change]
    assert [step.entries for step in small.steps if isinstance(step, Change)] == [(change.entries[0],)]
    assert [(there.target, there.payload_bytes, there.priority) for there in small.rows] == [(row.target, 0, 0)]
    assert not small.network.station_discipline.any()


def test_a_plane_that_dies_or_hangs_differs():
    class Dies(ReferencePlane):
        def advance(self, until_ns: int) -> None:
            raise ZeroDivisionError("boom")

    class Hangs(ReferencePlane):
        def advance(self, until_ns: int) -> None:
            while True:
                pass

    assert "second died at step" in compare(drawn_world(0), ReferencePlane, Dies)
    assert "still running after 2.0 s" in compare(drawn_world(0), ReferencePlane, Hangs, hangs_s=2.0)


def test_a_difference_names_its_place():
    world = drawn_world(0)
    trail, other = drive(world, ReferencePlane), drive(world, ReferencePlane)
    assert difference(world, trail, other) is None
    other.outcome["delivered_ns"][7] += 1
    assert "delivered_ns of exchange 7:" in difference(world, trail, other)
    position = next(at for at, step in enumerate(world.steps) if isinstance(step, Look))
    other.seen[position]["waiting"][3] += 1
    assert f"waiting of station 3 ({world.network.station_name[3]}): first" in difference(world, trail, other)


def test_the_soak_command_says_what_it_found(capsys):
    assert soak_planes.main(["--seed", "40", "--worlds", "12", "--plane", "reference"]) == 0
    assert "12 a" not in capsys.readouterr().out
    assert soak_planes.main(["--seed", "40", "--worlds", "12", "--plane", "reverses-ties"]) == 1
    told = capsys.readouterr().out
    assert "difference: " in told
    assert "replay: make soak-planes SEED=4" in told


def test_any_world_can_be_told_bad_plans_included():
    for seed in range(1_000, 1_060):
        told = describe(drawn_world(seed), "none")
        assert len(told.splitlines()) <= 64
        assert f"seed {seed}," in told
