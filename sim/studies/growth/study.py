"""What `grow` found, as a study's folder: verdict, tables, page."""

from __future__ import annotations

from datetime import datetime
from math import isnan
from typing import Any, Final

import pyarrow as pa

from sim.report.blocks import (
    Axis,
    BarsBlock,
    Block,
    Cell,
    Column,
    FactsBlock,
    Form,
    Mark,
    Page,
    SeriesBlock,
    SeriesLine,
    TableBlock,
    TextBlock,
    Verdict,
    Words,
)
from sim.studies.growth.grow import Grown
from sim.studies.growth.rates import DAYS_A_YEAR
from sim.studies.growth.worst_hour import Verified
from sim.studies.measures import MEASURES
from sim.studies.study import Study, StudyFolder
from sim.studies.written import written

ROWS_SHOWN: Final = 40
INNER: Final = 0.9
# What a search leaves open by its own tolerance.
PROVEN: Final = 1e-4
COMPARED: Final = ("p99.query", "p99.all", "missed.all", "undelivered", "busiest")


def drawn_span(grown: Grown) -> tuple[datetime | None, datetime | None, int]:
    """Return between which instants nine of ten seeds reach their first limit, and how many reach one at all."""
    reached = sorted(one for one in grown.limits.drawn.values() if one is not None)
    if not reached:
        return None, None, 0
    cut = int(len(reached) * (1 - INNER) / 2)
    return reached[cut], reached[len(reached) - 1 - cut], len(reached)


def verdict_of(grown: Grown, verified: Verified | None) -> Verdict:
    """Return the answer in a sentence."""
    spec, first = grown.spec, grown.limits.first
    seeds = len(grown.limits.drawn)
    low, high, reached = drawn_span(grown)
    percent = f"{100 * spec.limit:g} %"
    if first is None:
        busiest = grown.limits.busiest()
        room = f"{100 * busiest.peak_degree * spec.limit:.0f} %"
        text = Words(
            f"No limit ({percent} in an hour) is reached in {spec.years} years: {busiest.name} comes nearest, {room} "
            f"at {busiest.peak:%Y-%m-%d %H:00}; by chance it is in {reached} of {seeds} seeds.",
            f"{spec.years}年内未达到上限（小时利用率 {percent}）：最接近的是 {busiest.name}，"
            f"{busiest.peak:%Y-%m-%d %H:00} 为 {room}；{seeds} 个种子中有 {reached} 个偶然达到。",
        )
        return Verdict(text=text, confidence=(seeds - reached) / seeds if seeds > reached else None, good=True)
    assert first.first is not None
    english = f"The first limit ({percent} in an hour) is {first.name}, on {first.first:%Y-%m-%d at %H:00}"
    chinese = f"最先达到上限（小时利用率 {percent}）的是 {first.name}，时间 {first.first:%Y-%m-%d %H:00}"
    if low is not None and high is not None:
        one_day = low.date() == high.date()
        days, days_zh = ("that day", "当日") if one_day else (f"{low:%Y-%m-%d} to {high:%Y-%m-%d}",) * 2
        english += f"; {reached} of {seeds} seeds reach one, nine of ten of them {days}"
        chinese += f"；{seeds} 个种子中 {reached} 个达到，其中九成在{days_zh}"
    proposal = grown.proposal
    assert proposal is not None
    count = len(proposal.upgrades)
    away = f"{100 * gap_of(grown):.2g} %"
    proven = gap_of(grown) < PROVEN
    proof = "the cheapest, proven" if proven else f"at most {away} above the cheapest"
    proof_zh = "已证明最省" if proven else f"与最省至多相差 {away}"
    if proposal.beyond:
        english += f"; no upgrade suffices for {len(proposal.beyond)} stations, for the others"
        chinese += f"；{len(proposal.beyond)} 个站点无法通过升级满足，其余站点"
    english += f"; {count} upgrades for {proposal.cost:,.0f} units of cost suffice until the end ({proof})."
    chinese += f"；共 {count} 项升级、{proposal.cost:,.0f} 成本单位即可满足全期（{proof_zh}）。"
    if verified is not None:
        before, after = (_mean(runs, "missed.all") for runs in (verified.before, verified.after))
        if before is not None and after is not None:
            english += f" Replayed, the worst hour misses {after:,.0f} deadlines instead of {before:,.0f}."
            chinese += f"回放最差小时：超期数由 {before:,.0f} 变为 {after:,.0f}。"
    return Verdict(
        text=Words(english, chinese), confidence=INNER if reached else None, good=False if proposal.beyond else None
    )


