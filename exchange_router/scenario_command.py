"""`scenario`: list, show and validate platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

import scenarios
from exchange_router import console
from exchange_router.options import AsJson
from exchange_router.provenance import command, provenance
from router_core.platform import Platform
from router_core.vocabulary import Level, NodeKind, SharingType, StationRole

if TYPE_CHECKING:
    from sim.room import Room

app = typer.Typer(
    help="Platforms: list, show, validate.  场景：列出、查看、校验。", no_args_is_help=True, rich_markup_mode=None
)

# Above this the linear programme of the room takes minutes; the national level is to be solved through its gateways.
ROOM_NODES_MAX = 3_000

Name = Annotated[str, typer.Argument(help="Bundled name or TOML file.  场景名或 TOML 文件。")]


@app.command("list")
def list_scenarios(as_json: AsJson = False) -> None:
    """List the bundled scenarios.  列出内置场景。"""
    text = console.text
    shown = console.table(text("Scenarios", "场景"), text("name", "名称"), text("title", "标题"))
    rows = []
    for name in scenarios.names():
        title_en, title_zh = scenarios.titles(name)
        rows.append({"name": name, "title_en": title_en, "title_zh": title_zh})
        shown.add_row(name, text(title_en, title_zh))
    console.emit({"scenarios": rows}, as_json, shown)


@app.command("show")
def show(
    scenario: Name = "jiangxi",
    room: Annotated[bool, typer.Option(help="Compute the room a better brain has.  计算优化空间。")] = True,
    as_json: AsJson = False,
) -> None:
    """Show what a scenario holds, and the room between an even split and the optimum.  查看场景内容与优化空间。"""
    platform = scenarios.load(scenario)
    document: dict[str, Any] = {
        "provenance": provenance(
            command("scenario", "show", scenario),
            scenario=platform.name,
            scenario_digest=platform.digest,
            seed=platform.demand.structure_seed,
        ),
        "title_en": platform.title_en,
        "title_zh": platform.title_zh,
        "counts": _counts(platform),
    }
    tables = [_counts_table(platform, document["counts"])]
    if room and platform.network.node_count > ROOM_NODES_MAX:
        console.say(
            f"room: not computed above {ROOM_NODES_MAX:,} nodes, {scenario} has {platform.network.node_count:,}"
        )
    elif room:
        console.say(console.text("computing the room of the busiest hour", "正在计算最忙小时的优化空间"))
        from sim.room import room_of  # noqa: PLC0415 - numba and HiGHS take 0.2 s, which every command would pay

        found = room_of(platform)
        document["room"] = found.document(platform.network)
        tables.append(_room_table(platform, found))
    console.emit(document, as_json, *tables)


@app.command("validate")
def validate(scenario: Name, as_json: AsJson = False) -> None:
    """Check a scenario file; a bad one gets one line and exit code 2.  校验场景文件。"""
    platform = scenarios.load(scenario)
    document = {"scenario": platform.name, "digest": platform.digest, "valid": True, "counts": _counts(platform)}
    console.emit(
        document, as_json, console.facts(console.text("Valid", "有效"), [(platform.name, f"sha256 {platform.digest}")])
    )


def _counts(platform: Platform) -> dict[str, Any]:
    network, catalogue = platform.network, platform.catalogue

    def tally(values: Any, words: Any) -> dict[str, int]:
        return {word.name.lower(): count for word in words if (count := int((np.asarray(values) == word).sum()))}

    homes = [len(homes) for homes in network.homes.values()]
    return {
        "nodes": network.node_count,
        "nodes_by_kind": tally(network.node_kind, NodeKind),
        "centres_by_level": tally(network.node_level[network.nodes_of(NodeKind.CENTRE)], Level),
        "front_ends_by_level": tally(network.node_level[network.nodes_of(NodeKind.FRONT_END)], Level),
        "endpoints_dual_homed": sum(count > 1 for count in homes),
        "endpoints_by_zone": {
            zone: int((network.node_zone[network.endpoints] == index).sum()) for index, zone in enumerate(network.zones)
        },
        "directed_lines": network.line_count,
        "directed_lines_by_carrier": {
            name: int((network.line_carrier == index).sum()) for index, name in enumerate(network.carriers)
        },
        "stations": network.station_count,
        "stations_by_role": tally(network.station_role, StationRole),
        "units": catalogue.unit_count,
        "units_by_level": tally(catalogue.unit_level, Level),
        "business_systems": len(catalogue.system_name),
        "resources": catalogue.resource_count,
        "resources_by_sharing": tally(catalogue.resource_sharing, SharingType),
        "grants": len(catalogue.grant_unit),
        "cloud_pools": len(network.pools),
        "demand_types": len(platform.demand.types),
        "exchanges_per_day": platform.demand.exchanges_per_day,
    }


def _counts_table(platform: Platform, counts: dict[str, Any]) -> Table:
    rows = []
    for name, value in counts.items():
        shown = ", ".join(f"{key} {part:,}" for key, part in value.items()) if isinstance(value, dict) else f"{value:,}"
        rows.append((name.replace("_", " "), shown))
    title = f"{platform.name} - {console.text(platform.title_en, platform.title_zh)}"
    return console.facts(title, [*rows, ("digest", platform.digest)])


def _room_table(platform: Platform, room: Room) -> Table:
    text = console.text
    shown = console.table(
        text(
            f"Room: busiest hour of a plain working day, from {room.hour:02d}:00",
            f"优化空间：普通工作日最忙小时，{room.hour:02d}:00 起",
        ),
        text("routing", "路由方式"),
        text("peak utilisation", "峰值利用率"),
        text("ecmp / this", "ecmp / 本行"),
        text("busiest station", "最忙站点"),
    )
    names = platform.network.station_name
    shown.add_row(
        "shortest-path",
        f"{room.shortest_path:.3f}",
        f"{room.ecmp / room.shortest_path:.2f}",
        names[room.shortest_path_station],
    )
    shown.add_row("ecmp", f"{room.ecmp:.3f}", "1.00", names[room.ecmp_station])
    shown.add_row(
        text("optimum, processing at the first centre", "最优（在首个中心处理）"),
        f"{room.first_centre.objective:.3f}",
        f"{room.ecmp / room.first_centre.objective:.2f}",
        "",
    )
    shown.add_row(
        text("optimum", "最优"),
        f"{room.optimum.objective:.3f}",
        f"{room.ratio:.2f}",
        text(f"gap {room.optimum.gap:.1e}", f"间隙 {room.optimum.gap:.1e}"),
    )
    return shown
