"""Planted bugs: each a small change of the system under test that the swarm has to find.

A bug is planted by exchanging one name of the product for another, for as long as a world lives.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import faulty_planes
import numpy as np

from feed.agent import desk as agent_desk
from feed.agent.carriers import Delivered
from feed.agent.expiry import Layer
from feed.agent.link import Taken
from router_core.network import Network, frozen
from router_core.transport import Transport
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from sim.data_plane import DataPlane
from sim.reference_plane import ReferencePlane

Make = Callable[[Any], Any]


@dataclass(frozen=True)
class Planted:
    """One bug.

    Attributes
    ----------
    name : str
    says : str
        What is wrong with it.
    place : str
        Module and name of what is exchanged.
    make : callable
        From what is there to what takes its place.
    """

    name: str
    says: str
    place: str
    make: Make

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Have the bug in this process for a while."""
        owner, attribute = self.owner()
        missing = attribute not in vars(owner) if isinstance(owner, type) else False
        real = owner[attribute] if isinstance(owner, dict) else getattr(owner, attribute)
        _put(owner, attribute, self.make(real))
        try:
            yield
        finally:
            if missing:
                delattr(owner, attribute)
            else:
                _put(owner, attribute, real)

    def owner(self) -> tuple[Any, str]:
        """Return module, class or table that has what is exchanged, and its name there."""
        module, _, path = self.place.partition(":")
        *outer, attribute = path.split(".")
        owner: Any = importlib.import_module(module)
        for name in outer:
            owner = getattr(owner, name)  # a class, or a table
        return owner, attribute


def _put(owner: Any, attribute: str, value: Any) -> None:
    if isinstance(owner, dict):
        owner[attribute] = value
    else:
        setattr(owner, attribute, value)


def _nothing(_real: Any) -> Any:
    return lambda *_args, **_more: None


def _lost_retry(real: Any) -> Any:
    """A failed attempt is taken note of, and nobody tries again."""
    return lambda self, settled, now_ns: real(
        self, [one for one in settled if isinstance(one.outcome, Delivered)], now_ns
    )


def _retried_though_delivered(real: Any) -> Any:
    def settle(self: Any, settled: Any, now_ns: int) -> None:
        real(self, settled, now_ns)
        with self._state.transaction() as base:
            for one in settled[:1]:
                base.execute(
                    "UPDATE tasks SET state = ?, failures = failures + 1, due_ns = ? WHERE id = ? AND state = ?",
                    (agent_desk.HELD, now_ns, one.task, agent_desk.DELIVERED),
                )

    return settle


def _document_first(real: Any) -> Any:
    """The document is taken away before the task is in the database."""

    def accept(self: Any, situation: Any) -> None:
        given = list(self._spool.given(agent_desk.ACCEPTED_MAX, situation.now_ns))
        for one in given:
            self._spool.done(one)
        kept = self._spool.given
        self._spool.given = lambda *_: iter(given)
        try:
            real(self, situation)
        finally:
            self._spool.given = kept

    return accept


def _stale_route(_real: Any) -> Any:
    """What is down is known, and the ways over it stay."""

    def look_down(self: Any, now_ns: int) -> None:
        down = self._down.copy()
        down[:] = False
        down[list(self._told_down)] = True
        self._down = down

    return look_down


def _soft_expiry_ignored(_real: Any) -> Any:
    return lambda now_ns, soft_ns, hard_ns, before=Layer.DYNAMIC: Layer.LAPSED if now_ns >= hard_ns else Layer.DYNAMIC


def _slot_early(real: Any) -> Any:
    return lambda self, now_ns: real(self, now_ns + 2 * MINUTE_NS)


def _slot_border(real: Any) -> Any:
    """In the very nanosecond in which a slot begins the one before still holds."""
    return lambda self, now_ns: real(self, now_ns - 1)


def _slot_late(real: Any) -> Any:
    return lambda self, now_ns: real(self, now_ns) + HOUR_NS


