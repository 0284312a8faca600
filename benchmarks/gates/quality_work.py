"""Quality of results on fixed seeds, run by path: prints figures as one JSON document. Less is better in all of them.

Whole numbers (nanoseconds, counts) come from integers all the way; other figures have passed solvers in floating point.
"""

# ruff: noqa: PLC0415 - each part imports what it needs, and no more
from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

import numpy as np

SAMPLE = Path("traces/samples/made-matrices.npz")
QUERY = "query"


def splits() -> dict[str, float]:
    """Splits of drawn networks against HiGHS's optimum, and what they say of themselves."""
    from split_workloads import HighsSplit, programmes

    from router_core.splits.peak import PeakSolver

    drawn = programmes(16, 2)
    above, told = [], []
    for one in drawn:
        split = PeakSolver(one.paths, one.unit_load).solve(one.demand, gap=0.01)
        least = HighsSplit(one, "simplex").solve()
        assert split.lower_bound <= least * (1 + 1e-6)
        above.append(split.objective / least - 1)
        told.append(split.gap)
    return {
        "split.above_optimum.worst": max(above),
        "split.above_optimum.mean": float(np.mean(above)),
        "split.gap.worst": max(told),
    }


def paths() -> dict[str, float]:
    """The best split over few chosen paths against that over all routes."""
    from split_workloads import own_space, programmes

    from router_core.exact.least_peak import least_peak
    from router_core.exact.path_programme import best_split
    from router_core.paths.survivable import choose_paths

    found: dict[str, list[float]] = {"leased": [], "planned": []}
    for one in programmes(14, 2):
        space = own_space(one)
        chosen = choose_paths(space, 1 / one.unit_load, 4)
        split = best_split(chosen, one.unit_load, one.demand, tie_by_cost=False)
        least = least_peak(space, one.unit_load, one.paths.source, one.paths.target, one.demand)
        found[one.name.rsplit(".", 1)[1]].append(split.objective / least.objective)
    return {f"paths.above_all_routes.{kind}": float(np.mean(ratios)) - 1 for kind, ratios in found.items()}


def replays() -> dict[str, float]:
    """Three hours of the toy with an emergency in the second: p99 of queries, and missed deadlines, by brain."""
    from learnt_toy import brain_of, hours, lived

    trace = hours(9, 3, surges=("emergency@2026-03-09T10:00x2.5",))
    found: dict[str, float] = {}
    for name in ("ecmp", "static", "dynamic", "probing"):
        done = lived(brain_of(name, 9), trace).metrics.completion
        found[f"replay.{name}.p99_ns"] = float(done.by_mode[QUERY].p99_ns)
        found[f"replay.{name}.missed"] = float(done.all.deadline_missed)
    return found


def matrices() -> dict[str, float]:
    """Peak utilisation over that of the optimum, on the second half of a made series of matrices."""
    from sim.evaluation.evaluate import evaluate
    from sim.evaluation.matrix_task import matrix_task
    from sim.evaluation.path_choice import named_paths
    from sim.evaluation.window import window
    from strategies.matrix_brain import MatrixSetting
    from strategies.registry import make_matrix_brain
    from traces.matrices import read_series

    task = matrix_task(read_series(SAMPLE))
    setting = MatrixSetting(named_paths("survivable-8", task.space, task.capacity), task.capacity, 0.001)
    begin = task.series.t_utc[len(task.series.t_utc) // 2]
    names = ("ecmp", "static", "dynamic", "probing")
    scored = evaluate(
        task, [make_matrix_brain(name, setting) for name in names], window(task.series.t_utc, begin, None, every=4)
    )
    found: dict[str, float] = {}
    for name, one in zip(names, scored.brains, strict=True):
        found[f"evaluate.{name}.mean"] = float(one.ratio.mean()) - 1
        found[f"evaluate.{name}.p95"] = float(np.quantile(one.ratio, 0.95)) - 1
    return found


def forecasts() -> dict[str, float]:
    """Tides of the toy a week ahead: error over that of true means, and how far the band is from what it says."""
    from tide_workloads import pair_series

    from strategies.tides.fit import fit_tides

    series = pair_series("toy", date(2026, 3, 9), 56, 1)
    past, week = series.part(0, 49 * 24), series.part(49 * 24, 56 * 24)
    forecast = fit_tides(past.grid, past.exchanges).forecast(week.grid)
    error = np.abs(week.exchanges - forecast.p50).sum()
    oracle = np.abs(week.exchanges - week.mean).sum()
    covered = (week.exchanges <= forecast.p95)[week.mean >= 1].mean()
    return {"tides.error_by_oracle": float(error / oracle), "tides.band_off": float(abs(covered - 0.95))}


def surges() -> dict[str, float]:
    """Doublings of drawn series that are not found within seven steps, and alarms where there is none."""
    from surge_workloads import noisy_tides

    from router_core.units import MINUTE_NS
    from strategies.surges.detector import Detector, DetectorSetting

    def steps_found(factor: float) -> tuple[np.ndarray, np.ndarray]:
        work = noisy_tides(401, 60, 2, (50.0, 5_000.0), factor=factor)
        detector = Detector(work.came.shape[1], DetectorSetting(5 * MINUTE_NS))
        found = np.zeros(work.came.shape, np.bool_)
        for step in range(len(work.came)):
            found[step, detector.step(work.came[step], work.mean[step], work.deviation[step]).found] = True
        return found, work.begin

    found, begin = steps_found(2.0)
    series = np.arange(len(begin))
    hit = np.stack([found[begin + step, series] for step in range(7)]).any(axis=0)
    return {"surges.missed": float((~hit).sum()), "surges.false_alarms": float(steps_found(1.0)[0].sum())}


PARTS = (splits, paths, replays, matrices, forecasts, surges)


def main() -> None:
    """Print the figures of all parts."""
    out, sys.stdout = sys.stdout, sys.stderr
    found: dict[str, float] = {}
    for part in PARTS:
        found |= part()
    print(json.dumps(found), file=out)


if __name__ == "__main__":
    main()
