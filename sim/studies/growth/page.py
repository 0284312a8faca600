"""The page of `grow`: its blocks."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sim.report.blocks import (
    Axis,
    BarsBlock,
    Block,
    Cell,
    Column,
    FactsBlock,
    Form,
    Mark,
    SeriesBlock,
    SeriesLine,
    TableBlock,
    TextBlock,
    Words,
)
from sim.studies.growth.grow import Grown
from sim.studies.growth.worst_hour import COMPARED, Verified
from sim.studies.measures import MEASURES
from sim.studies.written import iso, written

ROWS_SHOWN: Final = 40


def blocks_of(grown: Grown, verified: Verified | None) -> list[Block]:
    """Return what is to be seen, in order."""
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
                    [one.name, iso(one.first), one.first_degree, one.peak_degree, iso(one.peak), one.hours]
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
        value = [verified.mean(name, upgraded=upgraded) for upgraded in (False, True)]
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


def _cut(count: int) -> Words | None:
    if count <= ROWS_SHOWN:
        return None
    english = f"The first {ROWS_SHOWN} of {count}; all are in limits.parquet."
    return Words(english, f"前 {ROWS_SHOWN} 项，共 {count} 项；全部见 limits.parquet。")


def _date(when: datetime | None) -> str:
    assert when is not None
    return when.date().isoformat()