def _in_memory_only(real: Any) -> Any:
    """A policy holds in memory whatever the disk says."""

    def swap(self: Any, checked: Any, data: bytes, now_ns: int) -> None:
        held = self._in_force
        try:
            real(self, checked, data, now_ns)
        except OSError:
            if held is not None:
                self._put(checked, now_ns, Layer.DYNAMIC)
            raise

    return swap


def _report_forgotten(real: Any) -> Any:
    """A report that found no server counts as told."""

    def report(self: Any, status: Any) -> Any:
        real(self, status)
        return Taken()

    return report


def _epoch_again(real: Any) -> Any:
    """A server that starts anew counts its epochs from those that it kept."""

    def init(self: Any, *args: Any, **more: Any) -> None:
        real(self, *args, **more)
        self._top = max(self._top - 1, 0)

    return init


def _everybody(_real: Any) -> Any:
    """A rollout offers the newest epoch to all at once."""
    return lambda self, scope: self.epoch


def _twice_counted(real: Any) -> Any:
    """What comes twice counts twice."""

    def stations(self: Any, samples: Any) -> None:
        self._newest_ns[:] = -1
        real(self, samples)
        for window in self._open.values():
            told_ns = window.stations.told_ns
            np.minimum(told_ns, self.period_ns, out=told_ns)

    return stations


def _float_clock(_real: Any) -> Any:
    """Times of service go through seconds in floating point."""

    def plane(network: Network, transport: Transport) -> DataPlane:
        through = (network.station_fixed_ns / SECOND_NS * SECOND_NS).astype(np.int64)
        return ReferencePlane(replace(network, station_fixed_ns=frozen(through, np.int64)), transport)

    return plane


def _no_rest_for_publishing(real: Any) -> Any:
    """Each look at the policy finds it changed."""
    count = iter(range(10**9))
    return lambda self, now_ns: f"{real(self, now_ns)} {next(count)}"


def _event_unrecorded(real: Any) -> Any:
    count = iter(range(10**9))

    def record(self: Any, event: Any, commands: Any) -> None:
        if next(count) % 20 != 7:
            real(self, event, commands)

    return record


def _anybodys_policy(real: Any) -> Any:
    return lambda self, act, scope=None: real(self, act)


def _polls_too_often(real: Any) -> Any:
    def fetch(self: Any, now_ns: int) -> None:
        real(self, now_ns)
        self._fetch_ns = min(self._fetch_ns, now_ns + SECOND_NS)

    return fetch


def _forgets_down(real: Any) -> Any:
    """Front-ends are told what stopped, and not that it came back."""

    def put(self: Any, down: Any) -> None:
        real(self, down | self.now)

    return put


