"""Networks of the route benchmarks: a made province of 56 centres and 640 front-ends, or 31 of them on two rings.

Cities hang on the province and counties on their city by two parallel lines each, and rings of cities and of counties
close cycles, as in `replay_workloads`. Costs are microseconds of one named stream. Access lines cost more than half of
the longest route inside a province, so that no route pays to pass a front-end: plain graphs then have the same answers,
and peers need not be told that front-ends are never transit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.randomness import stream

LINE_US = (100, 2_000)
ACCESS_US = (8_000, 9_000)
RING_US = (1_000, 10_000)
SECOND_HOMES = 376 / 640
SEED = 20_260_318


@dataclass(frozen=True)
class Size:
    """How large: cities of a province, counties of each city, front-ends, provinces."""

    cities: int = 11
    counties: int = 4
    front_ends: int = 640
    provinces: int = 1

    @property
    def centres(self) -> int:
        """Centres of a province."""
        return 1 + self.cities * (1 + self.counties)


@dataclass(frozen=True, eq=False)
class Lines:
    """Directed lines, int (L, 2), their costs, int64 (L,), the province of each node, and which nodes are centres."""

    ends: NDArray[np.int64]
    cost: NDArray[np.int64]
    province: NDArray[np.int64]
    transit: NDArray[np.bool_]

    @property
    def node_count(self) -> int:
        return len(self.transit)

    def cheapest(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ends and costs without parallel lines, which not every library takes."""
        order = np.lexsort((self.cost, self.ends[:, 1], self.ends[:, 0]))
        ends, first = np.unique(self.ends[order], axis=0, return_index=True)
        return ends, self.cost[order][first]


def lines(size: Size) -> Lines:
    """Make a province, or a nation where there are several."""
    rng = stream(SEED, f"routes/{size}")
    pairs: list[tuple[int, int]] = []
    spans: list[tuple[int, int]] = []

    def join(a: int, b: int, span: tuple[int, int], times: int = 1) -> None:
        pairs.extend([(a, b)] * times)
        spans.extend([span] * times)

    nodes = size.centres + size.front_ends
    for first in range(0, nodes * size.provinces, nodes):
        cities = [first + 1 + number for number in range(size.cities)]
        counties = [cities[-1] + 1 + number for number in range(size.cities * size.counties)]
        for number, city in enumerate(cities):
            join(first, city, LINE_US, 2)
            join(city, cities[(number + 1) % len(cities)], LINE_US)
        for number, county in enumerate(counties):
            join(cities[number // size.counties], county, LINE_US, 2)
            join(county, counties[(number + 1) % len(counties)], LINE_US)
        for node in range(first + size.centres, first + nodes):
            homes = rng.choice(size.centres, 2, replace=False)
            for home in homes[: 1 + (rng.random() < SECOND_HOMES)]:
                join(node, first + int(home), ACCESS_US)
    # Each ring joins one gateway of every province; the second in another order, so that no cut takes both.
    for gateway in range(2 if size.provinces > 1 else 0):
        order = rng.permutation(size.provinces) * nodes + gateway
        for a, b in zip(order, np.roll(order, -1), strict=True):
            join(int(a), int(b), RING_US)
    cost = np.array([rng.integers(*span) for span in spans], dtype=np.int64)
    ends = np.array(pairs, dtype=np.int64)
    node = np.arange(nodes * size.provinces)
    return Lines(
        ends=np.concatenate((ends, ends[:, ::-1])),
        cost=np.concatenate((cost, cost)),
        province=node // nodes,
        transit=node % nodes < size.centres,
    )
