"""A simulated province that drives the real server and real agents over loopback HTTP, at the speed of the simulation.

Whatever the world tells its brain goes in as agents and monitoring send it; the centre's brain takes its turns; agents
fetch, check, apply and acknowledge what it publishes; and the world routes by what they have in force.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

import numpy as np

from exchange_router.live_centre import CentreSpec, centre_work
from exchange_router.rehearsal_stage import Stage, make_keys
from exchange_router.rehearsed_plan import AgentsHandling, AgentsPlan
from feed.bundle.documents import GuardsDocument
from feed.bundle.parsed import Parsed
from feed.check.findings import ALLOWABLE
from feed.check.setting import CheckSetting
from feed.clock import instant_of, utc_of
from feed.live.publication import PublicationSetting
from feed.live.windows import WindowSetting
from router_core.calendar import LOCAL_TIME
from router_core.platform import Platform
from router_core.units import DAY_NS, SECOND_NS
from sim.faults import Fault
from sim.replay import Replay
from sim.replay import replay as replay_trace
from sim.world import WorldConfig
from strategies.brain import (
    Command,
    DemandReported,
    Event,
    LogDecision,
    SetHandling,
    SetPlan,
    SlotStarted,
    StationsChanged,
    TelemetryArrived,
)
from strategies.static.plan_in_time import PlanInTime
from strategies.static.prepare import Prepared
from strategies.static.static_brain import borrowing_commands

# Every change is published at once: what the feed adds to the brain is then nothing at all.
IMMEDIATE: Final = PublicationSetting(least_ns=0)
GUARDS: Final = GuardsDocument(hold_ns_max=7 * DAY_NS, moved_share_max=1.0, reachable_share_min=0.0)
TELEMETRY: Final = "/v1/telemetry"


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """What came of it.

    Attributes
    ----------
    replay : Replay
        What the world made of the trace under the feed.
    published : int
        Bundles that went out.
    applied : int
        How often an agent put one in force.
    refused : tuple of str
        Why bundles were not published, the first ones.
    requests : int
        That the server answered to the world's monitoring; agents' own come on top.
    """

    replay: Replay
    published: int
    applied: int
    refused: tuple[str, ...]
    requests: int


def rehearse(
    platform: Platform,
    prepared: Prepared,
    trace: Path,
    start: datetime,
    folder: Path,
    *,
    brain: str = "dynamic",
    seed: int = 1,
    faults: Sequence[Fault] = (),
    config: WorldConfig | None = None,
    publication: PublicationSetting = IMMEDIATE,
    at_once: bool = True,
    records: Path | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Rehearsal:
    """Replay a trace in a world whose brain is behind the feed.

    Parameters
    ----------
    platform : Platform
    prepared : Prepared
    trace : Path
    start : datetime
        Local time of the trace's instant 0, without a zone.
    folder : Path
        For keys and state of server and agents.
    brain : str
        A key of `exchange_router.live_centre.BRAINS`.
    seed, faults, config
        As of `sim.replay.replay`.
    publication : PublicationSetting
    at_once : bool
        Whether a publication goes to all front-ends at once, and not stage by stage.
    records : Path, optional
        Folder for the recording.
    on_progress : callable, optional
        As of `sim.replay.replay`.
    """
    config = config or WorldConfig()
    start_ns = instant_of(start.replace(tzinfo=LOCAL_TIME))
    keys, trust = make_keys(folder / "keys")
    spec = CentreSpec(
        scenario=platform.name,
        prepared=Path(),
        brain=brain,
        start_ns=start_ns,
        keys=keys,
        guards=GUARDS,
        records=records,
        publication=publication,
        checks=CheckSetting(allowed=ALLOWABLE),
    )
    network = platform.network
    scopes = [network.node_name[node] for node in network.endpoints.tolist()]
    windows = WindowSetting(period_ns=config.telemetry.period_ns)
    work = centre_work(spec, platform, prepared, {"scenario": platform.digest})
    with Stage(network, folder, trust, work, start_ns, scopes, windows, at_once=at_once) as stage:
        behind = FeedBrain(platform, prepared, stage, start, name=brain)
        with closing(behind):
            found = replay_trace(
                platform, trace, behind, seed=seed, faults=faults, config=config, on_progress=on_progress
            )
        published = stage.service.next_epoch() - 1
    return Rehearsal(found, published, behind.applied, tuple(behind.refused), behind.requests)


class FeedBrain:
    """`Brain` of a world that is steered by the feed.

    Parameters
    ----------
    platform : Platform
    prepared : Prepared
    stage : Stage
    start : datetime
        Local time of instant 0, without a zone.
    name : str
    """

    def __init__(self, platform: Platform, prepared: Prepared, stage: Stage, start: datetime, *, name: str) -> None:
        self.name = name
        self.applied = self.requests = 0
        self.refused: list[str] = []
        self._network = network = platform.network
        self._stage = stage
        self._start_ns = instant_of(start.replace(tzinfo=LOCAL_TIME))
        self._in_time = PlanInTime(network, prepared.plan, start)
        self._plan_nodes = prepared.plan.node
        # One client plays all front-ends: what a comfortable one costs a request would be most of the rehearsal.
        host, port = stage.address.removeprefix("http://").split(":")
        self._connection = HTTPConnection(host, int(port), timeout=60.0)
        self._keys: dict[int, tuple[int, int, bool]] = {}
        self._servers = np.zeros(len(prepared.plan.node), dtype=np.int32)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def handle(self, event: Event) -> list[Command]:
        """Tell the server, let centre and agents work, and return what agents' policies now ask of the world."""
        self._stage.clock.set(self._start_ns + event.now_ns)
        match event:
            case DemandReported():
                self._tell_demand(event)
                return []  # the sample of the same window comes at the same instant
            case TelemetryArrived():
                self._tell_stations(event)
            case StationsChanged():
                self._tell_changes(event)
            case SlotStarted():
                pass
            case _:
                return []
        self._stage.look()
        if isinstance(event, SlotStarted):
            self._stage.step()  # agents go over to the slot's plan by themselves
        return self._commands(event.now_ns)

    def _commands(self, now_ns: int) -> list[Command]:
        commands: list[Command] = []
        for done in self._stage.done:
            self.refused += done.refused
            commands += [LogDecision(decision) for decision in done.decisions]
        self._stage.done.clear()
        in_force = self._stage.in_force()
        keys = {node: one.key for node, one in in_force.items()}
        if not in_force:
            return commands
        servers = self._asked_servers(next(iter(in_force.values())).policy.parsed, now_ns)
        commands += borrowing_commands(self._plan_nodes, self._servers, servers)
        self._servers = servers
        if keys != self._keys:
            self.applied += sum(self._keys.get(node, (0,))[0] != key[0] for node, key in keys.items())
            self._keys = keys
            commands += [SetHandling(AgentsHandling(in_force)), SetPlan(AgentsPlan(self._network, in_force))]
        return commands

    def _asked_servers(self, parsed: Parsed, now_ns: int) -> np.ndarray[Any, np.dtype[np.int32]]:
        """What clouds are to lend: as planned, and where the bundle says otherwise for now, so."""
        servers = self._in_time.servers(now_ns)
        for place, node in enumerate(self._plan_nodes.tolist()):
            now = parsed.capacity.now.get(self._network.node_name[node])
            if now is not None:
                servers[place] = now
        return servers

    # What goes in.

    def _tell_demand(self, event: DemandReported) -> None:
        for node in self._network.endpoints.tolist():
            rows = np.flatnonzero(event.source == node)
            tasks = [
                {
                    "target": self._network.node_name[int(event.target[row])],
                    "mode": int(event.mode[row]),
                    "kind": int(event.kind[row]),
                    "priority": int(event.priority[row]),
                    "exchanges": int(event.exchanges[row]),
                    "payload_bytes": int(event.payload_bytes[row]),
                }
                for row in rows
            ]
            accepted = {"source": self._network.node_name[node], "tasks": tasks}
            self._post(event.observed_ns, event.window_ns, {"accepted": accepted})

    def _tell_stations(self, event: TelemetryArrived) -> None:
        columns = zip(
            self._network.station_name,
            event.utilisation.tolist(),
            event.waiting.tolist(),
            event.served_bytes.tolist(),
            event.up.tolist(),
            strict=True,
        )
        names = ("name", "utilisation", "waiting", "served_bytes", "up")
        rows = [dict(zip(names, row, strict=True)) for row in columns]
        self._post(event.observed_ns, event.window_ns, {"stations": rows})

    def _tell_changes(self, event: StationsChanged) -> None:
        rows = [
            {"name": self._network.station_name[station], "utilisation": 0.0, "waiting": 0, "served_bytes": 0, "up": up}
            for station, up in zip(event.station.tolist(), event.up.tolist(), strict=True)
        ]
        self._post(event.observed_ns, 0, {"stations": rows})

    def _post(self, observed_ns: int, window_ns: int, content: dict[str, Any]) -> None:
        observed = utc_of(self._start_ns + observed_ns).isoformat()
        batch = {"observed": observed, "window_s": window_ns / SECOND_NS} | content
        body = json.dumps(batch).encode()
        self._connection.request("POST", TELEMETRY, body, {"content-type": "application/json"})
        answer = self._connection.getresponse()
        said = answer.read()
        assert answer.status == HTTPStatus.ACCEPTED, said
        self.requests += 1