PLANTED: tuple[Planted, ...] = (
    Planted("lost-retry", "a failed attempt is never tried again", "feed.agent.desk:Desk._settle", _lost_retry),
    Planted("sent-again", "a delivered task is sent again", "feed.agent.desk:Desk._settle", _retried_though_delivered),
    Planted(
        "document-first", "a document goes before its task is kept", "feed.agent.desk:Desk._accept", _document_first
    ),
    Planted("stale-route", "a way that is known to be down is kept", "feed.agent.agent:Agent._look_down", _stale_route),
    Planted("soft-expiry", "the dynamic layer never lapses", "feed.agent.agent:layer_at", _soft_expiry_ignored),
    Planted(
        "slot-early", "a slot begins two minutes early", "feed.agent.agent_policy:AgentPolicy.slot_at", _slot_early
    ),
    Planted(
        "slot-border",
        "the instant of a slot's border belongs to the slot before",
        "feed.agent.agent_policy:AgentPolicy.slot_at",
        _slot_border,
    ),
    Planted(
        "slot-late",
        "the next slot is looked for too late",
        "feed.agent.agent_policy:AgentPolicy.next_slot_ns",
        _slot_late,
    ),
    Planted("signature-unchecked", "no signature is looked at", "feed.agent.checks:check_signature", _nothing),
    Planted("epoch-unchecked", "an older policy may follow a newer one", "feed.agent.checks:check_epoch", _nothing),
    Planted("in-memory-only", "a policy holds that could not be kept", "feed.agent.agent:Agent._swap", _in_memory_only),
    Planted(
        "report-forgotten",
        "a report that found no server is dropped",
        "feed.agent.http_link:HttpLink.report",
        _report_forgotten,
    ),
    Planted(
        "epoch-again",
        "a restarted server gives an epoch again",
        "feed.server.service:FeedService.__init__",
        _epoch_again,
    ),
    Planted("no-canaries", "the newest epoch goes to all at once", "feed.server.rollout:Rollout.offered", _everybody),
    Planted(
        "twice-counted",
        "telemetry that comes twice counts twice",
        "feed.live.windows:TelemetryWindows.stations",
        _twice_counted,
    ),
    Planted("float-clock", "times go through floating point", "sim.replay:DATA_PLANES.simpy", _float_clock),
    Planted(
        "publishes-always",
        "each look finds the policy changed",
        "feed.live.policy_now:PolicyNow.key",
        _no_rest_for_publishing,
    ),
    Planted(
        "unrecorded", "one event in twenty is not recorded", "feed.live.recording:Recorder.record", _event_unrecorded
    ),
    Planted("anybodys-policy", "an agent is given another's policy", "feed.server.auth:Identity.may", _anybodys_policy),
    Planted("polls-too-often", "an agent asks every second", "feed.agent.agent:Agent._fetch", _polls_too_often),
    Planted(
        "forgets-return", "what came back stays shunned", "feed.server.down_stations:DownStations.set", _forgets_down
    ),
    Planted(
        "ties",
        "exchanges of one instant go in another order",
        "sim.replay:DATA_PLANES.simpy",
        lambda _: faulty_planes.ReversesTies,
    ),
    Planted(
        "second-stop",
        "of stations that stop at once one does not",
        "sim.replay:DATA_PLANES.simpy",
        lambda _: faulty_planes.ForgetsSecondStop,
    ),
    Planted(
        "spill",
        "what waited on disk is served as fast as from memory",
        "sim.replay:DATA_PLANES.simpy",
        lambda _: faulty_planes.forgets_spill,
    ),
    Planted(
        "classes",
        "strict priority is first come, first served",
        "sim.replay:DATA_PLANES.simpy",
        lambda _: faulty_planes.ignores_classes,
    ),
    Planted(
        "credit",
        "a credit comes back too early",
        "sim.replay:DATA_PLANES.simpy",
        lambda _: faulty_planes.hurries_credit,
    ),
    Planted(
        "never-reroutes",
        "a new plan does not reach what waits",
        "sim.replay:DATA_PLANES.simpy",
        lambda _: faulty_planes.NeverReroutes,
    ),
)

# The world of the tests that finds each, by its number from 1 on, and the law that it breaks first there.
FOUND: dict[str, tuple[int, str]] = {
    "lost-retry": (1, "liveness"),
    "sent-again": (1, "1"),
    "document-first": (45, "1"),
    "stale-route": (26, "7"),
    "soft-expiry": (1, "6"),
    "slot-early": (2, "6"),
    "slot-late": (2, "6"),
    "slot-border": (10, "6"),
    "signature-unchecked": (31, "8"),
    "epoch-unchecked": (44, "8"),
    "in-memory-only": (56, "8"),
    "report-forgotten": (91, "1"),
    "epoch-again": (14, "8"),
    "no-canaries": (1, "rollout"),
    "twice-counted": (10, "6"),
    "float-clock": (3, "4"),
    "publishes-always": (1, "still"),
    "unrecorded": (1, "9"),
    "anybodys-policy": (1, "access"),
    "polls-too-often": (4, "still"),
    "forgets-return": (1, "liveness"),
    "ties": (2, "4"),
    "second-stop": (31, "4"),
    "spill": (11, "4"),
    "classes": (50, "4"),
    "credit": (3, "4"),
}
# Those that the swarm does not find, and why.
MISSED: dict[str, str] = {
    "never-reroutes": "no brain asks for it; the drawn worlds of differential testing find it",
}
