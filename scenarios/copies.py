"""Copies of front-ends and of counties on a built network; what was there keeps its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.background import Background
from router_core.catalogue import NO_UNIT, Catalogue
from router_core.network import NO_LIMIT, NO_STATION, Network, frozen
from router_core.network_builder import Credit, NetworkBuilder, Service
from router_core.platform import Copy
from router_core.vocabulary import Discipline, Level, NodeKind
from scenarios.catalogue_rows import catalogue_from


@dataclass(frozen=True)
class NodeCopy:
    """A node to come: what it is like, how it is called, and where it stands on the map and in which site."""

    model: int
    name: str
    label_zh: str
    site: int
    xy: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Extended:
    """A network with its copies; `node_model` and `line_model` say for every node and cable what it was like."""

    network: Network
    node_model: NDArray[np.intp]
    cable_model: NDArray[np.intp]


def service_of(network: Network, station: int) -> Service:
    """Return how a station serves."""
    return Service(
        int(network.station_servers[station]),
        int(network.station_fixed_ns[station]),
        int(network.station_ps_per_byte[station]),
        int(network.station_after_ns[station]),
        Discipline(network.station_discipline[station]),
        int(network.station_buffer_bytes[station]),
        int(network.station_spill_fixed_ns[station]),
        int(network.station_spill_ps_per_byte[station]),
    )


def extended(network: Network, copies: Sequence[Sequence[NodeCopy]]) -> Extended:
    """Build the network anew with copies at the end, each a few nodes that take their lines with them.

    A line between two nodes of a copy's models is copied between the copies; one that leads from a model to elsewhere
    leads from the copy to the same place, unless an endpoint is there, which then would have a further home.
    """
    builder = NetworkBuilder(network.zones, network.carriers, network.pools)
    node_model, cable_model = list(range(network.node_count)), list(range(network.line_count // 2))
    for node in range(network.node_count):
        lon, lat = network.node_xy[node].tolist()
        like = NodeCopy(
            node, network.node_name[node], network.node_label_zh[node], int(network.node_site[node]), (lon, lat)
        )
        _add(builder, network, like)
    now: list[dict[int, int]] = []
    for copy in copies:
        now.append({like.model: _add(builder, network, like) for like in copy})
        node_model += [like.model for like in copy]
    touching: dict[int, list[int]] = {}
    for cable in range(network.line_count // 2):
        a, b = int(network.line_source[2 * cable]), int(network.line_target[2 * cable])
        _join(builder, network, cable, a, b)
        for end in (a, b):
            touching.setdefault(end, []).append(cable)
    for of_copy in now:
        cables = sorted({cable for node in of_copy for cable in touching.get(node, ())})
        for cable in cables:
            a, b = int(network.line_source[2 * cable]), int(network.line_target[2 * cable])
            if any(end not in of_copy and network.is_endpoint[end] for end in (a, b)):
                continue
            _join(builder, network, cable, of_copy.get(a, a), of_copy.get(b, b))
            cable_model.append(cable)
    return Extended(builder.build(), np.array(node_model), np.array(cable_model))


def _add(builder: NetworkBuilder, network: Network, like: NodeCopy) -> int:
    node = like.model
    process = int(network.node_process_station[node])
    limit = int(network.node_credit_bytes[node])
    return builder.add_node(
        like.name,
        NodeKind(network.node_kind[node]),
        service=service_of(network, int(network.node_station[node])),
        process=None if process == NO_STATION else service_of(network, process),
        level=Level(network.node_level[node]),
        zone=int(network.node_zone[node]),
        site=like.site,
        xy=like.xy,
        label_zh=like.label_zh,
        pool=int(network.node_pool[node]),
        credit=None if limit == NO_LIMIT else Credit(limit, int(network.node_credit_return_ns[node])),
    )


def _join(builder: NetworkBuilder, network: Network, cable: int, a: int, b: int) -> None:
    service = service_of(network, int(network.line_station[2 * cable]))
    builder.add_line(a, b, service=service, carrier=int(network.line_carrier[2 * cable]))


def background_of(background: Background, cable_model: NDArray[np.intp]) -> Background:
    """Return the background of lines that are like others; the others users of a copy are as many as its model's."""
    lines = (2 * cable_model[:, None] + np.arange(2)).ravel()
    return Background(
        background.profiles,
        frozen(background.line_profile[lines], np.int32),
        frozen(background.line_scale[lines], np.float64),
    )


@dataclass(frozen=True, eq=False)
class UnitCopies:
    """A catalogue with copies of units, and which resources are copies: model and copy, for each group of units."""

    catalogue: Catalogue
    resources: tuple[tuple[NDArray[np.int32], NDArray[np.int32]], ...]


