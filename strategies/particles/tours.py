"""Tours of test particles: rounds in a row in which every station of any route is seen, made once beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.randomness import stream
from router_core.units import service_ns
from strategies.particles.probe_routes import ProbeRoutes
from strategies.particles.tour_kernels import deal_rounds, plan_tour

# Tours made beforehand at most; then they begin anew. On the bundled province the first hundred hold every route.
TOURS_MAX = 256


@dataclass(frozen=True, eq=False)
class Tours:
    """Particles of Q rounds, `length` of them a tour; after the last round the first one follows.

    Attributes
    ----------
    length : int
        Rounds of a tour, >= 1.
    start : int64 (Q + 1,)
        Particles of round q: ``start[q]:start[q + 1]``.
    row, out_place, in_place : int32
        Trunk of each particle, and where its ends are among the endpoints of the trunk's slots.
    """

    length: int
    start: NDArray[np.int64]
    row: NDArray[np.int32]
    out_place: NDArray[np.int32]
    in_place: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def particles_max(self) -> int:
        """Particles of the largest round."""
        return int(np.diff(self.start).max(initial=0))


def make_tours(routes: ProbeRoutes, rounds: int, particles_min: int, small_bytes: int, seed: int) -> Tours:
    """Plan tours until every route has had its turn.

    A tour takes half of `rounds`, rounded up: a station may be first in one tour and last in the next.

    Parameters
    ----------
    routes : ProbeRoutes
    rounds : int
        Any so many rounds in a row see every station.
    particles_min : int
        Rounds are filled up to this.
    small_bytes : int
        Size for which particles' work at a station is reckoned where they meet.
    seed : int
        Of the order in which equally good paths are taken.
    """
    network = routes.network
    length = (rounds + 1) // 2
    slots = len(routes.slot_start) - 1
    used = np.zeros(len(routes), dtype=np.int64)
    out_next, in_next = np.zeros(slots, dtype=np.int64), np.zeros(slots, dtype=np.int64)
    row_start, row = routes.rows_by_station
    visits = np.diff(row_start)
    passed = np.flatnonzero(visits)
    stations = passed[np.argsort(visits[passed], kind="stable")]
    draws = stream(seed, "particles.tours")
    turn = draws.integers(0, 2**31, network.station_count)
    order = draws.permutation(len(routes)).astype(np.int64)
    work = service_ns(network.station_fixed_ns, network.station_ps_per_byte, small_bytes) / network.station_servers
    # Each station may ask for a particle of its own, each access line too.
    room = network.station_count + 2 * len(routes.slot_endpoint) + length * particles_min
    parts: list[tuple[NDArray[np.int32], ...]] = []
    counts: list[NDArray[np.int64]] = []
    while len(routes) and len(counts) < TOURS_MAX and used.min() == 0:
        found = tuple(np.empty(room, dtype=np.int32) for _ in range(3))
        count = plan_tour(
            routes.start,
            routes.station,
            routes.out_slot,
            routes.in_slot,
            routes.slot_start,
            routes.slot_endpoint,
            stations,
            row_start,
            row,
            order,
            used,
            turn,
            out_next,
            in_next,
            length * particles_min,
            *found,
        )
        tour = tuple(column[:count] for column in found)
        dealt = np.empty(count, dtype=np.int32)
        deal_rounds(*routes.whole(*tour), work, length, network.station_count, dealt)
        by_round = np.argsort(dealt, kind="stable")
        parts.append(tuple(column[by_round] for column in tour))
        counts.append(np.bincount(dealt, minlength=length))
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else [np.empty(0, np.int32)] * 3
    sizes = np.concatenate(counts) if counts else np.zeros(length, dtype=np.int64)
    return Tours(length, np.concatenate(([0], np.cumsum(sizes))).astype(np.int64), *joined)
