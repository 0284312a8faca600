"""A platform: everything a scenario says, as plain immutable objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True, eq=False)
class Copy:
    """Something new on a platform that is like something that was there, and exchanges what that exchanges.

    Attributes
    ----------
    model_node, node : int32 (n,)
        Nodes that were there, and their copies.
    model_resource, resource : int32 (m,)
        Resources likewise.
    share : float
        How much of a flow the copy has of those that begin or end at its model, in (0, 1].
    """

    model_node: NDArray[np.int32]
    node: NDArray[np.int32]
    model_resource: NDArray[np.int32]
    resource: NDArray[np.int32]
    share: float


@dataclass(frozen=True, eq=False, kw_only=True)
class ChangedPlatform(Platform):
    """A platform that differs from a scenario's in stated ways: more demand, faster lines, more counties.

    Nodes, lines, units and resources of the scenario keep their numbers; what is new has numbers behind them. Demand is
    the scenario's, calibrated there, times `demand_factor`, and with what the copies exchange: a change changes what
    it says and nothing else.

    Attributes
    ----------
    base : Platform
        The scenario's.
    changes : tuple of str
        What was asked for, as given.
    demand_factor : tuple of float
        Of each type of demand, > 0.
    copies : tuple of tuple of Copy
        Step by step; the copies of one step are made of what was there before it.
    """

    base: Platform
    changes: tuple[str, ...]
    demand_factor: tuple[float, ...]
    copies: tuple[tuple[Copy, ...], ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 in hex over the scenario's digest and over what came of the changes, however they were worded."""
        parts = (self.network, self.catalogue, self.background, self.demand_factor, self.copies)
        return digest_of(("changed", self.base.digest, *parts))


def unchanged(platform: Platform) -> Platform:
    """Return the scenario's platform, without the changes that were made to it."""
    return platform.base if isinstance(platform, ChangedPlatform) else platform
