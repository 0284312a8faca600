"""`evaluate`: how far brains keep a network from the optimum of each matrix of a measured series."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from exchange_router import console, provenance
from exchange_router.evaluate_tables import evaluate_tables
from exchange_router.options import AsJson
from router_core.errors import BadInputError
from sim.evaluation.evaluate import evaluate as evaluate_brains
from sim.evaluation.matrix_task import INVERSE_CAPACITY, METRICS, matrix_task
from sim.evaluation.path_choice import DEFAULT_PATHS, PATH_KINDS, named_paths, parse_paths
from sim.evaluation.rounds import ROUNDS_MAX, ProbeRounds
from sim.evaluation.score_table import check_place, rows_of, write_table
from sim.evaluation.window import window
from strategies.matrix_brain import MatrixSetting, ProbingBrain
from strategies.registry import MATRIX_BRAINS, make_matrix_brain
from traces.matrices import Clock, MatrixSeries, has_times, read_series

# Where a series states no times, its matrices are counted from here.
START_DEFAULT: Final = "1970-01-01"
STEP_S_DEFAULT: Final = 1
GAP_MIN: Final = 1e-6
GAP_MAX: Final = 0.5


def evaluate(
    matrices: Annotated[Path, typer.Argument(help="Series of matrices, .npz.  矩阵序列文件。")],
    brain: Annotated[
        list[str] | None,
        typer.Option(help=f"One of {', '.join(MATRIX_BRAINS)}; may be repeated (default: all).  调度策略。"),
    ] = None,
    paths: Annotated[
        str, typer.Option(help=f"Paths to split over: {', '.join(f'{kind}-N' for kind in PATH_KINDS)}.  路径集。")
    ] = DEFAULT_PATHS,
    metric: Annotated[
        str, typer.Option(help=f"What short means: {', '.join(METRICS)}.  最短路径的度量。")
    ] = INVERSE_CAPACITY,
    score_from: Annotated[
        str | None, typer.Option(help="First instant (UTC) that counts; brains learn from what is before.  评分起点。")
    ] = None,
    score_to: Annotated[
        str | None, typer.Option(help="Instant (UTC) from which matrices count no more.  评分终点（不含）。")
    ] = None,
    every: Annotated[int | None, typer.Option(min=1, help="Score each N-th matrix only.  每 N 个矩阵评一个。")] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Score N evenly spaced matrices only.  均匀抽取 N 个矩阵评分。")
    ] = None,
    capacity_mbps: Annotated[
        float | None, typer.Option(help="Give every line this rate [Mbit/s].  统一线路速率。")
    ] = None,
    gap: Annotated[
        float, typer.Option(help="How far from its bound a solved split may be, relatively.  求解允许的相对差距。")
    ] = 0.001,
    rounds: Annotated[
        int,
        typer.Option(
            help=f"Rounds of test particles that each matrix stands for, 1..{ROUNDS_MAX}; `probing` alone has rounds,"
            " noise, loss and dice.  每个矩阵的探测轮数（仅 probing）。"
        ),
    ] = ProbeRounds.rounds,
    noise: Annotated[
        float, typer.Option(help="Noise of each particle's delay, relatively, 0..1.  测试粒子时延的相对噪声。")
    ] = ProbeRounds.noise,
    loss: Annotated[
        float, typer.Option(help="Share of particles that are lost, 0..1.  测试粒子丢失率。")
    ] = ProbeRounds.loss,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the particles' noise and loss.  测试粒子噪声与丢失的随机种子。")
    ] = ProbeRounds.seed,
    scale_optimum: Annotated[
        float | None,
        typer.Option(
            help="Scale what lines carry so that each matrix's optimum is this peak utilisation, > 0 (0.7 is busy)."
            "  按最优利用率缩放各矩阵。"
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Begin (UTC) of a series that states no times.  无时间序列的起点。")
    ] = None,
    step_s: Annotated[
        int | None, typer.Option(help="Seconds between matrices of a series that states no times.  矩阵间隔（秒）。")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a row for each brain and matrix: .parquet or .csv.  逐矩阵结果文件。")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score brains on a series of matrices, against the optimum of each.  用实测矩阵序列评估策略与最优的差距。

    Of each brain and matrix: mlu, the peak utilisation; optimal_mlu, the least that any routing reaches; ratio, one by
    the other; churn, what share of a pair's traffic moved; lower_bound and gap of what the brain solved. They are told
    as mean, p95 and max, and with --json or --out matrix by matrix. A brain decides before its matrix is known;
    the clairvoyant alone knows it.

    Of `probing`, whose mlu is the mean over a matrix's rounds, also: round_std, the standard deviation of the
    ratio over the rounds, and later_round_std, the same without the first, in which nothing of the new matrix is
    known yet; rounds_until_settled and rounds_until_near, the rounds before the ratio stays within 5 % of that of
    the last round, or of the optimum; probe_share, bytes of particles by bytes of traffic.
    """
    names = list(dict.fromkeys(brain or list(MATRIX_BRAINS)))
    _check(names, paths, metric, capacity_mbps, gap, scale_optimum, out)
    probes = _option(ProbeRounds, rounds, noise, loss, seed)
    begin, end = _moment("--score-from", score_from), _moment("--score-to", score_to)
    series, dated = _read(matrices, start, step_s)
    chosen = _option(window, series.t_utc, begin, end, every=every, count=count)
    task = _option(matrix_task, series, metric=metric, capacity_mbps=capacity_mbps)
    console.say(console.text(f"choosing paths {paths}", f"选择路径集 {paths}"))
    setting = MatrixSetting(named_paths(paths, task.space, task.capacity), task.capacity, gap)
    started = time.perf_counter()
    # Sums of several threads would differ in the last bit from machine to machine.
    with console.bars() as bars, threadpool_limits(1):
        brains = [make_matrix_brain(name, setting) for name in names]
        found = evaluate_brains(task, brains, chosen, bars.update, probes=probes, scale_optimum=scale_optimum)
    probed = [made.name for made in brains if isinstance(made, ProbingBrain)]
    # Who sends no particles has no dice: a figure that changes nothing is no part of where a result comes from.
    dice = {"rounds": rounds, "noise": noise, "loss": loss, "seed": seed} if probed else {}
    elapsed = time.perf_counter() - started
    if out is not None:
        write_table(out, found)
    document: dict[str, Any] = {
        "provenance": {
            **provenance.made_by(
                provenance.command(
                    "evaluate", matrices.name, brain=names, paths=paths, metric=metric, score_from=score_from,
                    score_to=score_to, every=every, count=count, capacity_mbps=capacity_mbps, gap=gap, **dice,
                    scale_optimum=scale_optimum, start=start, step_s=step_s,
                )
            ),
            "matrices": matrices.name,
            "matrices_digest": provenance.file_digest(matrices),
        },
        "series": {
            "matrices": len(series),
            "nodes": series.node_count,
            "lines": len(task.capacity),
            "first": f"{series.t_utc[0]}Z",
            "last": f"{series.t_utc[-1]}Z",
            "times_stated": dated,
        },
        "scored": {
            "matrices": len(chosen.scored),
            "first": f"{found.t_utc[0]}Z",
            "last": f"{found.t_utc[-1]}Z",
            "learned_from": chosen.first,
            "without_demand": found.without_demand,
        },
        "paths": {
            "name": paths,
            "pairs": setting.paths.pair_count,
            "paths": setting.paths.path_count,
        },
        "scale_optimum": scale_optimum,
        "probes": dice or None,
        "unconnected": [{"pair": pair, "mean_demand_mbps": amount} for pair, amount in found.unconnected.items()],
        "out": None if out is None else str(out),
        "brains": {
            scores.brain: {**scores.summary(), "matrices": rows_of(found, scores)} for scores in found.brains
        },
    }  # fmt: skip
    speed = console.text("matrices a second", "个矩阵每秒")
    done = (chosen.end - chosen.first) * len(names)
    console.say(f"{done:,} / {elapsed:.1f} s = {done / elapsed:,.0f} {speed}")
    console.emit(document, as_json, *evaluate_tables(found, chosen.first, dated))


