"""Who exchanges what with whom: a gravity model over units, drawn once for a scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from router_core.catalogue import NO_UNIT, Catalogue, SharingRule
from router_core.demand_model import DemandType
from router_core.elementary import exp
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.platform import Platform
from router_core.randomness import stream
from router_core.vocabulary import Level, NodeKind, SharingType, TaskKind
from traces.timetable import check_period, phases

# Assumed: how many types of demand a resource serves, how unevenly equal consumers use it (standard deviation of the
# logarithm), and how much less units of two provinces exchange than units of one.
TYPES_PER_RESOURCE: Final = 2
USE_SIGMA: Final = 0.5
ABROAD: Final = 0.005
CANDIDATES_ABROAD: Final = 64
ENDPOINT_TRIES: Final = 8


@dataclass(frozen=True, eq=False)
class Flows:
    """Standing relations, F rows, grouped by type of demand; all arrays are read-only.

    Attributes
    ----------
    type_start : int64 (K + 1,)
        Rows of type k: ``type_start[k]:type_start[k + 1]``, at least one.
    source, target : int32 (F,)
        Endpoints of the providing and of the receiving unit.
    resource : int32 (F,)
    weight : float64 (F,)
        Share of the type's exchanges, > 0; sums to 1 over a type.
    phase_ns, off_phase_ns : int64 (F,)
        Phase of a recurring task on working days and on days off [ns]; 0 for on-demand types.
    """

    type_start: NDArray[np.int64]
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    resource: NDArray[np.int32]
    weight: NDArray[np.float64]
    phase_ns: NDArray[np.int64]
    off_phase_ns: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.source)

    def rows(self, kind: int) -> slice:
        """Rows of type `kind`."""
        return slice(int(self.type_start[kind]), int(self.type_start[kind + 1]))

    def kinds(self) -> NDArray[np.int8]:
        """Type of each row, (F,)."""
        return np.repeat(np.arange(len(self.type_start) - 1, dtype=np.int8), np.diff(self.type_start))


def build_flows(platform: Platform) -> Flows:
    """Draw the flows of a scenario; they depend on it alone, by its `structure_seed`.

    Each shared resource serves some types of demand. For each it has about `fan_out` consumers, more if it is used
    more. How likely a unit is to be a consumer, and how much it then takes, each go with the square root of its
    gravity: the product is the gravity model, provider's weight x resource's weight x consumer's weight x the factors
    of the type for sector, region and direction.

    Raises
    ------
    BadInputError
        If a type has no permitted exchange, or a synchronisation period does not divide a day.
    """
    catalogue, types = platform.catalogue, platform.demand.types
    random = stream(platform.demand.structure_seed, "flows")
    places = Places(platform.network, catalogue)
    shared = np.flatnonzero(
        (catalogue.resource_sharing != SharingType.NOT_SHARED) & (places.endpoint_count[catalogue.resource_unit] > 0)
    )
    if len(shared) == 0:
        raise BadInputError("catalogue", "needs a resource that is shared by a unit with an endpoint", 0)
    serving = _assign(shared, catalogue, types, random)
    parts: list[dict[str, NDArray[Any]]] = []
    for kind, resources in zip(types, serving, strict=True):
        if kind.kind == TaskKind.SYNC:
            check_period(kind)
        part = _type_flows(kind, resources, platform, places, random)
        if part is None:  # none of its resources has a permitted receiver: try the whole catalogue
            part = _type_flows(kind, shared, platform, places, random)
        if part is None:
            raise BadInputError(f"demand type {kind.name}", "needs at least one exchange that the catalogue permits", 0)
        parts.append(part)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    for array in joined.values():
        array.setflags(write=False)
    type_start = np.cumsum([0] + [len(part["source"]) for part in parts])
    type_start.setflags(write=False)
    return Flows(type_start=type_start, **joined)


class Places:
    """Where units are: their endpoints, and the province each lies in.

    Parameters
    ----------
    network : Network
    catalogue : Catalogue

    Attributes
    ----------
    endpoint, endpoint_start, endpoint_count : int arrays
        Endpoints of unit u: ``endpoint[endpoint_start[u]:endpoint_start[u + 1]]``.
    connected : intp
        Units that have an endpoint.
    province : int32 (U,)
        Province of each connected unit.
    national : bool (U,)
        Units of the nation belong to no province.
    """

    def __init__(self, network: Network, catalogue: Catalogue) -> None:
        nodes = network.endpoints[catalogue.node_unit[network.endpoints] != NO_UNIT]
        units = catalogue.node_unit[nodes]
        self.endpoint = nodes[np.argsort(units, kind="stable")].astype(np.int32)
        self.endpoint_count = np.bincount(units, minlength=catalogue.unit_count)
        self.endpoint_start = np.concatenate([[0], np.cumsum(self.endpoint_count)])
        self.connected = np.flatnonzero(self.endpoint_count > 0)
        self.province = _provinces(network)[self.endpoint[self.endpoint_start[:-1].clip(max=len(nodes) - 1)]]
        self.national = catalogue.unit_level == Level.NATION
        self.connected_in = {
            int(province): self.connected[(self.province[self.connected] == province) | self.national[self.connected]]
            for province in np.unique(self.province)
        }

    def draw_endpoint(self, unit: NDArray[np.integer], random: np.random.Generator) -> NDArray[np.int32]:
        """One endpoint of each unit, all of them alike."""
        offset = (random.random(len(unit)) * self.endpoint_count[unit]).astype(np.int64)
        return np.asarray(self.endpoint[self.endpoint_start[unit] + offset])


def _provinces(network: Network) -> NDArray[np.int32]:
    """Number the parts into which the network falls without gateways to the backbone, (N,)."""
    apart = np.isin(network.node_kind, (NodeKind.GATEWAY, NodeKind.EXTERNAL))
    inside = ~(apart[network.line_source] | apart[network.line_target])
    ends = (network.line_source[inside], network.line_target[inside])
    graph = sparse.coo_array((np.ones(inside.sum(), dtype=np.int8), ends), shape=(network.node_count,) * 2)
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int32)


def _assign(
    shared: NDArray[np.intp], catalogue: Catalogue, types: tuple[DemandType, ...], random: np.random.Generator
) -> list[NDArray[np.intp]]:
    """Give each resource its types by chance; a type that goes up prefers providers with many units above them."""
    provider_level = catalogue.unit_level[catalogue.resource_unit[shared]]
    mass = np.bincount(catalogue.unit_level, catalogue.unit_weight, minlength=len(Level))
    above = (np.cumsum(mass) - mass) / mass.sum()
    below = 1 - above - mass / mass.sum()
    pull = np.stack([1 + (kind.upward - 1) * above + (kind.downward - 1) * below for kind in types])[:, provider_level]
    pull /= pull.mean(axis=1, keepdims=True)
    # The smallest exponential keys are a weighted sample without replacement; squared, so that directions show.
    keys = random.standard_exponential(pull.shape) / pull**2
    count = min(TYPES_PER_RESOURCE, len(types))
    chosen = np.argsort(keys, axis=0, kind="stable")[:count]
    return [shared[(chosen == index).any(axis=0)] for index in range(len(types))]


def gravity(
    kind: DemandType,
    catalogue: Catalogue,
    provider: NDArray[np.integer] | int,
    consumer: NDArray[np.integer],
) -> NDArray[np.float64]:
    """Weight of consumers times the type's factors between provider and consumer; shape of `consumer`."""
    level, sector, region = catalogue.unit_level, catalogue.unit_sector, catalogue.unit_city
    result = catalogue.unit_weight[consumer].copy()
    result[(sector[provider] == sector[consumer]) & (sector[consumer] >= 0)] *= kind.same_sector
    result[region[provider] == region[consumer]] *= kind.same_region
    result[level[consumer] < level[provider]] *= kind.upward
    result[level[consumer] > level[provider]] *= kind.downward
    return np.asarray(result)