def gap_of(grown: Grown) -> float:
    """Relative distance of the upgrades' cost to the proven bound."""
    proposal = grown.proposal
    return 0.0 if proposal is None or proposal.cost <= 0 else (proposal.cost - proposal.lower_bound) / proposal.cost


def found_of(grown: Grown, verified: Verified | None) -> dict[str, Any]:
    """Return what programs want to know."""
    low, high, reached = drawn_span(grown)
    first, proposal = grown.limits.first, grown.proposal
    found: dict[str, Any] = {
        "routing": grown.routing,
        "start": grown.spec.start.isoformat(),
        "years": grown.spec.years,
        "limit": grown.spec.limit,
        "quantile": grown.spec.quantile,
        "first": None if first is None else {"name": first.name, "at": _iso(first.first), "degree": first.first_degree},
        "limits": len(grown.limits.in_order()),
        "busiest": {
            "name": grown.limits.busiest().name,
            "at": _iso(grown.limits.busiest().peak),
            "degree": grown.limits.busiest().peak_degree,
        },
        "seeds": {"count": len(grown.limits.drawn), "reached": reached, "from": _iso(low), "to": _iso(high)},
    }
    if proposal is not None:
        found["upgrades"] = {
            "cost": proposal.cost,
            "lower_bound": proposal.lower_bound,
            "changes": list(proposal.changes),
            "beyond": [list(one) for one in proposal.beyond],
            "resplit": proposal.resplit,
            "rounds": proposal.rounds,
            "degree_after": grown.after,
            "hours": [one.when.isoformat() for one in grown.hours],
        }
    if verified is not None:
        found["replay"] = {
            "at": verified.when.isoformat(),
            "seeds": list(verified.seeds),
            "changes": list(verified.changes),
            "before": {name: _mean(verified.before, name) for name in COMPARED},
            "after": {name: _mean(verified.after, name) for name in COMPARED},
        }
    return found


def tables_of(grown: Grown, verified: Verified | None) -> dict[str, pa.Table]:
    """Return the tables: growth, limits, tide, upgrades, seeds, replay."""
    spec, tide = grown.spec, grown.limits.tide
    kinds = [kind.name for kind in grown.platform.demand.types]
    ends = [(kind, year) for year in range(spec.years + 1) for kind in kinds]
    tables = {
        "growth": pa.table(
            {
                "year": [year for _, year in ends],
                "type": [kind for kind, _ in ends],
                "factor": [spec.growth.factor(kind, year * DAYS_A_YEAR) for kind, year in ends],
            }
        ),
        "limits": pa.table(
            {
                "name": [one.name for one in _ordered(grown)],
                "first": [one.first for one in _ordered(grown)],
                "first_degree": [one.first_degree for one in _ordered(grown)],
                "peak": [one.peak for one in _ordered(grown)],
                "peak_degree": [one.peak_degree for one in _ordered(grown)],
                "hours": [one.hours for one in _ordered(grown)],
            },
            schema=pa.schema(
                [
                    ("name", pa.string()),
                    ("first", pa.timestamp("s")),
                    ("first_degree", pa.float64()),
                    ("peak", pa.timestamp("s")),
                    ("peak_degree", pa.float64()),
                    ("hours", pa.int64()),
                ]
            ),
        ),
        "tide": pa.table(
            {
                "day": pa.array([one.date() for one in tide.day], pa.date32()),
                "hour": tide.hour,
                "degree": tide.degree,
                "name": tide.name,
                "exchanges": tide.exchanges,
            }
        ),
        "seeds": pa.table(
            {
                "seed": list(grown.limits.drawn),
                "first": pa.array(list(grown.limits.drawn.values()), pa.timestamp("s")),
            }
        ),
    }
    if grown.proposal is not None:
        upgrades = grown.proposal.upgrades
        tables["upgrades"] = pa.table(
            {
                "kind": pa.array([one.kind for one in upgrades], pa.string()),
                "place": pa.array([one.place for one in upgrades], pa.string()),
                "before": pa.array([one.before for one in upgrades], pa.float64()),
                "after": pa.array([one.after for one in upgrades], pa.float64()),
                "unit": pa.array([one.unit for one in upgrades], pa.string()),
                "cost": pa.array([one.cost for one in upgrades], pa.float64()),
                "change": pa.array([one.change for one in upgrades], pa.string()),
            }
        )
    if verified is not None:
        runs = [
            (seed, upgraded, row)
            for upgraded, of_kind in ((False, verified.before), (True, verified.after))
            for seed, row in zip(verified.seeds, of_kind, strict=True)
        ]
        tables["replay"] = pa.table(
            {
                "seed": [seed for seed, _, _ in runs],
                "upgraded": [upgraded for _, upgraded, _ in runs],
                **{name: [row[name] for _, _, row in runs] for name in MEASURES},
            }
        )
    return tables