def with_units(
    catalogue: Catalogue, groups: Sequence[dict[int, str]], labels: Sequence[dict[int, str]], node_unit: list[int]
) -> UnitCopies:
    """Copy groups of units with their systems and resources.

    A copy's resource is granted to whom its model's is, to the copies of those instead where they are of the same
    group; what is granted to a model is granted to its copy too.

    Parameters
    ----------
    catalogue : Catalogue
    groups : sequence of dict
        Model unit and the copy's name, for each group.
    labels : sequence of dict
        Model unit and the copy's Chinese label.
    node_unit : list of int
        Unit of every node, copies of units counted from the catalogue's number up, group by group.
    """
    grants = [
        catalogue.grant_unit[catalogue.grant_start[r] : catalogue.grant_start[r + 1]].tolist()
        for r in range(catalogue.resource_count)
    ]
    unit_model, unit_name, unit_label = list(range(catalogue.unit_count)), list(catalogue.unit_name), []
    unit_label = list(catalogue.unit_label_zh)
    system_model, system_name = list(range(len(catalogue.system_name))), list(catalogue.system_name)
    system_unit = catalogue.system_unit.tolist()
    resource_model, resource_name = list(range(catalogue.resource_count)), list(catalogue.resource_name)
    resource_unit, resource_system = catalogue.resource_unit.tolist(), catalogue.resource_system.tolist()
    pairs = []
    more_grants: list[list[int]] = []
    for group, label in zip(groups, labels, strict=True):
        unit_now = {}
        for unit, name in group.items():
            unit_now[unit] = len(unit_model)
            unit_model.append(unit)
            unit_name.append(name)
            unit_label.append(label[unit])
        system_now = {-1: -1}
        for system in np.flatnonzero(np.isin(catalogue.system_unit, list(group))).tolist():
            unit = int(catalogue.system_unit[system])
            system_now[system] = len(system_model)
            system_model.append(system)
            system_unit.append(unit_now[unit])
            system_name.append(_renamed(catalogue.system_name[system], catalogue.unit_name[unit], group[unit]))
        models = np.flatnonzero(np.isin(catalogue.resource_unit, list(group)))
        first = len(resource_model)
        for resource in models.tolist():
            unit = int(catalogue.resource_unit[resource])
            resource_model.append(resource)
            resource_unit.append(unit_now[unit])
            resource_system.append(system_now[int(catalogue.resource_system[resource])])
            resource_name.append(_renamed(catalogue.resource_name[resource], catalogue.unit_name[unit], group[unit]))
            old = catalogue.grant_unit[catalogue.grant_start[resource] : catalogue.grant_start[resource + 1]].tolist()
            more_grants.append([unit_now.get(receiver, receiver) for receiver in old])
        for resource in range(catalogue.resource_count):
            if int(catalogue.resource_unit[resource]) not in group:
                grants[resource] += [unit_now[one] for one in grants[resource] if one in group]
        copies = np.arange(first, len(resource_model), dtype=np.int32)
        pairs.append((frozen(models, np.int32), frozen(copies, np.int32)))
    units, resources = np.array(unit_model), np.array(resource_model)
    result = catalogue_from(
        unit_name=unit_name,
        unit_label_zh=unit_label,
        unit_level=catalogue.unit_level[units],
        unit_sector=catalogue.unit_sector[units],
        unit_city=catalogue.unit_city[units],
        unit_weight=catalogue.unit_weight[units],
        node_unit=node_unit,
        system_name=system_name,
        system_unit=system_unit,
        resource_name=resource_name,
        resource_unit=resource_unit,
        resource_system=resource_system,
        resource_sharing=catalogue.resource_sharing[resources],
        resource_released=catalogue.resource_released[resources],
        resource_weight=catalogue.resource_weight[resources],
        grants=grants + more_grants,
    )
    return UnitCopies(result, tuple(pairs))


def _renamed(name: str, owner: str, new_owner: str) -> str:
    """Return a name that began with its owner's, with the new owner's instead."""
    return new_owner + name.removeprefix(owner) if name.startswith(owner) else f"{new_owner}/{name}"


