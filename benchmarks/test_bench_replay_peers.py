"""Our data plane against SimPy and Cimba on the same exchanges over the same routes: see `docs/benchmarks.md`.

Each peer must have done the same work: the small sizes see to that in every run of the tests.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from interleaved import Comparison, Peer, by_clock, interleaved
from peers.simpy_faults import SimpyFaults
from peers.simpy_idiom import SimpyPeer, SimpyPriority
from peers.simpy_sharing import SimpySharing
from pytest_benchmark.fixture import BenchmarkFixture
from replay_drive import Drive
from replay_workloads import FIFO, PRIORITY, SHARED_LINES, STRETCHED, Kind, outages, workload
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from router_core.transport import Transport
from router_core.units import MINUTE_NS

SMALL = 5_000
FULL = 200_000
LARGE = 5_000_000
SIZES = [pytest.param(SMALL, id="small"), pytest.param(FULL, id="200k", marks=pytest.mark.heavy)]


def peers_of(kind: Kind, count: int, peer: type[SimpyPeer]) -> dict[str, Peer]:
    work = workload(kind, count)
    routes = work.routes
    return {"simpy": by_clock(lambda: peer(work, routes))}


def check_integers(found: Comparison, name: str) -> None:
    """Assert that a peer delivered each exchange at the very instant at which ours did, but for a few ties."""
    ours, peer = found.ours.run.delivered_ns, found.peers[name].run.delivered_ns
    assert (ours >= 0).all()
    assert (ours != peer).mean() <= 1e-4
    assert found.peers[name].completion_ns == pytest.approx(found.ours.completion_ns, rel=1e-5)


def check_alike(found: Comparison, name: str) -> None:
    """Assert that at another size, too, everything arrived, after about as long on average."""
    ours, peer = found.ours, found.peers[name]
    assert ours.delivered == len(ours.run.work)
    assert peer.delivered == len(peer.run.work)
    assert ours.completion_ns / ours.delivered == pytest.approx(peer.completion_ns / peer.delivered, rel=0.05)


def test_workload_is_what_it_says() -> None:
    work = workload(FIFO, 4 * SMALL)
    assert (work.network.node_count, work.network.station_count) == (696, 3_136)
    assert 7.4 <= np.mean([len(route) for route in work.routes]) <= 8.0
    assert 0.7 <= work.utilisation().max() <= 0.95
    assert len(set(work.exchanges.priority.tolist())) == 8
    # No order of the stations suits all routes.
    before, after = np.array([hop for route in work.routes for hop in pairwise(route)]).T
    follows = coo_array((np.ones(len(before)), (before, after)))
    stations = work.network.station_count
    follows.resize(stations, stations)
    assert connected_components(follows, connection="strong")[0] < stations


@pytest.mark.parametrize("count", SIZES)
def test_replay_fifo(benchmark: BenchmarkFixture, count: int) -> None:
    found = interleaved(benchmark, lambda: Drive(workload(FIFO, count)), peers_of(FIFO, count, SimpyPeer))
    check_integers(found, "simpy")
    benchmark.extra_info |= {"goal": "replay.fifo", "value": found.info["ratio"], "target": 500} | found.info


@pytest.mark.heavy
def test_replay_fifo_5m(benchmark: BenchmarkFixture) -> None:
    """The same network at the same load, 25 times as long; the peer's size is the one at which it is at its best."""
    found = interleaved(benchmark, lambda: Drive(workload(FIFO, LARGE)), peers_of(FIFO, FULL, SimpyPeer), rounds=1)
    check_alike(found, "simpy")
    benchmark.extra_info |= {"goal": "replay.fifo.5m", "value": found.info["ratio"], "target": 500} | found.info


@pytest.mark.parametrize("count", SIZES)
def test_replay_cimba(benchmark: BenchmarkFixture, count: int) -> None:
    pytest.importorskip("cimba", reason="cimba is in the `bench` extra, which `make bench` installs")
    from peers.cimba_idiom import cimba_peer  # noqa: PLC0415

    work = workload(FIFO, count)
    peer = cimba_peer(work)
    peer()  # compiles the model
    found = interleaved(benchmark, lambda: Drive(work), {"cimba": peer})
    ours, theirs = found.ours, found.peers["cimba"]
    assert ours.delivered == theirs.delivered == len(work)
    # Where two tie for a server, they may part for good, by microseconds.
    assert theirs.completion_ns == pytest.approx(ours.completion_ns, rel=1e-5)
    benchmark.extra_info |= {"goal": "replay.cimba", "value": found.info["ratio"], "target": 90} | found.info


@pytest.mark.parametrize("count", SIZES)
def test_replay_priority(benchmark: BenchmarkFixture, count: int) -> None:
    found = interleaved(benchmark, lambda: Drive(workload(PRIORITY, count)), peers_of(PRIORITY, count, SimpyPriority))
    check_integers(found, "simpy")
    benchmark.extra_info |= {"goal": "replay.priority", "value": found.info["ratio"], "target": 200} | found.info


@pytest.mark.parametrize("count", SIZES)
def test_replay_ps(benchmark: BenchmarkFixture, count: int) -> None:
    found = interleaved(
        benchmark,
        lambda: Drive(workload(SHARED_LINES, count)),
        peers_of(SHARED_LINES, count, SimpySharing),
    )
    ours, theirs = found.ours.run.delivered_ns, found.peers["simpy"].run.delivered_ns
    # The peer's shares are floats, so each visit may end some nanoseconds apart.
    assert (ours >= 0).all()
    assert (abs(ours - theirs) > 1_000).mean() <= 1e-3
    assert found.peers["simpy"].completion_ns == pytest.approx(found.ours.completion_ns, rel=1e-5)
    benchmark.extra_info |= {"goal": "replay.ps", "value": found.info["ratio"], "target": 200} | found.info


@pytest.mark.parametrize("count", [pytest.param(10 * SMALL, id="small"), SIZES[1]])
def test_replay_faults(benchmark: BenchmarkFixture, count: int) -> None:
    """Ten times as slow and as long, so that there are some minutes in which to fail."""
    work, transport = workload(STRETCHED, count), Transport()
    stops = outages(work)
    assert stops
    attempts = work.attempts
    found = interleaved(
        benchmark,
        lambda: Drive(work, outages=stops, transport=transport),
        {"simpy": by_clock(lambda: SimpyFaults(work, attempts, stops, transport), 3 * MINUTE_NS)},
        drain_ns=3 * MINUTE_NS,
    )
    check_integers(found, "simpy")
    retries = found.ours.run.outcome.retries.sum()
    assert retries == found.peers["simpy"].run.retries > 0
    benchmark.extra_info |= {"goal": "replay.faults", "value": found.info["ratio"], "target": 200} | found.info
