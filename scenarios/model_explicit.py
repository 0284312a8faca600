"""The explicit form of a scenario file: every node, line, unit and resource with its numbers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scenarios.model import Factor, Head, Model, Name, Place, PoolModel, Text
from scenarios.model_background import ProfileModel
from scenarios.model_demand import DemandModelModel
from scenarios.model_service import CreditModel, LineModel, ServiceModel
from scenarios.model_transport import TransportModel

LevelName = Literal["nation", "province", "city", "county"]


class NamedPool(PoolModel):
    """One `[[pools]]`."""

    name: Name
    label_zh: Text


class UnitModel(Model):
    """One `[[units]]`: a connected unit; `sector` and `region` are numbers, region 0 is the province itself."""

    name: Name
    label_zh: Text
    level: LevelName
    sector: Annotated[int, Field(ge=0, le=10_000)]
    region: Annotated[int, Field(ge=0, le=10_000)]
    weight: Factor


class NodeModel(Place):
    """One `[[nodes]]`; `process` belongs to centres, `unit` and `credit` to front-ends and external endpoints."""

    name: Name
    label_zh: Text | None = None
    kind: Literal["front_end", "centre", "router", "crossing", "gateway", "external"]
    level: LevelName
    zone: Name
    site: Annotated[int, Field(ge=0, lt=2**31)]
    service: ServiceModel
    process: ServiceModel | None = None
    pool: Name | None = None
    unit: Name | None = None
    credit: CreditModel | None = None


class ExplicitLine(LineModel):
    """One `[[lines]]`: a physical line, both directions alike; an endpoint's first line leads to its main home."""

    a: Name
    b: Name
    carrier: Name | None = None
    background: Name | None = None
    background_scale: Annotated[float, Field(ge=0.01, le=100.0)] = 1.0


class NamedProfile(ProfileModel):
    """One `[[background]]`."""

    name: Name


class SystemModel(Model):
    """One `[[systems]]`: a business system and the unit that runs it."""

    name: Name
    unit: Name


class ResourceModel(Model):
    """One `[[resources]]` of the catalogue; `grants` names the units that a conditional one is granted to."""

    name: Name
    unit: Name
    system: Name | None = None
    sharing: Literal["unconditional", "conditional", "not_shared"]
    released: bool
    weight: Factor
    grants: list[Name] = Field(default_factory=list)


class ExplicitModel(Head):
    """A whole file of the explicit form."""

    form: Literal["explicit"]
    zones: Annotated[list[Name], Field(min_length=1, max_length=100)]
    carriers: Annotated[list[Name], Field(max_length=100)]
    pools: list[NamedPool] = Field(default_factory=list)
    units: Annotated[list[UnitModel], Field(min_length=1)]
    nodes: Annotated[list[NodeModel], Field(min_length=1)]
    lines: list[ExplicitLine]
    background: list[NamedProfile] = Field(default_factory=list)
    systems: list[SystemModel] = Field(default_factory=list)
    resources: Annotated[list[ResourceModel], Field(min_length=1)]
    transport: TransportModel = Field(default_factory=TransportModel)
    demand: DemandModelModel