def study_folder(grown: Grown, verified: Verified | None, origin: dict[str, Any], scenario: Words) -> StudyFolder:
    """Return all that the study writes."""
    verdict = verdict_of(grown, verified)
    page = Page(
        title=Words("Growth: first limits and the cheapest upgrade", "增长：最先达到的上限与最省的升级"),
        scenario=scenario,
        verdict=verdict,
        blocks=_blocks(grown, verified),
    )
    found = found_of(grown, verified)
    study = Study(kind="grow", provenance=origin, verdict=verdict, seeds=list(grown.limits.drawn), found=found)
    return StudyFolder(study, page, tables_of(grown, verified))


def _blocks(grown: Grown, verified: Verified | None) -> list[Block]:
    spec, tide = grown.spec, grown.limits.tide
    first, proposal = grown.limits.first, grown.proposal
    marks = [] if first is None else [Mark(at=_date(first.first), label=Words("first limit", "首个上限"))]
    days = [one.date().isoformat() for one in tide.day]
    blocks: list[Block] = [
        SeriesBlock(
            title=Words("Busiest station or pool of each day, in its busiest hour", "每日最忙站点（最忙小时）"),
            note=Words("Load over limit: 1 is the limit.", "负载与上限之比，1 为上限。"),
            x=Axis(title=Words("date", "日期"), form=Form.DATE),
            y=Axis(title=Words("load over limit", "负载/上限")),
            at=days,
            lines=[SeriesLine(label=Words("load over limit", "负载/上限"), y=[round(one, 5) for one in tide.degree])],
            limits=[(Words("limit", "上限"), 1.0)],
            marks=marks,
        ),
        SeriesBlock(
            title=Words("Tide: exchanges of each day", "潮汐：每日交换次数"),
            x=Axis(title=Words("date", "日期"), form=Form.DATE),
            y=Axis(title=Words("exchanges", "交换次数"), form=Form.COUNT),
            at=days,
            lines=[SeriesLine(label=Words("exchanges", "交换次数"), y=[round(one) for one in tide.exchanges])],
        ),
    ]
    order = grown.limits.in_order()
    if order:
        blocks.append(
            TableBlock(
                title=Words("Limits in the order in which they are reached", "依次达到的上限"),
                note=_cut(len(order)),
                columns=[
                    Column(title=Words("station or pool", "站点或资源池")),
                    Column(title=Words("reached", "达到时间"), form=Form.DATE),
                    Column(title=Words("then", "当时"), form=Form.NUMBER),
                    Column(title=Words("highest", "最高"), form=Form.NUMBER),
                    Column(title=Words("at", "时间"), form=Form.DATE),
                    Column(title=Words("hours beyond", "超限小时数"), form=Form.COUNT),
                ],
                rows=[
                    [one.name, _iso(one.first), one.first_degree, one.peak_degree, _iso(one.peak), one.hours]
                    for one in order[:ROWS_SHOWN]
                ],
            )
        )
    if proposal is not None and proposal.upgrades:
        dearest = sorted(proposal.upgrades, key=lambda one: (-one.cost, one.place))
        kinds = {"line": Words("line", "线路"), "servers": Words("servers", "服务器"), "pool": Words("pool", "资源池")}
        rows: list[list[Cell]] = [
            [kinds[one.kind], one.place, one.before, one.after, one.unit, one.cost, one.change] for one in dearest
        ]
        blocks += [
            TableBlock(
                title=Words("The cheapest sufficient upgrade", "最省的充分升级"),
                note=Words(
                    f"Cost {proposal.cost:,.6g}, proven bound {proposal.lower_bound:,.6g}.",
                    f"成本 {proposal.cost:,.6g}，已证明下界 {proposal.lower_bound:,.6g}。",
                ),
                columns=[
                    Column(title=Words("kind", "类型")),
                    Column(title=Words("place", "位置")),
                    Column(title=Words("before", "升级前"), form=Form.NUMBER),
                    Column(title=Words("after", "升级后"), form=Form.NUMBER),
                    Column(title=Words("unit", "单位")),
                    Column(title=Words("cost", "成本"), form=Form.COST),
                    Column(title=Words("as a change", "场景变化写法")),
                ],
                rows=rows,
            ),
            BarsBlock(
                title=Words("What costs most", "成本最高的升级"),
                form=Form.COST,
                rows=[(Words(one.place, one.place), one.cost, None) for one in dearest[:ROWS_SHOWN]],
            ),
        ]
    if verified is not None:
        blocks.append(_replay_table(verified))
    blocks.append(_facts(grown))
    blocks.append(
        TextBlock(
            title=Words("How it was got, and what it does not say", "方法与局限"),
            text=Words(
                f"Every hour's mean demand by the calendar's tides, times growth; what counts is the {spec.quantile:g} "
                "quantile of the hour, of random arrivals and sizes. Ways: "
                + ("one static split that is best for the heaviest hours" if grown.routing == "static" else "ecmp")
                + ". Bulk that a brain would hold back counts in the hour in which it is submitted, so dates are early "
                "rather than late. Prices are those of the price list; all by default are assumptions.",
                f"逐小时需求取日历潮汐均值乘以增长，按到达与大小的随机性取 {spec.quantile:g} 分位。路由："
                + ("对最重小时最优的静态分流" if grown.routing == "static" else "等价多路径")
                + "。可暂缓的批量按提交小时计入，因此日期偏早而非偏晚。价格取自价目表，默认值均为假设。",
            ),
        )
    )
    return blocks


