"""The agent of a front-end: it fetches, checks, applies and acknowledges policies, and carries tasks out by them."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from feed.agent.agent_policy import AgentPolicy
from feed.agent.alarms import Alarm, Alarms
from feed.agent.checks import Checked, Knowledge, PackageChecks
from feed.agent.desk import Desk, Situation
from feed.agent.expiry import Layer, clock_is_behind, layer_at, next_change_ns
from feed.agent.guards import has_live_way, is_live
from feed.agent.link import Fetched, ServerLink, Stations, Taken, Unavailable, Unchanged
from feed.agent.nifi_file import NifiFile
from feed.agent.state import AgentState, Kept
from feed.agent.trust_store import TrustStore
from feed.bundle.archive import Limits, pack
from feed.bundle.delta import apply
from feed.clock import Clock, utc_of
from feed.refusals import Refusal, RefusedBundleError
from router_core.errors import BadInputError, ExchangeRouterError
from router_core.live_plan import LivePlan
from router_core.network import Network
from router_core.randomness import stream
from router_core.units import DAY_NS, MINUTE_NS, SECOND_NS

LOG: Final = logging.getLogger("exchange_router.agent")
# So long without the server it is told; the static layer holds long before anybody has to act.
AWAY_NS: Final = 5 * MINUTE_NS
# What the server said of stations is forgotten then: a line that was down days ago must not be shunned for ever.
STATIONS_NS: Final = 10 * MINUTE_NS
# Windows of accepted tasks are told for so long, later the server would not take them.
WINDOWS_KEPT: Final = 5
_FAILURES: Final = (OSError, sqlite3.Error)


class Probe(Protocol):
    """Sends a small test through the endpoint's own homes, by the ways of a plan that was just put in force."""

    def probe(self, policy: AgentPolicy, live: LivePlan) -> str | None:
        """Return what failed, None if nothing did."""
        ...


@dataclass(frozen=True)
class AgentSetting:
    """Rhythm of an agent, [ns] unless it says otherwise.

    Attributes
    ----------
    wait_s : float
        How long the server may wait for another policy [s]; tasks wait meanwhile.
    poll_ns : int
        From one answer to the next question.
    backoff_ns, backoff_ns_max : int
        After the first failure, doubled up to the latter, and lengthened by up to a half, by lot.
    refused_ns, refused_ns_max : int
        What was refused is not looked at again for so long, doubled up to the latter.
    stations_ns : int
        From one question for stations that are down to the next.
    window_ns : int
        Length of a window of accepted tasks.
    tasks_ns : int
        From one look at the tasks' folders to the next.
    """

    wait_s: float = 0.0
    poll_ns: int = 2 * SECOND_NS
    backoff_ns: int = 2 * SECOND_NS
    backoff_ns_max: int = 5 * MINUTE_NS
    refused_ns: int = MINUTE_NS
    refused_ns_max: int = 15 * MINUTE_NS
    stations_ns: int = 10 * SECOND_NS
    window_ns: int = MINUTE_NS
    tasks_ns: int = SECOND_NS

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            low = 0 if name in ("wait_s", "poll_ns") else 1
            if not low <= value < 2**62:
                raise BadInputError(f"agent.{name}", f"must be at least {low}", value)


@dataclass(frozen=True, eq=False)
class InForce:
    """The policy by which an endpoint goes, at one moment.

    Attributes
    ----------
    checked : Checked
    layer : Layer
    slot : int
    live : LivePlan
    """

    checked: Checked
    layer: Layer
    slot: int
    live: LivePlan

    @property
    def dynamic(self) -> bool:
        """Whether the dynamic layer holds."""
        return self.layer == Layer.DYNAMIC


