"""The `[demand]` part of a scenario file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from router_core.demand_model import DemandModel, DemandType, SizeLaw
from router_core.errors import BadInputError
from router_core.units import DAY_NS, MINUTE_NS, PAYLOAD_BYTES_MAX, SECOND_NS
from router_core.vocabulary import Mode, TaskKind
from scenarios.model import Factor, Model, Name, Seed, Sigma, Text, nanoseconds

Weight = Annotated[float, Field(ge=0.0, le=1e6)]
Hours = Annotated[list[Weight], Field(min_length=24, max_length=24)]
TYPES_MAX = 100  # a trace labels its exchanges with int8


class SizeModel(Model):
    """Payload sizes: lognormal body, Pareto tail, and a largest size. 1 kB = 1,000 bytes."""

    median_kb: Annotated[float, Field(ge=0.001, le=1e9)]
    sigma: Sigma
    tail_share: Annotated[float, Field(ge=0.0, lt=0.5)]
    tail_alpha: Annotated[float, Field(gt=1.0, le=20.0)]
    max_mb: Annotated[float, Field(ge=0.000001, le=PAYLOAD_BYTES_MAX / 1e6)]


class DemandTypeModel(Model):
    """One `[[demand.types]]`; the fields mean what `router_core.demand_model.DemandType` says."""

    name: Name
    title_en: Text
    title_zh: Text
    mode: Literal["docking", "front_end", "query", "batch"]
    kind: Literal["sync", "exchange"]
    priority: Annotated[int, Field(ge=0, le=7)]
    share: Annotated[float, Field(gt=0.0, le=1.0)]
    hours: Hours
    off_hours: Hours
    weekend: Weight
    holiday: Weight
    month_end: Weight
    reporting: Weight
    yearly: Weight
    half_yearly: Weight
    deadline_s: Annotated[float, Field(ge=0.0, le=1e7)]
    deferrable: bool
    period_minutes: Annotated[float, Field(ge=0.0, le=1_440.0)]
    size: SizeModel
    scales: bool
    same_sector: Factor
    same_region: Factor
    upward: Factor
    downward: Factor
    fan_out: Annotated[int, Field(ge=1, le=10_000)]

    def demand_type(self, place: str) -> DemandType:
        """Check the rules between keys and convert; `place` is the key path of this table."""
        period_ns = nanoseconds(self.period_minutes, MINUTE_NS)
        deadline_ns = nanoseconds(self.deadline_s, SECOND_NS)
        median_bytes, max_bytes = round(self.size.median_kb * 1_000), round(self.size.max_mb * 1_000_000)
        if (self.kind == "sync") != (period_ns > 0):
            rule = "a sync task has a period above 0 and an exchange task has 0"
            raise BadInputError(f"{place}.period_minutes", rule, self.period_minutes)
        if period_ns > 0 and DAY_NS % period_ns:
            rule = "must divide a day, because timetables repeat daily"
            raise BadInputError(f"{place}.period_minutes", rule, self.period_minutes)
        if self.deferrable and deadline_ns == 0:
            rule = "what may be held back has a deadline above 0 to be held back within"
            raise BadInputError(f"{place}.deadline_s", rule, self.deadline_s)
        for key, hours in (("hours", self.hours), ("off_hours", self.off_hours)):
            if sum(hours) <= 0:
                raise BadInputError(f"{place}.{key}", "at least one hour has a weight above 0", hours)
        if max_bytes < median_bytes:
            raise BadInputError(f"{place}.size.max_mb", "must not be below the median", self.size.max_mb)
        return DemandType(
            name=self.name,
            title_en=self.title_en,
            title_zh=self.title_zh,
            mode=Mode[self.mode.upper()],
            kind=TaskKind[self.kind.upper()],
            priority=self.priority,
            share=self.share,
            hours=tuple(self.hours),
            off_hours=tuple(self.off_hours),
            weekend=self.weekend,
            holiday=self.holiday,
            month_end=self.month_end,
            reporting=self.reporting,
            yearly=self.yearly,
            half_yearly=self.half_yearly,
            deadline_ns=deadline_ns,
            deferrable=self.deferrable,
            period_ns=period_ns,
            size=SizeLaw(median_bytes, self.size.sigma, self.size.tail_share, self.size.tail_alpha, max_bytes),
            scales=self.scales,
            same_sector=self.same_sector,
            same_region=self.same_region,
            upward=self.upward,
            downward=self.downward,
            fan_out=self.fan_out,
        )


class LoadModel(Model):
    """How much is exchanged: what a composition says of demand; its types are the template's."""

    exchanges_per_day: Annotated[int, Field(ge=1, le=10**9)]
    peak_utilisation: Annotated[float, Field(gt=0.0, lt=1.0)]
    structure_seed: Seed


class DemandModelModel(LoadModel):
    """The `[demand]` table."""

    types: Annotated[list[DemandTypeModel], Field(min_length=1, max_length=TYPES_MAX)]

    def demand(self) -> DemandModel:
        """Check the rules between types and convert."""
        types = tuple(item.demand_type(f"demand.types[{index}]") for index, item in enumerate(self.types))
        seen: set[str] = set()
        for index, item in enumerate(types):
            if item.name in seen:
                raise BadInputError(f"demand.types[{index}].name", "names of demand types are unique", item.name)
            seen.add(item.name)
        total = sum(item.share for item in types)
        if abs(total - 1) > 1e-9:
            raise BadInputError("demand.types", "the shares of all types sum to 1", total)
        return DemandModel(types, self.exchanges_per_day, self.peak_utilisation, self.structure_seed)
