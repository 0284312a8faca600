"""What a run is judged by: a few numbers a person would ask for, each with its unit and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from router_core.errors import BadInputError
from router_core.units import HOUR_NS
from router_core.vocabulary import Mode
from sim.completion import QUANTILES, exact_sum, percentile
from sim.data_plane import Refusal
from sim.replay import Lived
from sim.report.blocks import Form, Words

MODES: Final = {
    "all": Words("all", "全部"),
    "docking": Words("docking", "对接"),
    "front_end": Words("front-end", "前置"),
    "query": Words("queries", "查询"),
    "batch": Words("batch", "批量"),
}


@dataclass(frozen=True)
class Measure:
    """One number of a run; less of it is better.

    Attributes
    ----------
    name : str
        As files and options name it.
    title : Words
    form : Form
        How it is written, and so its unit: `ns`, `share`, `count`, `number`, `hours`.
    """

    name: str
    title: Words
    form: Form


def _measures() -> dict[str, Measure]:
    found = []
    for quantile in ("p50", "p95", "p99", "p999", "mean"):
        for mode, title in MODES.items():
            what = Words(
                f"{quantile} of {title.en} exchanges" if mode != "query" else f"{quantile} of queries",
                f"{title.zh}交换完成时间 {quantile}",
            )
            found.append(Measure(f"{quantile}.{mode}", what, Form.NS))
    for mode, title in MODES.items():
        found.append(Measure(f"missed.{mode}", Words(f"missed deadlines, {title.en}", f"{title.zh}超期数"), Form.COUNT))
    found += [
        Measure("refused", Words("refused exchanges", "被拒绝的交换"), Form.COUNT),
        Measure("undelivered", Words("exchanges not delivered in time of the run", "未送达的交换"), Form.COUNT),
        Measure("retries", Words("retries of chunks", "分片重试数"), Form.COUNT),
        Measure("busiest", Words("busiest station in any hour", "最忙站点的小时利用率"), Form.SHARE),
        Measure("churn", Words("traffic moved to other ways", "改道比例"), Form.NUMBER),
        Measure("capacity", Words("borrowed server hours", "借用服务器时"), Form.HOURS),
        Measure("held_mean", Words("mean hold of bulk held back", "批量平均暂存时间"), Form.NS),
    ]
    return {one.name: one for one in found}


MEASURES: Final = _measures()
SHOWN: Final = (
    "p99.query",
    "p99.all",
    "p50.all",
    "missed.all",
    "refused",
    "undelivered",
    "busiest",
    "churn",
    "capacity",
)


def measure(name: str) -> Measure:
    """Return a measure by its name, or raise `BadInputError`."""
    if name not in MEASURES:
        raise BadInputError("--measure", f"must be one of {', '.join(MEASURES)}", name)
    return MEASURES[name]


def measures(lived: Lived, warm_up_ns: int = 0) -> dict[str, float]:
    """Return all measures of a run; NaN where nothing was delivered that one speaks of.

    Parameters
    ----------
    lived : Lived
    warm_up_ns : int
        Exchanges submitted before it are left out, of what is counted by exchange: an empty network is no fair start
        [ns]. Utilisation, churn, capacity and retries are of the whole run.
    """
    record, done = lived.record, lived.done
    exchanges, outcome = record.exchanges, record.outcome
    # A trace is in order of submission: what counts is all from one row on.
    first = int(exchanges.submitted_ns.searchsorted(warm_up_ns))
    order, times_ns = done.order, done.ordered_ns
    if first:
        kept = order >= first
        order, times_ns = order[kept], times_ns[kept]
    mode_of = exchanges.mode[order]
    missed = np.bincount(exchanges.mode[first:][done.missed[first:]], minlength=len(Mode))
    result: dict[str, float] = {}
    for mode in MODES:
        ordered_ns = times_ns if mode == "all" else times_ns[mode_of == Mode[mode.upper()]]
        for name, share in QUANTILES.items():
            result[f"{name.removesuffix('_ns')}.{mode}"] = (
                float(percentile(ordered_ns, share)) if len(ordered_ns) else np.nan
            )
        result[f"mean.{mode}"] = exact_sum(ordered_ns) / len(ordered_ns) if len(ordered_ns) else np.nan
        result[f"missed.{mode}"] = float(missed.sum() if mode == "all" else missed[Mode[mode.upper()]])
    refused = outcome.refusal[first:] != Refusal.NOT_REFUSED
    result["refused"] = float(refused.sum())
    result["undelivered"] = float((~refused & ~done.delivered[first:]).sum())
    result["retries"] = float(outcome.retries.sum(dtype=np.int64))
    result["busiest"] = _busiest(lived)
    result["churn"] = record.churn
    result["capacity"] = sum(use.server_ns for use in record.pools) / HOUR_NS
    holding = record.holding
    result["held_mean"] = holding.hold_sum_ns / holding.exchanges if holding.exchanges else 0.0
    return {name: result[name] for name in MEASURES}


def _busiest(lived: Lived) -> float:
    """Highest mean utilisation of a station in an hour."""
    series = lived.record.series
    rows, edge_ns = series.rows, series.edge_ns
    if not len(rows.station):
        return 0.0
    hour = edge_ns[:-1] // HOUR_NS
    hours = int(hour[-1]) + 1
    length_ns = np.diff(edge_ns).astype(np.float64)
    of_hour = np.bincount(hour, length_ns, hours)
    stations = int(rows.station.max()) + 1
    cell = hour[rows.slot] * stations + rows.station
    work = np.bincount(cell, rows.utilisation * length_ns[rows.slot], hours * stations).reshape(hours, stations)
    # An hour of which less than half was lived says little.
    whole = of_hour >= HOUR_NS / 2
    kept = work[whole] / of_hour[whole, None] if whole.any() else work / np.maximum(of_hour, 1.0)[:, None]
    return float(kept.max())