def _check(
    names: list[str],
    paths: str,
    metric: str,
    capacity_mbps: float | None,
    gap: float,
    scale_optimum: float | None,
    out: Path | None,
) -> None:
    """Refuse what can be refused before anything is read."""
    for name in names:
        if name not in MATRIX_BRAINS:
            raise BadInputError("--brain", f"must be one of {', '.join(MATRIX_BRAINS)}", name)
    _option(parse_paths, paths)
    if metric not in METRICS:
        raise BadInputError("--metric", f"must be one of {', '.join(METRICS)}", metric)
    for option, value in (("--capacity-mbps", capacity_mbps), ("--scale-optimum", scale_optimum)):
        if value is not None and not 0 < value < np.inf:
            raise BadInputError(option, "must be finite and positive", value)
    if not GAP_MIN <= gap <= GAP_MAX:
        raise BadInputError("--gap", f"must lie in {GAP_MIN:g}..{GAP_MAX:g}", gap)
    if out is not None:
        check_place(out)


def _option(make: Any, *arguments: Any, **options: Any) -> Any:
    """Call what checks its arguments itself, and name the options that it refuses as the user typed them."""
    try:
        return make(*arguments, **options)
    except BadInputError as error:
        places = error.place.removeprefix("clock.").split(", ")
        if any(" " in place for place in places):  # a place in the series, no option
            raise
        shown = ", ".join(f"--{place.replace('_', '-')}" for place in places)
        raise BadInputError(shown, error.rule, error.value) from None


def _read(path: Path, start: str | None, step_s: int | None) -> tuple[MatrixSeries, bool]:
    """Return the series and whether it states its times; options of the clock are for one that does not."""
    begin = _moment("--start", start or START_DEFAULT)
    assert begin is not None, "it was given"
    series = read_series(path, _option(Clock, begin, STEP_S_DEFAULT if step_s is None else step_s))
    dated = has_times(path)
    for option, given in (("--start", start), ("--step-s", step_s)):
        if dated and given is not None:
            raise BadInputError(option, "must not be given where the series states its times", given, str(path))
    return series, dated


def _moment(option: str, text: str | None) -> np.datetime64 | None:
    """Return an instant given as ISO 8601, which is UTC unless it states an offset."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.microsecond:
        raise BadInputError(option, "must be an instant in whole seconds such as 2026-03-17T10:00", text)
    return np.datetime64(moment, "s")