def _type_flows(
    kind: DemandType, resources: NDArray[np.intp], platform: Platform, places: Places, random: np.random.Generator
) -> dict[str, NDArray[Any]] | None:
    catalogue = platform.catalogue
    if len(resources) == 0:
        return None
    use = np.sqrt(catalogue.resource_weight[resources])
    wanted = 1 + random.poisson((kind.fan_out - 1) * use / use.mean())
    chosen, mass = [], []
    for resource, count in zip(resources.tolist(), wanted.tolist(), strict=True):
        provider = int(catalogue.resource_unit[resource])
        units = _candidates(resource, provider, catalogue, places, random)
        pull = np.sqrt(gravity(kind, catalogue, provider, units) * nearness(provider, units, places))
        # Efraimidis and Spirakis (2006): the largest keys are a weighted sample without replacement.
        keys = random.standard_exponential(len(units)) / pull
        taken = np.argsort(keys, kind="stable")[:count]
        chosen.append(units[taken])
        mass.append(catalogue.unit_weight[provider] * catalogue.resource_weight[resource] * pull[taken])
    resource = np.repeat(resources, [len(units) for units in chosen]).astype(np.int32)
    weight = np.concatenate(mass) * exp(random.normal(0.0, USE_SIGMA, len(resource)))
    source, target, permitted = draw_endpoints(platform, places, resource, np.concatenate(chosen), random)
    if not permitted.any():
        return None
    count = int(permitted.sum())
    phase_ns, off_phase_ns = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    if kind.kind == TaskKind.SYNC:
        rank = (random.permutation(count) + random.random(count)) / count
        phase_ns, off_phase_ns = phases(kind, True, rank), phases(kind, False, rank)
    return {
        "source": source[permitted],
        "target": target[permitted],
        "resource": resource[permitted],
        "weight": weight[permitted] / weight[permitted].sum(),
        "phase_ns": phase_ns,
        "off_phase_ns": off_phase_ns,
    }


