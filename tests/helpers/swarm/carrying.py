"""Who carries tasks in a simulated world: each attempt takes its time, and fails where a station of its way is down."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from feed.agent.carriers import Delivered, Failed, Order, Outcome, Settled, UnderWay
from router_core.units import MS_NS
from swarm.journal import Journal
from swarm.loop import SimulatedLoop


class SimulatedCarrier:
    """`Carrier` of one front-end. It is a system of its own: what it was given it keeps, whoever is killed.

    Parameters
    ----------
    loop : SimulatedLoop
    draw : numpy.random.Generator
    up : callable
        Which stations work now, bool (S,).
    journal : Journal
    scope : str

    Attributes
    ----------
    delivered : dict of str to int
        How often each task was delivered.
    """

    strange = 0

    def __init__(
        self,
        loop: SimulatedLoop,
        draw: np.random.Generator,
        up: Callable[[], np.ndarray],
        journal: Journal,
        scope: str,
    ) -> None:
        self.delivered: dict[str, int] = {}
        self._loop = loop
        self._draw = draw
        self._up = up
        self._journal = journal
        self._scope = scope
        self._attempts: dict[str, list[int]] = {}
        self._known: set[str] = set()
        self._told: dict[str, Settled] = {}

    def send(self, order: Order) -> Outcome | UnderWay:
        """Carry an attempt; one that is known is under way, or was told of."""
        if order.key not in self._known:
            self._known.add(order.key)
            attempts = self._attempts.setdefault(order.task, [])
            if order.attempt != len(attempts):
                self._journal.breaks("1", f"{self._scope}: attempt {order.attempt} of {order.task} after {attempts}")
            attempts.append(order.attempt)
            if self.delivered.get(order.task):
                self._journal.breaks("1", f"{self._scope}: {order.task} is sent again after it was delivered")
            self._journal.note("sent", self._scope, order.key)
            self._loop.call_at_ns(self._loop.now_ns + int(self._draw.integers(5, 4_000)) * MS_NS, self._arrive, order)
        return UnderWay()

    def _arrive(self, order: Order) -> None:
        up = self._up()
        dead = next((station for station in order.stations if not up[station]), None)
        outcome = Delivered() if dead is None else Failed(dead, "it was down")
        if dead is None:
            self.delivered[order.task] = self.delivered.get(order.task, 0) + 1
        self._journal.note("carried", self._scope, order.key, -1 if dead is None else dead)
        self._told[order.key] = Settled(order.task, order.attempt, outcome)

    def outcomes(self) -> Sequence[Settled]:
        """What became of attempts, until they are forgotten."""
        return [self._told[key] for key in sorted(self._told)]

    def forget(self, settled: Sequence[Settled]) -> None:
        """Tell of these no more."""
        for one in settled:
            self._told.pop(f"{one.task}.{one.attempt}", None)
