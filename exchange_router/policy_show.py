"""`policy show`: what a bundle holds, a front-end's rows, or one route."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exchange_router import console
from exchange_router.options import AsJson
from router_core.errors import BadInputError

if TYPE_CHECKING:
    from rich.table import Table

    from feed.bundle.bundle import Bundle
    from feed.bundle.parsed import Parsed
    from feed.bundle.rows import Row


def show(
    bundle: Annotated[Path, typer.Argument(help="Bundle or package.  策略包。")],
    scope: Annotated[str | None, typer.Option(help="Rows of this front-end.  该前置节点的各行。")] = None,
    source: Annotated[str | None, typer.Option("--from", help="Endpoint that sends.  来源节点。")] = None,
    target: Annotated[str | None, typer.Option("--to", help="Endpoint that receives.  目标节点。")] = None,
    at: Annotated[str | None, typer.Option(help="Local time (default: begin of validity).  时刻。")] = None,
    scenario: Annotated[
        str | None, typer.Option(help="Name or TOML file (default: the bundle's).  场景名或 TOML 文件。")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a bundle holds; nobody's signature is checked, `policy verify` does that.  查看策略包内容。"""
    from exchange_router.bundle_files import read_bundle  # noqa: PLC0415 - help needs none of these
    from feed.bundle.parsed import parse  # noqa: PLC0415

    if (source is None) != (target is None):
        raise BadInputError("--from", "needs --to, and --to needs --from", source or target)
    held = read_bundle(bundle, package=True)
    parsed = parse(held)
    document, tables = _summary(held, parsed)
    if scope is not None:
        more, shown = _rows(parsed, scope, *_slot(parsed, at))
    elif source is not None and target is not None:
        more, shown = _route(held, parsed, (source, target), _slot(parsed, at), scenario)
    else:
        more, shown = {}, tables
    console.emit({"bundle": str(bundle), **document, **more}, as_json, *shown)


def _slot(parsed: Parsed, at: str | None) -> tuple[int, bool]:
    """Return the slot of a time, and whether the dynamic layer holds then."""
    from exchange_router.bundle_files import moment_of  # noqa: PLC0415
    from feed.clock import instant_of, local_of  # noqa: PLC0415

    manifest = parsed.manifest
    moment = manifest.valid_from if at is None else moment_of(at, "--at")
    slot = parsed.clock().slot_at(local_of(instant_of(moment)))
    return slot, manifest.valid_from <= moment < manifest.soft_expiry


def _summary(held: Bundle, parsed: Parsed) -> tuple[dict[str, Any], list[Table]]:
    from feed.bundle.manifest import etag_of  # noqa: PLC0415
    from feed.bundle.rows import row_count  # noqa: PLC0415

    manifest, platform = parsed.manifest, parsed.platform
    targets = [one for document in parsed.routes.values() for one in document.targets]
    known = [rows for document in parsed.relations.values() for rows in document.endpoints.values()]
    document: dict[str, Any] = {
        "etag": etag_of(held),
        "manifest": manifest.model_dump(mode="json", exclude={"files"}),
        "files": {
            "listed": len(manifest.files),
            "held": len(held.files),
            "bytes": sum(len(data) for data in held.files.values()),
        },
        "enveloped": held.envelope_json is not None,
        "platform": {"groups": len(platform.groups), "endpoints": len(platform.endpoints)},
        "static": {
            "begin": parsed.release.begin,
            "slots": parsed.release.slots,
            "groups": len(parsed.routes),
            "pairs": len(targets),
            "ways": sum(len(one.ways) for one in targets),
            "runs": sum(len(one.weights) for one in targets),
            "relations": sum(len(rows) for rows in known),
            "classes": len(parsed.classes.classes),
            "lenders": len(parsed.capacity.planned),
        },
        "dynamic": {
            "pairs": sum(len(one.weights) for one in parsed.now.values()),
            "holds": sum(len(one.holds) for one in parsed.now.values()),
            "servers": len(parsed.capacity.now),
        },
        "guards": parsed.guards.model_dump(mode="json"),
        "rows": row_count(parsed),
    }
    text, static, dynamic, files = console.text, document["static"], document["dynamic"], document["files"]
    about = [
        (text("etag", "标识"), document["etag"]),
        (text("scenario", "场景"), manifest.scenario),
        (text("topology", "拓扑"), manifest.topology[:16]),
        (text("valid", "有效期"), f"{manifest.valid_from:%Y-%m-%d %H:%M}Z - {manifest.hard_expiry:%Y-%m-%d %H:%M}Z"),
        (text("dynamic layer until", "动态层有效至"), f"{manifest.soft_expiry:%Y-%m-%d %H:%M:%S}Z"),
        (text("restores", "恢复自"), str(manifest.restores or "-")),
        (text("envelope", "签名封套"), text("yes", "有") if document["enveloped"] else text("none", "无")),
        (text("files", "文件"), f"{files['held']:,} / {files['listed']:,}, {console.size(files['bytes'])}"),
        *((name, value) for name, value in manifest.provenance.items()),
        *((name, digest[:16]) for name, digest in manifest.inputs.items()),
    ]
    layers = [
        (text("groups, endpoints", "组、节点"), f"{len(platform.groups):,}, {len(platform.endpoints):,}"),
        (text("slots", "时隙"), f"{static['slots']:,}, {static['begin']}"),
        (text("pairs, ways", "组对、路径"), f"{static['pairs']:,}, {static['ways']:,}"),
        (text("runs of weights", "权重段"), f"{static['runs']:,}"),
        (text("known relations", "已知关系"), f"{static['relations']:,}"),
        (text("rows: front-end x group x class", "行：前置 x 组 x 类"), f"{document['rows']:,}"),
        (text("now: pairs, holds, servers", "动态：组对、延后、服务器"), f"{dynamic['pairs']:,}, {dynamic['holds']:,}, "
         f"{dynamic['servers']:,}"),
    ]  # fmt: skip
    return document, [
        console.facts(text("Bundle", "策略包"), about),
        console.facts(text("Layers", "策略层"), layers),
    ]


