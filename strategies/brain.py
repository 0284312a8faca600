"""The brain's contract: typed events in, typed commands out; no clock, no sockets, no files.

In the simulator the world delivers events at simulated time and carries out the commands; live, the feed does. The
same object serves both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from router_core.exchanges import Exchanges
from router_core.plan import Plan
from strategies.decision import Decision
from strategies.policy_record import PolicyRecord


@dataclass(frozen=True)
class SlotStarted:
    """A planning slot begins.

    Attributes
    ----------
    now_ns : int
        From the start of the run [ns].
    slot : int
        Number of the slot since the start.
    """

    now_ns: int
    slot: int


@dataclass(frozen=True, eq=False)
class TelemetryArrived:
    """A sample of all stations has come in, late and noisy as telemetry is.

    Attributes
    ----------
    now_ns, observed_ns : int
        When it arrives, and the instant it describes (earlier) [ns].
    window_ns : int
        Length of the window that ends at `observed_ns` [ns].
    utilisation : float64 (S,)
        Busy share of the servers in the window; lines count their other users too, as an interface counter does.
    waiting : int64 (S,)
        Exchanges waiting at the end of the window.
    served_bytes : int64 (S,)
        Bytes of exchanges whose service began in the window.
    up : bool (S,)
        Which stations worked at the end of the window.
    """

    now_ns: int
    observed_ns: int
    window_ns: int
    utilisation: NDArray[np.float64]
    waiting: NDArray[np.int64]
    served_bytes: NDArray[np.int64]
    up: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class DemandReported:
    """What all front-ends accepted in a window has come in, as late as telemetry; n rows, one a relation, ascending.

    Attributes
    ----------
    now_ns, observed_ns : int
        When it arrives, and the end of the window (earlier) [ns].
    window_ns : int
        Length of the window [ns].
    source, target : int32 (n,)
        Node indices of endpoints.
    mode, kind, priority : int8 (n,)
        `Mode`, `TaskKind`, and the class of service that the task asked for.
    exchanges, payload_bytes : int64 (n,)
        Tasks accepted in the window, >= 1, and their bytes; held back or not.
    """

    now_ns: int
    observed_ns: int
    window_ns: int
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    mode: NDArray[np.int8]
    kind: NDArray[np.int8]
    priority: NDArray[np.int8]
    exchanges: NDArray[np.int64]
    payload_bytes: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class StationsChanged:
    """Monitoring says at once that stations stopped, or returned.

    Attributes
    ----------
    now_ns, observed_ns : int
        When it arrives, and when it happened (earlier) [ns].
    station : int32 (k,)
        Ascending.
    up : bool (k,)
    """

    now_ns: int
    observed_ns: int
    station: NDArray[np.int32]
    up: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ParticlesCollected:
    """A round of test particles is collected; n rows: all of that round, then those of earlier ones that came since.

    Attributes
    ----------
    now_ns : int
        When it is collected [ns].
    round : int64 (n,)
        Number of the round that the particle was sent in.
    particle : int32 (n,)
        Its row in that round's `SendParticles`.
    sent_ns, received_ns : int64 (n,)
        When it was sent, and when it came to its target [ns]; -1: it has not come, so it is lost or late.
    """

    now_ns: int
    round: NDArray[np.int64]
    particle: NDArray[np.int32]
    sent_ns: NDArray[np.int64]
    received_ns: NDArray[np.int64]


@dataclass(frozen=True)
class RunEnded:
    """Nothing more will come."""

    now_ns: int


Event = SlotStarted | TelemetryArrived | DemandReported | StationsChanged | ParticlesCollected | RunEnded


@dataclass(frozen=True)
class SetPlan:
    """What takes its route from now on follows this plan.

    Attributes
    ----------
    plan : Plan
    reroute : bool
        Exchanges under way go over to their new way too, where that passes the place where they are.
    """

    plan: Plan
    reroute: bool = False


@dataclass(frozen=True, eq=False)
class BorrowServers:
    """Nodes are to have so many servers from their clouds' pools, beside their own, from now on.

    Further ones serve after the pool's start delay; those given back stop taking work at once. An endpoint's serve at
    its own station, a centre's at its processing. A node that is not named keeps what it has.

    Attributes
    ----------
    node : int32 (k,)
        Nodes with a pool, none twice.
    servers : int32 (k,)
        >= 0; what all nodes of a pool ask for together is no more than it has.
    """

    node: NDArray[np.int32]
    servers: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Handled:
    """What a front-end does with tasks that it accepts, n rows.

    Attributes
    ----------
    hold_ns : int64 (n,)
        How long each is held back before it is sent [ns], >= 0.
    priority : int8 (n,)
        Class of service in which it travels, 0 .. PRIORITY_MAX.
    """

    hold_ns: NDArray[np.int64]
    priority: NDArray[np.int8]


class Handling(Protocol):
    """How front-ends treat the tasks that they accept: a pure function, so that asking twice gives the same."""

    def handle(self, tasks: Exchanges, first_id: int) -> Handled:
        """Say what becomes of these tasks.

        Parameters
        ----------
        tasks : Exchanges
            In order of acceptance, without the true labels of generated traces.
        first_id : int
            Row in the trace of the first one; the others follow it.
        """
        ...


@dataclass(frozen=True)
class SetHandling:
    """Front-ends treat what they accept from now on like this; None: everything is sent at once as it came.

    Attributes
    ----------
    handling : Handling or None
    """

    handling: Handling | None


@dataclass(frozen=True, eq=False)
class SendParticles:
    """A round of n test particles sets out now; each is load like any other, is never tried again, and has no credit.

    Attributes
    ----------
    round : int
        Its number, greater than those of earlier rounds.
    route_start : int64 (n + 1,)
        Stations of particle i: ``route_station[route_start[i]:route_start[i + 1]]``.
    route_station : int32
        From an endpoint's own station to another's, in order, as exchanges go.
    payload_bytes : int64 (n,)
    priority : int8 (n,)
        Class of service, 0 .. PRIORITY_MAX.
    collect_ns : int
        The round is collected so long after it was sent [ns], > 0.
    """

    round: int
    route_start: NDArray[np.int64]
    route_station: NDArray[np.int32]
    payload_bytes: NDArray[np.int64]
    priority: NDArray[np.int8]
    collect_ns: int


@dataclass(frozen=True)
class LogDecision:
    """What the brain decided, with reason and cost, goes into the log; nothing else happens."""

    decision: Decision


@dataclass(frozen=True, eq=False)
class KeepRecord:
    """What the policy in force is and what it rests on is kept, to be explained later; nothing else happens."""

    record: PolicyRecord


Command = SetPlan | BorrowServers | SetHandling | SendParticles | LogDecision | KeepRecord


class Brain(Protocol):
    """The exchange management centre's scheduler.

    `handle` is deterministic: equal events in equal order give equal commands. What it decides at an event depends
    on that event and earlier ones alone.
    """

    @property
    def name(self) -> str:
        """Name on the command line and in results."""
        ...

    def handle(self, event: Event) -> list[Command]:
        """Take in one event and return the commands to carry out now, in order."""
        ...
