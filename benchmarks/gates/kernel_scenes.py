"""Scenes that call the numba kernels as their callers do, at sizes that take milliseconds; of fixed seeds.

A scene imports what it needs when it is prepared, as in another revision something may be missing. Names of kernels
are written out: a kernel that nothing calls any more is then missing, and the gate says so.
"""

# ruff: noqa: PLC0415 - each part imports what it needs, and no more
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

KERNELS = "router_core.kernels"


@dataclass(frozen=True)
class Scene:
    """Kernels by module, and `prepare`, which returns what to do, time and again alike."""

    of: dict[str, tuple[str, ...]]
    prepare: Callable[[], Callable[[], object]]

    @property
    def kernels(self) -> tuple[str, ...]:
        """Full names."""
        return tuple(f"{module}.{name}" for module, names in self.of.items() for name in names)


def splits() -> Callable[[], object]:
    """Splits of 552 pairs for the peak and for delay."""
    from split_workloads import programmes

    from router_core.delay_cost import delay_cost_of_lines
    from router_core.kernels import split_sweeps as kernels
    from router_core.splits.delay import DelaySolver
    from router_core.splits.peak import PeakSolver

    one = programmes(24, 1)[1]
    cost = delay_cost_of_lines(1.5 / one.unit_load)
    load = np.random.default_rng(5).uniform(0.0, 1.2, 20_000)
    curve = [np.resize(column, len(load)) for column in (cost.linear, cost.queue, cost.power, cost.bend)]

    def act() -> object:
        peak = PeakSolver(one.paths, one.unit_load).solve(one.demand)
        delay = DelaySolver(one.paths, one.unit_load * 0.3 / peak.objective, cost).solve(one.demand)
        kernels.station_delays(load, *curve, *(np.empty(len(load)) for _ in range(3)))
        return peak, delay

    return act


def paths() -> Callable[[], object]:
    """Paths of all pairs of 16 centres: shortest, by trees, past single failures, and two that share nothing."""
    from split_workloads import own_space, programmes

    from router_core.paths.disjoint import disjoint_pairs
    from router_core.paths.k_shortest import k_shortest
    from router_core.paths.survivable import choose_paths

    one = programmes(16, 1)[1]
    space = own_space(one)
    return lambda: (k_shortest(space, 6), choose_paths(space, 1 / one.unit_load, 4), disjoint_pairs(space))


def optimum() -> Callable[[], object]:
    """The least peak utilisation of 24 centres, by column generation."""
    from split_workloads import own_space, programmes

    from router_core.exact.least_peak import least_peak

    one = programmes(24, 1)[1]
    space = own_space(one)
    return lambda: least_peak(space, one.unit_load, one.paths.source, one.paths.target, one.demand)


def failures() -> Callable[[], object]:
    """What stations carry after each single failure, in twelve courses of demand."""
    from split_workloads import own_space, programmes

    from router_core.paths.failure_loads import FailureLoads
    from router_core.paths.k_shortest import k_shortest

    one = programmes(14, 1)[1]
    ways = k_shortest(own_space(one), 4)
    draws = np.random.default_rng(3)
    weights = draws.integers(0, 4, ways.path_count)
    weights[ways.pair_start[:-1]] += 1
    demand = draws.lognormal(0.0, 1.0, (ways.pair_count, 24))
    unit_load = np.stack((one.unit_load, one.unit_load)) / 1e6

    def act() -> object:
        loads = FailureLoads(ways)
        return loads.peaks(weights, demand, loads.flows(weights, demand), unit_load, 6)

    return act


def best() -> Callable[[], object]:
    """Lawful routes of the province at new costs, after a change, costs and ways of all its pairs."""
    import scenarios
    from router_core.best.best_routes import BestRoutes
    from router_core.paths.route_space import space_of_network

    space = space_of_network(scenarios.load("jiangxi").network)
    cost, ends = np.array(space.station_cost), np.arange(30)

    def act() -> object:
        found = BestRoutes(space)
        found.solve(cost)
        found.update(np.arange(100, 140), 3 * cost[100:140])
        return found.matrix(), found.paths(ends, ends)

    return act


def tables() -> Callable[[], object]:
    """Distances of all pairs, of a province and of three."""
    from route_workloads import Size, lines

    from router_core.best.all_pairs import AllPairs
    from router_core.best.regional_pairs import RegionalPairs

    one, three = lines(Size(cities=8, counties=4, front_ends=200)), lines(Size(6, 3, 120, 3))
    draws = np.random.default_rng(2).integers(0, three.node_count, (2, 10_000)).astype(np.int32)

    def act() -> object:
        pairs = AllPairs(one.node_count, one.ends, transit=one.transit)
        pairs.solve(one.cost)
        pairs.update(np.arange(10), 3 * one.cost[:10])
        regions = RegionalPairs(three.province, three.ends, transit=three.transit)
        regions.solve(three.cost)
        regions.update(3, int(3 * three.cost[3]))
        return regions.distances(*draws)

    return act


