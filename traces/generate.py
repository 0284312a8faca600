"""Generates traces: exchanges as a platform's demand model says, hour by hour, from named random streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from router_core.calendar import day_of
from router_core.demand_model import SIZE_QUANTILES
from router_core.errors import BadInputError
from router_core.exchanges import NO_DEADLINE, NO_LABEL, Exchanges
from router_core.platform import ChangedPlatform, Platform, unchanged
from router_core.randomness import stream
from router_core.units import DURATION_NS_MAX, HOUR_NS, MINUTE_NS
from router_core.vocabulary import TaskKind
from traces.changed_flows import FlowPart
from traces.demand import type_day_means
from traces.schema import TraceInfo, local_time, trace_info
from traces.shares import HourShares
from traces.surge_flows import Surge, plan_surges
from traces.surges import SurgeSpec
from traces.tides import HOURS
from traces.timetable import granule_ns, quantile_index, runs_in_hour
from traces.workload import Workload, build_workload
from traces.writer import TraceWriter

# An hour is 42 bits of nanoseconds; what is left of 64 numbers the rows, so one integer sorts both.
ROW_BITS: Final = 22
ROW_MASK: Final = 2**ROW_BITS - 1

assert SIZE_QUANTILES == 2**16, "a size is drawn with one 16-bit number"


class TraceGenerator:
    """Generates the exchanges of a span of local time.

    Each type of demand and each surge draws from a stream of its own for each date, cut into hours: another type, a
    surge or another span leaves the rest as it was, and an hour's trace is that hour of the day's trace.

    Parameters
    ----------
    platform : Platform
    start : datetime or date
        Local time of nanosecond 0; a date begins at midnight.
    span : timedelta
        Length, above 0.
    seed : int
        At least 0.
    exchanges_per_day : int, optional
        Of a plain working day; the scenario's own number if not given. See `traces.workload.build_workload`.
    load : float
        Factor on every mean number of exchanges.
    surges : sequence of SurgeSpec

    Attributes
    ----------
    workload : Workload
    surges : tuple of Surge
        With all that was drawn; the label `surge` of an exchange is the position here.
    info : TraceInfo
        What a file of these exchanges says about itself.

    Raises
    ------
    BadInputError
        If a number is out of range, a surge does not fit, or the scenario cannot be calibrated.
    """

    def __init__(
        self,
        platform: Platform,
        *,
        start: datetime | date,
        span: timedelta = timedelta(days=1),
        seed: int,
        exchanges_per_day: int | None = None,
        load: float = 1.0,
        surges: Sequence[SurgeSpec] = (),
    ) -> None:
        if not isinstance(start, datetime):
            start = datetime.combine(start, time())
        self.start = local_time(start, "start")
        span_ns = (span // timedelta(microseconds=1)) * 1_000
        if not 0 < span_ns <= DURATION_NS_MAX:
            raise BadInputError("span", "must be above 0 and at most 31 years", str(span))
        if seed < 0:
            raise BadInputError("seed", "must not be negative", seed)
        self.end = self.start + span
        self.seed = seed
        self.workload = build_workload(platform, exchanges_per_day, load)
        self.surges = plan_surges(self.workload, tuple(surges), self.start, self.end, seed)
        self.info = self._info(span_ns)
        self._table = _Table.of(self.workload, self.surges)

    def __iter__(self) -> Iterator[Exchanges]:
        """Yield the exchanges in order, an hour of local time a batch; hours without any are left out."""
        sources = self._sources()
        hour_start = self.start.replace(minute=0, second=0, microsecond=0)
        while hour_start < self.end:
            batch = self._hour(sources, hour_start)
            if len(batch):
                yield batch
            hour_start += timedelta(hours=1)

    def _sources(self) -> list[_Source]:
        workload = self.workload
        types = workload.platform.demand.types
        standing: list[_Source] = [
            _Standing(workload, part, kind, self.seed) for part in workload.parts for kind in range(len(types))
        ]
        first = len(workload.flows)
        for index, surge in enumerate(self.surges):
            standing.append(_Extra(surge, index, first, self.seed))
            first += len(surge.strike.source)
        return standing

    def _hour(self, sources: list[_Source], hour_start: datetime) -> Exchanges:
        """All exchanges of the clock hour that lie in the span, ordered by (time, source, draw)."""
        parts = [source.draw(hour_start) for source in sources]
        offset_ns = np.concatenate([part.offset_ns for part in parts])
        row = np.concatenate([part.row for part in parts])
        size = np.concatenate([part.size for part in parts])
        order = order_of(offset_ns)
        submitted_ns = offset_ns[order] + _nanoseconds(hour_start - self.start)
        low, high = np.searchsorted(submitted_ns, [0, self.info.span_ns])
        order, submitted_ns = order[low:high], submitted_ns[low:high]
        return self._table.exchanges(submitted_ns, row[order], size[order])

    def _info(self, span_ns: int) -> TraceInfo:
        workload = self.workload
        calibration, platform = workload.calibration, workload.platform
        last = self.end - timedelta(microseconds=1)
        days = (last.date() - self.start.date()).days + 1
        provisional = {(self.start.date() + timedelta(days=day)).year for day in range(days)}
        provenance: dict[str, Any] = {
            "generator": "traces.generate",
            "exchanges_per_day": workload.exchanges_per_day,
            "load": workload.load,
            "size_factor": calibration.factor,
            "peak_utilisation": round(calibration.utilisation, 9),
            "peak_hour": calibration.hour,
            "peak_station": unchanged(platform).network.station_name[calibration.station],
            "mean_bytes": {
                kind.name: round(float(mean), 3)
                for kind, mean in zip(platform.demand.types, calibration.mean_bytes, strict=True)
            },
            "surges": [surge.describe() for surge in self.surges],
            "provisional_years": sorted(year for year in provisional if day_of(date(year, 1, 1)).provisional),
        }
        if isinstance(platform, ChangedPlatform):
            provenance["changes"] = list(platform.changes)
        return trace_info(
            platform,
            start=self.start,
            span_ns=span_ns,
            demand_types=tuple(kind.name for kind in platform.demand.types),
            surges=tuple(surge.spec.name for surge in self.surges),
            seed=self.seed,
            provenance=provenance,
        )


def write_trace(
    path: str | Path,
    generator: TraceGenerator,
    on_batch: Callable[[int, datetime], None] | None = None,
) -> int:
    """Write all exchanges of a generator to a file; equal generators write equal bytes.

    Parameters
    ----------
    path : str or Path
    generator : TraceGenerator
    on_batch : callable, optional
        Called after each hour with the number of exchanges so far and the local time reached.

    Returns
    -------
    int
        Number of exchanges.
    """
    with TraceWriter(path, generator.info) as writer:
        for batch in generator:
            writer.write(batch)
            if on_batch is not None:
                on_batch(writer.rows, generator.start + timedelta(microseconds=int(batch.submitted_ns[-1]) // 1_000))
        return writer.rows


@dataclass(frozen=True, eq=False)
class _Part:
    """Draws of one source for one hour: time in the hour [ns], row of the table, position in the sizes of all types."""

    offset_ns: NDArray[np.int64]
    row: NDArray[np.int64]
    size: NDArray[np.int64]


class _Source(Protocol):
    def draw(self, hour_start: datetime) -> _Part: ...


@dataclass(frozen=True, eq=False)
class _Table:
    """What an exchange inherits from its flow: standing flows first, then those of each surge."""

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    resource: NDArray[np.int32]
    kind: NDArray[np.int8]
    surge: NDArray[np.int8]
    mode: NDArray[np.int8]
    task: NDArray[np.int8]
    priority: NDArray[np.int8]
    deadline_ns: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, workload: Workload, surges: tuple[Surge, ...]) -> _Table:
        flows, types = workload.flows, workload.platform.demand.types
        strikes = [surge.strike for surge in surges]
        labels = np.repeat(np.arange(len(surges), dtype=np.int8), [len(strike.source) for strike in strikes])
        kind = np.concatenate([flows.kinds(), *(strike.kind for strike in strikes)])

        def by_type(values: list[int], dtype: type[np.generic]) -> NDArray[Any]:
            return np.asarray(np.array(values, dtype=dtype)[kind])

        return cls(
            source=np.concatenate([flows.source, *(strike.source for strike in strikes)]),
            target=np.concatenate([flows.target, *(strike.target for strike in strikes)]),
            resource=np.concatenate([flows.resource, *(strike.resource for strike in strikes)]),
            kind=kind,
            surge=np.concatenate([np.full(len(flows), NO_LABEL, dtype=np.int8), labels]),
            mode=by_type([item.mode for item in types], np.int8),
            task=by_type([item.kind for item in types], np.int8),
            priority=by_type([item.priority for item in types], np.int8),
            deadline_ns=by_type([item.deadline_ns for item in types], np.int64),
            sizes=workload.sizes.reshape(-1),
        )

    def exchanges(self, submitted_ns: NDArray[np.int64], row: NDArray[np.int64], size: NDArray[np.int64]) -> Exchanges:
        deadline = self.deadline_ns[row]
        kind = self.kind[row]
        return Exchanges(
            submitted_ns=submitted_ns,
            source=self.source[row],
            target=self.target[row],
            payload_bytes=self.sizes[kind.astype(np.int64) * SIZE_QUANTILES + size],
            mode=self.mode[row],
            kind=self.task[row],
            resource=self.resource[row],
            priority=self.priority[row],
            deadline_ns=np.where(deadline > 0, submitted_ns + deadline, NO_DEADLINE),
            demand_type=kind,
            surge=self.surge[row],
        )


class _Streams:
    """The random stream of one source for each hour: its name and the date, cut into 24."""

    def __init__(self, seed: int, name: str) -> None:
        self._seed = seed
        self._name = name
        self._date: date | None = None
        self._hours: list[np.random.Generator] = []

    def of(self, hour_start: datetime) -> np.random.Generator:
        if self._date != hour_start.date():
            self._date = hour_start.date()
            self._hours = stream(self._seed, f"trace {self._name} {self._date.isoformat()}").spawn(HOURS)
        return self._hours[hour_start.hour]


class _Standing:
    """Exchanges of one type of demand: Poisson, by the shares of its flows in the hour.

    What a change adds is drawn from a stream of its own, and so is what it takes away: the rest stays as it was.
    """

    def __init__(self, workload: Workload, part: FlowPart, kind: int, seed: int) -> None:
        types = workload.platform.demand.types
        self._workload = workload
        self._kind = kind
        self._type = types[kind]
        self._first = workload.flows.rows(kind).start
        self._shares = HourShares(types, part.flows)
        self._kept = part.kept[kind]
        name = f"type {self._type.name}"
        self._streams = _Streams(seed, name if part.name is None else f"{part.name} {name}")
        self._leaving = _Streams(seed, f"leaving {name}")

    def draw(self, hour_start: datetime) -> _Part:
        random = self._streams.of(hour_start)
        day = day_of(hour_start.date())
        shares = self._shares.of(self._kind, hour_start.hour, day.working)
        cumulative = np.cumsum(shares)
        mean = type_day_means(self._workload, day.date)[self._kind] * cumulative[-1]
        count = int(random.poisson(mean))
        # Sorted ranks make the look-up walk forwards, four times as fast; the times mix the exchanges anyway.
        flow = quantile_index(cumulative, np.sort(random.random(count))) if count else np.zeros(0, dtype=np.int64)
        if self._type.kind == TaskKind.EXCHANGE:
            offset_ns = random.integers(0, HOUR_NS, count)
        else:
            first, runs = runs_in_hour(
                self._shares.phase_ns(self._kind, day.working)[flow], self._type.period_ns, hour_start.hour
            )
            run = (random.random(count) * runs).astype(np.int64)
            offset_ns = first + run * self._type.period_ns - hour_start.hour * HOUR_NS
            offset_ns += random.integers(0, granule_ns(self._type.period_ns), count)
        part = _Part(offset_ns, flow + self._first, _draw_sizes(random, count))
        if self._kept == 1.0:
            return part
        stays = self._leaving.of(hour_start).random(count) < self._kept
        return _Part(part.offset_ns[stays], part.row[stays], part.size[stays])


class _Extra:
    """Exchanges that a surge adds: Poisson in each minute."""

    def __init__(self, surge: Surge, index: int, first_row: int, seed: int) -> None:
        self._surge = surge
        self._first = first_row
        self._cumulative = np.cumsum(surge.strike.weight)
        self._streams = _Streams(seed, f"surge {index} {surge.spec.kind.value}")

    def draw(self, hour_start: datetime) -> _Part:
        random = self._streams.of(hour_start)
        since = (hour_start - self._surge.begin) // timedelta(minutes=1)
        means = self._surge.minute_means
        minutes = np.arange(max(since, 0), min(since + 60, len(means)))
        count = 0
        if len(minutes):
            cumulative = np.cumsum(means[minutes])
            count = int(random.poisson(cumulative[-1]))
        if count == 0:
            nothing = np.zeros(0, dtype=np.int64)
            return _Part(nothing, nothing, nothing)
        minute = minutes[quantile_index(cumulative, random.random(count))] - since
        offset_ns = minute * MINUTE_NS + random.integers(0, MINUTE_NS, count)
        flow = quantile_index(self._cumulative, random.random(count))
        return _Part(offset_ns, flow + self._first, _draw_sizes(random, count))


def _draw_sizes(random: np.random.Generator, count: int) -> NDArray[np.int64]:
    return random.integers(0, SIZE_QUANTILES, count, dtype=np.uint16).astype(np.int64)


def order_of(offset_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the stable order of times within an hour [ns], (n,)."""
    if len(offset_ns) > ROW_MASK:
        return np.argsort(offset_ns, kind="stable")
    # Sorting whole keys is five times as fast as a stable argsort, and as they all differ it is as definite.
    keys = offset_ns.astype(np.uint64) << np.uint64(ROW_BITS) | np.arange(len(offset_ns), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64(ROW_MASK)).astype(np.int64)


def _nanoseconds(difference: timedelta) -> int:
    return difference // timedelta(microseconds=1) * 1_000
