"""Which pairs may exchange by the catalogue, and whether the policy keeps to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from feed.bundle.parsed import Parsed
from feed.check.findings import Finding, Rule, Severity
from router_core.catalogue import NO_UNIT, Catalogue
from router_core.network import Network
from router_core.vocabulary import SharingType


class Permissions:
    """Between which endpoints the catalogue permits any exchange (`Catalogue.verdict` of some resource).

    Parameters
    ----------
    network : Network
    catalogue : Catalogue
    """

    def __init__(self, network: Network, catalogue: Catalogue) -> None:
        self._network = network
        self._unit = catalogue.node_unit
        units = catalogue.unit_count
        # By providing and receiving unit: within a zone, and across zones. An endpoint without a unit receives as the
        # first one does, as `Catalogue.verdict` has it.
        self._within = np.zeros((units, units), dtype=np.bool_)
        self._across = np.zeros((units, units), dtype=np.bool_)
        for resource in range(catalogue.resource_count):
            provider = int(catalogue.resource_unit[resource])
            sharing = int(catalogue.resource_sharing[resource])
            first, last = catalogue.grant_start[resource : resource + 2].tolist()
            receivers = slice(None) if sharing == SharingType.UNCONDITIONAL else catalogue.grant_unit[first:last]
            if sharing != SharingType.NOT_SHARED:
                self._within[provider, receivers] = True
                if catalogue.resource_released[resource]:
                    self._across[provider, receivers] = True

    def between(self, source: NDArray[np.integer], target: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether each pair of endpoints may exchange anything, (n,)."""
        network = self._network
        provider, receiver = self._unit[source], np.maximum(self._unit[target], 0)
        if not len(self._within):
            return np.zeros(len(provider), dtype=np.bool_)
        known = np.where(provider == NO_UNIT, 0, provider)
        zones = network.node_zone[source] == network.node_zone[target]
        may = np.where(zones, self._within[known, receiver], self._across[known, receiver])
        lonely = network.behind_crossing
        apart = (lonely[source] < 0) | (lonely[source] != lonely[target])
        return np.asarray(may & (provider != NO_UNIT) & (source != target) & apart)

    def of_groups(self) -> NDArray[np.bool_]:
        """Whether any endpoint of a group may send anything to any of another, (G, G)."""
        network, count = self._network, len(self._network.groups)
        result = np.zeros((count, count), dtype=np.bool_)
        ends = network.endpoints
        for source in ends.tolist():
            may = self.between(np.full(len(ends), source), ends)
            result[network.node_group[source], network.node_group[ends[may]]] = True
        return result


def check_relations(network: Network, permissions: Permissions, parsed: Parsed) -> list[Finding]:
    """Tell endpoints whose known relations the catalogue does not permit; one finding an endpoint."""
    index, found = network.node_index, []
    for document in parsed.relations.values():
        for name, rows in document.endpoints.items():
            targets = list(dict.fromkeys(row[0] for row in rows))
            numbers = np.array([index[target] for target in targets], dtype=np.int64)
            may = permissions.between(np.full(len(numbers), index[name]), numbers)
            against = tuple((name, target) for target, kept in zip(targets, may.tolist(), strict=True) if not kept)
            if against:
                said = f"has relations to {len(against)} endpoints to which the catalogue permits no exchange"
                place = f"relations of {name}"
                found.append(Finding(Rule.RELATION, Severity.REFUSE, place, said, float(len(against)), 0.0, against))
    return found
