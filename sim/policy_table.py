"""What a brain kept of its policies: enough to say later which ways any pair had, in which shares, and what was known.

A policy a minute over a week would fill gigabytes, so only what changed is kept. Of weights, the pairs whose shares
moved; of stations, those of which something *noticeable* changed since they were kept last: a fifth of the time there,
five points of utilisation, a point of loss, ten of confidence, half as old or twice; that one stopped, returned or
became identifiable is kept always. Both have an allowance that grows with simulated time; where more has changed than
it gives, the largest changes are kept, and the record says within which bounds the rest is true.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.link_state import NEVER_NS, LinkState
from router_core.network import Network
from router_core.paths.path_set import PathSet
from router_core.units import MINUTE_NS, MS_NS, SECOND_NS
from strategies.decision import Reason, Trust
from strategies.policy_record import PolicyRecord

NEVER_S: Final = -1.0

# A week of 61,474 paths and 3,136 stations then stays below 100 MB, however much changes (docs/policy-explain.md).
PATHS_A_MINUTE: Final = 2_000
STATIONS_A_MINUTE: Final = 300
SAVED_MAX: Final = 4  # allowance saved in quiet times, in tables of all paths or all stations

# One noticeable change.
STAY_RATIO: Final = 1.2
STAY_LEAST_NS: Final = 1.0 * MS_NS
UTILISATION_STEP: Final = 0.05
LOSS_STEP: Final = 0.01
CONFIDENCE_STEP: Final = 0.1
AGE_RATIO: Final = 2.0
AGE_LEAST_S: Final = 30.0


@dataclass(frozen=True, eq=False)
class StationStates:
    """What was known of n stations; columns as in `LinkState`, but short.

    Attributes
    ----------
    stay_ns, utilisation, loss, confidence : float32 (n,)
    age_s : float32 (n,)
        Of the newest observation at the time of the record [s], `NEVER_S` where there was none.
    identified, up : bool (n,)
    """

    stay_ns: NDArray[np.float32]
    utilisation: NDArray[np.float32]
    loss: NDArray[np.float32]
    confidence: NDArray[np.float32]
    age_s: NDArray[np.float32]
    identified: NDArray[np.bool_]
    up: NDArray[np.bool_]

    def __getitem__(self, rows: NDArray[np.integer] | slice) -> StationStates:
        """Return what is known of some of the stations."""
        return StationStates(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class PolicyTable:
    """R policies over P paths between groups of endpoints, and what was known of S stations.

    Attributes
    ----------
    now_ns : int64 (R,)
        Since when each was in force [ns], ascending.
    reason : tuple of Reason, length R
    trust : tuple of Trust, length R
    share_within : float32 (R,)
        By how much a share that is told for that time may differ from the true one, 0..1.
    state_within : float32 (R,)
        By how many noticeable changes what is told of a station may differ from what was known.
    node, group : int32 (E,)
        The endpoints, ascending, and the group of each; groups are numbered from 0.
    source, target : int32 (P,)
        Groups that each path joins; the paths of a pair follow one another, in order of preference.
    path_start : int64 (P + 1,)
    path_station : int32
        Stations of path p: ``path_station[path_start[p]:path_start[p + 1]]``; a group with several homes stands there
        with the access lines of its first endpoint.
    weight_record, weight_path, weight : int32
        Weights that paths have from a record on, by record.
    state_record, state_station : int32 (m,)
        Stations of which something is known from a record on, by record; the first record has all stations.
    states : StationStates of length m
    """

    now_ns: NDArray[np.int64]
    reason: tuple[Reason, ...]
    trust: tuple[Trust, ...]
    share_within: NDArray[np.float32]
    state_within: NDArray[np.float32]
    node: NDArray[np.int32]
    group: NDArray[np.int32]
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    path_start: NDArray[np.int64]
    path_station: NDArray[np.int32]
    weight_record: NDArray[np.int32]
    weight_path: NDArray[np.int32]
    weight: NDArray[np.int32]
    state_record: NDArray[np.int32]
    state_station: NDArray[np.int32]
    states: StationStates

    def record_at(self, at_ns: int) -> int | None:
        """Return the number of the record in force at an instant; None if that is before the first."""
        record = int(np.searchsorted(self.now_ns, at_ns, side="right")) - 1
        return record if record >= 0 else None

    def paths_between(self, source: int, target: int) -> NDArray[np.intp]:
        """Return the paths from one group to another, in order of preference."""
        return np.flatnonzero((self.source == source) & (self.target == target))

    def stations_of(self, path: int) -> NDArray[np.int32]:
        """Return the stations of a path in order."""
        return self.path_station[self.path_start[path] : self.path_start[path + 1]]

    def weights_at(self, record: int) -> NDArray[np.int64]:
        """Return the weights of all paths under a record, (P,)."""
        rows = slice(0, int(np.searchsorted(self.weight_record, record, side="right")))
        weights = np.zeros(len(self.source), dtype=np.int64)
        weights[self.weight_path[rows]] = self.weight[rows]  # of one path the last row counts
        return weights

    def states_at(self, record: int) -> StationStates:
        """Return what was known of all stations under a record."""
        rows = int(np.searchsorted(self.state_record, record, side="right"))
        station = self.state_station[:rows]
        last = np.zeros(int(station.max(initial=-1)) + 1, dtype=np.int64)
        last[station] = np.arange(rows)
        return self.states[last]


class PolicyRecorder:
    """Keeps policies as they come, in little room.

    Parameters
    ----------
    network : Network
        That of every record.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._paths: PathSet | None = None
        self._kept: list[tuple[int, Reason, Trust, float, float]] = []
        self._weights: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
        self._states: list[tuple[NDArray[np.int32], StationStates]] = []
        self._share: NDArray[np.float64] = np.empty(0)
        self._known: StationStates | None = None
        self._path_credit = self._station_credit = 0.0

    def keep(self, record: PolicyRecord) -> None:
        """Keep one more record.

        Raises
        ------
        BadInputError
            If it is older than the one before, is of other paths, or its arrays do not fit the network.
        """
        self._check(record)
        if self._paths is None:
            self._paths = record.paths
            self._share = np.zeros(record.paths.path_count)
        since_ns = record.now_ns - (self._kept[-1][0] if self._kept else 0)
        first = not self._kept
        self._path_credit = _grown(self._path_credit, PATHS_A_MINUTE, since_ns, record.paths.path_count, first)
        self._station_credit = _grown(
            self._station_credit, STATIONS_A_MINUTE, since_ns, self._network.station_count, first
        )
        share_within = self._keep_weights(record.paths, record.weights)
        state_within = self._keep_states(record)
        self._kept.append((record.now_ns, record.reason, record.trust, share_within, state_within))

    def table(self) -> PolicyTable | None:
        """Return all that was kept; None if nothing was."""
        paths = self._paths
        if paths is None:
            return None
        node = self._network.endpoints.astype(np.int32)
        pair = paths.path_pair
        return PolicyTable(
            now_ns=np.array([one[0] for one in self._kept], dtype=np.int64),
            reason=tuple(one[1] for one in self._kept),
            trust=tuple(one[2] for one in self._kept),
            share_within=np.array([one[3] for one in self._kept], dtype=np.float32),
            state_within=np.array([one[4] for one in self._kept], dtype=np.float32),
            node=node,
            group=self._network.node_group[node],
            source=paths.source[pair],
            target=paths.target[pair],
            path_start=paths.path_start,
            path_station=paths.path_station,
            weight_record=_numbered([path for path, _ in self._weights]),
            weight_path=np.concatenate([path for path, _ in self._weights]),
            weight=np.concatenate([weight for _, weight in self._weights]),
            state_record=_numbered([station for station, _ in self._states]),
            state_station=np.concatenate([station for station, _ in self._states]),
            states=StationStates(
                *(
                    np.concatenate([getattr(states, field.name) for _, states in self._states])
                    for field in fields(StationStates)
                )
            ),
        )

    def _check(self, record: PolicyRecord) -> None:
        place = f"policies[{len(self._kept)}]"
        last_ns = self._kept[-1][0] if self._kept else 0
        if record.now_ns < last_ns:
            raise BadInputError(f"{place}.now_ns", f"must be at least {last_ns}", record.now_ns)
        space, stations = record.paths.space, self._network.station_count
        if space.station_count != stations or space.end_count != len(self._network.groups):
            raise BadInputError(f"{place}.paths", "must be of the network's space", (space.end_count, stations))
        if self._paths is not None and record.paths is not self._paths:
            raise BadInputError(f"{place}.paths", "must be the same object from record to record", "another one")
        weights, paths = record.weights, record.paths.path_count
        if weights.dtype != np.int32 or weights.shape != (paths,):
            rule = f"must be int32 of shape ({paths},)"
            raise BadInputError(f"{place}.weights", rule, f"{weights.dtype} {weights.shape}")
        if (weights < 0).any():
            path = int(np.flatnonzero(weights < 0)[0])
            raise BadInputError(f"{place}.weights[{path}]", "must be at least 0", int(weights[path]))
        if len(record.state.stay_ns) != stations:
            raise BadInputError(f"{place}.state", f"must tell of {stations} stations", len(record.state.stay_ns))
        if record.state.now_ns > record.now_ns:
            raise BadInputError(f"{place}.state.now_ns", f"must be at most {record.now_ns}", record.state.now_ns)

    def _keep_weights(self, paths: PathSet, weights: NDArray[np.int32]) -> float:
        """Keep the pairs whose shares moved most, and return how much those of the others may have."""
        pair, counts = paths.path_pair, np.diff(paths.pair_start)
        total = np.bincount(pair, weights, minlength=paths.pair_count)[pair]
        share = np.divide(weights, total, out=np.zeros(len(weights)), where=total > 0)
        moved: NDArray[np.float64] = np.zeros(paths.pair_count)
        np.maximum.at(moved, pair, np.abs(share - self._share))
        order = np.argsort(-moved, kind="stable")
        order = order[: int(np.count_nonzero(moved))]
        chosen = order[np.cumsum(counts[order]) <= self._path_credit]
        mask = np.zeros(paths.pair_count, dtype=np.bool_)
        mask[chosen] = True
        kept = np.flatnonzero(mask[pair])
        self._weights.append((kept.astype(np.int32), weights[kept]))
        self._share[kept] = share[kept]
        self._path_credit -= len(kept)
        return float(moved[order[len(chosen)]]) if len(chosen) < len(order) else 0.0

    def _keep_states(self, record: PolicyRecord) -> float:
        """Keep the stations of which most changed, and return how much of the others may have."""
        now = _short(record.state, record.now_ns)
        if self._known is None:
            change = np.full(len(now.up), np.inf)
            self._known = now
        else:
            change = _change(self._known, now)
        order = np.argsort(-change, kind="stable")
        order = order[: int(np.count_nonzero(change >= 1.0))]
        must = int(np.count_nonzero(np.isinf(change)))
        count = min(len(order), max(must, int(self._station_credit)))
        kept = np.sort(order[:count])
        self._states.append((kept.astype(np.int32), now[kept]))
        self._station_credit = max(0.0, self._station_credit - count)
        mask = np.zeros(len(change), dtype=np.bool_)
        mask[kept] = True
        self._known = _merged(mask, now, self._known)
        change[kept] = 0.0
        return float(change.max(initial=0.0))


