"""What a run was worth: completion times, deadlines, tides, stations. All figures are exact integers where they can be.

A percentile q is the smallest completion time that at least the share q of the delivered exchanges does not exceed
(inverse of the empirical distribution, no interpolation), so equal runs give equal integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router_core.exchanges import NO_DEADLINE, Exchanges
from router_core.network import Network
from router_core.units import HOUR_NS
from router_core.vocabulary import Mode, StationRole
from sim.data_plane import Outcome, Refusal
from sim.results import NO_TIME_NS, BrainMetrics, PairTable
from sim.series import Series
from sim.world import Record

# Fractions, because 0.999 * 1000 is 999.0000000000001 and would give the wrong rank.
QUANTILES: Final = {
    "p50_ns": Fraction(50, 100),
    "p95_ns": Fraction(95, 100),
    "p99_ns": Fraction(99, 100),
    "p999_ns": Fraction(999, 1000),
}
BUSIEST: Final = 20
TAIL_POINTS: Final = 120

Table = dict[str, Any]


def percentile(ordered_ns: NDArray[np.int64], share: Fraction) -> int:
    """Return the percentile of ascending, non-empty times."""
    return int(ordered_ns[_rank(len(ordered_ns), share)])


def _rank(count: int, share: Fraction) -> int:
    return max(0, -(-share.numerator * count // share.denominator) - 1)


@dataclass(frozen=True, eq=False)
class Completion:
    """Which exchanges were delivered, how long each took, and which missed its deadline; shapes (n,)."""

    delivered: NDArray[np.bool_]
    took_ns: NDArray[np.int64]
    due: NDArray[np.bool_]
    missed: NDArray[np.bool_]


def completion(exchanges: Exchanges, outcome: Outcome, ended_ns: int) -> Completion:
    """Judge every exchange; one still in flight after its deadline, or refused, has missed it."""
    delivered = outcome.delivered_ns >= 0
    due = exchanges.deadline_ns != NO_DEADLINE
    finished_ns = np.where(delivered, outcome.delivered_ns, ended_ns)
    refused = outcome.refusal != Refusal.NOT_REFUSED
    missed = due & ((finished_ns > exchanges.deadline_ns) | refused)
    return Completion(delivered, outcome.delivered_ns - exchanges.submitted_ns, due, missed)


def distribution(exchanges: Exchanges, done: Completion, rows: NDArray[np.bool_]) -> Table:
    """Count, bytes, percentiles [ns] and deadlines of some exchanges; percentiles are None where none was delivered."""
    ordered_ns = np.sort(done.took_ns[rows & done.delivered])
    count = len(ordered_ns)
    table: Table = {"count": count, "bytes": int(exchanges.payload_bytes[rows & done.delivered].sum())}
    for name, share in QUANTILES.items():
        table[name] = percentile(ordered_ns, share) if count else None
    table["max_ns"] = int(ordered_ns[-1]) if count else None
    table["mean_ns"] = _total(ordered_ns) // count if count else None
    table["deadline_total"] = int((rows & done.due).sum())
    table["deadline_missed"] = int((rows & done.missed).sum())
    return table


def _total(times_ns: NDArray[np.int64]) -> int:
    """Exact sum of times >= 0; in halves, because ten thousand times of a few years do not fit 64 bits."""
    return (int((times_ns >> 32).sum()) << 32) + int((times_ns & 0xFFFF_FFFF).sum())


def tail(took_ns: NDArray[np.int64]) -> Table:
    """Share of exchanges that took each of up to 120 times or longer, spaced so that the far tail is drawn well."""
    count = len(took_ns)
    if count == 0:
        return {"latency_ns": [], "share_above": []}
    ordered_ns = np.sort(took_ns)
    above = np.unique(np.rint(np.geomspace(1, count, TAIL_POINTS)).astype(np.int64))[::-1]
    rank = count - above
    return {"latency_ns": ordered_ns[rank].tolist(), "share_above": (above / count).tolist()}


def summary(network: Network, record: Record, brain: str, span_ns: int, slot_ns: int) -> BrainMetrics:
    """Return the metrics of a run; `BrainMetrics` describes them."""
    exchanges, outcome, series = record.exchanges, record.outcome, record.series
    done = completion(exchanges, outcome, record.ended_ns)
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
            "all": tail(done.took_ns[done.delivered]),
            "by_mode": {name: tail(done.took_ns[rows & done.delivered]) for name, rows in modes.items()},
        },
        "tide": tide(exchanges, outcome, modes, span_ns, slot_ns),
        "stations": busiest(network, series, span_ns),
    }
    return BrainMetrics.model_validate(metrics)


def tide(
    exchanges: Exchanges, outcome: Outcome, modes: dict[str, NDArray[np.bool_]], span_ns: int, slot_ns: int
) -> Table:
    """Exchanges and bytes submitted in each slot by mode, and exchanges delivered in it."""
    slots = -(-span_ns // slot_ns)
    slot = exchanges.submitted_ns // slot_ns
    table: Table = {"start_ns": (np.arange(slots) * slot_ns).tolist(), "submitted": {}, "bytes": {}}
    for name, rows in modes.items():
        table["submitted"][name] = np.bincount(slot[rows], minlength=slots).tolist()
        sizes = np.zeros(slots, dtype=np.int64)
        np.add.at(sizes, slot[rows], exchanges.payload_bytes[rows])
        table["bytes"][name] = sizes.tolist()
    delivered_in = outcome.delivered_ns[outcome.delivered_ns >= 0] // slot_ns
    table["delivered"] = np.bincount(delivered_in[delivered_in < slots], minlength=slots).tolist()
    return table


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


def pairs(network: Network, exchanges: Exchanges, done: Completion) -> PairTable:
    """Return the completion of every pair of endpoints, ordered by source and target index."""
    key = exchanges.source.astype(np.int64) * network.node_count + exchanges.target
    order = np.lexsort((done.took_ns, ~done.delivered, key))
    ordered = key[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(ordered) else np.empty(0, int)
    delivered = np.add.reduceat(done.delivered[order].astype(np.int64), starts) if len(starts) else np.empty(0, int)
    took_ns = done.took_ns[order]

    def total(values: NDArray[Any]) -> NDArray[np.int64]:
        return np.add.reduceat(values[order].astype(np.int64), starts) if len(starts) else np.empty(0, np.int64)

    def at(share: Fraction) -> NDArray[np.int64]:
        # A pair's delivered exchanges come first, fastest first.
        ranks = starts + [_rank(count, share) for count in delivered.tolist()]
        return np.where(delivered > 0, took_ns[ranks], NO_TIME_NS) if len(starts) else np.empty(0, np.int64)

    first = ordered[starts]
    return PairTable(
        source=[network.node_name[index] for index in (first // network.node_count).tolist()],
        target=[network.node_name[index] for index in (first % network.node_count).tolist()],
        submitted=total(np.ones(len(exchanges), dtype=np.int64)),
        count=delivered,
        bytes=total(np.where(done.delivered, exchanges.payload_bytes, 0)),
        **{name: at(share) for name, share in QUANTILES.items()},
        max_ns=at(Fraction(1)),
        deadline_total=total(done.due),
        deadline_missed=total(done.missed),
    )
