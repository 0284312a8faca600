"""Drawn logs of decisions: a surge with all that follows, and every kind, reason and figure at least once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from sim.decision_log import write_decisions
from sim.result_folder import read_network
from strategies.decision import FIGURES, Decision, DecisionKind, Reason, Trust


def make_log(folder: Path, *, more: int = 0) -> tuple[Decision, ...]:
    """Draw a log for the nodes and stations of a result folder; `more` adds routine decisions over a day."""
    network = read_network(folder)
    nodes, stations = network.nodes.name, network.stations.name
    line = next(index for index, role in enumerate(network.stations.role) if role == "line")
    process = next(index for index, role in enumerate(network.stations.role) if role == "process")
    fronts = [name for name, kind in zip(nodes, network.nodes.kind, strict=True) if kind == "front_end"]

    def at(hour: float, kind: DecisionKind, reason: Reason, *subject: str, **figures: float) -> Decision:
        now_ns = int(hour * HOUR_NS)
        return Decision(now_ns, max(0, now_ns - 4 * SECOND_NS), kind, reason, subject, figures)

    K, R = DecisionKind, Reason  # noqa: N806 - so that each line of the story is short
    story = [
        at(0.0, K.ROUTES_RESTORED, R.SLOT_BEGAN, pairs=12, churn=0.0),
        at(8.9, K.SURGE_FOUND, R.ABOVE_FORECAST, fronts[0], factor=4.2, rate=18.3, expected_rate=4.4, score=2.1,
           onset_s=130),
        at(8.9, K.SERVERS_BORROWED, R.SURGE, fronts[0], servers=3, pool_left=13, server_s=5400),
        at(8.9, K.BULK_HELD, R.SURGE, held_share=0.62, hold_s=5400, bytes_per_s=4.1e6),
        at(8.92, K.PARTICLES_SENT, R.SURGE, particles=412, payload_bytes=421_888, stations=77),
        at(8.93, K.ROUTES_CHANGED, R.BETTER_ROUTES, f"{fronts[0]} - {fronts[1]}", pairs=31, churn=0.043, peak=0.82,
           peak_before=0.97, delay_s=0.21, delay_before_s=1.4),
        at(9.1, K.ALERT, R.DEADLINE_AT_RISK, fronts[0], lead_s=600, count=18),
        at(9.2, K.ALERT, R.TELEMETRY_LATE, "telemetry", "clock-back", stations[line], count=3),
        at(9.3, K.ALERT, R.STATION_IDLE, stations[process]),
        at(9.35, K.ROUTES_CHANGED, R.SURGE, f"{nodes[0]}+{nodes[1]}"),
        at(9.4, K.ALERT, R.POOL_EMPTY, nodes[0], pool_left=0),
        at(10.2, K.STATIONS_LOST, R.STATIONS_DOWN, stations[line], stations=2),
        at(10.2, K.ROUTES_CHANGED, R.STATIONS_DOWN, stations[line], pairs=4, churn=0.2),
        at(10.9, K.STATIONS_BACK, R.STATIONS_UP, stations[line], stations=2),
        at(11.2, K.TRUST_CHANGED, R.TELEMETRY_MISSING, "probing", "last-good", age_s=310),
        at(11.6, K.TRUST_CHANGED, R.TELEMETRY_GOOD, "last-good", "probing", age_s=4),
        at(12.5, K.SURGE_OVER, R.AS_FORECAST, fronts[0], factor=1.1),
        at(12.6, K.SERVERS_RETURNED, R.STATION_IDLE, stations[process], servers=3, utilisation=0.31,
           expected_utilisation=0.3),
        at(12.6, K.BULK_RELEASED, R.SURGE_OVER, held_share=0.0),
        at(13.0, K.ROUTES_RESTORED, R.SURGE_OVER, pairs=31, churn=0.04),
    ]  # fmt: skip
    kinds, reasons, figures = list(K), list(R), list(FIGURES)
    for number in range(max(len(kinds), len(reasons), len(figures))):
        story.append(
            at(14 + number / 60, kinds[number % len(kinds)], reasons[number % len(reasons)],
               nodes[number % len(nodes)], **{figures[number % len(figures)]: 0.5 + number})
        )  # fmt: skip
    rng = np.random.default_rng(7)
    for number in range(more):
        now_ns = int(number / max(more, 1) * 23 * HOUR_NS)
        kind, reason = ((K.PARTICLES_SENT, R.SURGE), (K.ROUTES_CHANGED, R.BETTER_ROUTES))[int(rng.random() < 0.4)]
        story.append(Decision(now_ns, max(0, now_ns - MINUTE_NS), kind, reason, (), {"churn": float(rng.random())}))
    return tuple(sorted(story, key=lambda one: one.now_ns))


def write_log(folder: Path, brain: str, *, more: int = 0) -> tuple[Decision, ...]:
    """Draw a log and put it into a result folder."""
    decisions = make_log(folder, more=more)
    write_decisions(folder, brain, decisions)
    return decisions


__all__ = ["Trust", "make_log", "write_log"]
