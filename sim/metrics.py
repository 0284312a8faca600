"""What a run was worth, as one table: counts, completion, tides, busiest stations; exact integers where they can be."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.exchanges import Exchanges
from router_core.network import Network
from router_core.units import HOUR_NS
from router_core.vocabulary import Mode, StationRole
from sim.completion import Completion, Table, distribution, tail
from sim.data_plane import Outcome, Refusal
from sim.decision_log import decision_counts
from sim.results import BrainMetrics
from sim.series import Series
from sim.world import Record

BUSIEST: Final = 20


def summary(network: Network, record: Record, done: Completion, brain: str, span_ns: int, slot_ns: int) -> BrainMetrics:
    """Return the metrics of a run; `BrainMetrics` describes them."""
    exchanges, outcome, series = record.exchanges, record.outcome, record.series
    everything = np.ones(len(exchanges), dtype=np.bool_)
    refused = outcome.refusal != Refusal.NOT_REFUSED
    in_flight = ~done.delivered & ~refused
    states = {"submitted": everything, "delivered": done.delivered, "in_flight": in_flight, "refused": refused}
    modes = {mode.name.lower(): exchanges.mode == mode for mode in Mode}
    classes = {str(level): exchanges.priority == level for level in np.unique(exchanges.priority).tolist()}
    metrics = {
        "brain": brain,
        "span_ns": span_ns,
        "ended_ns": record.ended_ns,
        "counts": {name: int(rows.sum()) for name, rows in states.items()},
        "bytes": {name: int(exchanges.payload_bytes[rows].sum()) for name, rows in states.items()},
        "refused_by_reason": {
            reason.text: int((outcome.refusal == reason).sum()) for reason in Refusal if reason != Refusal.NOT_REFUSED
        },
        "chunks": {
            "retries": int(outcome.retries.sum(dtype=np.int64)),
            "spilled": int(series.rows.spilled.sum()),
            "failed": int(series.rows.failed.sum()),
            "held_peak": int(series.held.max(initial=0)),
            "retrying_peak": int(series.retrying.max(initial=0)),
        },
        "completion": {
            "all": distribution(exchanges, done, everything),
            "by_mode": {name: distribution(exchanges, done, rows) for name, rows in modes.items()},
            "by_class": {name: distribution(exchanges, done, rows) for name, rows in classes.items()},
        },
        "tails": {
            "all": tail(done.ordered_ns),
            "by_mode": {name: tail(done.times_ns(rows)) for name, rows in modes.items()},
        },
        "tide": tide(exchanges, outcome, span_ns, slot_ns),
        "stations": busiest(network, series, span_ns),
        "withheld": withheld(record),
        "pools": pools(network, record),
        "decisions": decision_counts(record.decisions),
    }
    return BrainMetrics.model_validate(metrics)


def tide(exchanges: Exchanges, outcome: Outcome, span_ns: int, slot_ns: int) -> Table:
    """Exchanges and bytes submitted in each slot by mode, and exchanges delivered in it."""
    slots = -(-span_ns // slot_ns)
    cell = exchanges.mode * np.int64(slots) + exchanges.submitted_ns // slot_ns
    counts = np.bincount(cell, minlength=len(Mode) * slots)
    sizes = np.zeros(len(counts), dtype=np.int64)
    np.add.at(sizes, cell, exchanges.payload_bytes)

    def by_mode(values: NDArray[np.int64]) -> Table:
        return {mode.name.lower(): values[mode * slots :][:slots].tolist() for mode in Mode}

    delivered_in = outcome.delivered_ns[outcome.delivered_ns >= 0] // slot_ns
    return {
        "start_ns": (np.arange(slots) * slot_ns).tolist(),
        "submitted": by_mode(counts),
        "bytes": by_mode(sizes),
        "delivered": np.bincount(delivered_in[delivered_in < slots], minlength=slots).tolist(),
    }


def withheld(record: Record) -> Table | None:
    """What front-ends held back, None if nothing."""
    holding, series = record.holding, record.series
    if holding.exchanges == 0:
        return None
    return {
        "exchanges": holding.exchanges,
        "bytes": holding.payload_bytes,
        "mean_ns": holding.hold_sum_ns // holding.exchanges,
        "max_ns": holding.hold_max_ns,
        "peak": int(series.withheld.max(initial=0)),
        "peak_bytes": int(series.withheld_bytes.max(initial=0)),
        "at_slot_end": series.withheld.tolist(),
    }


def pools(network: Network, record: Record) -> list[Table]:
    """What each pool lent that lent anything."""
    return [
        {
            "name": pool.name,
            "label_zh": pool.label_zh,
            "servers": pool.servers,
            "peak": use.peak,
            "server_ns": use.server_ns,
            "lent": record.series.lent[:, index].tolist(),
        }
        for index, (pool, use) in enumerate(zip(network.pools, record.pools, strict=True))
        if use.peak
    ]


def busiest(network: Network, series: Series, span_ns: int) -> list[Table]:
    """Return the stations that are busiest in any hour: in single slots nearly every station is full at some time."""
    count, rows = network.station_count, series.rows
    peak = np.zeros(count, dtype=np.float32)
    np.maximum.at(peak, rows.station, rows.utilisation)
    waiting = np.zeros(count, dtype=np.int32)
    np.maximum.at(waiting, rows.station, rows.waiting)
    sums = {name: np.zeros(count, dtype=np.int64) for name in ("served", "served_bytes", "spilled", "failed")}
    for name, total in sums.items():
        np.add.at(total, rows.station, getattr(rows, name))
    # Of each slot the part within the span counts, at the whole slot's utilisation.
    length_ns = np.diff(np.minimum(series.edge_ns, span_ns)).astype(np.float64)
    mean = np.bincount(
        rows.station,
        weights=rows.utilisation * length_ns[rows.slot] / max(span_ns, 1),
        minlength=count,
    )
    hour = series.edge_ns[:-1] // HOUR_NS
    hours = int(hour[-1]) + 1 if len(hour) else 1
    whole_ns = np.diff(series.edge_ns).astype(np.float64)
    work = np.bincount(
        hour[rows.slot] * count + rows.station, rows.utilisation * whole_ns[rows.slot], hours * count
    ).reshape(hours, count)
    busy_hour = (work / np.maximum(np.bincount(hour, whole_ns, hours), 1.0)[:, None]).max(axis=0)
    order = np.lexsort((np.arange(count), -waiting, -busy_hour))[:BUSIEST]
    return [
        {
            "station": int(station),
            "name": network.station_name[station],
            "role": StationRole(int(network.station_role[station])).name.lower(),
            "busy_hour_utilisation": round(float(busy_hour[station]), 6),
            "peak_utilisation": round(float(peak[station]), 6),
            "mean_utilisation": round(float(mean[station]), 6),
            "peak_waiting": int(waiting[station]),
            **{name: int(total[station]) for name, total in sums.items()},
        }
        for station in order.tolist()
        if sums["served"][station] or waiting[station]
    ]
