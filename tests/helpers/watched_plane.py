"""A data plane under watch: which plans it was given, what it asked of them, and what it says of itself at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from router_core.exchanges import Exchanges
from router_core.live_plan import LivePlan
from router_core.network import Network
from router_core.plan import Choice, Plan
from router_core.transport import Transport
from sim.data_plane import Collected, DataPlane, Outcome, PlaneCommand, Snapshot
from sim.replay import DATA_PLANES, DEFAULT_DATA_PLANE
from strategies.brain import SendParticles, SetPlan

WATCHED = "watched"


@dataclass(eq=False)
class Asked:
    """A plan that the plane was given, and all that was asked of it.

    Attributes
    ----------
    plan : Plan
    since_ns : int
        When it was given [ns].
    of_groups, of_ends : dict
        The answer for each pair of groups, and for each pair of endpoints where these may differ.
    """

    plan: Plan
    since_ns: int
    of_groups: dict[tuple[int, int], Choice | None] = field(default_factory=dict)
    of_ends: dict[tuple[int, int], Choice | None] = field(default_factory=dict)

    @property
    def alternates(self) -> bool:
        """Whether front-ends leave out ways that are known to be down."""
        return isinstance(self.plan, LivePlan)

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        found = self.of_groups[source_group, target_group] = self.plan.choice(source_group, target_group)
        return found


class AskedByEnds(Asked):
    """The same of a plan in which endpoints of one group may differ."""

    def between(self, source: int, target: int) -> Choice | None:
        found = self.of_ends[source, target] = self.plan.between(source, target)  # type: ignore[attr-defined]
        return found


class WatchedPlane:
    """`DataPlane` that hands everything on to another one.

    Attributes
    ----------
    asked : list of Asked
        In order.
    """

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane
        self._now_ns = 0
        self.asked: list[Asked] = []

    def apply(self, command: PlaneCommand) -> None:
        if isinstance(command, SetPlan):
            kind = AskedByEnds if hasattr(command.plan, "between") else Asked
            self.asked.append(kind(command.plan, self._now_ns))
            command = SetPlan(self.asked[-1], command.reroute)
        self._plane.apply(command)

    def advance(self, until_ns: int) -> None:
        self._plane.advance(until_ns)
        self._now_ns = until_ns

    def submit(self, batch: Exchanges) -> None:
        self._plane.submit(batch)

    def send(self, particles: SendParticles) -> int:
        return self._plane.send(particles)

    def collect(self) -> Collected:
        return self._plane.collect()

    def snapshot(self) -> Snapshot:
        return self._plane.snapshot()

    def outcome(self) -> Outcome:
        return self._plane.outcome()


@contextmanager
def watching() -> Iterator[list[WatchedPlane]]:
    """While the block runs there is a data plane `WATCHED`; yields those that were made, in order."""
    made: list[WatchedPlane] = []

    def make(network: Network, transport: Transport) -> DataPlane:
        made.append(WatchedPlane(DATA_PLANES[DEFAULT_DATA_PLANE](network, transport)))
        return made[-1]

    DATA_PLANES[WATCHED] = make
    try:
        yield made
    finally:
        del DATA_PLANES[WATCHED]
