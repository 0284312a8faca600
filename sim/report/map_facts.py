"""The map of a report as plain values: what is where, and how full it is at each step, packed."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router_core.vocabulary import Level, Mode
from sim.mode_table import ModeTable
from sim.report.map_nodes import Twig
from sim.report.packing import packed
from sim.report.province_map import Edge, ProvinceMap, province_map
from sim.report.slot_loads import MAP_VALUES_MAX, SlotLoads, map_slots_per_step
from sim.results import NetworkTable, word

CROWDED_PERCENT: Final = 90
NOTHING: Final = 255


def reportable_map(network: NetworkTable, slots: int, brains: int) -> tuple[ProvinceMap, int]:
    """Return the map and how many slots make one of its steps; single nodes are on it where there is room for them."""
    near = province_map(network)
    if near.row_count * slots * brains <= MAP_VALUES_MAX:
        return near, 1
    far = province_map(network, near=False)
    return far, map_slots_per_step(far.row_count, slots, brains)


def map_facts(province: ProvinceMap, loads: list[SlotLoads], slots_per_step: int) -> dict[str, Any]:
    """Return what the page knows of the map, with the loads of each brain."""
    levels = [word(level) for level in Level]
    lines: list[Edge | Twig] = [*province.edges, *province.twigs]
    carriers = sorted({line.carrier for line in lines if line.carrier is not None})
    kinds = sorted({node.kind for node in province.nodes})

    def line(of: Edge | Twig) -> list[Any]:
        carrier = -1 if of.carrier is None else carriers.index(of.carrier)
        return [of.a, of.b, carrier, round(of.there_mbps, 3), round(of.back_mbps, 3)]

    return {
        "slots_per_step": slots_per_step,
        "levels": levels,
        "carriers": carriers,
        "kinds": kinds,
        "sites": [
            [site.x, site.y, levels.index(site.level), site.name, site.label_zh, site.kind, site.nodes]
            for site in province.sites
        ],
        "edges": [line(edge) for edge in province.edges],
        "nodes": [[node.site, node.name, node.label_zh, kinds.index(node.kind)] for node in province.nodes],
        "twigs": [line(twig) for twig in province.twigs],
        **load_facts(province, loads),
    }


def load_facts(province: ProvinceMap, loads: list[SlotLoads]) -> dict[str, Any]:
    """Return the loads: tables of bytes by row of `ProvinceMap.station_row`, packed, and sums over lines between sites.

    `percent` is utilisation [%], `waiting` the chunks that wait in twelfths of a doubling; `total` and `busiest` are
    the sum and the highest of the percent of both directions of all edges at each step; `crowded` counts the steps of
    directions at 90 % or more.
    """
    lines = [load.percent[: 2 * len(province.edges)] for load in loads]
    return {
        "percent": [packed(load.percent) for load in loads],
        "waiting": [packed(load.waiting) for load in loads],
        "total": [rows.sum(axis=0, dtype=np.int64).tolist() for rows in lines],
        "busiest": [rows.max(axis=0, initial=0).tolist() for rows in lines],
        "crowded": [int(np.count_nonzero(rows >= CROWDED_PERCENT)) for rows in lines],
    }


def mode_facts(province: ProvinceMap, asked: ModeTable | None) -> dict[str, Any] | None:
    """Return what share of the bytes of endpoints each mode, and each class of service, has in each hour.

    Rows are sites (all their endpoints together), then the nodes around them; values are percent, or `NOTHING` where
    there are no bytes. None where results do not tell.
    """
    if asked is None or len(asked.hour) == 0:
        return None
    hours = int(asked.hour.max()) + 1
    place = np.full(max([*province.node_place, int(asked.node.max())], default=0) + 1, -1)
    sites = len(province.sites)
    of_place = np.array([node.site for node in province.nodes], dtype=np.int64)
    for node, known in province.node_place.items():
        place[node] = known + sites if known >= 0 else -1 - known
    at = place[asked.node]
    shown = at >= 0
    rows = sites + len(province.nodes)

    def table(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        found = np.zeros((rows, hours))
        np.add.at(found, (at[chosen & shown], asked.hour[chosen & shown]), asked.bytes[chosen & shown])
        np.add.at(found, of_place, found[sites:])
        return found

    whole = table(np.ones(len(at), dtype=np.bool_))

    def shares(chosen: NDArray[np.bool_]) -> str:
        percent = np.rint(100.0 * table(chosen) / np.maximum(whole, 1.0)).astype(np.uint8)
        return packed(np.where(whole > 0, percent, np.uint8(NOTHING)))

    classes = np.unique(asked.priority).tolist()
    return {
        "hours": hours,
        "modes": [[word(mode), shares(asked.mode == mode)] for mode in Mode if np.any(asked.mode == mode)],
        "classes": [[str(one), shares(asked.priority == one)] for one in classes],
    }
