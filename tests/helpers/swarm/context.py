"""What all parts of a simulated world share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from router_core.network import Network
from router_core.randomness import stream
from swarm.clocks import SKEW_NS, MachineClock
from swarm.disk import FaultyDisk
from swarm.journal import Journal
from swarm.keyring import Keyring
from swarm.loop import SimulatedLoop
from swarm.scenes import Scene
from swarm.spec import WorldSpec
from swarm.troubles import Kind
from swarm.weather import Weather
from swarm.wire import Wire

SERVER = "server"


@dataclass(frozen=True, eq=False)
class Context:
    """One world.

    Attributes
    ----------
    spec : WorldSpec
    scene : Scene
    folder : Path
        For everything that its machines keep.
    loop : SimulatedLoop
    weather : Weather
    wire : Wire
    journal : Journal
    keys : Keyring
    zero_ns : int
        When the loop's time began, since 1970 [ns].
    begin_ns : int
        Instant 0 of the trace, by the loop's time [ns].
    """

    spec: WorldSpec
    scene: Scene
    folder: Path
    loop: SimulatedLoop
    weather: Weather
    wire: Wire
    journal: Journal
    keys: Keyring
    zero_ns: int
    begin_ns: int

    @property
    def network(self) -> Network:
        """The platform's network, as it is."""
        return self.scene.platform.network

    @cached_property
    def scopes(self) -> tuple[str, ...]:
        """Names of the front-ends."""
        return tuple(self.network.node_name[node] for node in self.network.endpoints.tolist())

    @property
    def trust_file(self) -> Path:
        """Where the server's operator installs trust."""
        return self.folder / "trust.json"

    def draw(self, name: str) -> np.random.Generator:
        """Return a stream of random numbers of that name."""
        return stream(self.spec.seed, name)

    def clock(self, end: int) -> MachineClock:
        """Clock of a front-end's machine, or of the server's, which is the last one."""
        machines = len(self.scopes) + 1

        def wrong_ns() -> int:
            found = (one for one in self.weather.of(Kind.CLOCK_SKEW) if one.whom % machines == end)
            return sum(SKEW_NS if one.strength < 0.5 else -SKEW_NS for one in found)

        return MachineClock(self.loop, self.zero_ns, wrong_ns)

    def set_disk(self, disk: FaultyDisk, end: int) -> None:
        """Let a disk be as the troubles say now."""
        machines = len(self.scopes) + 1
        disk.full = any(one.whom % machines == end for one in self.weather.of(Kind.DISK_FULL))
        failing = [one.strength for one in self.weather.of(Kind.DISK_FAILING) if one.whom % machines == end]
        disk.failing = max(failing, default=0.0)
