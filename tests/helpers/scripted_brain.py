"""A brain that routes by equal shares and tells a story: a surge, decisions upon it, and what it knows meanwhile."""

from __future__ import annotations

import numpy as np

from router_core.link_state import NEVER_NS, LinkState
from router_core.network import Network
from router_core.paths.k_shortest import k_shortest
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import space_of_network
from router_core.units import SECOND_NS
from strategies.baselines import ecmp
from strategies.brain import Command, Event, KeepRecord, LogDecision, SlotStarted, TelemetryArrived
from strategies.decision import Decision, DecisionKind, Reason, Trust
from strategies.policy_record import PolicyRecord

TICKETS = 12


class ScriptedBrain:
    """Logs and keeps records; its numbers are drawn, and the same for the same seed."""

    name = "scripted"

    def __init__(self, network: Network, seed: int = 1) -> None:
        self._network = network
        self._ways = ecmp(network)
        self._rng = np.random.default_rng(seed)
        self.paths = k_shortest(space_of_network(network), 3)
        self._weights = drawn_weights(self.paths, self._rng)
        self._samples = 0

    def handle(self, event: Event) -> list[Command]:
        commands = self._ways.handle(event)
        now_ns = event.now_ns
        if isinstance(event, SlotStarted):
            moved = self._rng.random(self.paths.pair_count) < 0.1
            fresh = drawn_weights(self.paths, self._rng)
            self._weights = np.where(moved[self.paths.path_pair], fresh, self._weights).astype(np.int32)
            reason = Reason.SLOT_BEGAN if event.slot else Reason.BETTER_ROUTES
            state = drawn_state(self._network, now_ns, self._rng)
            commands.append(KeepRecord(PolicyRecord(now_ns, reason, Trust.DYNAMIC, self.paths, self._weights, state)))
        elif isinstance(event, TelemetryArrived):
            self._samples += 1
            commands += [LogDecision(one) for one in self._story(event)]
        return commands

    def _story(self, event: TelemetryArrived) -> list[Decision]:
        node = self._network.node_name[int(self._network.endpoints[0])]
        if self._samples % 60 == 10:
            return [
                Decision(event.now_ns, event.observed_ns, DecisionKind.SURGE_FOUND, Reason.ABOVE_FORECAST, (node,),
                         {"factor": 4.0, "onset_s": 120.0 + self._samples}),
                Decision(event.now_ns, event.observed_ns, DecisionKind.ROUTES_CHANGED, Reason.SURGE, (),
                         {"churn": 0.125, "pairs": 7.0}),
            ]  # fmt: skip
        if self._samples % 60 == 40:
            kind, reason = DecisionKind.SURGE_OVER, Reason.AS_FORECAST
            return [Decision(event.now_ns, event.observed_ns, kind, reason, (node,))]
        return []


def drawn_weights(paths: PathSet, rng: np.random.Generator) -> np.ndarray:
    """Weights of one sum for every pair; some pairs use one path alone, some none."""
    weights = np.zeros(paths.path_count, dtype=np.int32)
    for start, stop in zip(paths.pair_start[:-1].tolist(), paths.pair_start[1:].tolist(), strict=True):
        count = stop - start
        if count and rng.random() > 0.02:
            weights[start:stop] = rng.multinomial(TICKETS, rng.dirichlet(np.full(count, 0.7)))
    return weights


def drawn_state(network: Network, now_ns: int, rng: np.random.Generator) -> LinkState:
    """Draw what is known of all stations; of some nothing is, and some do not work."""
    size = network.station_count
    observed = np.maximum(now_ns - rng.integers(0, 600, size) * SECOND_NS, 0)
    seen = rng.random(size) > 0.1
    return LinkState(
        now_ns=now_ns,
        stay_ns=rng.lognormal(15.0, 1.0, size),
        utilisation=rng.random(size),
        loss=rng.random(size) * 0.02,
        observed_ns=np.where(seen, observed, NEVER_NS),
        confidence=np.where(seen, rng.random(size), 0.0),
        identified=rng.random(size) > 0.2,
        up=rng.random(size) > 0.03,
    )
