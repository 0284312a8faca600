"""The composition form of a scenario file: many copies of a template, joined by backbone rings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scenarios.model import Detour, Head, Model, Name, Place, Seed, Share, Sigma, Text
from scenarios.model_demand import LoadModel
from scenarios.model_service import EndpointModel, LineModel


class Member(Place):
    """One copy of the template, moved to its own place on the map."""

    name: Name
    label_zh: Text


class Ring(Model):
    """A backbone ring through one gateway of each member, in the order given."""

    name: Name
    gateway: Name
    detour: Detour
    line: LineModel
    order: Annotated[list[Name], Field(min_length=3)]


class NationalEndpoint(Place):
    """The national platform, hung on the gateways of one member; it stands for every copy's external endpoint."""

    name: Name
    label_zh: Text
    member: Name
    service: EndpointModel
    line: LineModel


class Variation(Model):
    """How far copies stray from the template: lognormal factors on units' weights and lines' background."""

    seed: Seed
    unit_sigma: Sigma
    line_sigma: Sigma


class Cross(Model):
    """Grants across members: share of the conditional resources, and how many members each is granted to at most."""

    seed: Seed
    granted_share: Share
    members: Annotated[int, Field(ge=0, le=1_000)]


class CompositionModel(Head):
    """A whole file of the composition form."""

    form: Literal["composition"]
    template: Name
    template_label_zh: Text
    members: Annotated[list[Member], Field(min_length=3, max_length=100)]
    rings: Annotated[list[Ring], Field(min_length=1, max_length=8)]
    national: NationalEndpoint
    variation: Variation
    cross: Cross
    demand: LoadModel
