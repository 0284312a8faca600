"""Whom a surge strikes: a place drawn where there is much of what it adds, and flows that the catalogue permits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.demand_model import DemandType
from router_core.errors import BadInputError
from router_core.randomness import stream
from router_core.vocabulary import Level, Mode, SharingType, TaskKind
from traces.flows import Places, draw_endpoints, nearness
from traces.surges import SurgeKind, SurgeSpec, check_size, completed, surge_shape
from traces.tides import hour_weights
from traces.timetable import quantile_index
from traces.workload import Workload

SURGES_MAX = 127  # the label is an int8
MINUTES_PER_HOUR = 60


@dataclass(frozen=True, eq=False)
class Strike:
    """Where a surge strikes, and the flows its exchanges take.

    Attributes
    ----------
    where : str
        Unit, resource or region.
    normal_per_hour : float
        The normal load there: mean exchanges of the same types in their busiest hour of a plain working day.
    source, target, resource : int32 (F,)
    kind : int8 (F,)
        Type of demand of each flow, always one on demand.
    weight : float64 (F,)
        Relative number of exchanges, with a positive sum.
    """

    where: str
    normal_per_hour: float
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    resource: NDArray[np.int32]
    kind: NDArray[np.int8]
    weight: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Surge:
    """A surge with all that was drawn.

    Attributes
    ----------
    spec : SurgeSpec
        With moment and size.
    begin : datetime
        Local time, a whole minute.
    minute_means : float64 (M,)
        Mean number of additional exchanges in each minute from `begin` on.
    strike : Strike
    """

    spec: SurgeSpec
    begin: datetime
    minute_means: NDArray[np.float64]
    strike: Strike

    @property
    def end(self) -> datetime:
        """Local time from which on it adds nothing."""
        return self.begin + timedelta(minutes=len(self.minute_means))

    def describe(self) -> dict[str, str | float]:
        """What the provenance of a trace says of it."""
        return {
            "name": self.spec.name,
            "begin": self.begin.isoformat(),
            "end": self.end.isoformat(),
            "where": self.strike.where,
            "mean_exchanges": round(float(self.minute_means.sum()), 3),
        }


def plan_surges(
    workload: Workload, specs: tuple[SurgeSpec, ...], start: datetime, end: datetime, seed: int
) -> tuple[Surge, ...]:
    """Draw what the surges of a trace leave open, each from its own part of the stream "surges".

    Raises
    ------
    BadInputError
        If there are too many, one does not overlap the trace, or the scenario has nothing that it could strike.
    """
    if len(specs) > SURGES_MAX:
        raise BadInputError("surges", f"at most {SURGES_MAX} fit a trace", len(specs))
    ground = _Ground(workload) if specs else None
    found = []
    for spec, random in zip(specs, stream(seed, "surges").spawn(len(specs)), strict=True):
        check_size(spec)
        full = completed(spec, start, end, random)
        begin, shape = surge_shape(full)
        if begin >= end or begin + timedelta(minutes=len(shape)) <= start:
            rule = f"must overlap the trace, {start:%Y-%m-%dT%H:%M} to {end:%Y-%m-%dT%H:%M}"
            raise BadInputError("surge", rule, full.name)
        assert ground is not None
        assert full.size is not None
        strike = _STRIKES[full.kind](ground, spec, random)
        found.append(Surge(full, begin, shape * (full.size * strike.normal_per_hour / MINUTES_PER_HOUR), strike))
    return tuple(found)


class _Ground:
    """What a surge can strike."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.platform = workload.platform
        self.catalogue = workload.platform.catalogue
        self.types = workload.platform.demand.types
        self.flows = workload.flows
        self.places = Places(workload.platform.network, self.catalogue)
        self.provider = self.catalogue.resource_unit[self.flows.resource]
        self.consumer = self.catalogue.node_unit[self.flows.target]

    def on_demand(self, spec: SurgeSpec) -> list[int]:
        """Types that a surge can add to: timetables stay as they are."""
        kinds = [index for index, kind in enumerate(self.types) if kind.kind == TaskKind.EXCHANGE]
        if not kinds:
            raise BadInputError("surge", "needs a demand type of kind exchange in the scenario", spec.name)
        return kinds

    def best(self, spec: SurgeSpec, wish: Callable[[DemandType], tuple[float, ...]]) -> int:
        """The type on demand that ranks highest by `wish`, the first of equals."""
        return max(self.on_demand(spec), key=lambda index: (wish(self.types[index]), -index))

    def normal(self, kinds: list[int]) -> NDArray[np.float64]:
        """Mean exchanges of each flow of these types in their busiest hour, 0 for other flows; (F,)."""
        means = {kind: self.workload.mean_per_day * self.types[kind].share for kind in kinds}
        tide = np.stack([mean * hour_weights(self.types[kind], True) for kind, mean in means.items()])
        hour = int(tide.sum(axis=0).argmax())
        result = np.zeros(len(self.flows))
        for kind in kinds:
            result[self.flows.rows(kind)] = means[kind] * self.workload.shares.of(kind, hour, True)
        return result

    def to_each(self, resource: NDArray[np.int32], consumer: NDArray[np.intp], random: np.random.Generator) -> _Lines:
        """Endpoints by which units receive resources, where the catalogue permits it."""
        source, target, permitted = draw_endpoints(self.platform, self.places, resource, consumer, random)
        return _Lines(source[permitted], target[permitted], resource[permitted], consumer[permitted])