class Agent:
    """One front-end's agent; `step` does all that is due, and returns when to come back.

    Parameters
    ----------
    network : Network
    scope : str
        Name of the endpoint.
    state : AgentState
    trust : TrustStore
    link : ServerLink
    clock : Clock
    setting : AgentSetting, optional
    probe : Probe, optional
        Asked after each swap.
    desk : Desk, optional
        None: tasks are others' business.
    nifi : NifiFile, optional
    limits : Limits, optional

    Attributes
    ----------
    alarms : Alarms
    """

    def __init__(
        self,
        network: Network,
        scope: str,
        state: AgentState,
        trust: TrustStore,
        link: ServerLink,
        clock: Clock,
        *,
        setting: AgentSetting | None = None,
        probe: Probe | None = None,
        desk: Desk | None = None,
        nifi: NifiFile | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._network = network
        self._scope = scope
        self._state = state
        self._trust = trust
        self._link = link
        self._clock = clock
        self._setting = setting or AgentSetting()
        self._probe = probe
        self._desk = desk
        self._nifi = nifi
        self._limits = limits or Limits()
        self._checks = PackageChecks(network, scope, trust.trust, self._limits)
        self._lot = stream(0, f"agent {scope}")
        self.alarms = Alarms(state.folder, state.disk)

        self._station_named: dict[str, int] = {}
        self._told_down: frozenset[int] = frozenset()
        self._told_ns = 0
        self._down: NDArray[np.bool_] = np.zeros(network.station_count, dtype=np.bool_)
        self._in_force: InForce | None = None
        self._kept: Kept | None = None
        self._others = state.changes_of_others
        self._refused: tuple[str, Refusal] | None = None
        self._refusals = 0
        self._refused_until_ns = 0
        self._whole = False
        self._last_ns = self._heard_ns = clock.now_ns()
        self._failures = 0
        self._failing: set[str] = set()
        self._reason = ""
        self._fetch_ns = self._stations_ns = self._last_ns
        self._window = self._last_ns // self._setting.window_ns
        self._swept_ns = 0
        self._reload(self._last_ns)

    @property
    def in_force(self) -> InForce | None:
        """The policy by which the endpoint goes, None before the first one."""
        return self._in_force

    def run(self, sleep: Callable[[float], object] = time.sleep, stopped: Callable[[], bool] = lambda: False) -> None:
        """Go on until told to stop."""
        while not stopped():
            sleep(self.step() / SECOND_NS)

    def step(self) -> int:
        """Do all that is due, and return when to come back [ns from now].

        Nothing that disk, network or server do is raised: it is an alarm, and what was in force stays.
        """
        now_ns = self._clock.now_ns()
        if now_ns < self._last_ns:  # the clock was set back: whatever was due later is due now
            self._fetch_ns = self._stations_ns = self._refused_until_ns = now_ns
            self._window = now_ns // self._setting.window_ns
            self._heard_ns = min(self._heard_ns, now_ns)
        self._last_ns = now_ns
        self._safely(self._look_around, now_ns)
        self._safely(self._tell, now_ns)
        if now_ns >= self._fetch_ns:
            self._safely(self._fetch, now_ns)
        if now_ns >= self._stations_ns:
            self._safely(self._ask_stations, now_ns)
        now_ns = max(self._clock.now_ns(), now_ns)  # a long poll may have taken its time
        self._safely(self._tick, now_ns)
        self._safely(self._serve, now_ns)
        self._safely(self._tell, now_ns)
        self._warn(now_ns)
        return self._pause(now_ns)

    def _safely(self, act: Callable[[int], None], now_ns: int) -> None:
        name = act.__name__.strip("_")
        try:
            act(now_ns)
        except _FAILURES as error:
            self._failing.add(name)
            self._raise_alarm(Alarm.DISK, f"{name}: {type(error).__name__}: {error}", now_ns)
            return
        # It is over when what failed has been done, each of it.
        self._failing.discard(name)
        if not self._failing:
            self._raise_alarm(Alarm.DISK, None, now_ns)

    # --- what is in force

    def _reload(self, now_ns: int) -> None:
        """Take up the policy in force from the disk; if that is spoilt, the next good one."""
        active, pinned = self._state.active(), self._state.pinned
        self._raise_alarm(Alarm.PINNED, None if pinned is None else f"epoch {pinned}", now_ns)
        others = [one for one in self._state.kept() if active is None or one.epoch != active.epoch]
        spoilt = []
        for kept in ([] if active is None else [active]) + others:
            try:
                checked = self._checks.reopened(self._state.package(kept))
            except (BadInputError, RefusedBundleError) as error:
                spoilt.append(f"epoch {kept.epoch}: {error}")
                continue
            self._kept, self._in_force = kept, None
            self._put(checked, now_ns, kept.layer)
            break
        self._raise_alarm(Alarm.DAMAGED, spoilt[0] if spoilt else None, now_ns)

    def _look_around(self, now_ns: int) -> None:
        """Take in what others did: pins, and a new trust file."""
        if self._state.changes_of_others != self._others:
            self._others = self._state.changes_of_others
            self._refused = None
            self._fetch_ns = now_ns
            self._reload(now_ns)
        try:
            changed = self._trust.refresh(now_ns)
        except ExchangeRouterError as error:
            self._raise_alarm(Alarm.TRUST, str(error), now_ns)
            return
        if changed is not None:
            self._raise_alarm(Alarm.TRUST, None, now_ns)
        if changed:
            self._checks = PackageChecks(self._network, self._scope, self._trust.trust, self._limits)
            self._refused_until_ns = now_ns
            self._note("trust", version=self._trust.trust.version)

    def _put(self, checked: Checked, now_ns: int, before: Layer) -> None:
        """Let a policy be in force in memory."""
        policy = checked.policy
        layer = layer_at(now_ns, policy.soft_ns, policy.hard_ns, before)
        slot = policy.slot_at(now_ns)
        live = LivePlan(policy.plan(slot, layer == Layer.DYNAMIC), self._network, self._down)
        self._in_force = InForce(checked, layer, slot, live)

    def _tick(self, now_ns: int) -> None:
        """Follow clock and stations: slot, layer, and the ways that are left."""
        self._look_down(now_ns)
        held, kept = self._in_force, self._kept
        if held is None or kept is None:
            return
        policy = held.checked.policy
        layer = layer_at(now_ns, policy.soft_ns, policy.hard_ns, held.layer)
        if layer > kept.layer:
            self._kept = replace(kept, layer=layer)
            self._note("layer", epoch=kept.epoch, layer=layer.name.lower())
        if layer != held.layer or policy.slot_at(now_ns) != held.slot:
            self._put(held.checked, now_ns, layer)
        # Remembered after it holds: a disk that is full must not bring the dynamic layer of yesterday back.
        if layer > kept.layer:
            self._state.note_layer(kept.epoch, layer)

    def _look_down(self, now_ns: int) -> None:
        """Put together which stations are down, and leave out the ways over them."""
        if not 0 <= now_ns - self._told_ns <= STATIONS_NS:
            self._told_down = frozenset()
        suspects = self._desk.suspects if self._desk is not None else {}
        down = np.zeros(self._network.station_count, dtype=np.bool_)
        down[[*self._told_down, *(station for station, until in suspects.items() if until > now_ns)]] = True
        if not np.array_equal(down, self._down):
            self._down = down
            if self._in_force is not None:
                held = self._in_force
                self._in_force = replace(held, live=LivePlan(held.live.plan, self._network, down))

    # --- policies

    def _fetch(self, now_ns: int) -> None:
        held = None if self._in_force is None else self._in_force.checked
        known = None if held is None else held.etag
        waiting = self._refused is not None and now_ns < self._refused_until_ns
        asked = self._refused[0] if waiting and self._refused else known
        base = known if not self._whole and not waiting else None
        answer = self._link.fetch(self._scope, asked or None, base, self._setting.wait_s)
        now_ns = max(self._clock.now_ns(), now_ns)
        self._heard(answer, now_ns)
        if isinstance(answer, Unavailable):
            self._fetch_ns = now_ns + self._back_off(answer.retry_s)
            return
        self._failures = 0
        self._fetch_ns = now_ns + self._setting.poll_ns
        if isinstance(answer, Fetched):
            self._take(answer, held, now_ns)
        elif not waiting and self._refused is not None:
            self._refused, self._refusals = None, 0  # the server has taken back what was refused

    def _take(self, fetched: Fetched, held: Checked | None, now_ns: int) -> None:
        """Check what was fetched, and put it in force if nothing speaks against it."""
        data = fetched.data
        if fetched.kind == "delta":
            try:
                data = self._unfolded(data, held)
            except RefusedBundleError as error:
                # Nothing is known of the policy itself: it is asked for as a whole, at once.
                self._note("delta-refused", reason=str(error))
                if self._whole:
                    self._refuse(error, fetched.etag, now_ns)
                self._whole, self._fetch_ns = True, now_ns
                return
        try:
            checked = self._checks.check(data, self._knowledge(now_ns))
            self._swap(checked, data, now_ns)
        except RefusedBundleError as error:
            self._refuse(error, fetched.etag, now_ns)

    def _unfolded(self, delta: bytes, held: Checked | None) -> bytes:
        if held is None:
            raise RefusedBundleError(Refusal.MALFORMED, "delta: must be answered only where a base was named")
        return pack(apply(delta, held.bundle, self._limits))

    def _knowledge(self, now_ns: int) -> Knowledge:
        held = self._in_force
        return Knowledge(
            now_ns=now_ns,
            seen=self._state.seen,
            in_force=None if held is None else held.checked.policy,
            layer=Layer.DYNAMIC if held is None else held.layer,
            pinned=self._state.pinned,
            down=self._down,
        )

    def _swap(self, checked: Checked, data: bytes, now_ns: int) -> None:
        """Put a checked policy in force: in memory, tried out, then on the disk; or leave all as it was."""
        held, kept = self._in_force, self._kept
        epoch, etag = checked.bundle.manifest.epoch, checked.etag
        before = Layer.DYNAMIC
        if kept is not None and kept.epoch == epoch:
            before = kept.layer
        self._put(checked, now_ns, before)
        try:
            self._try_out()
            self._state.accept(epoch, etag, data, now_ns, self._status(epoch, etag, now_ns))
        except BaseException:
            self._in_force, self._kept = held, kept
            raise
        self._kept = self._state.active()
        self._whole, self._refused, self._refusals = False, None, 0
        self._note("applied", epoch=epoch, etag=etag)
        for alarm in (Alarm.REFUSED, Alarm.DAMAGED):
            self._raise_alarm(alarm, None, now_ns)

    def _try_out(self) -> None:
        """Refuse a policy in force that does not work: PROBE_FAILED."""
        held = self._in_force
        assert held is not None, "a policy was put in force"
        policy = held.checked.policy
        for target in policy.targets if self._down.any() else ():
            choice = held.live.choice_from(policy.node, target)
            if choice is not None and has_live_way(policy, choice, self._down):
                first = next(trunk for trunk, weight in zip(choice.trunks, choice.weights, strict=True) if weight > 0)
                if not is_live(self._network, policy.node, first, self._down):
                    detail = f"first way to group {target}: must run over stations that are up"
                    raise RefusedBundleError(Refusal.PROBE_FAILED, detail)
        found = None if self._probe is None else self._probe.probe(policy, held.live)
        if found is not None:
            raise RefusedBundleError(Refusal.PROBE_FAILED, found)

    def _refuse(self, error: RefusedBundleError, etag: str, now_ns: int) -> None:
        """Leave all as it is; tell the server once, and ask again later, as time or a new trust may heal it."""
        setting = self._setting
        again = self._refused == (etag, error.refusal)
        self._refusals = self._refusals + 1 if again else 0
        pause_ns = min(setting.refused_ns << min(self._refusals, 20), setting.refused_ns_max)
        self._refused, self._refused_until_ns = (etag, error.refusal), now_ns + pause_ns
        self._whole = True  # what is asked for again is asked for as a whole
        self._raise_alarm(Alarm.REFUSED, str(error), now_ns)
        epoch = etag.partition("-")[0]
        if not again and epoch.isdecimal() and int(epoch) > 0:
            self._state.queue(self._status(int(epoch), etag, now_ns, error))

    def _status(self, epoch: int, etag: str, now_ns: int, error: RefusedBundleError | None = None) -> dict[str, Any]:
        about: dict[str, Any] = {"scope": self._scope, "epoch": epoch, "etag": etag, "result": "ack"}
        if error is not None:
            about |= {"result": "nack", "refusal": error.refusal.value, "detail": error.detail}
        return about | {"at": utc_of(now_ns).isoformat()}

    # --- the server

    def _tell(self, now_ns: int) -> None:
        """Deliver what the server has not taken yet; where it is away, it was just asked in vain."""
        if self._failures and now_ns < self._fetch_ns:
            return
        done = []
        for number, report in self._state.pending():
            answer = self._link.report(report)
            self._heard(answer, now_ns)
            if isinstance(answer, Unavailable):
                self._fetch_ns = max(self._fetch_ns, now_ns + self._back_off(answer.retry_s))
                break
            if answer.refused is not None:
                self._note("report-refused", epoch=report["epoch"], reason=answer.refused)
            done.append(number)
        self._state.taken(done)

    def _ask_stations(self, now_ns: int) -> None:
        self._stations_ns = now_ns + self._setting.stations_ns
        if self._failures:
            return
        answer = self._link.stations()
        self._heard(answer, now_ns)
        if isinstance(answer, Stations | Unchanged):
            self._told_ns = now_ns
        if isinstance(answer, Stations):
            if not self._station_named:
                self._station_named = {name: index for index, name in enumerate(self._network.station_name)}
            found = (self._station_named.get(name) for name in answer.down)
            self._told_down = frozenset(station for station in found if station is not None)

    def _tell_accepted(self, desk: Desk, now_ns: int) -> None:
        """Tell what was accepted, window by window."""
        length_ns = self._setting.window_ns
        current = now_ns // length_ns
        self._window = max(self._window, current - WINDOWS_KEPT)
        while self._window < current and not self._failures:
            end_ns = (self._window + 1) * length_ns
            rows = [vars(one) for one in desk.accepted(end_ns - length_ns, end_ns)]
            answer = self._link.telemetry(
                {
                    "observed": utc_of(end_ns).isoformat(),
                    "window_s": length_ns / SECOND_NS,
                    "stations": [],
                    "accepted": {"source": self._scope, "tasks": rows},
                }
            )
            self._heard(answer, now_ns)
            if isinstance(answer, Unavailable):
                return
            self._window += 1

    def _heard(self, answer: Fetched | Unchanged | Unavailable | Taken | Stations, now_ns: int) -> None:
        if not isinstance(answer, Unavailable):
            self._heard_ns, self._reason = now_ns, ""
            return
        if self._failures == 0:
            self._note("server", reason=answer.reason)
        self._reason = f"; the server: {answer.reason}"

    def _back_off(self, retry_s: float | None) -> int:
        """How long to leave the server alone: longer each time, and not all agents alike [ns]."""
        setting = self._setting
        self._failures += 1
        pause_ns = min(setting.backoff_ns << min(self._failures - 1, 40), setting.backoff_ns_max)
        pause_ns = max(pause_ns, round((retry_s or 0.0) * SECOND_NS))
        return pause_ns + int(self._lot.integers(0, pause_ns // 2 + 1))

    # --- tasks and NiFi

    def _serve(self, now_ns: int) -> None:
        held = self._in_force
        if held is None:
            return
        policy = held.checked.policy
        if self._desk is not None:
            self._desk.step(Situation(now_ns, policy, held.slot, held.dynamic, held.live))
            if now_ns - self._swept_ns >= DAY_NS:
                self._desk.forget_old(now_ns)
                self._swept_ns = now_ns
            self._tell_accepted(self._desk, now_ns)
            self._look_down(now_ns)
        if self._nifi is not None and self._in_force is not None:
            self._nifi.write(policy, self._in_force.live)

    # --- alarms

    def _warn(self, now_ns: int) -> None:
        held = self._in_force
        policy = None if held is None else held.checked.policy
        away = now_ns - self._heard_ns > AWAY_NS
        heard = utc_of(self._heard_ns).isoformat()
        silent, strange = (0, 0) if self._desk is None else (self._desk.silent(now_ns), self._desk.strange)
        lapsed = held is not None and policy is not None and held.layer == Layer.LAPSED
        behind = policy is not None and clock_is_behind(now_ns, policy.created_ns)
        for alarm, detail in (
            (Alarm.NO_POLICY, f"no policy was accepted yet{self._reason}" if held is None else None),
            (Alarm.LAPSED, f"hard expiry was {utc_of(policy.hard_ns).isoformat()}" if policy and lapsed else None),
            (
                Alarm.SERVER_AWAY,
                f"not heard since {heard}{self._reason}" if away else None,
            ),
            (Alarm.CLOCK_BEHIND, "this machine's clock is earlier than the policy in force" if behind else None),
            (Alarm.NIFI_STRANGE, f"{strange} outcomes cannot be read" if strange else None),
            (Alarm.TASKS_SILENT, f"{silent} tasks are under way for long" if silent else None),
        ):
            self._raise_alarm(alarm, detail, now_ns)
        self._safely(lambda _now: self.alarms.write(), now_ns)

    def _raise_alarm(self, alarm: Alarm, detail: str | None, now_ns: int) -> None:
        if self.alarms.set(alarm, detail, now_ns):
            self._note("alarm" if detail is not None else "alarm-over", alarm=alarm.value, detail=detail or "")

    def _note(self, event: str, **facts: object) -> None:
        """Log one event as a line of JSON."""
        level = logging.WARNING if event == "alarm" else logging.INFO
        if LOG.isEnabledFor(level):
            LOG.log(level, json.dumps({"event": event, "scope": self._scope, **facts}, ensure_ascii=False, default=str))

    def _pause(self, now_ns: int) -> int:
        due = [self._fetch_ns, self._stations_ns]
        if self._in_force is not None:
            policy = self._in_force.checked.policy
            due.append(policy.next_slot_ns(now_ns))
            due += [one for one in (next_change_ns(now_ns, policy.soft_ns, policy.hard_ns),) if one is not None]
        if self._desk is not None:
            due.append(now_ns + self._setting.tasks_ns)
            due += [one for one in (self._desk.next_due_ns(),) if one is not None]
        # To tell the server may have taken its time; what fell due meanwhile is due now.
        return max(min(due) - max(self._clock.now_ns(), now_ns), 0)
