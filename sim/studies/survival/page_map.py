"""The weakest points on the map."""

from __future__ import annotations

from typing import Final

from router_core.network import NO_CARRIER, Network
from sim.report.blocks import Form, MapBlock, MapLine, MapSite, Words
from sim.report.province_map import province_map
from sim.results import network_table
from sim.studies.case import platform_of
from sim.studies.survival.survive import Suffered, Survived
from sim.studies.survival.words import hurt_share, kind_of

# Kinds that stand at one site; a carrier is at all of them, a pool at none.
AT_SITES: Final = ("router", "centre", "process", "gateway")


def _site_of_name(network: Network, name: str) -> int:
    return int(network.node_site[network.node_index[name]])


def map_block(survived: Survived) -> MapBlock:
    """The worst failure at each site, and of the lines of each carrier between two sites."""
    network = platform_of(survived.spec.scenario, survived.spec.changes).network
    drawn = province_map(network_table(network), near=False)
    place = {_site_of_name(network, site.name): index for index, site in enumerate(drawn.sites)}
    at_site: dict[int, Suffered] = {}
    on_line: dict[tuple[int, int, str | None], Suffered] = {}
    for one in survived.ranked:
        element = one.failure.elements[0]
        if element.kind in AT_SITES:
            node = int(network.station_owner[element.stations[0]])
            at_site.setdefault(place[int(network.node_site[node])], one)
        elif element.kind == "line":
            line = int(network.station_owner[element.stations[0]])
            ends = (int(network.node_site[end[line]]) for end in (network.line_source, network.line_target))
            a, b = sorted(place[end] for end in ends)
            carrier = int(network.line_carrier[line])
            on_line.setdefault((a, b, None if carrier == NO_CARRIER else network.carriers[carrier]), one)
    return MapBlock(
        title=Words("The weakest points", "最薄弱环节"),
        note=Words(
            "Share of exchanges that the worst failure there makes late or loses. Carriers and pools are not shown.",
            "该处最严重的故障使多少比例的交换推迟或丢失。运营商整体与资源池不在图上。",
        ),
        form=Form.SHARE,
        sites=[
            MapSite(
                name=site.name,
                label_zh=site.label_zh,
                lon=site.x,
                lat=site.y,
                level=site.level,
                value=hurt_share(at_site[index]) if index in at_site else None,
                note=_note(at_site.get(index)),
            )
            for index, site in enumerate(drawn.sites)
        ],
        lines=[
            MapLine(
                a=edge.a,
                b=edge.b,
                carrier=edge.carrier,
                value=None if one is None else hurt_share(one),
                note=_note(one),
            )
            for edge in drawn.edges
            for one in [on_line.get((edge.a, edge.b, edge.carrier))]
        ],
    )


def _note(one: Suffered | None) -> Words | None:
    if one is None:
        return None
    kind, name = kind_of(one), one.failure.name
    return Words(f"worst: {kind.en} {name}", f"最严重：{kind.zh} {name}")
