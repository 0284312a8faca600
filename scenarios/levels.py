"""Builds a platform from the levels form: expands province, cities and counties into sites, lines and front-ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from router_core.background import Background
from router_core.catalogue import NO_UNIT
from router_core.elementary import exp
from router_core.errors import BadInputError
from router_core.network import NO_POOL, Network, frozen
from router_core.network_builder import NetworkBuilder, Service
from router_core.platform import Platform
from router_core.randomness import stream
from router_core.vocabulary import Level, NodeKind
from scenarios.catalogue_drawn import draw_catalogue
from scenarios.geography import fibre_ms
from scenarios.levels_rules import CROSSING, check_levels
from scenarios.model_levels import BackgroundModel, LevelsModel
from scenarios.model_service import EndpointModel, ServiceModel
from scenarios.rules import check_network
from scenarios.sites import Site, sites_of
from scenarios.units_drawn import UnitRow, draw_units, front_ends_of

ZONES: Final = ("outer", "inner")
OUTER, INNER = 0, 1
LETTERS: Final = ("a", "b")  # router a carries the lines of the first carrier, router b those of the second
NO_PROFILE: Final = -1


def build_levels(model: LevelsModel) -> Platform:
    """Build the platform that `model` says, or raise `BadInputError` with the key path."""
    sites = sites_of(model)
    check_levels(model, sites)
    units = draw_units(model, sites)
    build = _Expansion(model, sites, units)
    network = build.network()
    return Platform(
        name=model.name,
        title_en=model.title_en,
        title_zh=model.title_zh,
        network=network,
        catalogue=draw_catalogue(model, units, build.node_unit),
        background=_background(model, network, build.line_level),
        demand=model.demand.demand(),
        transport=model.transport.transport(),
    )


@dataclass
class _Expansion:
    """Adds sites, then what hangs on them, to one network builder, and remembers what the builder does not."""

    model: LevelsModel
    sites: list[Site]
    units: list[UnitRow]

    def network(self) -> Network:
        """Add everything in a fixed order, build and check."""
        model = self.model
        pools = [model.province.cloud.pool(f"{model.province.name}-cloud", f"{model.province.label_zh}云")]
        pools += [city.cloud.pool(f"{city.name}-cloud", f"{city.label_zh}云") for city in model.cities]
        self.builder = NetworkBuilder(ZONES, tuple(carrier.name for carrier in model.carriers), tuple(pools))
        self.node_unit: list[int] = []
        self.line_level: list[tuple[int, Level]] = []  # carrier and lower end's level of each physical line, or -1
        self.centre: list[int] = []
        self.routers: list[tuple[int, int]] = []
        for number in range(len(self.sites)):
            self._add_site(number)
        crossing = self._add_crossing()
        self._add_gateways()
        self._add_front_ends(crossing)
        self._add_neighbour_lines()
        network = self.builder.build()
        check_network(network)
        return network

    def _node(
        self,
        name: str,
        kind: NodeKind,
        service: ServiceModel,
        label_zh: str,
        site: int,
        *,
        process: ServiceModel | None = None,
        zone: int = OUTER,
        pool: int = NO_POOL,
        unit: int = NO_UNIT,
        level: Level | None = None,
        xy: tuple[float, float] | None = None,
    ) -> int:
        place = self.sites[site]
        self.node_unit.append(unit)
        credit = service.credit.credit() if isinstance(service, EndpointModel) and service.credit else None
        try:
            return self.builder.add_node(
                name,
                kind,
                service=service.service(),
                process=process.service() if process else None,
                level=place.level if level is None else level,
                zone=zone,
                site=site,
                xy=xy or place.xy,
                label_zh=label_zh,
                pool=pool,
                credit=credit,
            )
        except BadInputError as error:
            # Names are made of places' names: two places can still make the same node, such as x-a and router x-a.
            raise BadInputError(f"{place.path}.name", error.rule, name) from None

    def _line(self, a: int, b: int, service: Service, carrier: int = -1, level: Level = Level.PROVINCE) -> None:
        self.builder.add_line(a, b, service=service, carrier=carrier)
        self.line_level.append((carrier, level))

    def _add_site(self, number: int) -> None:
        """A centre and two routers, all joined; and, below the province, a line of each carrier to the parent."""
        site, model = self.sites[number], self.model
        level = site.level.name.lower()
        centre = self._node(
            site.name,
            NodeKind.CENTRE,
            getattr(model.services.centre_pass, level),
            f"{site.label_zh}中心节点",
            number,
            process=getattr(model.services.centre_process, level),
            pool=site.region,
        )
        routers = tuple(
            self._node(
                f"{site.name}-{letter}", NodeKind.ROUTER, model.services.router, f"{site.label_zh}路由器{zh}", number
            )
            for letter, zh in zip(LETTERS, "甲乙", strict=True)
        )
        self.centre.append(centre)
        self.routers.append((routers[0], routers[1]))
        local = model.lines.local.service()
        self._line(centre, routers[0], local)
        self._line(centre, routers[1], local)
        self._line(routers[0], routers[1], local)
        if site.parent < 0:
            return
        line = model.lines.province_city if site.level == Level.CITY else model.lines.city_county
        parent = self.sites[site.parent]
        for carrier, says in enumerate(model.carriers):
            service = line.service(fibre_ms(parent.xy, site.xy, says.detour))
            self._line(self.routers[site.parent][carrier], routers[carrier], service, carrier, site.level)

    def _add_crossing(self) -> int:
        model = self.model
        crossing = self._node(CROSSING, NodeKind.CROSSING, model.services.crossing, "跨网交换系统", 0)
        for router in self.routers[0]:
            self._line(crossing, router, model.lines.crossing.service())
        return crossing

    def _add_gateways(self) -> None:
        model, national = self.model, self.model.national
        gateways = [
            self._node(f"gateway-{ring}", NodeKind.GATEWAY, model.services.gateway, f"国家骨干网{zh}平面网关", 0)
            for ring, zh in ((1, "一"), (2, "二"))
        ]
        for gateway in gateways:
            for router in self.routers[0]:
                self._line(gateway, router, model.lines.gateway.service())
        platform = self._node(
            national.name,
            NodeKind.EXTERNAL,
            model.services.external,
            national.label_zh,
            0,
            unit=len(self.units) - 1,
            level=Level.NATION,
            xy=national.xy,
        )
        for gateway, carrier in zip(gateways, model.carriers, strict=True):
            service = model.lines.backbone.service(fibre_ms(self.sites[0].xy, national.xy, carrier.detour))
            self._line(platform, gateway, service)

    def _add_front_ends(self, crossing: int) -> None:
        """Front-ends site by site, unit by unit; the last ones of a site are those with a second home."""
        lines = self.model.lines
        for number, site in enumerate(self.sites):
            owners = front_ends_of(self.model, self.sites, self.units, number)
            second = self._second_homes(number, len(owners))
            serial: dict[int, int] = {}
            for position, unit in enumerate(owners):
                serial[unit] = serial.get(unit, 0) + 1
                inner = self.units[unit].inner
                node = self._node(
                    f"{site.name}-fe-{position + 1:03d}",
                    NodeKind.FRONT_END,
                    self.model.services.front_end,
                    f"{self.units[unit].label_zh}前置机{serial[unit]}",
                    number,
                    zone=INNER if inner else OUTER,
                    # The clouds stand in the outer zone; what is in the inner one cannot borrow from them.
                    pool=NO_POOL if inner else site.region,
                    unit=unit,
                )
                if inner:
                    self._line(node, crossing, lines.crossing.service())
                    continue
                self._line(node, self.centre[number], lines.access.service())
                home = second[position]
                if home >= 0:
                    detour = self.model.dual_homing.access_detour
                    distance_ms = fibre_ms(site.xy, self.sites[home].xy, detour)
                    self._line(node, self.centre[home], lines.second_access.service(distance_ms))

    def _second_homes(self, number: int, count: int) -> list[int]:
        """Site of each front-end's second home, -1 for none."""
        site, dual = self.sites[number], self.model.dual_homing
        second = [-1] * count
        if site.level == Level.PROVINCE:
            return second
        if site.level == Level.COUNTY:
            chosen = round(dual.county_share * count)
            second[count - chosen :] = [site.parent] * chosen
            return second
        chosen = round(dual.city_share * count)
        away = round(dual.city_to_neighbour_share * chosen)
        neighbour = self.model.cities[site.region - 1].neighbour
        neighbour_site = next(index for index, other in enumerate(self.sites) if other.name == neighbour)
        second[count - chosen :] = [0] * (chosen - away) + [neighbour_site] * away
        return second

    def _add_neighbour_lines(self) -> None:
        model = self.model
        cities = {site.name: number for number, site in enumerate(self.sites) if site.level == Level.CITY}
        carriers = {carrier.name: index for index, carrier in enumerate(model.carriers)}
        for index, line in enumerate(model.neighbour_lines):
            place = f"neighbour_lines[{index}]"
            for key, name, known in (("a", line.a, cities), ("b", line.b, cities), ("carrier", line.carrier, carriers)):
                if name not in known:
                    raise BadInputError(f"{place}.{key}", f"must be one of {', '.join(known)}", name)
            if line.a == line.b:
                raise BadInputError(f"{place}.b", "a line joins two different cities", line.b)
            a, b, carrier = cities[line.a], cities[line.b], carriers[line.carrier]
            distance_ms = fibre_ms(self.sites[a].xy, self.sites[b].xy, model.carriers[carrier].detour)
            self._line(
                self.routers[a][carrier], self.routers[b][carrier], line.service(distance_ms), carrier, Level.CITY
            )


