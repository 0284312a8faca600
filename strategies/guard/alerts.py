"""Early warning: what will go wrong if nothing changes, told once, by rank, and taken back when it is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.lending import lending
from router_core.link_state import LinkState
from router_core.network import Network
from router_core.paths.path_set import PathSet
from router_core.transport import WHOLE
from router_core.units import SECOND_NS
from strategies.decision import Decision, DecisionKind, Reason
from strategies.guard.alert_kernels import judge_deadlines
from strategies.guard.class_leads import NO_LEAD, ClassLeads
from strategies.guard.deadline_risk import DeadlineRisk, Delays, RiskSetting

NAMES: Final = 3
_OVER: Final = {
    Reason.DEADLINE_AT_RISK: Reason.AS_FORECAST,
    Reason.STATION_BUSY: Reason.STATION_IDLE,
    Reason.POOL_EMPTY: Reason.STATION_IDLE,
    Reason.STATIONS_DOWN: Reason.STATIONS_UP,
}
Key = tuple[Reason, int, int]


@dataclass(frozen=True)
class AlertSetting:
    """When to warn.

    Attributes
    ----------
    lead_share, lead_share_over : float
        A deadline is at risk from where the pessimistic delay takes this share of the lead, and no longer where it
        takes less than the other one; the latter is no greater.
    busy, idle : float
        A station is too busy above the one utilisation, and no longer below the other; the latter is no greater.
    busy_steps : int
        Steps in a row that a station is too busy before it is told, >= 1.
    over_steps : int
        Steps in a row that a cause is gone before the warning is taken back, >= 1.
    alerts_max : int
        Warnings a step, the gravest; others are told in the next steps, >= 1.
    risk : RiskSetting
        How delays are reckoned.
    """

    lead_share: float = 0.7
    lead_share_over: float = 0.5
    busy: float = 0.95
    idle: float = 0.85
    busy_steps: int = 3
    over_steps: int = 2
    alerts_max: int = 5
    risk: RiskSetting = field(default_factory=RiskSetting)

    def __post_init__(self) -> None:
        for name, low in (("busy_steps", 1), ("over_steps", 1), ("alerts_max", 1)):
            if getattr(self, name) < low:
                raise BadInputError(f"alerts.{name}", f"must be at least {low}", getattr(self, name))
        for name, over in (("lead_share", "lead_share_over"), ("busy", "idle")):
            high, low_share = getattr(self, name), getattr(self, over)
            if not 0 < low_share <= high < np.inf:
                raise BadInputError(f"alerts.{over}", f"must lie above 0 and be at most {high}", low_share)


@dataclass(frozen=True)
class _Cause:
    """What there is to warn of, and how grave it is."""

    key: Key
    grave: float
    subject: tuple[str, ...]
    figures: dict[str, float]


@dataclass
class _Raised:
    """A warning that was given."""

    subject: tuple[str, ...]
    gone: int = 0


class Alerts:
    """Watches for deadlines at risk, stations too busy, pools that are empty, and pairs without a live way.

    Every warning is a `Decision` of kind ALERT whose reason says what it is; when it is over, another one of kind ALERT
    with the same subject says so by the opposite reason: AS_FORECAST, STATION_IDLE or STATIONS_UP.

    Deadlines are told by class and by the station that takes longest; the subject is the class, the pair that is worst
    off and the station. The figures tell how many pairs are concerned.

    Parameters
    ----------
    network : Network
    paths : PathSet
        Of ``space_of_network(network)``.
    leads : ClassLeads
        Over its pairs.
    setting : AlertSetting, optional
    """

    def __init__(
        self, network: Network, paths: PathSet, leads: ClassLeads, setting: AlertSetting | None = None
    ) -> None:
        self._network = network
        self._paths = paths
        self._leads = leads
        self._setting = setting = setting or AlertSetting()
        self._lending = lending(network)
        if leads.occurs.shape[1] != paths.pair_count:
            raise BadInputError("class leads: occurs", f"must have {paths.pair_count} pairs", leads.occurs.shape[1])
        chunk = setting.risk.chunk_bytes
        self._chunk_bytes = leads.large_bytes if chunk == WHOLE else np.minimum(leads.large_bytes, chunk)
        lead = np.where(leads.lead_ns == NO_LEAD, np.inf, leads.lead_ns)
        self._from_ns, self._over_ns = setting.lead_share * lead, setting.lead_share_over * lead
        # Classes without a deadline have no cells.
        row, self._cell_pair = np.nonzero(leads.occurs & (leads.lead_ns != NO_LEAD)[:, None])
        # Where no class with a deadline occurs, nobody asks how long it takes.
        asked = np.zeros(paths.pair_count, dtype=np.bool_)
        asked[self._cell_pair] = True
        self._risk = DeadlineRisk(network, paths, setting.risk, asked)
        self._class_start = np.searchsorted(row, np.arange(len(leads.name) + 1))
        self._late_ns = np.zeros(len(row))
        self._at_risk = np.zeros(len(row), dtype=np.bool_)
        stations = network.station_count
        self._busy_steps = np.zeros(stations, dtype=np.int32)
        self._is_busy = np.zeros(stations, dtype=np.bool_)
        self._seen_ns = np.full(stations, -2, dtype=np.int64)
        self._joined = np.diff(paths.pair_start) > 0
        self._raised: dict[Key, _Raised] = {}
        self.delays: Delays | None = None

    @property
    def active(self) -> list[tuple[Reason, tuple[str, ...]]]:
        """Warnings given and not taken back, reason and subject, in order of their giving."""
        return [(key[0], raised.subject) for key, raised in self._raised.items()]

    def step(
        self,
        state: LinkState,
        weights: NDArray[np.int32],
        *,
        waiting: NDArray[np.int64] | None = None,
        available: NDArray[np.float64] | None = None,
        hold_ns: NDArray[np.int64] | None = None,
        pool_left: NDArray[np.integer] | None = None,
    ) -> list[Decision]:
        """Look at things as they are, and return what is to be told: what is over, then what is new, the gravest first.

        Parameters
        ----------
        state : LinkState
        weights : int32 (P,)
            Of each path, as in force.
        waiting : int64 (S,), optional
            Who waits at each station.
        available : float64 (L,), optional
            Share of each line that other users leave.
        hold_ns : int64 (K,), optional
            How long each class is held back at most, now [ns].
        pool_left : int (pools,), optional
            Servers that each pool could still lend.
        """
        observed_ns = max(0, min(int(state.observed_ns.max(initial=0)), state.now_ns))
        self.delays = self._risk.delays(state, weights, waiting, available)
        causes = self._deadlines(self.delays, hold_ns)
        busy = self._busy(state)
        causes += self._stations(state, busy)
        if pool_left is not None:
            causes += self._pools(state, busy, pool_left)
        causes += self._unrouted(self.delays, state)
        return self._tell(state.now_ns, observed_ns, causes)

    def _deadlines(self, delays: Delays, hold_ns: NDArray[np.int64] | None) -> list[_Cause]:
        leads = self._leads
        judge_deadlines(
            self._class_start,
            self._cell_pair,
            delays.figures,
            delays.worst_path,
            self._chunk_bytes,
            leads.large_bytes - self._chunk_bytes,
            np.zeros(len(leads.name), dtype=np.int64) if hold_ns is None else hold_ns,
            self._from_ns,
            self._over_ns,
            self._late_ns,
            self._at_risk,
        )
        cell = np.flatnonzero(self._at_risk)
        if not len(cell):
            return []
        row, pair = np.searchsorted(self._class_start, cell, side="right") - 1, self._cell_pair[cell]
        ratio = self._late_ns[cell] / leads.lead_ns[row]
        # A class and a station are one cause, however many pairs; the worst of them speaks for it.
        code = row * self._network.station_count + self._risk.bottlenecks(pair)
        order = np.lexsort((pair, -ratio, code))
        codes, first, pairs = np.unique(code[order], return_index=True, return_counts=True)
        causes = []
        for number, at, concerned in zip(codes.tolist(), order[first].tolist(), pairs.tolist(), strict=True):
            kind, station = divmod(number, self._network.station_count)
            one = int(pair[at])
            figures = {
                "lead_s": float(leads.lead_ns[kind]) / SECOND_NS,
                "delay_s": float(ratio[at] * leads.lead_ns[kind]) / SECOND_NS,
                "pairs": float(concerned),
            }
            subject = (leads.name[kind], self._pair_name(one), self._network.station_name[station])
            causes.append(_Cause((Reason.DEADLINE_AT_RISK, kind, station), float(ratio[at]), subject, figures))
        return causes

    def _busy(self, state: LinkState) -> NDArray[np.bool_]:
        """Which stations have been too busy for long enough; a step without a new observation counts for nothing."""
        setting = self._setting
        new = state.observed_ns > self._seen_ns
        self._seen_ns = np.maximum(self._seen_ns, state.observed_ns)
        high = state.utilisation > setting.busy
        self._busy_steps = np.where(new, np.where(high, self._busy_steps + 1, 0), self._busy_steps).astype(np.int32)
        self._is_busy |= self._busy_steps >= setting.busy_steps
        self._is_busy &= (state.utilisation >= setting.idle) & state.up
        return self._is_busy

    def _stations(self, state: LinkState, busy: NDArray[np.bool_]) -> list[_Cause]:
        causes = []
        for station in np.flatnonzero(busy).tolist():
            used = float(state.utilisation[station])
            figures = {"utilisation": used, "count": float(self._busy_steps[station])}
            name = self._network.station_name[station]
            causes.append(_Cause((Reason.STATION_BUSY, station, 0), used, (name,), figures))
        return causes

    def _pools(self, state: LinkState, busy: NDArray[np.bool_], left: NDArray[np.integer]) -> list[_Cause]:
        lent, causes = self._lending, []
        for pool in np.flatnonzero(left <= 0).tolist():
            wanting = lent.station[(lent.pool == pool) & busy[lent.station]]
            if not len(wanting):
                continue
            wanting = wanting[np.argsort(-state.utilisation[wanting], kind="stable")]
            names = tuple(self._network.station_name[one] for one in wanting[:NAMES].tolist())
            figures = {
                "pool_left": float(left[pool]),
                "stations": float(len(wanting)),
                "utilisation": float(state.utilisation[wanting[0]]),
            }
            subject = (self._network.pools[pool].name, *names)
            causes.append(_Cause((Reason.POOL_EMPTY, pool, 0), 1.0 + len(wanting), subject, figures))
        return causes

    def _unrouted(self, delays: Delays, state: LinkState) -> list[_Cause]:
        """Pairs that have ways of which none is live; those that never had one are known from the path set."""
        lost = np.flatnonzero(self._joined & ~delays.routed)
        if not len(lost):
            return []
        figures = {"pairs": float(len(lost)), "stations": float(np.count_nonzero(~state.up))}
        names = tuple(self._pair_name(pair) for pair in lost[:NAMES].tolist())
        return [_Cause((Reason.STATIONS_DOWN, 0, 0), np.inf, names, figures)]

    def _tell(self, now_ns: int, observed_ns: int, causes: list[_Cause]) -> list[Decision]:
        told = []
        there = {cause.key for cause in causes}
        for key, raised in list(self._raised.items()):
            raised.gone = 0 if key in there else raised.gone + 1
            if raised.gone >= self._setting.over_steps:
                del self._raised[key]
                told.append(Decision(now_ns, observed_ns, DecisionKind.ALERT, _OVER[key[0]], raised.subject))
        fresh = [cause for cause in causes if cause.key not in self._raised]
        fresh.sort(key=lambda cause: (-cause.grave, cause.key))
        for cause in fresh[: self._setting.alerts_max]:
            self._raised[cause.key] = _Raised(cause.subject)
            told.append(Decision(now_ns, observed_ns, DecisionKind.ALERT, cause.key[0], cause.subject, cause.figures))
        return told

    def _pair_name(self, pair: int) -> str:
        return self._paths.space.pair_name(int(self._paths.source[pair]), int(self._paths.target[pair]))
