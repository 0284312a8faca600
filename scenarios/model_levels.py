"""The levels form of a scenario file: a province in its own words, which the builder expands site by site."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scenarios.model import (
    Detour,
    Factor,
    Head,
    Model,
    Name,
    Place,
    PoolModel,
    Positive,
    Seed,
    Share,
    Sigma,
    Small,
    Text,
)
from scenarios.model_background import ProfileModel
from scenarios.model_demand import DemandModelModel
from scenarios.model_service import EndpointModel, LineModel, ServiceModel
from scenarios.model_transport import TransportModel

PerUnit = Annotated[int, Field(ge=1, le=50)]


class Carrier(Model):
    """One of the two carriers: its lines run `detour` times as far as the crow flies."""

    name: Name
    detour: Detour


class ByLevel(Model):
    """A service at the centres of each level."""

    province: ServiceModel
    city: ServiceModel
    county: ServiceModel


class Services(Model):
    """How the nodes of each kind serve; a centre passes an exchange on or processes it."""

    front_end: EndpointModel
    router: ServiceModel
    crossing: ServiceModel
    gateway: ServiceModel
    external: EndpointModel
    centre_pass: ByLevel
    centre_process: ByLevel


class Lines(Model):
    """How the lines of each kind serve; those between places add the propagation of their distance."""

    local: LineModel
    access: LineModel
    second_access: LineModel
    crossing: LineModel
    gateway: LineModel
    backbone: LineModel
    province_city: LineModel
    city_county: LineModel


class DualHoming(Model):
    """Share of the front-ends at each level that have a second home; of a city's, some choose a neighbouring city."""

    city_share: Share
    city_to_neighbour_share: Share
    county_share: Share
    access_detour: Detour


class Province(Place):
    """The provincial site and the units on it."""

    name: Name
    label_zh: Text
    units: Positive
    direct_units: Small
    front_ends: Positive
    inner_units: Small
    inner_front_ends: Small
    systems: Small
    cloud: PoolModel


class County(Place):
    """A county's site: how many units are connected there, and by how many front-ends."""

    name: Name
    label_zh: Text
    units: Positive
    front_ends: Positive


class City(Place):
    """A city's site, its cloud, and its counties."""

    name: Name
    label_zh: Text
    neighbour: Name
    units: Positive
    front_ends: Positive
    cloud: PoolModel
    counties: list[County]


class National(Place):
    """The national platform behind the two gateways."""

    name: Name
    label_zh: Text
    weight: Factor
    resources: Small


class NeighbourLine(LineModel):
    """A line of one carrier between two cities; what the distance takes is added to `propagation_ms`."""

    a: Name
    b: Name
    carrier: Name


class Sector(Model):
    """A vertical (条): what its units are called at each level, and how much they exchange."""

    name: Name
    label_zh: Text
    province_zh: Text
    lower_zh: Text
    weight: Factor
    inner: bool


class HighUse(Model):
    """A shared database at the provincial centre; `granted_share` of all units may have it if it is conditional."""

    name: Name
    sharing: Literal["unconditional", "conditional"]
    weight: Factor
    granted_share: Share


class CatalogueModel(Model):
    """Structure of the units, systems and resources that the builder draws."""

    seed: Seed
    city_systems: Small
    sigma: Sigma
    level_weight_province: Factor
    level_weight_city: Factor
    level_weight_county: Factor
    direct_factor: Factor
    resources_min: PerUnit
    resources_max: PerUnit
    resource_sigma: Sigma
    unconditional_share: Share
    conditional_share: Share
    not_shared_share: Share
    grants_mean: Annotated[float, Field(ge=1.0, le=1_000.0)]
    same_sector: Factor
    same_region: Factor
    released_share: Share
    data_unit_name: Name
    data_unit_zh: Text
    data_unit_front_ends: Positive
    data_unit_factor: Factor
    high_use: list[HighUse]
    sectors: Annotated[list[Sector], Field(min_length=1, max_length=1_000)]


class LevelProfile(ProfileModel):
    """Background of one carrier's lines whose lower end is at one level."""

    carrier: Name
    level: Literal["city", "county"]


class BackgroundModel(Model):
    """The `[background]` table: profiles, and how far single lines stray from them."""

    seed: Seed
    scale_sigma: Annotated[float, Field(ge=0.0, le=2.0)]
    scale_max: Annotated[float, Field(ge=1.0, le=10.0)]
    profiles: Annotated[list[LevelProfile], Field(max_length=100)]


class LevelsModel(Head):
    """A whole file of the levels form."""

    form: Literal["levels"]
    carriers: Annotated[list[Carrier], Field(min_length=2, max_length=2)]
    services: Services
    lines: Lines
    dual_homing: DualHoming
    province: Province
    national: National
    cities: Annotated[list[City], Field(min_length=1, max_length=1_000)]
    neighbour_lines: list[NeighbourLine] = Field(default_factory=list)
    catalogue: CatalogueModel
    background: BackgroundModel
    transport: TransportModel = Field(default_factory=TransportModel)
    demand: DemandModelModel
