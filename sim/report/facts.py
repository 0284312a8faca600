"""Everything the page needs, as plain JSON-ready values. The page adds words and pictures, and computes nothing new."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from router_core.units import HOUR_NS
from router_core.vocabulary import Mode, StationRole
from sim.decision_log import read_decisions
from sim.mode_table import read_modes
from sim.report.against import Rival, read_rival, rival_facts
from sim.report.decision_facts import decision_words, log_facts
from sim.report.map_facts import map_facts, mode_facts, reportable_map
from sim.report.slot_loads import (
    QUEUE_STEPS_MAX,
    SlotLoads,
    queues,
    slot_loads,
    steps_for,
    worst_queues,
)
from sim.result_folder import read_metrics, read_network, read_pairs, read_plan, read_run, read_station_slots
from sim.results import BrainMetrics, NetworkTable, PairTable, Run, word

BARS: Final = 12
SLOWEST_PAIRS: Final = 12
TAIL_POINTS_MAX: Final = 400


def report_facts(folder: Path, against: Path | None = None) -> dict[str, Any]:
    """Read a result folder, and another to compare it with, and return the facts of the report.

    Raises `BadInputError` if something is wrong there, or if the two do not fit together.
    """
    run = read_run(folder)
    network = read_network(folder)
    metrics = [read_metrics(folder, brain, network) for brain in run.brains]
    rival: Rival | None = None if against is None else read_rival(against, run, network, folder)
    slots = max([1, *(-(-max(of.ended_ns, of.span_ns) // run.slot_ns) for of in metrics), rival.slots if rival else 1])
    stations = len(network.stations.name)
    province, map_step = reportable_map(network, slots, len(run.brains) + (len(rival.metrics) if rival else 0))
    window = max(1, min(slots, round(HOUR_NS / run.slot_ns)))
    loads = [
        slot_loads(province, read_station_slots(folder, brain, slots, stations), slots, map_step, window)
        for brain in run.brains
    ]
    worst = worst_queues(loads)
    queue_step = steps_for(slots, QUEUE_STEPS_MAX)
    waiting = [
        queues(worst, read_station_slots(folder, brain, slots, stations), slots, queue_step) for brain in run.brains
    ]
    pools = {pool.name: pool.label_zh for of in metrics for pool in of.pools}
    logs = [
        log_facts(
            read_decisions(folder, of.brain, of.ended_ns), network, partial(_station_label, network), pools,
            run.slot_ns, slots,
        )
        for of in metrics
    ]  # fmt: skip
    # Prepared brains of one run carry out the same plan.
    plan = next((found for brain in run.brains if (found := read_plan(folder, brain))), None)
    return {
        "run": _run_facts(run),
        "plan": plan and plan.model_dump(mode="json"),
        "slot_ns": run.slot_ns,
        "slots": slots,
        "modes": [word(mode) for mode in Mode],
        "brains": [
            _brain_facts(of, network, read_pairs(folder, of.brain), load) | {"log": log}
            for of, load, log in zip(metrics, loads, logs, strict=True)
        ],
        "decision_words": decision_words() if any(logs) else None,
        "map": map_facts(province, loads, map_step),
        "asked": mode_facts(province, read_modes(folder, run.brains[0], len(network.nodes.name))),
        "against": None if rival is None else rival_facts(rival, province, slots, map_step, window),
        "bars": _bar_facts(network, loads, window * run.slot_ns),
        "queues": {
            "slots_per_step": queue_step,
            "stations": [_station_label(network, station) for station in worst],
            "total": [of.total.tolist() for of in waiting],
            "waiting": [of.waiting.tolist() for of in waiting],
        },
    }


def _run_facts(run: Run) -> dict[str, Any]:
    return {
        "provenance": run.provenance.model_dump(mode="json"),
        "scenario": run.scenario.model_dump(mode="json"),
        "start": run.start.isoformat(),
        "format": run.format,
    }


def _brain_facts(of: BrainMetrics, network: NetworkTable, pairs: PairTable, load: SlotLoads) -> dict[str, Any]:
    tails = {"all": of.tails.all, **of.tails.by_mode}
    return {
        "name": of.brain,
        "span_ns": of.span_ns,
        "ended_ns": of.ended_ns,
        "counts": dict(of.counts),
        "bytes": dict(of.bytes),
        "refused_by_reason": of.refused_by_reason,
        "chunks": dict(of.chunks),
        "completion": of.completion.model_dump(mode="json"),
        "tails": {name: _thinned(tail.latency_ns, tail.share_above) for name, tail in tails.items()},
        "tide": of.tide.model_dump(mode="json"),
        "withheld": of.withheld and of.withheld.model_dump(mode="json"),
        "pools": [pool.model_dump(mode="json") for pool in of.pools],
        "peak_waiting": int(load.peak_waiting.max(initial=0)),
        "stations": [
            {
                "label": _station_label(network, row.station),
                "peak": row.peak_utilisation,
                "mean": row.mean_utilisation,
                "waiting": row.peak_waiting,
                "served": row.served,
                "bytes": row.served_bytes,
                "spilled": row.spilled,
                "failed": row.failed,
            }
            for row in of.stations
        ],
        "pairs": _slowest_pairs(network, pairs),
        "pair_count": len(pairs.source),
    }


def _thinned(latency_ns: list[int], share_above: list[float]) -> dict[str, list[Any]]:
    """Drop what log axes cannot show, and most of the points of a curve that has too many."""
    kept = [(latency, share) for latency, share in zip(latency_ns, share_above, strict=True) if share > 0]
    if len(kept) > TAIL_POINTS_MAX:
        points = np.log10(np.maximum(np.array(kept, dtype=np.float64), 1e-12))
        step = np.abs(np.diff(points, axis=0)) / np.maximum(np.ptp(points, axis=0), 1e-12)
        along = np.concatenate(([0.0], np.cumsum(step.sum(axis=1))))
        chosen = np.searchsorted(along, np.linspace(0.0, along[-1], TAIL_POINTS_MAX))
        kept = [kept[index] for index in np.unique(np.minimum(chosen, len(kept) - 1)).tolist()]
    return {
        "latency_ns": [latency for latency, _ in kept],
        "share_above": [float(f"{share:.6g}") for _, share in kept],
    }


def _bar_facts(network: NetworkTable, loads: list[SlotLoads], window_ns: int) -> dict[str, Any]:
    """The stations that are busiest under any brain, each under every brain."""
    busiest = np.max([load.busiest for load in loads], axis=0)
    order = np.argsort(-busiest, kind="stable")[:BARS]
    chosen = [int(station) for station in order if busiest[station] > 0]
    return {
        "window_ns": window_ns,
        "stations": [_station_label(network, station) for station in chosen],
        "busiest": [[round(float(load.busiest[station]), 4) for station in chosen] for load in loads],
        "mean": [[round(float(load.mean[station]), 4) for station in chosen] for load in loads],
    }


def _station_label(network: NetworkTable, station: int) -> list[Any]:
    """Role, then name and Chinese label of its node; for a line those of both ends, carrier, rate [Mbit/s]."""
    role, owner = network.stations.role[station], network.stations.owner[station]
    nodes, lines = network.nodes, network.lines
    if role != word(StationRole.LINE):
        return [role, nodes.name[owner], nodes.label_zh[owner]]
    ends = (lines.source[owner], lines.target[owner])
    names = [text for end in ends for text in (nodes.name[end], nodes.label_zh[end])]
    return [role, *names, lines.carrier[owner], round(lines.rate_mbps[owner], 3)]


def _slowest_pairs(network: NetworkTable, pairs: PairTable) -> list[list[Any]]:
    """The pairs that missed most deadlines; among equals the slowest by p99 first."""
    label_zh = dict(zip(network.nodes.name, network.nodes.label_zh, strict=True))
    order = np.lexsort((np.arange(len(pairs.source)), -pairs.p99_ns, -pairs.deadline_missed))
    return [
        [
            [pairs.source[row], label_zh.get(pairs.source[row], pairs.source[row])],
            [pairs.target[row], label_zh.get(pairs.target[row], pairs.target[row])],
            int(pairs.count[row]),
            int(pairs.bytes[row]),
            *(int(column[row]) if pairs.count[row] else None for column in (pairs.p50_ns, pairs.p99_ns, pairs.max_ns)),
            int(pairs.deadline_total[row]),
            int(pairs.deadline_missed[row]),
        ]
        for row in order[:SLOWEST_PAIRS].tolist()
    ]
