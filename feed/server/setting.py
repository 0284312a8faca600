"""What the server allows itself and others: rates, sizes, times, and the steps of a rollout."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite

from router_core.errors import BadInputError


@dataclass(frozen=True)
class ServerSetting:
    """Bounds of the server; all are finite and above 0.

    Attributes
    ----------
    canary_share : float
        Share of all scopes that the second stage of a rollout takes in, at most 1; the first takes one scope.
    alive_s : float
        A scope that was seen within this time is alive [s]; longer than a long poll lasts.
    stage_s : float
        A stage in which an agent that was given the bundle stays silent for longer than this is halted [s].
    wait_s_max : float
        Longest poll [s].
    header_s, body_s : float
        Within these times a request's head, and then its body, must have come [s].
    idle_s : float
        A connection without a request is closed after this time [s].
    stop_s : float
        Requests under way may take so long to end when the server stops [s].
    headers_max, header_bytes_max : int
        Of one request, its line included.
    body_bytes_max, telemetry_bytes_max, bundle_bytes_max : int
        Bodies: of status and rollback, of telemetry, of a bundle.
    connections_max : int
        Open at once.
    agent_rate, agent_burst : float
        Requests of one agent [1/s], and how many may come at once.
    client_rate, client_burst : float
        The same of any other client that is known.
    stranger_rate, stranger_burst : float
        The same of an address that shows no valid credentials.
    clients_max : int
        Clients whose rates are remembered.
    stations_max, tasks_max : int
        Rows of one batch of telemetry.
    epochs_kept : int
        Bundles that are kept to go back to; at least 2.
    deltas_max : int
        Deltas and packages kept in memory.
    """

    canary_share: float = 0.1
    alive_s: float = 180.0
    stage_s: float = 600.0
    wait_s_max: float = 60.0
    header_s: float = 10.0
    body_s: float = 30.0
    idle_s: float = 90.0
    stop_s: float = 10.0
    headers_max: int = 64
    header_bytes_max: int = 16 << 10
    body_bytes_max: int = 16 << 10
    telemetry_bytes_max: int = 4 << 20
    bundle_bytes_max: int = 64 << 20
    connections_max: int = 4_096
    agent_rate: float = 10.0
    agent_burst: float = 40.0
    client_rate: float = 2_000.0
    client_burst: float = 4_000.0
    stranger_rate: float = 20.0
    stranger_burst: float = 40.0
    clients_max: int = 10_000
    stations_max: int = 100_000
    tasks_max: int = 100_000
    epochs_kept: int = 20
    deltas_max: int = 2_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (isfinite(value) and value > 0):
                raise BadInputError(f"server.{field.name}", "must be finite and above 0", value)
        for name, value, least in (
            ("alive_s", self.alive_s, self.wait_s_max),
            ("epochs_kept", self.epochs_kept, 2),
            ("agent_burst", self.agent_burst, 1),
            ("client_burst", self.client_burst, 1),
            ("stranger_burst", self.stranger_burst, 1),
        ):
            if value < least:
                raise BadInputError(f"server.{name}", f"must be at least {least:g}", value)
        if self.canary_share > 1:
            raise BadInputError("server.canary_share", "must be at most 1", self.canary_share)