def _candidates(
    resource: int, provider: int, catalogue: Catalogue, places: Places, random: np.random.Generator
) -> NDArray[np.intp]:
    """Units that may receive a resource: all of the provider's province and the nation, and a few from elsewhere."""
    if catalogue.resource_sharing[resource] == SharingType.CONDITIONAL:
        grants = catalogue.grant_unit[catalogue.grant_start[resource] : catalogue.grant_start[resource + 1]]
        units = grants[places.endpoint_count[grants] > 0].astype(np.intp)
    elif places.national[provider]:
        units = places.connected
    else:
        units = places.connected_in[int(places.province[provider])]
        if len(units) < len(places.connected):
            units = np.union1d(units, random.choice(places.connected, CANDIDATES_ABROAD))
    return np.asarray(units[units != provider])


def nearness(provider: NDArray[np.integer] | int, units: NDArray[np.integer], places: Places) -> NDArray[np.float64]:
    """Factor of gravity between units: `ABROAD` between provinces, 1 within one and with the nation."""
    away = (places.province[units] != places.province[provider]) & ~places.national[units]
    return np.where(away & ~places.national[provider], ABROAD, 1.0)


def draw_endpoints(
    platform: Platform,
    places: Places,
    resource: NDArray[np.int32],
    consumer: NDArray[np.intp],
    random: np.random.Generator,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
    """Draw endpoints of both units until the catalogue permits the exchange, a few times."""
    provider = platform.catalogue.resource_unit[resource]
    source, target = places.draw_endpoint(provider, random), places.draw_endpoint(consumer, random)
    refused = np.arange(len(resource))
    for attempt in range(ENDPOINT_TRIES):
        verdict = platform.catalogue.verdict(platform.network, source[refused], target[refused], resource[refused])
        refused = refused[verdict != SharingRule.PERMITTED]
        if len(refused) == 0 or attempt == ENDPOINT_TRIES - 1:
            break
        source[refused] = places.draw_endpoint(provider[refused], random)
        target[refused] = places.draw_endpoint(consumer[refused], random)
    permitted = np.ones(len(resource), dtype=np.bool_)
    permitted[refused] = False
    return source, target, permitted