def _background(model: LevelsModel, network: Network, line_level: list[tuple[int, Level]]) -> Background:
    says: BackgroundModel = model.background
    carriers = {carrier.name: index for index, carrier in enumerate(model.carriers)}
    index_of: dict[tuple[int, Level], int] = {}
    for index, item in enumerate(says.profiles):
        if item.carrier not in carriers:
            rule = f"must be one of {', '.join(carriers)}"
            raise BadInputError(f"background.profiles[{index}].carrier", rule, item.carrier)
        key = (carriers[item.carrier], Level[item.level.upper()])
        if key in index_of:
            rule = "a carrier has one profile a level"
            raise BadInputError(f"background.profiles[{index}].level", rule, item.level)
        index_of[key] = index
    # The two directions of a line are loaded each in its own way: terminals mostly receive.
    per_line = np.repeat(np.array([index_of.get(key, NO_PROFILE) for key in line_level], dtype=np.int32), 2)
    draws = stream(says.seed, "background/line-scale").standard_normal(network.line_count)
    scale = np.minimum(exp(says.scale_sigma * draws), says.scale_max)
    return Background(
        tuple(item.profile(f"{item.carrier}/{item.level}") for item in says.profiles),
        frozen(per_line, np.int32),
        frozen(np.where(per_line == NO_PROFILE, 1.0, scale), np.float64),
    )
