"""Builds a platform from many copies of a template, joined by backbone rings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.background import Background
from router_core.demand_model import DemandModel
from router_core.elementary import exp
from router_core.errors import BadInputError
from router_core.network import NO_LIMIT, Network, Pool, frozen
from router_core.network_builder import Credit, NetworkBuilder, Service
from router_core.platform import Platform
from router_core.randomness import stream
from router_core.vocabulary import Discipline, Level, NodeKind
from scenarios.composition_catalogue import compose_catalogue, copy_label, copy_name
from scenarios.geography import fibre_ms
from scenarios.model_composition import CompositionModel, Member
from scenarios.rules import check_network

NO_PROFILE: Final = -1


def build_composition(model: CompositionModel, template: Platform) -> Platform:
    """Build the platform that `model` says out of `template`, or raise `BadInputError` with the key path."""
    _check(model, template)
    copies = _Copies(model, template.network)
    network = copies.network()
    return Platform(
        name=model.name,
        title_en=model.title_en,
        title_zh=model.title_zh,
        network=network,
        catalogue=compose_catalogue(model, template),
        background=_background(model, template.background, copies.kept_lines, network.line_count),
        demand=DemandModel(
            template.demand.types,
            model.demand.exchanges_per_day,
            model.demand.peak_utilisation,
            model.demand.structure_seed,
        ),
        transport=template.transport,
    )


def _check(model: CompositionModel, template: Platform) -> None:
    network = template.network
    external = network.nodes_of(NodeKind.EXTERNAL)
    owners = template.catalogue.node_unit[external]
    if len(external) != 1 or np.count_nonzero(template.catalogue.node_unit == owners[0]) != 1:
        rule = "has exactly one external endpoint, and its unit has no front-end"
        raise BadInputError("template", rule, model.template)
    names = [member.name for member in model.members]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise BadInputError(f"members[{index}].name", "names of members are unique", name)
    carriers = list(network.carriers)
    for index, ring in enumerate(model.rings):
        place = f"rings[{index}]"
        if ring.name in carriers:
            raise BadInputError(f"{place}.name", "names of rings and carriers are unique", ring.name)
        carriers.append(ring.name)
        gateway = network.node_index.get(ring.gateway)
        if gateway is None or network.node_kind[gateway] != NodeKind.GATEWAY:
            raise BadInputError(f"{place}.gateway", "must name a gateway of the template", ring.gateway)
        for position, name in enumerate(ring.order):
            if name not in names or name in ring.order[:position]:
                rule = "a ring passes members, each once"
                raise BadInputError(f"{place}.order[{position}]", rule, name)
    if model.national.member not in names:
        raise BadInputError("national.member", "must name one of the members", model.national.member)


@dataclass
class _Copies:
    """Adds every member's nodes, then every member's lines, the rings and the national platform."""

    model: CompositionModel
    template: Network

    def __post_init__(self) -> None:
        template = self.template
        self.kept_nodes: NDArray[np.intp] = np.flatnonzero(template.node_kind != NodeKind.EXTERNAL)
        external = template.node_kind == NodeKind.EXTERNAL
        self.kept_lines: NDArray[np.intp] = np.flatnonzero(
            ~external[template.line_source] & ~external[template.line_target]
        )
        centre = template.nodes_of(NodeKind.CENTRE)[0]
        self.origin = template.node_xy[centre]

    def network(self) -> Network:
        """Add everything in a fixed order, build and check."""
        template, model = self.template, self.model
        pools = tuple(
            Pool(
                copy_name(member.name, pool.name), copy_label(model, member, pool.label_zh), pool.servers, pool.start_ns
            )
            for member in model.members
            for pool in template.pools
        )
        carriers = template.carriers + tuple(ring.name for ring in model.rings)
        self.builder = NetworkBuilder(template.zones, carriers, pools)
        for number, member in enumerate(model.members):
            self._add_nodes(number, member)
        for number in range(len(model.members)):
            self._add_lines(number)
        self._add_rings()
        self._add_national()
        network = self.builder.build()
        check_network(network)
        return network

    def _service(self, station: int) -> Service:
        template = self.template
        return Service(
            int(template.station_servers[station]),
            int(template.station_fixed_ns[station]),
            int(template.station_ps_per_byte[station]),
            int(template.station_after_ns[station]),
            Discipline(template.station_discipline[station]),
            int(template.station_buffer_bytes[station]),
            int(template.station_spill_fixed_ns[station]),
            int(template.station_spill_ps_per_byte[station]),
        )

    def _credit(self, node: int) -> Credit | None:
        limit_bytes = int(self.template.node_credit_bytes[node])
        if limit_bytes == NO_LIMIT:
            return None
        return Credit(limit_bytes, int(self.template.node_credit_return_ns[node]))

    def _add_nodes(self, number: int, member: Member) -> None:
        template = self.template
        sites = int(template.node_site.max()) + 1
        for node in self.kept_nodes.tolist():
            kind = NodeKind(template.node_kind[node])
            pool = int(template.node_pool[node])
            name = copy_name(member.name, template.node_name[node])
            xy = template.node_xy[node] - self.origin
            try:
                self.builder.add_node(
                    name,
                    kind,
                    service=self._service(int(template.node_station[node])),
                    process=(
                        self._service(int(template.node_process_station[node])) if kind == NodeKind.CENTRE else None
                    ),
                    level=Level(template.node_level[node]),
                    zone=int(template.node_zone[node]),
                    site=number * sites + int(template.node_site[node]),
                    xy=(float(xy[0]) + member.lon, float(xy[1]) + member.lat),
                    label_zh=copy_label(self.model, member, template.node_label_zh[node]),
                    pool=pool if pool < 0 else number * len(template.pools) + pool,
                    credit=self._credit(node),
                )
            except BadInputError as error:
                raise BadInputError(f"members[{number}].name", error.rule, name) from None

    def _add_lines(self, number: int) -> None:
        template, base = self.template, number * len(self.kept_nodes)
        rank = np.full(template.node_count, -1, dtype=np.int64)
        rank[self.kept_nodes] = np.arange(len(self.kept_nodes))
        source, target = rank[template.line_source].tolist(), rank[template.line_target].tolist()
        # The two directions of a physical line follow each other and serve alike.
        for line in self.kept_lines[::2].tolist():
            self.builder.add_line(
                base + source[line],
                base + target[line],
                service=self._service(int(template.line_station[line])),
                carrier=int(template.line_carrier[line]),
            )

    def _add_rings(self) -> None:
        place = {member.name: member.xy for member in self.model.members}
        for carrier, ring in enumerate(self.model.rings, start=len(self.template.carriers)):
            ends = [self.builder.index(copy_name(name, ring.gateway)) for name in ring.order]
            for position, name in enumerate(ring.order):
                after = (position + 1) % len(ring.order)
                service = ring.line.service(fibre_ms(place[name], place[ring.order[after]], ring.detour))
                self.builder.add_line(ends[position], ends[after], service=service, carrier=carrier)

    def _add_national(self) -> None:
        national = self.model.national
        try:
            node = self.builder.add_node(
                national.name,
                NodeKind.EXTERNAL,
                service=national.service.service(),
                level=Level.NATION,
                site=int(self.template.node_site.max() + 1) * len(self.model.members),
                xy=national.xy,
                label_zh=national.label_zh,
                credit=national.service.credit.credit() if national.service.credit else None,
            )
        except BadInputError as error:
            raise BadInputError("national.name", error.rule, national.name) from None
        for ring in self.model.rings:
            gateway = self.builder.index(copy_name(national.member, ring.gateway))
            self.builder.add_line(node, gateway, service=national.line.service())


def _background(
    model: CompositionModel, template: Background, kept_lines: NDArray[np.intp], line_count: int
) -> Background:
    """Each copy's lines follow the template's profiles, each as strongly as its own draw says; rings are empty."""
    profile = np.full(line_count, NO_PROFILE, dtype=np.int32)
    scale = np.ones(line_count)
    size = len(kept_lines)
    for number, member in enumerate(model.members):
        rows = slice(number * size, (number + 1) * size)
        profile[rows] = template.line_profile[kept_lines]
        draws = stream(model.variation.seed, f"composition/lines/{member.name}").standard_normal(size)
        stray = np.where(profile[rows] == NO_PROFILE, 1.0, exp(model.variation.line_sigma * draws))
        scale[rows] = template.line_scale[kept_lines] * stray
    return Background(template.profiles, frozen(profile, np.int32), frozen(scale, np.float64))
