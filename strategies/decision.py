"""What a brain decided, in words that a log, a report and an operator share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from math import isfinite
from typing import Final

from router_core.errors import BadInputError


class Trust(IntEnum):
    """What a brain goes by, from the most to the least that it can trust."""

    PROBING = 0
    DYNAMIC = 1
    STATIC = 2
    LAST_GOOD = 3


class DecisionKind(StrEnum):
    """What was decided."""

    SURGE_FOUND = "surge-found"
    SURGE_OVER = "surge-over"
    SERVERS_BORROWED = "servers-borrowed"
    SERVERS_RETURNED = "servers-returned"
    BULK_HELD = "bulk-held"
    BULK_RELEASED = "bulk-released"
    ROUTES_CHANGED = "routes-changed"
    ROUTES_RESTORED = "routes-restored"
    PARTICLES_SENT = "particles-sent"
    STATIONS_LOST = "stations-lost"
    STATIONS_BACK = "stations-back"
    TRUST_CHANGED = "trust-changed"
    ALERT = "alert"


class Reason(StrEnum):
    """Why."""

    ABOVE_FORECAST = "above-forecast"
    AS_FORECAST = "as-forecast"
    STATION_BUSY = "station-busy"
    STATION_IDLE = "station-idle"
    SURGE = "surge"
    SURGE_OVER = "surge-over"
    BETTER_ROUTES = "better-routes"
    STATIONS_DOWN = "stations-down"
    STATIONS_UP = "stations-up"
    SLOT_BEGAN = "slot-began"
    POOL_EMPTY = "pool-empty"
    DEADLINE_AT_RISK = "deadline-at-risk"
    TELEMETRY_LATE = "telemetry-late"
    TELEMETRY_MISSING = "telemetry-missing"
    TELEMETRY_ABSURD = "telemetry-absurd"
    TELEMETRY_GOOD = "telemetry-good"
    PARTICLES_MISSING = "particles-missing"
    PARTICLES_BACK = "particles-back"
    PLAN_REFUSED = "plan-refused"


# Figures that a decision may state, and their units; a report names them in both languages.
FIGURES: Final[dict[str, str]] = {
    "utilisation": "1",
    "expected_utilisation": "1",
    "rate": "1/s",
    "expected_rate": "1/s",
    "factor": "1",
    "score": "1",
    "onset_s": "s",
    "servers": "1",
    "server_s": "s",
    "pool_left": "1",
    "held_share": "1",
    "hold_s": "s",
    "bytes_per_s": "B/s",
    "pairs": "1",
    "churn": "1",
    "peak": "1",
    "peak_before": "1",
    "delay_s": "s",
    "delay_before_s": "s",
    "particles": "1",
    "payload_bytes": "B",
    "stations": "1",
    "age_s": "s",
    "lead_s": "s",
    "count": "1",
}


@dataclass(frozen=True)
class Decision:
    """One entry of the log.

    Attributes
    ----------
    now_ns : int
        When it was decided [ns].
    observed_ns : int
        The newest observation that it rests on, no later than `now_ns` [ns]; 0 if on none.
    kind : DecisionKind
    reason : Reason
    subject : tuple of str
        Names of the nodes, stations, pairs, classes or pools concerned, or words of `Trust`; may be cut to the first
        few, and may be empty.
    figures : mapping of str to float
        Keys of `FIGURES`; what it costs is among them (servers, held bytes, churn, particles).

    Raises
    ------
    BadInputError
        If it rests on the future, or states a figure that is unknown or not finite.
    """

    now_ns: int
    observed_ns: int
    kind: DecisionKind
    reason: Reason
    subject: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.observed_ns <= self.now_ns:
            raise BadInputError("decision.observed_ns", f"must lie in 0..{self.now_ns}", self.observed_ns)
        for name, value in self.figures.items():
            if name not in FIGURES or not isfinite(value):
                raise BadInputError(f"decision.figures.{name}", "must be a known figure and finite", value)
