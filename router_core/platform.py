"""A platform: everything a scenario says, as plain immutable objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from router_core.background import Background
from router_core.catalogue import Catalogue
from router_core.demand_model import DemandModel
from router_core.digest import digest_of
from router_core.network import Network
from router_core.transport import Transport


@dataclass(frozen=True, eq=False)
class Platform:
    """What a scenario builds. A brain gets `network` and `catalogue`; `background` and `demand` are the world's.

    Attributes
    ----------
    name, title_en, title_zh : str
    network : Network
    catalogue : Catalogue
    background : Background
    demand : DemandModel
    transport : Transport
    """

    name: str
    title_en: str
    title_zh: str
    network: Network
    catalogue: Catalogue
    background: Background
    demand: DemandModel
    transport: Transport = field(default_factory=Transport)

    @cached_property
    def digest(self) -> str:
        """Scenario digest: SHA-256 in hex over everything the scenario says."""
        return digest_of(self)
