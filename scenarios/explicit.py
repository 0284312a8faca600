"""Builds a platform from the explicit form."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from router_core.background import Background
from router_core.catalogue import NO_UNIT, Catalogue
from router_core.errors import BadInputError
from router_core.network import NO_CARRIER, NO_POOL, Network, frozen
from router_core.network_builder import ENDPOINTS, NetworkBuilder
from router_core.platform import Platform
from router_core.vocabulary import Level, NodeKind, SharingType
from scenarios.catalogue_rows import catalogue_from
from scenarios.model_explicit import ExplicitModel
from scenarios.rules import check_network

NO_SYSTEM = -1
NO_PROFILE = -1


def build_explicit(model: ExplicitModel) -> Platform:
    """Build the platform that `model` says, or raise `BadInputError` with the key path."""
    network, node_unit = _network(model)
    return Platform(
        name=model.name,
        title_en=model.title_en,
        title_zh=model.title_zh,
        network=network,
        catalogue=_catalogue(model, node_unit),
        background=_background(model),
        demand=model.demand.demand(),
        transport=model.transport.transport(),
    )


def _numbers(path: str, names: Sequence[str]) -> dict[str, int]:
    """Number the names, which must be unique."""
    found: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in found:
            raise BadInputError(f"{path}[{index}].name", f"names in {path} are unique", name)
        found[name] = index
    return found


def _look_up(numbers: dict[str, int], name: str, place: str, what: str) -> int:
    if name not in numbers:
        raise BadInputError(place, f"must name one of the {what}", name)
    return numbers[name]


def _network(model: ExplicitModel) -> tuple[Network, list[int]]:
    zones = {name: index for index, name in enumerate(model.zones)}
    carriers = {name: index for index, name in enumerate(model.carriers)}
    for path, names, numbers in (("zones", model.zones, zones), ("carriers", model.carriers, carriers)):
        if len(numbers) < len(names):
            raise BadInputError(path, "names are unique", names)
    pools = _numbers("pools", [pool.name for pool in model.pools])
    units = _numbers("units", [unit.name for unit in model.units])
    nodes = _numbers("nodes", [node.name for node in model.nodes])
    builder = NetworkBuilder(
        tuple(model.zones), tuple(model.carriers), tuple(pool.pool(pool.name, pool.label_zh) for pool in model.pools)
    )
    node_unit = []
    for index, node in enumerate(model.nodes):
        place = f"nodes[{index}]"
        kind = NodeKind[node.kind.upper()]
        if (node.unit is not None) != (kind in ENDPOINTS):
            rule = "an endpoint, and nothing else, belongs to a unit"
            raise BadInputError(f"{place}.unit", rule, node.unit or "nothing")
        node_unit.append(NO_UNIT if node.unit is None else _look_up(units, node.unit, f"{place}.unit", "units"))
        if (node.process is not None) != (kind == NodeKind.CENTRE):
            raise BadInputError(f"{place}.process", "a centre, and nothing else, processes exchanges", node.kind)
        if node.credit is not None and kind not in ENDPOINTS:
            raise BadInputError(f"{place}.credit", "only endpoints are held back by credits", node.kind)
        builder.add_node(
            node.name,
            kind,
            service=node.service.service(),
            process=node.process.service() if node.process else None,
            level=Level[node.level.upper()],
            zone=_look_up(zones, node.zone, f"{place}.zone", "zones"),
            site=node.site,
            xy=node.xy,
            label_zh=node.label_zh or "",
            pool=NO_POOL if node.pool is None else _look_up(pools, node.pool, f"{place}.pool", "pools"),
            credit=node.credit.credit() if node.credit else None,
        )
    for index, line in enumerate(model.lines):
        place = f"lines[{index}]"
        a = _look_up(nodes, line.a, f"{place}.a", "nodes")
        b = _look_up(nodes, line.b, f"{place}.b", "nodes")
        carrier = NO_CARRIER
        if line.carrier is not None:
            carrier = _look_up(carriers, line.carrier, f"{place}.carrier", "carriers")
        try:
            builder.add_line(a, b, service=line.service(), carrier=carrier)
        except BadInputError as error:
            raise BadInputError(place, error.rule, error.value) from None
    try:
        network = builder.build()
        check_network(network)
    except BadInputError as error:
        # The builder knows nodes by name; the file's reader looks for a key path.
        found = re.fullmatch(r"node (.*)", error.place)
        place = f"nodes[{nodes[found[1]]}]" if found and found[1] in nodes else error.place
        raise BadInputError(place, error.rule, error.value) from None
    return network, node_unit


def _background(model: ExplicitModel) -> Background:
    numbers = _numbers("background", [profile.name for profile in model.background])
    line_profile, line_scale = [], []
    for index, line in enumerate(model.lines):
        profile = NO_PROFILE
        if line.background is not None:
            profile = _look_up(numbers, line.background, f"lines[{index}].background", "background profiles")
        line_profile += [profile, profile]
        line_scale += [line.background_scale, line.background_scale]
    return Background(
        tuple(profile.profile(profile.name) for profile in model.background),
        frozen(line_profile, np.int32),
        frozen(line_scale, np.float64),
    )


def _catalogue(model: ExplicitModel, node_unit: list[int]) -> Catalogue:
    units = _numbers("units", [unit.name for unit in model.units])
    systems = _numbers("systems", [system.name for system in model.systems])
    _numbers("resources", [resource.name for resource in model.resources])
    system_unit = [
        _look_up(units, system.unit, f"systems[{index}].unit", "units") for index, system in enumerate(model.systems)
    ]
    connected = set(node_unit)
    resource_unit, resource_system, grants = [], [], []
    for index, resource in enumerate(model.resources):
        place = f"resources[{index}]"
        unit = _look_up(units, resource.unit, f"{place}.unit", "units")
        if unit not in connected:
            rule = "a unit that provides a resource has a front-end to send it from"
            raise BadInputError(f"{place}.unit", rule, resource.unit)
        system = NO_SYSTEM
        if resource.system is not None:
            system = _look_up(systems, resource.system, f"{place}.system", "systems")
            if system_unit[system] != unit:
                rule = "a resource's business system is one of its own unit"
                raise BadInputError(f"{place}.system", rule, resource.system)
        if resource.grants and resource.sharing != "conditional":
            rule = "grants belong to conditionally shared resources alone"
            raise BadInputError(f"{place}.grants", rule, resource.grants)
        resource_unit.append(unit)
        resource_system.append(system)
        grants.append(
            [_look_up(units, name, f"{place}.grants[{n}]", "units") for n, name in enumerate(resource.grants)]
        )
        if len(set(grants[-1])) < len(grants[-1]):
            raise BadInputError(f"{place}.grants", "a resource is granted to a unit once", resource.grants)
    return catalogue_from(
        unit_name=[unit.name for unit in model.units],
        unit_label_zh=[unit.label_zh for unit in model.units],
        unit_level=[Level[unit.level.upper()] for unit in model.units],
        unit_sector=[unit.sector for unit in model.units],
        unit_city=[unit.region for unit in model.units],
        unit_weight=[unit.weight for unit in model.units],
        node_unit=node_unit,
        system_name=[system.name for system in model.systems],
        system_unit=system_unit,
        resource_name=[resource.name for resource in model.resources],
        resource_unit=resource_unit,
        resource_system=resource_system,
        resource_sharing=[SharingType[resource.sharing.upper()] for resource in model.resources],
        resource_released=[resource.released for resource in model.resources],
        resource_weight=[resource.weight for resource in model.resources],
        grants=grants,
    )
