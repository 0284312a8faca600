"""The brain of a simulated world that is behind the feed: monitoring tells the centre, front-ends' policies steer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exchange_router.rehearsed_plan import AgentsHandling, AgentsPlan, InForce
from feed.clock import local_of, utc_of
from router_core.units import SECOND_NS
from strategies.brain import (
    Command,
    DemandReported,
    Event,
    RunEnded,
    SetHandling,
    SetPlan,
    SlotStarted,
    StationsChanged,
    TelemetryArrived,
)
from strategies.static.plan_in_time import PlanInTime
from strategies.static.static_brain import borrowing_commands
from swarm.context import Context
from swarm.end_machine import EndMachine
from swarm.keyring import MONITOR, token
from swarm.troubles import Kind
from swarm.weather import MONITORING
from swarm.wire import Asked

ABSURD: tuple[Any, ...] = (-1, -0.5, 1e300, 2**62, float("nan"), "many", None, [], 999_999.0)
RETRIES = 3


class Steering:
    """`Brain` of the world.

    Parameters
    ----------
    context : Context
    ends : list of EndMachine
    seen : callable
        Told of each event of the world before anything is done about it.

    Attributes
    ----------
    commands : list of (Event, list of Command)
        What was commanded at each event, to be done again in another data plane.
    """

    name = "feed"

    def __init__(self, context: Context, ends: list[EndMachine], seen: Callable[[Event], None]) -> None:
        self.commands: list[list[Command]] = []
        self._context = context
        self._ends = ends
        self._seen = seen
        self._draw = context.draw("telemetry troubles")
        self._start_ns = context.zero_ns + context.begin_ns
        prepared = context.scene.prepared
        self._in_time = PlanInTime(context.network, prepared.plan, local_of(self._start_ns))
        self._plan_nodes = prepared.plan.node
        self._servers: NDArray[np.int32] = np.zeros(len(prepared.plan.node), dtype=np.int32)
        self._keys: dict[int, tuple[int, int, bool]] = {}

    def handle(self, event: Event) -> list[Command]:
        """Let the feed live until this instant, tell it, and return what front-ends' policies ask of the world."""
        context = self._context
        context.loop.run_until_ns(context.begin_ns + event.now_ns)
        self._seen(event)
        match event:
            case DemandReported():
                self._tell_demand(event)
            case TelemetryArrived():
                self._tell_stations(event)
            case StationsChanged():
                self._tell_changes(event)
            case SlotStarted() | RunEnded():
                pass
        commands = self._commands(event.now_ns)
        self.commands.append(commands)
        return commands

    def _commands(self, now_ns: int) -> list[Command]:
        commands: list[Command] = []
        found: dict[int, InForce] = {}
        for one in self._ends:
            held = one.in_force
            if held is not None:
                found[self._context.network.node_index[one.scope]] = InForce(
                    held.checked.policy, held.slot, held.dynamic
                )
        if not found:
            return commands
        newest = max(found.values(), key=lambda one: one.policy.parsed.manifest.epoch)
        servers = self._in_time.servers(now_ns)
        for place, node in enumerate(self._plan_nodes.tolist()):
            now = (
                newest.policy.parsed.capacity.now.get(self._context.network.node_name[node]) if newest.dynamic else None
            )
            if now is not None:
                servers[place] = now
        commands += borrowing_commands(self._plan_nodes, self._servers, servers)
        self._servers = servers
        keys = {node: one.key for node, one in found.items()}
        if keys != self._keys:
            self._keys = keys
            if len(found) == len(self._ends):
                commands.append(SetHandling(AgentsHandling(found)))
            commands.append(SetPlan(AgentsPlan(self._context.network, found)))
        return commands

    async def idle(self) -> None:
        """Go on telling when the trace is over: everything works, and nothing is asked of it."""
        context = self._context
        period_ns = context.spec.rhythms.config.telemetry.period_ns
        name = context.network.station_name
        quiet = {"utilisation": 0.0, "waiting": 0, "served_bytes": 0, "up": True}
        rows = [{"name": one} | quiet for one in name]
        while True:
            now_ns = context.loop.now_ns - context.begin_ns
            observed_ns = now_ns // period_ns * period_ns
            self._post(observed_ns, period_ns, {"stations": rows})
            for node in context.network.endpoints.tolist():
                accepted = {"source": context.network.node_name[node], "tasks": []}
                self._post(observed_ns, period_ns, {"accepted": accepted})
            await asyncio.sleep((observed_ns + period_ns - now_ns + SECOND_NS) / SECOND_NS)

    # --- what monitoring tells

    def _tell_demand(self, event: DemandReported) -> None:
        network = self._context.network
        for node in network.endpoints.tolist():
            rows = np.flatnonzero(event.source == node)
            tasks = [
                {
                    "target": network.node_name[int(event.target[row])],
                    "mode": int(event.mode[row]),
                    "kind": int(event.kind[row]),
                    "priority": int(event.priority[row]),
                    "exchanges": int(event.exchanges[row]),
                    "payload_bytes": int(event.payload_bytes[row]),
                }
                for row in rows
            ]
            accepted = {"source": network.node_name[node], "tasks": tasks}
            self._post(event.observed_ns, event.window_ns, {"accepted": accepted})

    def _tell_stations(self, event: TelemetryArrived) -> None:
        columns = (event.utilisation, event.waiting, event.served_bytes, event.up)
        rows = zip(self._context.network.station_name, *(one.tolist() for one in columns), strict=True)
        names = ("name", "utilisation", "waiting", "served_bytes", "up")
        self._post(
            event.observed_ns, event.window_ns, {"stations": [dict(zip(names, row, strict=True)) for row in rows]}
        )

    def _tell_changes(self, event: StationsChanged) -> None:
        name = self._context.network.station_name
        rows = [
            {"name": name[station], "utilisation": 0.0, "waiting": 0, "served_bytes": 0, "up": up}
            for station, up in zip(event.station.tolist(), event.up.tolist(), strict=True)
        ]
        self._post(event.observed_ns, 0, {"stations": rows})

    def _post(self, observed_ns: int, window_ns: int, content: dict[str, Any]) -> None:
        """Send a batch, as the troubles of the moment let it."""
        draw, weather = self._draw, self._context.weather

        def chance(kind: Kind) -> bool:
            return any(draw.random() < 0.2 + 0.8 * one.strength for one in weather.of(kind))

        if chance(Kind.TELEMETRY_LOST):
            return
        document: dict[str, Any] = {
            "observed": utc_of(self._start_ns + observed_ns).isoformat(),
            "window_s": window_ns / SECOND_NS,
        } | content
        if chance(Kind.TELEMETRY_ABSURD):
            document = absurd(draw, document)
        late_ns = 0
        if chance(Kind.TELEMETRY_LATE):
            late_ns = int(draw.integers(1, 90)) * SECOND_NS
        elif chance(Kind.TELEMETRY_REORDERED):
            late_ns = int(draw.integers(0, 4_000)) * SECOND_NS // 1_000
        body = json.dumps(document).encode()
        for _ in range(1 + chance(Kind.TELEMETRY_TWICE)):
            self._context.loop.create_task(self._sent(body, late_ns))

    async def _sent(self, body: bytes, late_ns: int) -> None:
        headers = (
            (b"host", b"centre"),
            (b"authorization", f"Bearer {token(MONITOR)}".encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        )
        wire = self._context.wire
        await asyncio.sleep(late_ns / SECOND_NS)
        for _ in range(RETRIES):
            fate = wire.fate(MONITORING)
            await asyncio.sleep(fate.out_ns / SECOND_NS)
            if not fate.lost:
                try:
                    answered = await wire.call(Asked("POST", "/v1/telemetry", b"", headers, body))
                except Exception:  # no server: once more, some seconds later
                    answered = None
                if fate.twice:
                    wire.call(Asked("POST", "/v1/telemetry", b"", headers, body)).add_done_callback(_unheard)
                if answered is not None and not fate.answer_lost:
                    if answered.status >= 500:
                        self._context.journal.breaks("5xx", f"telemetry was answered {answered.status}")
                    return
            await asyncio.sleep(5.0)


def _unheard(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


def absurd(draw: np.random.Generator, document: dict[str, Any]) -> dict[str, Any]:
    """Put something that cannot be into a batch: a value, a name, an instant."""
    found = deepcopy(document)
    rows = found.get("stations") or found.get("accepted", {}).get("tasks")
    how = int(draw.integers(4))
    if how == 0 or not rows:
        found["observed"] = ("2031-01-01T00:00:00Z", "1999-01-01T00:00:00Z", "now", 7)[int(draw.integers(4))]
    elif how == 1:
        found["window_s"] = (0, -1, 1e9, "x")[int(draw.integers(4))]
    else:
        row = rows[int(draw.integers(len(rows)))]
        key = sorted(row)[int(draw.integers(len(row)))]
        row[key] = ABSURD[int(draw.integers(len(ABSURD)))]
    return found
