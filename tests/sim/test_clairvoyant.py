"""The clairvoyant of a replay: what it knows beforehand is what the trace has, and what the world will draw."""

from __future__ import annotations

import numpy as np
import pytest
from learnt_toy import at, hours, learnt, lived, toy
from watched_brain import Watched, check_laws

from router_core.exchanges import concatenate
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from sim.clairvoyant import PIECE_NS, PIECES, KnownDemand, clairvoyant
from sim.other_users import OtherUsers
from sim.world import WorldConfig
from strategies.decision import DecisionKind
from traces.reader import TraceReader

NETWORK = toy().network
SEEDS = (1, 2, 3)
HOURS = 1.0


def known(seed: int, config: WorldConfig | None = None) -> KnownDemand:
    return KnownDemand(toy(), hours(9, HOURS, seed=seed), learnt(), seed=seed, config=config or WorldConfig())


def rows_of(seed: int):
    with TraceReader(hours(9, HOURS, seed=seed)) as reader:
        return concatenate(list(reader.batches(toy())))


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
def test_over_all_pieces_it_knows_every_exchange_once(seed: int) -> None:
    demand, rows = known(seed), rows_of(seed)
    total = np.zeros(2)
    for piece in range(0, int(HOURS * HOUR_NS) // PIECE_NS, PIECES):
        rates = demand.rates(piece * PIECE_NS)
        by_pair = demand.by_pair(rates) * (PIECES * PIECE_NS / SECOND_NS)
        inside = (rows.submitted_ns >= piece * PIECE_NS) & (rows.submitted_ns < (piece + PIECES) * PIECE_NS)
        assert by_pair[0].sum() == pytest.approx(inside.sum())
        total += by_pair.sum(axis=1)
    assert total[0] == pytest.approx(len(rows))
    assert total[1] == pytest.approx(rows.payload_bytes.sum())


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
def test_pair_by_pair_it_counts_what_comes_now_and_next(seed: int) -> None:
    demand, rows = known(seed), rows_of(seed)
    paths = learnt().plan.paths
    for now_ns in (0, 7 * MINUTE_NS, 31 * MINUTE_NS + 5, 59 * MINUTE_NS):
        first = now_ns // PIECE_NS * PIECE_NS
        inside = (rows.submitted_ns >= first) & (rows.submitted_ns < first + PIECES * PIECE_NS)
        group = NETWORK.node_group
        ends = list(zip(group[rows.source[inside]].tolist(), group[rows.target[inside]].tolist(), strict=True))
        pairs = zip(paths.source.tolist(), paths.target.tolist(), strict=True)
        expected = [ends.count(pair) for pair in pairs]
        found = demand.by_pair(demand.rates(now_ns))[0] * (PIECES * PIECE_NS / SECOND_NS)
        np.testing.assert_allclose(found, expected, atol=1e-9)
        assert sum(expected) > 0
    assert not demand.by_pair(demand.rates(10 * HOUR_NS)).any(), "after the trace nothing comes"


@pytest.mark.parametrize("step_ns", [MINUTE_NS, 20 * SECOND_NS], ids=lambda step: f"step-{step // SECOND_NS}s")
@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
def test_others_take_what_they_take_in_the_world_of_that_seed(seed: int, step_ns: int) -> None:
    demand = known(seed, WorldConfig(background_ns=step_ns))
    world = OtherUsers(NETWORK, toy().background, at(9), seed)
    taken = []
    for step in range(90):
        world.step(step * step_ns)
        taken.append(world.fraction.copy())
    assert np.ptp(taken, axis=0).max() > 0.01
    for step in (0, 0, 3, 4, 50, 89):
        for later_ns in (0, step_ns - 1):
            np.testing.assert_array_equal(demand.others(step * step_ns + later_ns), taken[step])
    other = OtherUsers(NETWORK, toy().background, at(9), seed + 1)
    other.step(0)
    assert not np.array_equal(other.fraction, taken[0])


@pytest.mark.parametrize("seed", SEEDS[:2], ids=lambda seed: f"seed-{seed}-")
def test_its_replay_obeys_the_laws(seed: int) -> None:
    trace = hours(9, HOURS, seed=seed)
    brain = clairvoyant(toy(), trace, learnt(), start=at(9), seed=seed, config=WorldConfig())
    assert brain.name == "clairvoyant"
    watched = Watched(brain, NETWORK)
    lived(watched, trace, seed=seed)
    check_laws(watched, NETWORK)
    assert watched.of_kind(DecisionKind.ROUTES_CHANGED)
