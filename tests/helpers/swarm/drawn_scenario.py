"""The scenario of a drawn place: a text in the explicit form that keeps every rule of it by the way it is drawn.

Every site has a centre and a router of each carrier that is there; the province has all carriers, and each carrier
joins its sites as a tree, so that all is joined. Front-ends come last, and each hangs on what it may hang on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from swarm.drawing import STYLES, Draw, Names
from swarm.drawn_demand import catalogue_of, curve, demand_of, units_of

Table = dict[str, Any]
MBIT_BYTES = 125_000


@dataclass(frozen=True)
class DrawnScenario:
    """A scenario.

    Attributes
    ----------
    text : str
    bytes_a_second : float
        What the slowest station carries, whatever others take of it.
    """

    text: str
    bytes_a_second: float


def drawn_scenario(seed: int) -> DrawnScenario:
    """Draw the scenario of a seed."""
    draw = Draw(seed, "scenario")
    place = _Place(draw, Names(draw, STYLES[int(draw.random.choice(3, p=[0.5, 0.25, 0.25]))]))
    place.draw_all()
    slowest = place.slowest_mbps() * MBIT_BYTES
    place.hold_back(slowest)
    found: Table = {
        "schema": 1,
        "form": "explicit",
        "name": "drawn",
        "title_en": f"Drawn place {seed}",
        "title_zh": "随机场景",
        "zones": place.zones,
        "carriers": place.carriers,
        "pools": place.pools,
        "units": [{key: value for key, value in unit.items() if key != "site"} for unit in place.units],
        "nodes": place.nodes,
        "lines": place.lines,
        "background": place.background,
        "systems": place.systems,
        "resources": place.resources,
        "transport": _transport(draw, slowest),
        "demand": demand_of(draw, place.names, slowest, place.plenty),
    }
    return DrawnScenario(toml_text(found), slowest)


def _transport(draw: Draw, slowest: float) -> Table:
    backoff_s = draw.of((0.2, 1.0, 3.0))
    found: Table = {
        "retries": draw.of((3, 8, 16, 30)),
        "backoff_s": backoff_s,
        "backoff_max_s": backoff_s * draw.of((1, 10, 100)),
    }
    if draw.chance(0.5):
        # A chunk takes the slowest station so many seconds.
        found["chunk_mb"] = max(round(slowest * draw.of((0.2, 1.0, 5.0)) / 1e6, 6), 0.002)
    return found


class _Place:
    """What is drawn so far."""

    def __init__(self, draw: Draw, names: Names) -> None:
        self._draw = draw
        self.names = names
        self._priority, self._sharing = draw.of(((0.0, 0.0), (0.6, 0.0), (0.1, 0.4), (0.3, 0.3)))
        self._spills = draw.of((0.0, 0.0, 0.3))
        self._credits = draw.of((0.0, 0.0, 0.4))
        # Where processing is slow the plan borrows servers for it.
        self._processing = draw.of(((10.0, 200.0), (1.0, 10.0)))
        # Half of the catalogues are small: learning few relations takes a third of the time.
        self.plenty = draw.chance(0.5)
        self.zones = ["outer"]
        self.carriers = [
            f"carrier-{letter}" for letter in "abc"[: int(draw.random.choice([1, 2, 3], p=[0.1, 0.8, 0.1]))]
        ]
        self.pools: list[Table] = []
        self.units: list[Table] = []
        self.nodes: list[Table] = []
        self.lines: list[Table] = []
        self.background: list[Table] = []
        self.systems: list[Table] = []
        self.resources: list[Table] = []
        self._level: list[str] = []
        self._centre: list[str] = []
        self._routers: list[dict[str, str]] = []

    def draw_all(self) -> None:
        draw = self._draw
        self._draw_pools()
        self._draw_background()
        for site in range(draw.whole(2, 4)):
            self._draw_site(site)
        for carrier in self.carriers:
            self._join_sites(carrier)
        if draw.chance(0.1):
            a, b = draw.some(self._centre, 2, 2)
            self._line(a, b, draw.scale(8.0, 60.0))
        self.units = units_of(draw, self.names, self._level)
        crossings = self._draw_crossings() if draw.chance(0.35) else []
        nation = self._draw_nation() if draw.chance(0.3) else None
        providers = self._draw_ends(crossings, nation)
        self.systems, self.resources = catalogue_of(draw, self.names, self.units, providers, self.plenty)

    def _draw_pools(self) -> None:
        draw = self._draw
        for _ in range(draw.whole(0, 3)):
            start_s = draw.of((0.0, 5.0, 60.0, 180.0, 600.0))
            self.pools.append(
                {"name": self.names.new("pool"), "label_zh": "云", "servers": draw.of((0, 1, 2, 8)), "start_s": start_s}
            )

    def _draw_background(self) -> None:
        draw = self._draw
        for _ in range(draw.whole(0, 3)):
            self.background.append(
                {
                    "name": self.names.new("curve"),
                    "hours": curve(draw, draw.between(0.0, 0.2), draw.between(0.1, 0.4)),
                    "off_hours": curve(draw, draw.between(0.0, 0.1), draw.between(0.1, 0.3)),
                    "jitter": draw.between(0.0, 0.1),
                    "conference_probability": draw.of((0.0, 0.5, 1.0)),
                    "conference_fraction": draw.between(0.0, 0.15),
                }
            )

    def _draw_site(self, site: int) -> None:
        draw, names = self._draw, self.names
        level = "province" if site == 0 else draw.of(("city", "county"))
        self._level.append(level)
        centre = self._node(site, "centre", names.new("site"), self._service(draw.scale(200, 2_000), draw.whole(1, 4)))
        centre["process"] = self._service(draw.scale(*self._processing), draw.whole(1, 4), slow=True)
        self._centre.append(centre["name"])
        here = [carrier for carrier in self.carriers if site == 0 or draw.chance(0.85)]
        if not here:
            here = [draw.of(self.carriers)]
        routers = {}
        for carrier in self.carriers:
            # A site of one carrier may have its second router all the same.
            if carrier in here or draw.chance(0.5):
                name = names.new("router", centre["name"])
                self._node(site, "router", name, self._service(draw.scale(5_000, 20_000), 2))
                self._line(centre["name"], name, draw.scale(500, 10_000), near=True)
                routers[carrier] = name
        several = list(routers.values())
        if len(several) > 1 and draw.chance(0.7):
            self._line(several[0], several[1], draw.scale(500, 10_000), near=True)
        self._routers.append({carrier: routers[carrier] for carrier in here})

    def _join_sites(self, carrier: str) -> None:
        """Join all sites of a carrier as a tree, and some of them once more."""
        draw = self._draw
        sites = [site for site, routers in enumerate(self._routers) if carrier in routers]
        pairs = [(sites[draw.whole(0, place - 1)], sites[place]) for place in range(1, len(sites))]
        while len(sites) > 1 and draw.chance(0.3):
            a, b = draw.some(sites, 2, 2)
            pairs.append((a, b))
        for a, b in pairs:
            line = self._line(self._routers[a][carrier], self._routers[b][carrier], draw.scale(8.0, 60.0))
            line["carrier"] = carrier
            if self.background and draw.chance(0.7):
                line["background"] = draw.of(self.background)["name"]
                line["background_scale"] = draw.between(0.5, 1.1)

    def _draw_crossings(self) -> list[str]:
        draw = self._draw
        self.zones = ["outer", "inner"] if draw.chance(0.5) else ["inner", "outer"]
        found = []
        for _ in range(1 + draw.chance(0.2)):
            node = self._node(
                0, "crossing", self.names.new("crossing"), self._service(draw.scale(50, 400), 2, slow=True)
            )
            for router in self._routers[0].values():
                self._line(node["name"], router, draw.scale(100, 1_000), near=True)
            found.append(node["name"])
        return found

    def _draw_nation(self) -> str:
        """Draw the pair of gateways, and the nation's platform behind them."""
        draw, outside = self._draw, len(self._level)
        unit = {"name": self.names.new("nation"), "label_zh": "国家平台", "level": "nation", "sector": 0}
        self.units.append(unit | {"region": outside, "weight": draw.between(0.5, 5.0), "site": outside})
        gateways = []
        for _ in range(2):
            node = self._node(0, "gateway", self.names.new("gateway"), self._service(draw.scale(500, 2_000), 2))
            for router in draw.some(list(self._routers[0].values()), 1, 2):
                self._line(node["name"], router, draw.scale(500, 1_000), near=True)
            gateways.append(node["name"])
        platform = self._node(outside, "external", self.names.new("nation"), self._service(1_000.0, 4))
        platform |= {"level": "nation", "unit": unit["name"]}
        for gateway in gateways:
            line = self._line(platform["name"], gateway, draw.scale(20, 100))
            line["propagation_ms"] = draw.between(5.0, 30.0)
        return str(unit["name"])

    def _draw_ends(self, crossings: list[str], nation: str | None) -> list[str]:
        """Draw the front-ends, and return the units that have one: the first of them in the outer zone."""
        draw = self._draw
        units = [unit for unit in self.units if unit["name"] != nation]
        owners = units[: draw.whole(3, 6)]
        owners += [draw.of(owners) for _ in range(draw.whole(0, 6 - len(owners)))]
        inner = [unit["name"] for unit in units[1 : 2 + draw.chance(0.3)]] if crossings else []
        for unit in owners:
            site = unit["site"]
            service = self._service(draw.scale(100, 500), 1)
            node = self._node(site, "front_end", self.names.new("front", unit["name"]), service)
            node["unit"] = unit["name"]
            homes = [self._centre[site]]
            if unit["name"] in inner:
                # All that a unit has lies in one zone: who may have what then hangs on no draw of a trace.
                node["zone"] = "inner"
                homes = crossings
            elif draw.chance(0.3):
                homes = [*homes, draw.of([centre for centre in self._centre if centre not in homes])]
            for home in homes:
                self._line(node["name"], home, draw.scale(20, 200))
        return [*dict.fromkeys(unit["name"] for unit in owners), *([nation] if nation else [])]

    def hold_back(self, slowest: float) -> None:
        """Give some endpoints a credit: as much as the slowest station carries in some seconds."""
        draw = self._draw
        for node in self.nodes:
            if node["kind"] in ("front_end", "external") and draw.chance(self._credits):
                mb = round(slowest * draw.of((1.0, 5.0, 30.0)) / 1e6, 6)
                node["credit"] = {"mb": mb, "return_ms": draw.between(1.0, 50.0)}

    def slowest_mbps(self) -> float:
        """Return what the slowest station carries when others take the most."""
        taken = {one["name"]: max(one["hours"] + one["off_hours"]) * (1 + 3 * one["jitter"]) for one in self.background}
        conference = {one["name"]: one["conference_fraction"] for one in self.background}
        rates = []
        for line in self.lines:
            curve_name = line.get("background")
            others = taken[curve_name] * line["background_scale"] + conference[curve_name] if curve_name else 0.0
            rates.append(line["rate_mbps"] * (1.0 - min(others, 0.9)))
        for node in self.nodes:
            rates += [
                node[part]["servers"] * node[part]["rate_mbps"] for part in ("service", "process") if part in node
            ]
        return float(min(rates))

    def _node(self, site: int, kind: str, name: str, service: Table) -> Table:
        draw = self._draw
        node: Table = {
            "name": name,
            "kind": kind,
            "level": self._level[site] if site < len(self._level) else "nation",
            "zone": "outer",
            "site": site,
            "lon": draw.between(113.5, 118.5),
            "lat": draw.between(24.5, 30.0),
            "service": service,
        }
        if draw.chance(0.5):
            node["label_zh"] = f"{name} 节点"
        if self.pools and kind in ("centre", "front_end") and draw.chance(0.8):
            node["pool"] = draw.of(self.pools)["name"]
        self.nodes.append(node)
        return node

    def _line(self, a: str, b: str, rate_mbps: float, near: bool = False) -> Table:
        draw = self._draw
        away = {"propagation_ms": draw.between(0.005, 0.05) if near else draw.between(0.1, 8.0)}
        line = {"a": a, "b": b, "rate_mbps": rate_mbps, "fixed_us": draw.between(40.0, 300.0, 1), **away}
        self.lines.append(line | self._waiting())
        return self.lines[-1]

    def _service(self, rate_mbps: float, servers: int, slow: bool = False) -> Table:
        fixed_us = self._draw.between(300.0, 3_000.0, 1) if slow else self._draw.between(20.0, 600.0, 1)
        return {"servers": servers, "fixed_us": fixed_us, "rate_mbps": rate_mbps, **self._waiting()}

    def _waiting(self) -> Table:
        """Draw whom a station serves next, and where the others wait."""
        draw = self._draw
        dice = float(draw.random.random())
        if dice < self._sharing:
            return {"discipline": "sharing"}
        found: Table = {"discipline": "priority"} if dice < self._sharing + self._priority else {}
        if draw.chance(self._spills):
            spill = {"fixed_us": draw.between(0.0, 2_000.0, 1), "rate_mbps": draw.scale(1_000, 5_000)}
            found |= {"spill": spill, "buffer_mb": draw.of((0.0, 0.1, 5.0))}
        return found


def toml_text(found: Table) -> str:
    """Write a document as TOML: everything below the top inline."""
    return "".join(f"{key} = {_value(value)}\n" for key, value in found.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)
