"""`policy check`: whether a bundle may be published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exchange_router import console
from exchange_router.options import AsJson

if TYPE_CHECKING:
    from rich.table import Table

    from feed.check.findings import Finding, PolicyFindings

EXIT_REFUSED = 1


def check(
    bundle: Annotated[Path, typer.Argument(help="Bundle to check, signed or not.  待检查的策略包。")],
    scenario: Annotated[
        str | None, typer.Option(help="Name or TOML file (default: the bundle's).  场景名或 TOML 文件。")
    ] = None,
    prepared: Annotated[
        Path | None, typer.Option(help="Brain file whose forecast capacity is held against.  学习所得文件。")
    ] = None,
    active: Annotated[Path | None, typer.Option(help="Bundle in force, to measure the change.  现行策略包。")] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="Rule that you answer for: change, capacity, failure, survival, relation.  放行的规则。"),
    ] = None,
    top: Annotated[int, typer.Option(min=0, max=100_000, help="How many findings to show.  显示的条数。")] = 20,
    as_json: AsJson = False,
) -> None:
    """Check a bundle before it is published; exit code 1 if it must not be.  发布前检查策略包。"""
    from exchange_router.bundle_files import platform_of, read_bundle  # noqa: PLC0415
    from feed.bundle.parsed import parse  # noqa: PLC0415
    from feed.check.check import check_policy  # noqa: PLC0415
    from feed.check.loads import loads_of  # noqa: PLC0415
    from feed.check.setting import CheckSetting, rules_named  # noqa: PLC0415
    from sim.brain_file import read_brain  # noqa: PLC0415 - help needs none of these

    setting = CheckSetting(allowed=rules_named(allow or []))
    held = read_bundle(bundle)
    platform = platform_of(held, scenario)
    forecast = None
    if prepared is not None:
        forecast = loads_of(platform.network, read_brain(prepared, platform).prepared)
    found = check_policy(
        platform.network,
        platform.catalogue,
        parse(held),
        forecast=forecast,
        active=None if active is None else parse(read_bundle(active)),
        setting=setting,
    )
    document: dict[str, Any] = {
        "file": str(bundle),
        "epoch": held.manifest.epoch,
        "content": held.manifest.content,
        "scenario": platform.name,
        **found.document(),
    }
    console.emit(document, as_json, *findings_tables(found, top))
    if found.refused:
        raise typer.Exit(EXIT_REFUSED)


def findings_tables(found: PolicyFindings, top: int) -> list[Table]:
    """Return what a check found as tables: counts, the first findings, notes."""
    text = console.text
    verdict = text("Refused", "拒绝发布") if found.refused else text("Passed", "通过")
    counted = console.table(verdict, text("rule", "规则"), text("severity", "级别"), text("findings", "条数"))
    for (rule, severity), count in found.counts().items():
        counted.add_row(rule.value, severity.value, f"{count:,}")
    tables = [counted]
    if found.findings[:top]:
        shown = console.table(
            text(f"First {len(found.findings[:top])} of {len(found.findings):,}", f"前 {len(found.findings[:top])} 条"),
            text("place", "位置"),
            text("rule", "规则"),
            text("found", "情况"),
            text("value", "数值"),
            text("limit", "限值"),
            text("pairs", "节点组对"),
        )
        for one in found.findings[:top]:
            shown.add_row(one.place, f"{one.rule} ({one.severity})", one.said, *_figures(one), _pairs(one))
        tables.append(shown)
    rules = dict.fromkeys(one.rule for one in found.findings)
    if rules:
        rows = [(rule.value, text(rule.next_en, rule.next_zh)) for rule in rules]
        tables.append(console.facts(text("What to do next", "下一步"), rows))
    if found.notes:
        rows = [(str(number), note) for number, note in enumerate(found.notes, 1)]
        tables.append(console.facts(text("Notes", "说明"), rows))
    return tables


def _figures(one: Finding) -> tuple[str, str]:
    value, limit = ("" if figure is None else f"{figure:.4g}" for figure in (one.value, one.limit))
    return value, limit


def _pairs(one: Finding) -> str:
    if not one.pairs:
        return ""
    first = " > ".join(one.pairs[0])
    return first if len(one.pairs) == 1 else f"{len(one.pairs):,}: {first}, ..."