def front_end_copies(network: Network, count: int) -> list[NodeCopy]:
    """Return so many new front-ends, spread as evenly as can be over those that there are, in their order."""
    models = network.nodes_of(NodeKind.FRONT_END)
    names = _free_names(network, "new-front-end", count)
    result = []
    for turn, name in enumerate(names):
        model = int(models[(2 * turn + 1) * len(models) // (2 * count)])
        lon, lat = network.node_xy[model].tolist()
        label = f"{network.node_label_zh[model]}（新增{name.rsplit('-', 1)[1]}）"
        result.append(NodeCopy(model, name, label, int(network.node_site[model]), (lon, lat)))
    return result


def county_models(network: Network) -> list[int]:
    """Return the counties' centres in the order in which new counties take after them.

    First the first county of every city, the city with most counties first, then the second of every city, and so on.
    A county's city is the site that its lines lead to.
    """
    counties = [int(n) for n in network.nodes_of(NodeKind.CENTRE) if network.node_level[n] == Level.COUNTY]
    site_of = {int(network.node_site[county]): county for county in counties}
    above: dict[int, int] = {}
    for line in range(network.line_count):
        a, b = int(network.line_source[line]), int(network.line_target[line])
        here, there = int(network.node_site[a]), int(network.node_site[b])
        if here in site_of and here != there and not network.is_endpoint[[a, b]].any():
            above.setdefault(site_of[here], there)
    by_city: dict[int, list[int]] = {}
    for county in counties:
        by_city.setdefault(above.get(county, -1), []).append(county)
    cities = sorted(by_city.values(), key=lambda of_city: (-len(of_city), of_city[0]))
    return [
        of_city[turn] for turn in range(max(map(len, cities), default=0)) for of_city in cities if turn < len(of_city)
    ]


def county_copies(network: Network, count: int) -> list[list[NodeCopy]]:
    """Return the nodes of so many new counties; there must be a county to take after."""
    models = county_models(network)
    sites = int(network.node_site.max()) + 1
    result = []
    for turn, name in enumerate(_free_names(network, "new-county", count)):
        centre = models[turn % len(models)]
        old, label = network.node_name[centre], f"新增县{name.rsplit('-', 1)[1]}"
        nodes = np.flatnonzero(network.node_site == network.node_site[centre])
        offset = 0.06 * (1 + turn // len(models))
        copies = []
        for node in nodes.tolist():
            lon, lat = network.node_xy[node].tolist()
            like = network.node_name[node]
            new = name + like.removeprefix(old) if like.startswith(old) else f"{name}-{like}"
            copies.append(
                NodeCopy(
                    node, new, f"{label}·{network.node_label_zh[node]}", sites + turn, (lon + offset, lat - offset)
                )
            )
        result.append(copies)
    return result


def _free_names(network: Network, stem: str, count: int) -> list[str]:
    """Return names that no node has, numbered on from those that there are."""
    number = 1
    names: list[str] = []
    while len(names) < count:
        name = f"{stem}-{number}"
        if name not in network.node_index:
            names.append(name)
        number += 1
    return names


def copies_of_units(
    catalogue: Catalogue, network: Network, copies: Sequence[Sequence[NodeCopy]], node_unit: list[int]
) -> tuple[UnitCopies, list[Copy]]:
    """Copy the units of counties' endpoints.

    A unit that has an endpoint elsewhere too stays one: its new front-ends are further ones of its own.
    """
    first = network.node_count
    groups: list[dict[int, str]] = []
    labels: list[dict[int, str]] = []
    units = catalogue.unit_count
    for copy in copies:
        models = [like.model for like in copy]
        inside = np.zeros(network.node_count, dtype=np.bool_)
        inside[models] = True
        own = np.unique(catalogue.node_unit[models])
        away = np.unique(catalogue.node_unit[~inside])
        wholly = [int(unit) for unit in own if unit != NO_UNIT and unit not in away]
        names = _unit_names(catalogue, network, copy, wholly)
        label = copy[0].label_zh.split("·")[0]
        groups.append(names)
        labels.append({unit: f"{label}·{catalogue.unit_label_zh[unit]}" for unit in wholly})
        now = {unit: units + place for place, unit in enumerate(wholly)}
        units += len(wholly)
        node_unit += [now.get(int(catalogue.node_unit[model]), int(catalogue.node_unit[model])) for model in models]
    made = with_units(catalogue, groups, labels, node_unit)
    result = []
    for copy, (model_resource, resource) in zip(copies, made.resources, strict=True):
        nodes = np.arange(first, first + len(copy), dtype=np.int32)
        first += len(copy)
        model_node = frozen([like.model for like in copy], np.int32)
        result.append(Copy(model_node, frozen(nodes, np.int32), model_resource, resource, 1.0))
    return made, result


def _unit_names(catalogue: Catalogue, network: Network, copy: Sequence[NodeCopy], units: list[int]) -> dict[int, str]:
    centre = next(like for like in copy if network.node_kind[like.model] == NodeKind.CENTRE)
    return {unit: _renamed(catalogue.unit_name[unit], network.node_name[centre.model], centre.name) for unit in units}
