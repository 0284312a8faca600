"""Systems, resources and grants of a province, drawn from the levels form's parameters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.catalogue import Catalogue
from router_core.elementary import exp
from router_core.randomness import stream
from router_core.vocabulary import Level, SharingType
from scenarios.catalogue_rows import catalogue_from
from scenarios.model_levels import CatalogueModel, LevelsModel
from scenarios.units_drawn import UnitRow

NO_SYSTEM = -1


def draw_catalogue(model: LevelsModel, units: list[UnitRow], node_unit: list[int]) -> Catalogue:
    """Draw the catalogue; each part has its own named stream under the catalogue's seed."""
    says = model.catalogue
    system_name, system_unit = _systems(model, units)
    names, owners, weights, sharing = _resources(model, units)
    owner = np.array(owners)
    resource_system = _system_of(says, owner, system_unit)
    inner = np.array([unit.inner for unit in units])
    lucky = stream(says.seed, "catalogue/released").random(len(owner)) < says.released_share
    return catalogue_from(
        unit_name=[unit.name for unit in units],
        unit_label_zh=[unit.label_zh for unit in units],
        unit_level=[unit.level for unit in units],
        unit_sector=[unit.sector for unit in units],
        unit_city=[unit.region for unit in units],
        unit_weight=[unit.weight for unit in units],
        node_unit=node_unit,
        system_name=system_name,
        system_unit=system_unit,
        resource_name=names,
        resource_unit=owner,
        resource_system=resource_system,
        resource_sharing=sharing,
        # What an inner unit provides has nobody to go to unless it is released.
        resource_released=lucky | inner[owner],
        resource_weight=weights,
        grants=_grants(says, units, owner, sharing),
    )


def _systems(model: LevelsModel, units: list[UnitRow]) -> tuple[list[str], list[int]]:
    """Deal the business systems of the province, then of cities and counties, over units by weight."""
    rng = stream(model.catalogue.seed, "catalogue/systems")
    names: list[str] = []
    owners: list[int] = []
    provincial = [index for index, unit in enumerate(units) if unit.level == Level.PROVINCE]
    lower = [index for index, unit in enumerate(units) if unit.level in (Level.CITY, Level.COUNTY)]
    for group, count in ((provincial, model.province.systems), (lower, model.catalogue.city_systems)):
        weight = np.array([units[index].weight for index in group])
        chosen = np.sort(rng.choice(group, size=count, p=weight / weight.sum()))
        serial: dict[int, int] = {}
        for index in chosen.tolist():
            serial[index] = serial.get(index, 0) + 1
            names.append(f"{units[index].name}/system-{serial[index]}")
            owners.append(index)
    return names, owners


def _resources(
    model: LevelsModel, units: list[UnitRow]
) -> tuple[list[str], list[int], NDArray[np.float64], NDArray[np.int8]]:
    """Names, owners, weights and sharing types: the shared databases first, then each unit's own resources."""
    says = model.catalogue
    rng = stream(says.seed, "catalogue/resources")
    counts = rng.integers(says.resources_min, says.resources_max, size=len(units), endpoint=True)
    counts[-1] = model.national.resources
    names = [f"{says.data_unit_name}/{item.name}" for item in says.high_use]
    owners = [0] * len(names)
    for index, unit in enumerate(units):
        names += [f"{unit.name}/resource-{serial + 1}" for serial in range(int(counts[index]))]
        owners += [index] * int(counts[index])
    drawn = len(names) - len(says.high_use)
    weights = exp(says.resource_sigma * rng.standard_normal(drawn))
    edges = np.cumsum([says.unconditional_share, says.conditional_share])
    sharing = np.searchsorted(edges, rng.random(drawn), side="right")
    kinds = {"unconditional": SharingType.UNCONDITIONAL, "conditional": SharingType.CONDITIONAL}
    return (
        names,
        owners,
        np.concatenate(([item.weight for item in says.high_use], weights)),
        np.concatenate(([kinds[item.sharing] for item in says.high_use], sharing)).astype(np.int8),
    )


def _system_of(says: CatalogueModel, owner: NDArray[np.intp], system_unit: list[int]) -> NDArray[np.int32]:
    """Give each resource one of its unit's systems, if the unit has any."""
    owned: dict[int, list[int]] = {}
    for system, unit in enumerate(system_unit):
        owned.setdefault(unit, []).append(system)
    draws = stream(says.seed, "catalogue/resource-system").random(len(owner))
    result = np.full(len(owner), NO_SYSTEM, dtype=np.int32)
    for index, (unit, draw) in enumerate(zip(owner.tolist(), draws.tolist(), strict=True)):
        if unit in owned:
            result[index] = owned[unit][int(draw * len(owned[unit]))]
    return result


def _grants(
    says: CatalogueModel, units: list[UnitRow], owner: NDArray[np.intp], sharing: NDArray[np.int8]
) -> list[NDArray[np.intp]]:
    """Draw who is granted each conditional resource: likelier for heavy units, of its sector, of its region.

    Drawing without replacement by weight is taking the largest of log(weight) + Gumbel noise (Gumbel-top-k;
    Kool, van Hoof, Welling 2019, arXiv:1903.06059), one array operation for all.
    """
    rng = stream(says.seed, "catalogue/grants")
    log_weight = np.log([unit.weight for unit in units])
    sector = np.array([unit.sector for unit in units])
    region = np.array([unit.region for unit in units])
    grants: list[NDArray[np.intp]] = [np.empty(0, dtype=np.intp) for _ in owner]
    high_use = len(says.high_use)
    for resource in np.flatnonzero(sharing == SharingType.CONDITIONAL).tolist():
        unit = int(owner[resource])
        liking = log_weight + rng.gumbel(size=len(units))
        liking += np.log(says.same_sector) * (sector == sector[unit])
        liking += np.log(says.same_region) * (region == region[unit])
        liking[unit] = -np.inf
        count = int(rng.geometric(1 / says.grants_mean))
        if resource < high_use:
            count = round(says.high_use[resource].granted_share * len(units))
        count = min(count, len(units) - 1)
        grants[resource] = np.sort(np.argpartition(-liking, count)[:count])
    return grants