def moves() -> Callable[[], object]:
    """A control step's kernels over 1,560 pairs, called as `strategies.dynamic` calls them."""
    from split_workloads import programmes

    from router_core.delay_cost import delay_cost_of_lines
    from router_core.kernels import split_sweeps as kernels
    from strategies.dynamic import hold_kernels as holds

    one = programmes(40, 1)[1]
    ways, draws = one.paths, np.random.default_rng(4)
    rows = ways.pair_start, ways.path_start.view(np.uint64), ways.path_station.view(np.uint32)
    demand = np.stack((one.demand, one.demand))
    shares = 1.0 / np.diff(ways.pair_start)[ways.path_pair]
    flat = np.repeat(one.demand[ways.path_pair] * shares, np.diff(ways.path_start))
    load = np.bincount(ways.path_station, flat, ways.space.station_count) * one.unit_load
    unit = np.stack((one.unit_load, one.unit_load)) * 0.35 / load.max()
    cost = delay_cost_of_lines(1.0 / unit[0])
    curve = np.stack((cost.linear, cost.queue, cost.power, cost.bend))
    load = 0.7 * load / load.max()
    is_open = np.ones(ways.path_count, np.bool_)
    listed = draws.permutation(ways.pair_count)[:400]
    home = np.zeros(ways.path_count)
    home[ways.pair_start[:-1]] = 1.0
    hold_ns = draws.integers(0, 10**9, (ways.space.station_count, 2))

    def act() -> object:
        mine, carried = shares.copy(), load.copy()
        kernels.delay_moves(listed, *rows, is_open, is_open, unit, demand, curve, 0.02, 0.5, 3, carried, mine)
        kernels.delay_returns(listed, *rows, unit, demand, curve, home, 0.6, 0.5, carried, mine)
        longest = np.empty((ways.pair_count, 2), np.int64)
        holds.longest_holds(*rows, mine, 0.1, hold_ns, longest)
        flow = np.zeros((ways.space.station_count, 4))
        kernels.two_flows(*rows, demand, 0.3 * demand, mine, flow)
        return mine, carried, longest, flow

    return act


def tides() -> Callable[[], object]:
    """Tides of forty pairs of the province over two weeks."""
    from tide_workloads import pair_series

    from strategies.tides.fit import fit_tides

    past = pair_series("jiangxi", date(2026, 3, 9), 14, 1)
    few = past.exchanges[:, :40].copy()
    return lambda: fit_tides(past.grid, few)


def surges() -> Callable[[], object]:
    """Twenty steps of the detector over 3,080 series."""
    from router_core.units import MINUTE_NS
    from strategies.surges.detector import Detector, DetectorSetting

    draws = np.random.default_rng(6)
    mean = draws.uniform(2.0, 200.0, 3_080)
    came = draws.poisson(mean, (20, len(mean))).astype(np.float64)
    deviation = np.sqrt(mean)

    def act() -> object:
        detector = Detector(len(mean), DetectorSetting(5 * MINUTE_NS))
        return [detector.step(one, mean, deviation).found for one in came]

    return act


def particles() -> Callable[[], object]:
    """Tours of test particles over the toy."""
    import scenarios
    from router_core.paths.capacity import platform_capacity
    from router_core.paths.route_space import space_of_network
    from router_core.paths.survivable import choose_paths
    from strategies.particles.probe_plan import ProbePlanner

    network = scenarios.load("toy").network
    ways = choose_paths(space_of_network(network), platform_capacity(network), 4)
    return lambda: ProbePlanner(network, ways)


def history() -> Callable[[], object]:
    """Two generated days of the toy, counted by relation and hour."""
    from datetime import datetime

    import scenarios
    from traces.generate import TraceGenerator, write_trace
    from traces.history import read_history

    platform = scenarios.load("toy")
    begin = datetime(2026, 3, 16)
    made = TraceGenerator(platform, start=begin, span=timedelta(days=2), seed=5, exchanges_per_day=60_000)
    kept = TemporaryDirectory(prefix="gate-")
    path = Path(kept.name) / "days.parquet"
    write_trace(path, made)

    def act(_kept: TemporaryDirectory[str] = kept) -> object:
        return read_history([path], platform, until=begin + timedelta(days=2))

    return act


SPLITS = ("peak_sweeps", "delay_sweeps", "station_delays")
SCENES = (
    Scene({f"{KERNELS}.split_sweeps": SPLITS}, splits),
    Scene(
        {
            f"{KERNELS}.shortest_paths": ("k_shortest_paths",),
            f"{KERNELS}.tree_mixture": ("mix_trees",),
            f"{KERNELS}.risk_paths": ("common_risks", "disjoint_two"),
        },
        paths,
    ),
    Scene({f"{KERNELS}.source_trees": ("price_trees",)}, optimum),
    Scene({f"{KERNELS}.failure_loads": ("failure_peaks", "add_flows", "paths_by_station")}, failures),
    Scene({f"{KERNELS}.hub_labels": ("solve", "update", "distances", "routes")}, best),
    Scene(
        {f"{KERNELS}.all_pairs": ("solve", "update"), f"{KERNELS}.regional_pairs": ("distances", "open_gates")}, tables
    ),
    Scene(
        {
            f"{KERNELS}.split_sweeps": ("delay_moves", "delay_returns", "two_flows"),
            "strategies.dynamic.hold_kernels": ("longest_holds",),
        },
        moves,
    ),
    Scene({"strategies.tides.kernels": ("mix_tides", "strength_likelihood", "cut_outliers", "add_differences")}, tides),
    Scene({"strategies.surges.kernels": ("step",)}, surges),
    Scene({"strategies.particles.tour_kernels": ("plan_tour", "deal_rounds")}, particles),
    Scene({"traces.history_kernels": ("count_rows",)}, history),
)