def policy_table(records: Iterable[PolicyRecord], network: Network) -> PolicyTable | None:
    """Return the table of these records; None without any."""
    recorder = PolicyRecorder(network)
    for record in records:
        recorder.keep(record)
    return recorder.table()


def _merged(mask: NDArray[np.bool_], one: StationStates, other: StationStates) -> StationStates:
    """Return the states of `one` where the mask is set, else those of `other`."""
    return StationStates(
        *(np.where(mask, getattr(one, field.name), getattr(other, field.name)) for field in fields(StationStates))
    )


def _grown(credit: float, a_minute: int, since_ns: int, size: int, first: bool) -> float:
    """Allowance after some time; it never grows beyond `SAVED_MAX` tables, with which it begins."""
    most = float(SAVED_MAX * size)
    return most if first else min(most, credit + a_minute * since_ns / MINUTE_NS)


def _numbered(parts: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    return np.repeat(np.arange(len(parts), dtype=np.int32), [len(part) for part in parts])


def _short(state: LinkState, now_ns: int) -> StationStates:
    age_s = np.where(state.observed_ns == NEVER_NS, NEVER_S, (now_ns - state.observed_ns) / SECOND_NS)
    return StationStates(
        stay_ns=_rounded(state.stay_ns),
        utilisation=_rounded(state.utilisation),
        loss=_rounded(state.loss),
        confidence=_rounded(state.confidence),
        age_s=_rounded(age_s),
        identified=state.identified,
        up=state.up,
    )


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round to 12 binary digits: within an eighth of a thousandth, and packed to half the size."""
    fraction, power = np.frexp(values)
    return np.ldexp(np.rint(fraction * 4096.0) / 4096.0, power).astype(np.float32)


def _change(before: StationStates, now: StationStates) -> NDArray[np.float64]:
    """How much of each station changed, in noticeable changes; infinite if it cannot be left out."""

    def step(name: str, size: float) -> NDArray[np.float64]:
        much: NDArray[np.float64] = np.abs(getattr(now, name).astype(np.float64) - getattr(before, name)) / size
        return much

    def ratio(name: str, least: float, size: float) -> NDArray[np.float64]:
        one, other = (np.maximum(getattr(of, name).astype(np.float64), 0.0) + least for of in (now, before))
        times: NDArray[np.float64] = np.abs(np.log(one / other)) / np.log(size)
        return times

    change = np.maximum.reduce(
        [
            ratio("stay_ns", STAY_LEAST_NS, STAY_RATIO),
            step("utilisation", UTILISATION_STEP),
            step("loss", LOSS_STEP),
            step("confidence", CONFIDENCE_STEP),
            ratio("age_s", AGE_LEAST_S, AGE_RATIO),
        ]
    )
    other = (now.up != before.up) | (now.identified != before.identified)
    other |= (now.age_s == NEVER_S) != (before.age_s == NEVER_S)
    return np.where(other, np.inf, change)
