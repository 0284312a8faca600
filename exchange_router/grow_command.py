"""`grow`: where growth reaches the first limit and when, and the cheapest upgrade that suffices."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from exchange_router import console, provenance
from exchange_router.options import AsJson, Scenario, Seed
from exchange_router.study_options import Change, Out, PerDay, Workers
from exchange_router.study_work import finish, work_folder
from router_core.errors import BadInputError
from sim.report.blocks import Words
from sim.studies.case import platform_of
from sim.studies.growth.grow import ROUTINGS, Grown, GrowSpec, grow
from sim.studies.growth.price_list import PriceList, read_prices
from sim.studies.growth.rates import parse_growth
from sim.studies.growth.study import study_folder
from sim.studies.growth.worst_hour import verify
from sim.studies.study import replaceable
from sim.workers import open_workers

ROWS_SHOWN = 12


def grow_scenario(
    out: Out,
    scenario: Scenario = "jiangxi",
    growth: Annotated[
        list[str] | None,
        typer.Option(
            help="By the year: demand=25%, demand:TYPE=10%, others=10%, counties=3, front-ends=10%; "
            "may be repeated.  年增长。"
        ),
    ] = None,
    change: Change = None,
    start: Annotated[str, typer.Option(help="First day, a local date.  开始日期。")] = "2026-01-01",
    years: Annotated[int, typer.Option(min=1, max=20, help="How far to look.  年数。")] = 3,
    limit: Annotated[float, typer.Option(help="Utilisation of an hour not to be passed.  小时利用率上限。")] = 0.8,
    quantile: Annotated[float, typer.Option(help="Of an hour's likely loads, the one that counts.  负载分位。")] = 0.95,
    routing: Annotated[
        str | None,
        typer.Option(help=f"One of {', '.join(ROUTINGS)} (default: static, for a nation ecmp).  路由方式。"),
    ] = None,
    borrow: Annotated[bool, typer.Option(help="Whether the clouds' pools lend servers.  是否借用云资源池。")] = True,
    prices: Annotated[Path | None, typer.Option(help="Price list, docs/studies-grow.md.  价目表。")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=10_000, help="Replications of chance.  随机重复次数。")] = 20,
    replays: Annotated[
        int, typer.Option(min=0, max=1_000, help="Seeds of the worst hour's replay; 0: none.  回放的种子数。")
    ] = 3,
    exchanges_per_day: PerDay = None,
    seed: Seed = 1,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """What growth reaches first, when, and what then to buy.  增长最先触及的上限、时间与最省的升级。"""
    replaceable(out)
    changes = tuple(change or ())
    platform = platform_of(scenario, changes)
    kinds = tuple(kind.name for kind in platform.demand.types)
    spec = GrowSpec(
        scenario=scenario,
        growth=parse_growth(growth or [], kinds),
        start=_date(start),
        years=years,
        changes=changes,
        limit=limit,
        quantile=quantile,
        routing=routing,
        borrowing=borrow,
        prices=PriceList() if prices is None else read_prices(prices),
        seeds=tuple(range(seed, seed + seeds)),
    )
    titles = {"years": console.text("years", "逐年"), "upgrades": console.text("upgrades", "升级")}
    with console.bars() as bars:
        grown = grow(spec, lambda what, done: bars.update(titles[what], done))
    verified = None
    if replays and grown.proposal is not None and grown.proposal.upgrades:
        console.say(console.text("replaying the worst hour", "回放最差小时"))
        with open_workers(workers) as many, work_folder(out) as folder:
            verified = verify(grown, many, spec.seeds[:replays], exchanges_per_day, folder)
    origin = provenance.provenance(
        provenance.command(
            "grow",
            scenario=scenario,
            growth=growth,
            change=change,
            start=start,
            years=years,
            limit=limit,
            quantile=quantile,
            routing=routing,
            **({} if borrow else {"no_borrow": True}),
            prices=prices and prices.name,
            seeds=seeds,
            replays=replays,
            exchanges_per_day=exchanges_per_day,
            seed=seed,
        ),
        scenario=platform.name,
        scenario_digest=platform.digest,
        seed=seed,
        prices_digest=None if prices is None else provenance.file_digest(prices),
    )
    result = study_folder(grown, verified, origin, Words(platform.title_en, platform.title_zh))
    finish(out, result, as_json, *_tables(grown))


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInputError("--start", "must be a local date such as 2026-01-01", text) from None


def _tables(grown: Grown) -> list[Table]:
    limits = console.table(
        console.text("Limits in order", "依次达到的上限"),
        console.text("station or pool", "站点或资源池"),
        console.text("reached", "达到时间"),
        console.text("highest load over limit", "最高负载/上限"),
        console.text("hours beyond", "超限小时数"),
    )
    for one in grown.limits.in_order()[:ROWS_SHOWN]:
        limits.add_row(one.name, f"{one.first:%Y-%m-%d %H:00}", f"{one.peak_degree:.3g}", f"{one.hours:,}")
    result = [limits]
    if grown.proposal is not None:
        upgrades = console.table(
            console.text(f"Upgrades, cost {grown.proposal.cost:,.6g}", f"升级，成本 {grown.proposal.cost:,.6g}"),
            console.text("place", "位置"),
            console.text("before", "升级前"),
            console.text("after", "升级后"),
            console.text("cost", "成本"),
        )
        dearest = sorted(grown.proposal.upgrades, key=lambda one: (-one.cost, one.place))
        for step in dearest[:ROWS_SHOWN]:
            after = f"{step.after:g} {step.unit}"
            upgrades.add_row(f"{step.kind} {step.place}", f"{step.before:g}", after, f"{step.cost:g}")
        result.append(upgrades)
    return result
