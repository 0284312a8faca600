"""Who is connected and who may exchange what: units, business systems, resources, sharing types, grants."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from router_core.network import Network
from router_core.vocabulary import SharingType

NO_UNIT = -1


class SharingRule(IntEnum):
    """Verdict of the catalogue on one exchange; everything but PERMITTED is a refusal."""

    PERMITTED = 0
    UNKNOWN_RESOURCE = 1
    NOT_AN_ENDPOINT = 2
    SAME_ENDPOINT = 3
    NOT_THE_PROVIDER = 4
    NOT_SHARED = 5
    NOT_GRANTED = 6
    MAY_NOT_CROSS_ZONES = 7
    NO_CENTRE_BETWEEN = 8

    @property
    def text(self) -> str:
        """The rule that an exchange with this verdict breaks, in a sentence."""
        return _RULE_TEXT[self]


_RULE_TEXT = {
    SharingRule.PERMITTED: "the exchange is permitted",
    SharingRule.UNKNOWN_RESOURCE: "the resource must be in the catalogue",
    SharingRule.NOT_AN_ENDPOINT: "source and target must be front-ends or the national platform",
    SharingRule.SAME_ENDPOINT: "source and target must differ",
    SharingRule.NOT_THE_PROVIDER: "a resource leaves from a front-end of the unit that provides it",
    SharingRule.NOT_SHARED: "a resource that is not shared is never exchanged",
    SharingRule.NOT_GRANTED: "a conditionally shared resource needs the provider's grant to the receiving unit",
    SharingRule.MAY_NOT_CROSS_ZONES: "the resource is not released for the cross-zone exchange",
    SharingRule.NO_CENTRE_BETWEEN: "two endpoints behind the same crossing have no centre between them",
}


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Units U, business systems B, resources R; every array is read-only.

    Attributes
    ----------
    unit_name, unit_label_zh : tuple of str, length U
    unit_level : int8 (U,)
        `Level` of the unit.
    unit_sector : int16 (U,)
        Vertical (条) the unit belongs to, such as taxation: units of one sector exchange more.
    unit_city : int16 (U,)
        Region (块) of the unit; 0 is the province itself.
    unit_weight : float64 (U,)
        Relative mass in the gravity model of demand, > 0.
    node_unit : int32 (N,)
        Unit of each endpoint, `NO_UNIT` for other nodes.
    system_name : tuple of str, length B
    system_unit : int32 (B,)
    resource_name : tuple of str, length R
    resource_unit, resource_system : int32 (R,)
        The providing unit, and the business system the resource belongs to (-1: none).
    resource_sharing : int8 (R,)
        `SharingType`.
    resource_released : bool (R,)
        Whether the resource may pass the cross-zone exchange.
    resource_weight : float64 (R,)
        Relative use, > 0; high-use data has a large one.
    grant_start : int64 (R + 1,)
    grant_unit : int32 (G,)
        Receivers of resource r: ``grant_unit[grant_start[r]:grant_start[r + 1]]``, ascending.
    """

    unit_name: tuple[str, ...]
    unit_label_zh: tuple[str, ...]
    unit_level: NDArray[np.int8]
    unit_sector: NDArray[np.int16]
    unit_city: NDArray[np.int16]
    unit_weight: NDArray[np.float64]
    node_unit: NDArray[np.int32]
    system_name: tuple[str, ...]
    system_unit: NDArray[np.int32]
    resource_name: tuple[str, ...]
    resource_unit: NDArray[np.int32]
    resource_system: NDArray[np.int32]
    resource_sharing: NDArray[np.int8]
    resource_released: NDArray[np.bool_]
    resource_weight: NDArray[np.float64]
    grant_start: NDArray[np.int64]
    grant_unit: NDArray[np.int32]

    @property
    def unit_count(self) -> int:
        """Number of units."""
        return len(self.unit_name)

    @property
    def resource_count(self) -> int:
        """Number of resources."""
        return len(self.resource_name)

    def granted(self, resource: NDArray[np.integer], unit: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether each resource is granted to each unit; indices must be in range, shapes alike."""
        owner = np.repeat(np.arange(self.resource_count, dtype=np.int64), np.diff(self.grant_start))
        keys = owner * self.unit_count + self.grant_unit
        wanted = resource.astype(np.int64) * self.unit_count + unit
        if len(keys) == 0:
            return np.zeros(len(wanted), dtype=np.bool_)
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.asarray(keys[place] == wanted)

    def verdict(
        self,
        network: Network,
        source: NDArray[np.integer],
        target: NDArray[np.integer],
        resource: NDArray[np.integer],
    ) -> NDArray[np.int8]:
        """Judge exchanges: the first `SharingRule` each breaks, PERMITTED if none; shape (n,)."""
        result = np.zeros(len(source), dtype=np.int8)
        known = (resource >= 0) & (resource < self.resource_count)
        inside = (source >= 0) & (source < network.node_count) & (target >= 0) & (target < network.node_count)
        r = np.where(known, resource, 0)
        s, t = np.where(inside, source, 0), np.where(inside, target, 0)
        inside &= network.is_endpoint[s] & network.is_endpoint[t]
        if self.resource_count == 0:
            return np.full(len(source), SharingRule.UNKNOWN_RESOURCE, dtype=np.int8)
        receiver = np.maximum(self.node_unit[t], 0)
        sharing = self.resource_sharing[r]
        lonely = network.behind_crossing
        broken = (
            (SharingRule.UNKNOWN_RESOURCE, ~known),
            (SharingRule.NOT_AN_ENDPOINT, ~inside),
            (SharingRule.SAME_ENDPOINT, s == t),
            (SharingRule.NOT_THE_PROVIDER, self.node_unit[s] != self.resource_unit[r]),
            (SharingRule.NOT_SHARED, sharing == SharingType.NOT_SHARED),
            (SharingRule.NOT_GRANTED, (sharing == SharingType.CONDITIONAL) & ~self.granted(r, receiver)),
            (
                SharingRule.MAY_NOT_CROSS_ZONES,
                (network.node_zone[s] != network.node_zone[t]) & ~self.resource_released[r],
            ),
            (SharingRule.NO_CENTRE_BETWEEN, (lonely[s] >= 0) & (lonely[s] == lonely[t])),
        )
        for rule, breaks in reversed(broken):
            result[breaks] = rule
        return result