def _replay_table(verified: Verified) -> TableBlock:
    rows: list[list[Cell]] = []
    for name in COMPARED:
        one = MEASURES[name]
        value = [_mean(runs, name) for runs in (verified.before, verified.after)]
        rows.append([one.title, *(None if amount is None else written(amount, one.form) for amount in value)])
    return TableBlock(
        title=Words("The worst hour, replayed", "最差小时回放"),
        note=Words(
            f"{verified.when:%Y-%m-%d %H:00}, mean of {len(verified.seeds)} seeds; both with the same exchanges.",
            f"{verified.when:%Y-%m-%d %H:00}，{len(verified.seeds)} 个种子的均值，两者交换相同。",
        ),
        columns=[
            Column(title=Words("measure", "指标")),
            Column(title=Words("as things are", "升级前")),
            Column(title=Words("upgraded", "升级后")),
        ],
        rows=rows,
    )


def _facts(grown: Grown) -> FactsBlock:
    spec, growth = grown.spec, grown.spec.growth
    facts: list[tuple[Words, str | Words]] = [
        (Words("from", "开始"), spec.start.isoformat()),
        (Words("years", "年数"), str(spec.years)),
        (Words("demand by the year", "需求年增长"), f"{100 * growth.demand:g} %"),
        (Words("other users by the year", "其他用户年增长"), f"{100 * growth.others:g} %"),
        (Words("new counties a year", "每年新增县"), str(growth.counties)),
        (Words("limit", "上限"), f"{100 * spec.limit:g} %"),
        (Words("quantile of the hour", "小时分位"), f"{spec.quantile:g}"),
        (Words("routing", "路由"), grown.routing),
        (Words("changes", "场景变化"), ", ".join(spec.changes) or "-"),
        (Words("seeds", "种子"), ", ".join(map(str, grown.limits.drawn)) or "-"),
    ]
    for name, rate in growth.types.items():
        facts.append((Words(f"demand of {name}", f"{name} 年增长"), f"{100 * rate:g} %"))
    if grown.hours:
        hours = ", ".join(f"{one.when:%Y-%m-%d %H}" for one in grown.hours)
        facts.append((Words("hours planned for", "规划小时"), hours))
    return FactsBlock(title=Words("What was asked", "设定"), rows=facts)


def _ordered(grown: Grown) -> list[Any]:
    reached = grown.limits.in_order()
    names = {one.name for one in reached}
    others = [one for one in grown.limits.courses.values() if one.name not in names]
    return [*reached, *sorted(others, key=lambda one: (-one.peak_degree, one.name))]


def _mean(runs: tuple[dict[str, float], ...], name: str) -> float | None:
    values = [run[name] for run in runs if not isnan(run[name])]
    return sum(values) / len(values) if values else None


def _cut(count: int) -> Words | None:
    if count <= ROWS_SHOWN:
        return None
    english = f"The first {ROWS_SHOWN} of {count}; all are in limits.parquet."
    return Words(english, f"前 {ROWS_SHOWN} 项，共 {count} 项；全部见 limits.parquet。")


def _iso(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat(timespec="minutes")


def _date(when: datetime | None) -> str:
    assert when is not None
    return when.date().isoformat()
