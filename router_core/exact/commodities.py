"""Demand gathered for flow programmes: by source, and by the mix of its components.

Demand of one mix, such as exchanges of one mean size, costs the same everywhere, so all of a source's demand of a mix
can share one tree of cheapest paths.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.kernels.source_trees import price_trees, sweep_sources
from router_core.paths.route_space import RouteSpace
from router_core.routing_graph import compressed

# Binary digits of a mix that count: those beyond come from rounding, and would tear equal mixes apart.
MIX_BITS: Final = 40
# Added to every arc, as a share of what the whole demand costs, so that a free station is not visited for nothing.
TIE_COST: Final = 1e-12


@dataclass(frozen=True, eq=False)
class Commodities:
    """Demand by source and mix over the open arcs of a space, scaled: all demand is 1, and so is about the peak.

    K rows of demand by (mix, source), M mixes, G sources, T stations that open arcs visit, A arcs.

    Attributes
    ----------
    scale : float
        What a utilisation of 1 stands for; 0 if there is nothing to carry, or nothing that it would load.
    arc_start, arc_tail, arc_head, arc_station
        The routing graph of the open arcs, stations numbered 0..T - 1.
    weight : float64 (M, T)
        Utilisation of each station by all demand, were it of this mix.
    entry : int64 (G,)
        State where the demand of each source enters.
    exit : int64 (E,)
        State where demand for each end leaves.
    row_start : int64 (M * G + 1,)
        Rows of mix m and source g: ``row_start[m * G + g]:row_start[m * G + g + 1]``.
    row_target : int32 (K,)
        Ends.
    row_rate : float64 (K,)
        Share of all demand.
    unrouted : intp (U,)
        Pairs with demand and no open way, ascending: left out.
    """

    scale: float
    arc_start: NDArray[np.int64]
    arc_tail: NDArray[np.int32]
    arc_head: NDArray[np.int32]
    arc_station: NDArray[np.int32]
    weight: NDArray[np.float64]
    entry: NDArray[np.int64]
    exit: NDArray[np.int64]
    row_start: NDArray[np.int64]
    row_target: NDArray[np.int32]
    row_rate: NDArray[np.float64]
    unrouted: NDArray[np.intp]

    @property
    def sources(self) -> int:
        """Number of sources G."""
        return len(self.entry)

    @property
    def stations(self) -> int:
        """Number of stations T."""
        return int(self.weight.shape[1])

    @property
    def mixes(self) -> int:
        """Number of mixes M."""
        return len(self.weight)

    @property
    def degree(self) -> float:
        """Mean number of arcs that leave a state."""
        return len(self.arc_head) / (len(self.arc_start) - 1)

    @property
    def size(self) -> int:
        """Number of flows on arcs: of columns if all is written as one programme."""
        return self.sources * self.mixes * len(self.arc_head)

    @property
    def row_group(self) -> NDArray[np.intp]:
        """Mix and source of each row as ``m * G + g``, (K,)."""
        return np.repeat(np.arange(len(self.row_start) - 1), np.diff(self.row_start))

    def price(self, price: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Return what each source's cheapest trees load, (G, T), and a bound: what no routing costs less than.

        If the prices (T,) sum to at most 1, the bound is one of the least peak, too.
        """
        load, distance = _trees(self, price)
        # Paths paid the tie cost, too, so the bound gives back the most that it can have added.
        return load, float(self.row_rate @ distance) - TIE_COST * len(self.arc_start)

    def swept(self, sharpness: float, sweeps: int) -> list[NDArray[np.float64]]:
        """Return what some routings load, each (G, T): a good one first, then the trees it came from."""
        own = self.price(np.full(self.stations, 1.0 / self.stations))[0]
        found = [own.copy()]
        for _ in range(sweeps):
            tree = np.empty_like(own)
            sweep_sources(
                self.arc_start,
                self.arc_head,
                self.arc_station,
                self.weight,
                sharpness,
                TIE_COST,
                self.entry,
                self.exit,
                self.row_start,
                self.row_target,
                self.row_rate,
                own,
                own.sum(axis=0),
                tree,
            )
            found.append(tree)
        return [own, *found]


def commodities(
    space: RouteSpace,
    unit_load: NDArray[np.float64],
    source: NDArray[np.integer],
    target: NDArray[np.integer],
    demand: NDArray[np.float64],
) -> Commodities:
    """Gather demand (R, D) of pairs of ends, with unit loads (R, S), both checked; infinite ones close a station."""
    graph = space.graph
    use = np.isfinite(unit_load.max(axis=0))[graph.arc_station]
    stations, local = np.unique(graph.arc_station[use], return_inverse=True)
    arcs = compressed(graph.arc_tail[use], graph.arc_head[use], local, graph.state_count)
    pairs = np.flatnonzero(demand.max(axis=0, initial=0.0) > 0)
    amount = demand[:, pairs].max(axis=0, initial=0.0)
    total = float(amount.sum())
    mix, mix_of = _mixes(demand[:, pairs] / amount)
    weight = mix @ unit_load[:, stations] * total

    def gathered(kept: NDArray[np.intp], scale: float) -> tuple[Commodities, NDArray[np.intp]]:
        """Gather the kept ones of the pairs, and tell each one's row."""
        sources, source_of = np.unique(source[pairs[kept]], return_inverse=True)
        group = mix_of[kept] * len(sources) + source_of
        key, row = np.unique(group * space.end_count + target[pairs[kept]], return_inverse=True)
        counts = np.bincount(key // space.end_count, minlength=len(mix) * len(sources))
        found = Commodities(
            scale=scale,
            arc_start=arcs.arc_start,
            arc_tail=arcs.arc_tail,
            arc_head=arcs.arc_head,
            arc_station=arcs.arc_station,
            weight=weight / (scale or 1.0),
            entry=space.entry[sources],
            exit=space.exit,
            row_start=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            row_target=(key % space.end_count).astype(np.int32),
            row_rate=np.bincount(row, amount[kept] / total, len(key)).astype(np.float64),
            unrouted=np.delete(pairs, kept),
        )
        return found, row

    everything, row = gathered(np.arange(len(pairs)), 1.0)
    load, distance = _trees(everything, np.full(len(stations), 1.0 / max(len(stations), 1)))
    scale = float(load.sum(axis=0).max(initial=0.0))
    if np.isfinite(distance).all():
        return replace(everything, scale=scale, weight=weight / (scale or 1.0))
    return gathered(np.flatnonzero(np.isfinite(distance)[row]), scale)[0]


def _mixes(shares: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the different mixes (M, R) among columns (R, K), and which each is."""
    if len(shares) == 1:
        return np.ones((1, 1)), np.zeros(shares.shape[1], dtype=np.intp)
    digits, exponent = np.frexp(shares)
    rounded = np.ldexp(np.rint(np.ldexp(digits, MIX_BITS)), exponent - MIX_BITS)
    mixes, which = np.unique(rounded, axis=1, return_inverse=True)
    return mixes.T, which.ravel()


def _trees(rows: Commodities, price: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what each source's cheapest trees load, (G, T), and the distance of each row, (K,)."""
    load = np.empty((rows.sources, rows.stations))
    distance = np.empty(len(rows.row_rate))
    price_trees(
        rows.arc_start,
        rows.arc_head,
        rows.arc_station,
        rows.weight,
        price,
        TIE_COST,
        rows.entry,
        rows.exit,
        rows.row_start,
        rows.row_target,
        rows.row_rate,
        load,
        distance,
    )
    return load, distance