@dataclass(frozen=True, eq=False)
class _Lines:
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    resource: NDArray[np.int32]
    consumer: NDArray[np.intp]


def _deadline(ground: _Ground, spec: SurgeSpec, random: np.random.Generator) -> Strike:
    """Every unit sends its most used resource to one receiver, as the type that goes up most often."""
    kind = ground.best(spec, lambda kind: (kind.mode != Mode.QUERY, kind.share * (kind.upward - 1)))
    sent_kinds = [index for index in ground.on_demand(spec) if ground.types[index].mode != Mode.QUERY] or [kind]
    catalogue = ground.catalogue
    received = np.bincount(ground.consumer, ground.normal(sent_kinds), minlength=catalogue.unit_count)
    receiver = _pick(received, random)
    shared = (catalogue.resource_sharing != SharingType.NOT_SHARED) & (catalogue.resource_unit != receiver)
    shared &= ground.places.endpoint_count[catalogue.resource_unit] > 0
    by_use = np.argsort(-catalogue.resource_weight, kind="stable")
    resource = by_use[shared[by_use]].astype(np.int32)
    lines = ground.to_each(resource, np.full(len(resource), receiver), random)
    provider, first = np.unique(catalogue.resource_unit[lines.resource], return_index=True)
    return Strike(
        where=f"unit {catalogue.unit_name[receiver]}",
        normal_per_hour=float(received[receiver]),
        source=lines.source[first],
        target=lines.target[first],
        resource=lines.resource[first],
        kind=np.full(len(first), kind, dtype=np.int8),
        weight=catalogue.unit_weight[provider] * nearness(receiver, provider, ground.places),
    )


def _enrolment(ground: _Ground, spec: SurgeSpec, random: np.random.Generator) -> Strike:
    """Every unit queries one resource; one that anyone may have, if there is one."""
    kind = ground.best(spec, lambda kind: (kind.mode == Mode.QUERY, kind.fan_out))
    catalogue, normal = ground.catalogue, ground.normal([kind])
    use = np.bincount(ground.flows.resource, normal, minlength=catalogue.resource_count)
    free = np.where(catalogue.resource_sharing == SharingType.UNCONDITIONAL, use, 0.0)
    resource = _pick(free if free.any() else use, random)
    provider = int(catalogue.resource_unit[resource])
    units = ground.places.connected[ground.places.connected != provider]
    lines = ground.to_each(np.full(len(units), resource, dtype=np.int32), units, random)
    return Strike(
        where=f"resource {catalogue.resource_name[resource]}",
        normal_per_hour=float(normal[ground.provider == provider].sum()),
        source=lines.source,
        target=lines.target,
        resource=lines.resource,
        kind=np.full(len(lines.source), kind, dtype=np.int8),
        weight=catalogue.unit_weight[lines.consumer] * nearness(provider, lines.consumer, ground.places),
    )


def _emergency(ground: _Ground, spec: SurgeSpec, random: np.random.Generator) -> Strike:
    """All that begins or ends in one city's region and comes on demand grows alike."""
    catalogue, flows = ground.catalogue, ground.flows
    normal = ground.normal(ground.on_demand(spec))
    region = catalogue.unit_city
    local = np.isin(catalogue.unit_level, (Level.CITY, Level.COUNTY))
    ends = np.concatenate([ground.provider, ground.consumer])
    both = np.concatenate([normal, normal])
    at_home = local[ends] if (local[ends] & (both > 0)).any() else np.ones(len(ends), dtype=np.bool_)
    numbers, place = np.unique(region[ends], return_inverse=True)
    struck = int(numbers[_pick(np.bincount(place, both * at_home), random)])
    rows = (normal > 0) & ((region[ground.provider] == struck) | (region[ground.consumer] == struck))
    return Strike(
        where=f"region {struck}",
        normal_per_hour=float(normal[rows].sum()),
        source=flows.source[rows],
        target=flows.target[rows],
        resource=flows.resource[rows],
        kind=flows.kinds()[rows],
        weight=normal[rows],
    )


def _correction(ground: _Ground, spec: SurgeSpec, random: np.random.Generator) -> Strike:
    """One unit sends all that it provides again, to all who have it, in bulk."""
    kind = ground.best(spec, lambda kind: (kind.mode == Mode.BATCH, kind.scales))
    catalogue, flows = ground.catalogue, ground.flows
    sent = np.bincount(ground.provider, ground.normal([kind]), minlength=catalogue.unit_count)
    unit = _pick(sent, random)
    rows = ground.provider == unit
    share = np.array([item.share for item in ground.types])
    return Strike(
        where=f"unit {catalogue.unit_name[unit]}",
        normal_per_hour=float(sent[unit]),
        source=flows.source[rows],
        target=flows.target[rows],
        resource=flows.resource[rows],
        kind=np.full(int(rows.sum()), kind, dtype=np.int8),
        weight=share[flows.kinds()[rows]] * flows.weight[rows],
    )


_STRIKES: dict[SurgeKind, Callable[[_Ground, SurgeSpec, np.random.Generator], Strike]] = {
    SurgeKind.DEADLINE: _deadline,
    SurgeKind.ENROLMENT: _enrolment,
    SurgeKind.EMERGENCY: _emergency,
    SurgeKind.CORRECTION: _correction,
}


def _pick(weight: NDArray[Any], random: np.random.Generator) -> int:
    """Draw an index by the square of its weight: a surge that nobody could notice is none."""
    return int(quantile_index(np.cumsum(np.square(weight)), np.array([random.random()]))[0])
