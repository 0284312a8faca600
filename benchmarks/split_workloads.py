"""Drawn topologies, path sets and demand for the split solvers: the same programmes for ours and for HiGHS."""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from router_core.paths.k_shortest import k_shortest
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import RouteSpace, space_of_lines
from router_core.randomness import stream

PATHS = 4
# The solver's constants were chosen on the draws of 20_261_122, so those are not the ones to measure it by.
SEED = 20_261_123
LEASED = (100.0, 155.0, 622.0, 1_000.0, 2_500.0)


@dataclass(frozen=True, eq=False)
class Programme:
    """One path set, the unit loads of its lines, and one demand."""

    name: str
    paths: PathSet
    unit_load: NDArray[np.float64]
    demand: NDArray[np.float64]


def programmes(nodes: int, topologies: int) -> list[Programme]:
    """Draw topologies of so many centres, each with two demands on leased and two on planned lines.

    Centres lie in the plane; a tree of nearest neighbours and lines to the three nearest join them. Demand is gravity
    with a drawn factor a pair. Leased lines have rates as they are sold, whatever they carry; planned ones have what
    an even split over the paths would need, within a fifth: there most lines are about equally busy, which is harder.
    """
    found = []
    for number in range(topologies):
        draws = stream(SEED, f"splits {nodes} {number}")
        places = draws.random((nodes, 2))
        distance = ((places[:, None] - places[None]) ** 2).sum(axis=2)
        cables = {(int(np.argmin(distance[node, :node])), node) for node in range(1, nodes)}
        for node in range(nodes):
            cables |= {(min(node, other), max(node, other)) for other in np.argsort(distance[node])[1:4].tolist()}
        ends = np.array(sorted(cables))
        lines = np.concatenate((ends, ends[:, ::-1]))
        leased = np.tile(draws.choice(LEASED, len(ends)), 2)
        paths = k_shortest(space_of_lines([f"n{node}" for node in range(nodes)], lines, leased), PATHS)
        for matrix in range(2):
            out, into = draws.lognormal(0.0, 1.0, (2, nodes))
            demand = out[paths.source] * into[paths.target] * draws.lognormal(0.0, 0.5, paths.pair_count)
            even = demand[paths.path_pair] / np.diff(paths.pair_start)[paths.path_pair]
            load = np.bincount(paths.path_station, np.repeat(even, np.diff(paths.path_start)), len(lines))
            planned = np.maximum(load, 1e-3 * load.max()) * draws.uniform(0.8, 1.2, len(lines))
            for kind, capacity in (("leased", leased), ("planned", planned)):
                found.append(Programme(f"{nodes}.{number}.{matrix}.{kind}", paths, 1 / capacity, demand))
    return found


def own_space(programme: Programme) -> RouteSpace:
    """Return the programme's topology with costs by its own capacities: planned lines share paths with leased ones."""
    space = programme.paths.space
    ends = np.zeros((space.station_count, 2), dtype=np.int64)
    ends[space.graph.arc_station] = np.stack((space.graph.arc_tail, space.graph.arc_head), axis=1)
    return space_of_lines(space.end_name, ends, 1 / programme.unit_load)


class HighsSplit:
    """The same programme in HiGHS, built before the clock starts: least peak over shares of the paths.

    Parameters
    ----------
    programme : Programme
    solver : str
        "simplex", or "ipm", which leaves out the crossover to a vertex: a split need not be one.
    """

    def __init__(self, programme: Programme, solver: str) -> None:
        paths = programme.paths
        count, stations = paths.path_count, paths.space.station_count
        column = np.repeat(np.arange(count), np.diff(paths.path_start))
        use = programme.demand[paths.path_pair][column] * programme.unit_load[paths.path_station]
        rows = np.concatenate((paths.path_station, np.arange(stations), stations + paths.path_pair))
        columns = np.concatenate((column, np.full(stations, count), np.arange(count)))
        values = np.concatenate((use, np.full(stations, -1.0), np.ones(count)))
        shape = (stations + paths.pair_count, count + 1)
        matrix = sparse.csc_array((values, (rows, columns)), shape=shape)
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = count + 1, shape[0]
        model.col_cost_ = np.append(np.zeros(count), 1.0)
        model.col_lower_, model.col_upper_ = np.zeros(count + 1), np.full(count + 1, highspy.kHighsInf)
        model.row_lower_ = np.concatenate((np.full(stations, -highspy.kHighsInf), np.ones(paths.pair_count)))
        model.row_upper_ = np.concatenate((np.zeros(stations), np.ones(paths.pair_count)))
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_, model.a_matrix_.index_ = matrix.indptr, matrix.indices
        model.a_matrix_.value_ = matrix.data
        self._highs = highspy.Highs()
        self._highs.setOptionValue("output_flag", False)
        self._highs.setOptionValue("solver", solver)
        if solver == "ipm":
            self._highs.setOptionValue("run_crossover", "off")
        self._highs.passModel(model)

    def solve(self) -> float:
        """Solve it from scratch and return the least peak."""
        self._highs.clearSolver()
        self._highs.run()
        assert self._highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
        return float(self._highs.getInfo().objective_function_value)