def _rows(parsed: Parsed, scope: str, slot: int, dynamic: bool) -> tuple[dict[str, Any], list[Table]]:
    from feed.bundle.rows import rows  # noqa: PLC0415

    found = list(rows(parsed, scope, slot, dynamic=dynamic))
    document = {
        "scope": scope,
        "slot": slot,
        "scope_rows": [{"target": row.target, "priority": row.priority, "weights": list(row.weights)} for row in found],
    }
    text = console.text
    shown = console.table(
        text(f"Rows of {scope}, slot {slot}", f"{scope} 的各行，时隙 {slot}"),
        text("to", "目标"),
        text("class of service", "服务等级"),
        text("shares of its ways", "各路径份额"),
    )
    for row in found:
        shown.add_row(row.target, str(row.priority), ", ".join(_shares(row)))
    return document, [shown]


def _shares(row: Row) -> list[str]:
    total = sum(row.weights)
    return [f"{weight / total:.1%}" if weight else "-" for weight in row.weights]


def _route(
    held: Bundle, parsed: Parsed, ends: tuple[str, str], at: tuple[int, bool], scenario: str | None
) -> tuple[dict[str, Any], list[Table]]:
    from exchange_router.bundle_files import platform_of  # noqa: PLC0415
    from feed.bundle.rows import rows  # noqa: PLC0415

    network = platform_of(held, scenario).network
    source, target = ends
    group = parsed.platform.endpoints.get(target)
    if group is None:
        raise BadInputError("--to", "must be an endpoint of the platform", target)
    name = parsed.platform.groups[group].name
    row = next((row for row in rows(parsed, source, at[0], dynamic=at[1]) if row.target == name), None)
    if row is None:
        raise BadInputError("--to", f"must be connected with {source}", target)
    total = sum(row.weights)
    ways: list[dict[str, Any]] = [
        {
            "share": weight / total,
            "first": network.node_name[way.first],
            "last": network.node_name[way.last],
            "stations": [network.station_name[station] for station in way.stations],
        }
        for way, weight in zip(row.ways, row.weights, strict=True)
    ]
    text = console.text
    shown = console.table(
        text(f"{source} → {target}, slot {at[0]}", f"{source} → {target}，时隙 {at[0]}"),
        text("way", "路径"),
        text("share", "份额"),
        text("stations", "服务站"),
    )
    for number, one in enumerate(ways, start=1):
        shown.add_row(str(number), f"{one['share']:.1%}" if one["share"] else "-", " ".join(one["stations"]))
    return {"source": source, "target": target, "slot": at[0], "ways": ways}, [shown]
